"""Entry point of the NEST service: ``python -m nest_service worker ...``."""

from __future__ import annotations

from cosim_core.participant import Simulator
from cosim_core.service import main


def make_simulator() -> Simulator:
    """Makes the simulator that a worker carries through a run; NEST itself loads on building."""
    from nest_service.simulator import NestSimulator

    return NestSimulator()


def import_ahead() -> None:
    """Imports NEST."""
    from nest_service.kernel import load_nest

    load_nest()
    make_simulator()


if __name__ == "__main__":
    main("nest", make_simulator, import_ahead)
