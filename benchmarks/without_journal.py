"""Starts a service that keeps nothing: ``python -m benchmarks.without_journal MODULE ARGUMENT...``.

Its journals and its timing lead nowhere; everything else is as in any run.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from unittest.mock import patch

from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir import recorder
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner


class Nowhere:
    """A journal that forgets."""

    def __init__(self, path: Path, owner: JournalOwner) -> None: ...

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *_: object) -> None: ...

    def append(self, block: Block) -> None:
        """Does nothing with a block."""


if __name__ == "__main__":
    del sys.argv[0]
    with patch.object(recorder, "JournalWriter", Nowhere):
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
