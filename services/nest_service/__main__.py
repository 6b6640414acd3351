"""Entry point of the NEST service: ``python -P -m tvb_nest_cosim.nest_service worker ...``."""

from __future__ import annotations

from tvb_nest_cosim.cosim_core.participant.service import main
from tvb_nest_cosim.cosim_core.participant.window_loop import Simulator


def make_simulator() -> Simulator:
    """Returns the simulator that a worker runs; NEST itself is imported when it builds."""
    from tvb_nest_cosim.nest_service.simulator import NestSimulator

    return NestSimulator()


def import_ahead() -> None:
    """Imports NEST, which takes a second, before a run is known."""
    from tvb_nest_cosim.nest_service.kernel import load_nest

    load_nest()
    make_simulator()


if __name__ == "__main__":
    main("nest", make_simulator, import_ahead)
