"""Where the time of a window goes, by participant and phase, from the run's own timing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.figures import drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import PARTICIPANTS, QUICKSTART, run, sized
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES
from tvb_nest_cosim.orchestrator.report.style import MUTED, PHASE_COLOURS, legend_above

REST = "rest"
"""What no phase covers: leave to enter windows, reports of progress, the loop itself."""


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    changes = sized(250, 20) if setting.is_tiny else sized(1000, 500)

    def once() -> Values:
        ran = run(QUICKSTART, changes, setting.folder / "phases")
        values: dict[str, float] = {}
        for name, phases in ran.phases().items():
            means_s = {phase: float(np.mean(took_s)) for phase, took_s in phases.items()}
            means_s[REST] = ran.wall_s / ran.windows - sum(means_s.values())
            values |= {f"{name} {phase}": mean * 1e6 for phase, mean in means_s.items()}
        return values

    yield once


def _draw(result: Result, folder: Path) -> None:
    with drawn(folder / "phases.png", 8.0, 2.6) as (axes,):
        axes.set_title("a window of 2 ms, 2 x 1,000 neurons (ms)", pad=32)
        left = np.zeros(len(PARTICIPANTS))
        # Waiting last, where it stands back.
        for phase in (*(p for p in PHASES if p != "wait"), REST, "wait"):
            medians_ms = [result.median(f"{name} {phase}") / 1000 for name in PARTICIPANTS]
            shade = PHASE_COLOURS.get(phase, MUTED)
            axes.barh(PARTICIPANTS, medians_ms, left=left, color=shade, label=phase, height=0.6)
            left += medians_ms
        axes.invert_yaxis()
        legend_above(axes)


BENCHMARK = Benchmark(
    name="phases",
    text="phases of a window by participant, 2 x 1,000 neurons, windows of 2 ms",
    quantities=tuple(
        Quantity(f"{name} {phase}", f"{name}: {phase}, mean of a window", "us")
        for name in PARTICIPANTS
        for phase in (*PHASES, REST)
    ),
    prepare=_prepared,
    repeats=5,
    draw=_draw,
)
