"""Writes a participant's journal and how long each phase of a window took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import REAL, Array, Block
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

PHASES = ("wait", "receive", "absorb", "advance", "read", "encode", "send", "record")
"""Phases of a window: waiting for blocks; receiving, checking and decoding them; setting devices or
feeding proxies; simulating or translating; reading out; turning blocks into frames; sending them;
writing the journal."""

_COMPUTING = ("absorb", "advance", "read")

_FLUSH_EVERY = 256


def record_edge(role: str) -> str:
    """Returns the private edge on which a participant records its own results."""
    return f"{role}.record"


def phases_of(block: Block) -> npt.NDArray[np.float64]:
    """Returns the times that a block of a timing journal holds.

    Returns:
        float64 [window, phase], s, phases in the order of :data:`PHASES`.

    Raises:
        RunDirectoryError: If they are times of other phases.
    """
    rows = np.asarray(block.arrays["phases"], np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(PHASES):
        raise RunDirectoryError(
            f"{block.edge} has times of shape {rows.shape}, expected {len(PHASES)} phases per "
            "window; the run was made by another version of tvb-nest-cosim"
        )
    return rows


class _Phase:
    """A phase that is under way; not a generator, since there are several in every window."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder, self._name = recorder, name

    def __enter__(self) -> None:
        self._before_s = self._recorder.spent_s
        self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        inner_s = self._recorder.spent_s - self._before_s
        self._recorder.spent(self._name, time.perf_counter() - self._begin - inner_s)


class Recorder:
    """Journal and timing of one process.

    Args:
        layout: Paths of the run.
        owner: The process.

    Raises:
        RunDirectoryError: If the files cannot be made.
    """

    def __init__(self, layout: RunLayout, owner: JournalOwner) -> None:
        role, rank = self._role, self._rank = owner.role, owner.rank
        self._journal = JournalWriter(layout.journal(role, rank), owner)
        self._timing = JournalWriter(layout.timing_journal(role, rank), owner)
        self._rows: list[list[float]] = []
        self._first_row = 0
        self._now = dict.fromkeys(PHASES, 0.0)
        self.compute_s = 0.0
        self.wait_s = 0.0
        self.spent_s = 0.0

    def record(self, window: Window, arrays: Mapping[str, Array]) -> None:
        """Keeps private signals of a window."""
        with self.phase("record"):
            self._journal.append(
                Block(record_edge(self._role), window.index, self._rank, dict(arrays))
            )

    def received(self, block: Block) -> None:
        """Keeps a block as it came in."""
        with self.phase("record"):
            self._journal.append(block)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Adds the time spent inside to a phase of the current window; phases may nest.

        An inner phase is not counted in the outer one.
        """
        return _Phase(self, name)

    def spent(self, phase: str, seconds: float) -> None:
        """Adds time to a phase of the current window."""
        self._now[phase] += seconds
        self.spent_s += seconds

    def end_window(self) -> None:
        """Closes the books of a window."""
        self.compute_s += sum(self._now[phase] for phase in _COMPUTING)
        self.wait_s += self._now["wait"]
        self._rows.append([self._now[name] for name in PHASES])
        self._now = dict.fromkeys(PHASES, 0.0)
        if len(self._rows) >= _FLUSH_EVERY:
            self._flush()

    def close(self) -> None:
        """Writes what is left and closes the files.

        Raises:
            RunDirectoryError: If that is not possible, e.g. because the disk is full.
        """
        with self._journal, self._timing:
            if self._rows:
                self._flush()

    def _flush(self) -> None:
        phases = np.array(self._rows, dtype=REAL)
        edge = f"{self._role}.timing"
        self._timing.append(Block(edge, self._first_row, self._rank, {"phases": phases}))
        self._first_row += len(self._rows)
        self._rows.clear()
