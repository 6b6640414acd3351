"""``python -P -m tvb_nest_cosim.tvb_service``: the worker process that runs The Virtual Brain."""

from __future__ import annotations

import importlib

from tvb_nest_cosim.cosim_core.participant.service import main
from tvb_nest_cosim.cosim_core.participant.window_loop import Simulator


def make_simulator() -> Simulator:
    """Makes the simulator of this process."""
    from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

    return TvbSimulator()


def import_ahead() -> None:
    """Imports tvb-library and what builds with it."""
    from tvb_nest_cosim.tvb_service.library import load_tvb

    load_tvb()
    importlib.import_module("tvb_nest_cosim.tvb_service.build")
    make_simulator()


if __name__ == "__main__":
    main("tvb", make_simulator, import_ahead)
