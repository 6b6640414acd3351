"""Whether a long run stays as fast and as small as it began: 20,000 windows of real simulators.

The networks are small, so that what is not computing would show. Cost is wall time per window, and
besides the processor time of each process, which other work on the machine hardly touches; memory
is what is resident of each process. The last tenth of the windows is held against the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.figures import drawn
from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.runs import ORCHESTRATOR, PARTICIPANTS, QUICKSTART, Look, Ran, run, work
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER
from tvb_nest_cosim.orchestrator.report.style import INK, MUTED, PHASE_COLOURS, ROLE_COLOURS

WINDOWS = 20_000
PROCESSES = (*PARTICIPANTS, ORCHESTRATOR)
_COLOURS = dict(zip(PROCESSES, [*(ROLE_COLOURS[role] for role in LAUNCH_ORDER), INK], strict=True))
_BINS = 100
MIB = 2**20


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    windows = 200 if setting.is_tiny else WINDOWS
    changes = [
        "adex.neurons=50", "adex.p_connect=0.4", f"duration_ms={2 * windows}",
        "window.length_ms=2",
    ]  # fmt: skip

    def once() -> Values:
        every_s = 0.05 if setting.is_tiny else 0.25
        ran = run(QUICKSTART, changes, setting.folder / "drift", look_every_s=every_s)
        _draw(ran, setting.folder / "drift.png")
        return values_of(ran)

    yield once


def values_of(ran: Ran) -> Values:
    """Returns the last tenth of a run by its first, and what a window takes."""
    parts = _tenths(ran)
    wall, last_wall = (part[-1].at_s - part[0].at_s for part in parts)
    windows, last_windows = (part[-1].windows - part[0].windows for part in parts)
    works = {name: work(phases) for name, phases in ran.phases().items()}
    values = {
        "window": ran.wall_s / ran.windows * 1e6,
        "wall": (last_wall / last_windows) / (wall / windows),
    }
    for name in PROCESSES:
        first, last = (_processor_s(part, name) for part in parts)
        if first:  # the system counts in hundredths of a second
            values[f"processor {name}"] = (last / last_windows) / (first / windows)
        low, high = (np.mean([look.resident_bytes[name] for look in part]) for part in parts)
        values[f"memory {name}"] = float(high / low)
        values[f"size {name}"] = float(high) / MIB
    for name in PARTICIPANTS:
        tenth = max(1, ran.windows // 10)
        values[f"work {name}"] = float(
            np.median(works[name][-tenth:]) / np.median(works[name][:tenth])
        )
    return values


def _tenths(ran: Ran) -> tuple[Sequence[Look], Sequence[Look]]:
    """Returns the looks during the first and the last tenth of the windows; two at least."""
    first = [look for look in ran.looks if look.windows <= 0.1 * ran.windows]
    last = [look for look in ran.looks if look.windows >= 0.9 * ran.windows]
    return (
        first if first[-1].windows > first[0].windows else ran.looks[:2],
        last if last[-1].windows > last[0].windows else ran.looks[-2:],
    )


def _processor_s(part: Sequence[Look], name: str) -> float:
    return part[-1].processor_s[name] - part[0].processor_s[name]


def _draw(ran: Ran, path: Path) -> None:
    with drawn(path, 9.0, 3.6, panels=2) as (cost, memory):
        cost.set_title("a window takes (us)")
        for name, phases in ran.phases().items():
            bins = np.array_split(work(phases), min(_BINS, ran.windows))
            medians = [float(np.median(part)) * 1e6 for part in bins]
            places = np.linspace(0, ran.windows, len(bins))
            cost.plot(places, medians, color=_COLOURS[name], label=f"{name}, work")
        windows = np.array([look.windows for look in ran.looks])
        at_s = np.array([look.at_s for look in ran.looks])
        moved = np.flatnonzero(np.diff(windows)) + 1
        edges = np.linspace(0, ran.windows, min(_BINS, len(moved)) + 1)
        at_edges = np.interp(edges, [0, *windows[moved]], [at_s[0], *at_s[moved]])
        per_window = np.diff(at_edges) / np.diff(edges) * 1e6
        cost.plot(edges[1:], per_window, color=MUTED, label="wall time", zorder=0)
        cost.set_ylim(0, None)
        memory.set_title("resident memory (MiB)")
        for name in PROCESSES:
            sizes = [look.resident_bytes[name] / MIB for look in ran.looks]
            memory.plot(windows, sizes, color=_COLOURS[name], label=name)
        memory.set_ylim(0, None)
        for axes in (cost, memory):
            axes.set_xlabel("windows")
            axes.axvspan(0, 0.1 * ran.windows, color=PHASE_COLOURS["wait"], alpha=0.5, zorder=-1)
            axes.axvspan(
                0.9 * ran.windows, ran.windows, color=PHASE_COLOURS["wait"], alpha=0.5, zorder=-1
            )
            axes.legend(fontsize=7)


def _quantities() -> Iterator[Quantity]:
    yield Quantity("window", "wall time of a window", "us")
    yield Quantity("wall", "wall time of a window, last tenth by first", at_most=1.05)
    for name in PARTICIPANTS:
        yield Quantity(f"work {name}", f"{name}: median work of a window, last tenth by first")
    for name in PROCESSES:
        of = f"{name}: last tenth by first"
        yield Quantity(f"processor {name}", f"{of}, processor time of a window")
        yield Quantity(f"memory {name}", f"{of}, resident memory", at_most=1.02)
        yield Quantity(f"size {name}", f"{name}: resident memory in the last tenth", "MiB")


BENCHMARK = Benchmark(
    name="drift",
    text="cost and memory of 20,000 windows, the last tenth by the first",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=3,
)
