"""``python -m tvb_service``: the worker process that runs The Virtual Brain."""

from __future__ import annotations

from cosim_core.participant import Simulator
from cosim_core.service import main


def make_simulator() -> Simulator:
    """Makes the simulator of this process."""
    from tvb_service.simulator import TvbSimulator

    return TvbSimulator()


if __name__ == "__main__":
    main("tvb", make_simulator)
