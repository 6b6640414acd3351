"""Windows per second of an ensemble that computes nothing: transport and protocol alone.

Three processes and the orchestrator, over the same sockets and by the same code as in any run; only
the simulators and the translation do nothing. Blocks have the sizes that peers were measured with:
one value, and 36, per region of a brain of 76. Processor time, which other work on the machine
hardly touches, is told besides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import dots, drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import PARTICIPANTS, QUICKSTART, run
from tvb_nest_cosim.orchestrator.report.style import INK, MUTED, PHASE_COLOURS, ROLE_COLOURS

WINDOWS = 5_000
AT_LEAST = 2000.0
PEERS = {"HELICS": 930.0, "MUSCLE3": 840.0, "mosaik": 54.0}
"""Exchanges per second of 21.9 kB both ways, on two cores of such a machine."""


@dataclass(frozen=True)
class Case:
    """A block size and what goes with it.

    Attributes:
        size: Bytes of every block.
        lookahead: Windows that each side may be ahead; with 1 everybody waits for everybody.
        keeps: Whether the translator keeps a journal of every block, as it does in any run.
    """

    size: int
    lookahead: int
    keeps: bool

    @property
    def key(self) -> str:
        """Its name."""
        kept = "kept" if self.keeps else "not kept"
        return f"{self.size} B, lookahead {self.lookahead}, {kept}"


CASES = tuple(
    Case(size, lookahead, keeps)
    for keeps in (False, True)
    for lookahead in (1, 2)
    for size in (608, 21_888)
)


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    windows, cases = (100, (CASES[0], CASES[-1])) if setting.is_tiny else (WINDOWS, CASES)
    order = deque(cases)

    def once() -> Values:
        values: dict[str, float] = {}
        for case in order:
            values |= _measured(case, windows, setting.folder)
        order.rotate(3)
        return values

    yield once


def _measured(case: Case, windows: int, folder: Path) -> Values:
    changes = [
        f"duration_ms={2 * windows}", "window.length_ms=2", f"window.lookahead={case.lookahead}",
    ]  # fmt: skip
    through = ["benchmarks.idle", str(case.size)]
    if not case.keeps:
        through = ["benchmarks.without_journal", *through]
    ran = run(QUICKSTART, changes, folder / "lockstep", through=through)
    processor_s = sum(map(ran.processor_s, PARTICIPANTS))
    return {case.key: windows / ran.wall_s, f"processor {case.key}": processor_s / windows * 1e6}


def _draw(result: Result, folder: Path) -> None:
    with drawn(folder / "lockstep.png", 8.0, 3.6) as (axes,):
        axes.set_title("windows per second of an ensemble that computes nothing")
        for place, case in enumerate(CASES):
            colour = PHASE_COLOURS["record"] if case.keeps else ROLE_COLOURS["tvb"]
            if samples := result.samples.get(case.key):
                dots(axes, place, samples, colour)
        names = [f"{c.size / 1000:.1f} kB\nlookahead {c.lookahead}" for c in CASES]
        for number, (name, rate) in enumerate(PEERS.items(), start=len(CASES)):
            dots(axes, number, [rate], MUTED)
            names.append(f"{name}\n21.9 kB")
        axes.set_xticks(range(len(names)), names, fontsize=7)
        axes.axhline(AT_LEAST, color=INK, linestyle=":", linewidth=1.2)
        axes.set_ylim(0, None)
        for first, text in ((0, "nothing kept"), (len(CASES) // 2, "journal kept")):
            axes.text(first - 0.3, AT_LEAST, text, va="bottom", fontsize=8)


def _quantities() -> Iterator[Quantity]:
    for case in CASES:
        kept = "all kept in the journal" if case.keeps else "nothing kept"
        text = f"blocks of {case.size:,} B, lookahead {case.lookahead}, {kept}"
        at_least = AT_LEAST if case.size > 1000 else None
        yield Quantity(case.key, text, "windows/s", at_least=at_least)
        yield Quantity(f"processor {case.key}", f"{text}: processor time of a window", "us")


BENCHMARK = Benchmark(
    name="lockstep",
    text="windows per second with simulators that do nothing, three processes",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=5,
    draw=_draw,
)
