"""``python -m tvb_service``: the worker process that runs The Virtual Brain."""

from __future__ import annotations

import importlib

from cosim_core.participant import Simulator
from cosim_core.service import main


def make_simulator() -> Simulator:
    """Makes the simulator of this process."""
    from tvb_service.simulator import TvbSimulator

    return TvbSimulator()


def import_ahead() -> None:
    """Imports tvb-library and what builds with it."""
    from tvb_service.library import load_tvb

    load_tvb()
    importlib.import_module("tvb_service.assembly")
    make_simulator()


if __name__ == "__main__":
    main("tvb", make_simulator, import_ahead)
