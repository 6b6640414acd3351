"""Where the wall time went."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tvb_nest_cosim.cosim_core.results import Run
from tvb_nest_cosim.orchestrator.report.style import (
    INK,
    PHASE_COLOURS,
    ROLE_COLOURS,
    Drawn,
    TimeAxis,
    legend_above,
    new_figure,
    thinned,
)


def participant_names(timing: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Lists label, role and rank of the processes in the order of the table."""
    pairs = timing[["participant", "rank"]].drop_duplicates().itertuples(index=False)
    found = [(str(role), int(rank)) for role, rank in pairs]
    many = {role for role, rank in found if rank > 0}
    return [(f"{role} {rank}" if role in many else role, role, rank) for role, rank in found]


def draw_timing(run: Run) -> Iterator[Drawn]:
    """Draws the phases of each process, and how long it worked on each window."""
    timing = run.timing if run.has("timing") else pd.DataFrame()
    if timing.empty:
        return
    figure = new_figure(11.0, 3.6)
    bars, curves = figure.subplots(1, 2, width_ratios=[1.0, 1.15])
    _bars(bars, timing)
    _curves(curves, run, timing)
    yield Drawn(
        "timing",
        "Where the time went",
        "Left: wall time of each process by phase; the process that waits least sets the pace. "
        "Right: time that each process worked on a window (everything but waiting); below the "
        "dashed line it is faster than real time.",
        figure,
    )


def _bars(axes: Axes, timing: pd.DataFrame) -> None:
    totals = timing.groupby(["participant", "rank"], sort=False).sum()
    names = [label for label, _, _ in participant_names(timing)]
    left = np.zeros(len(totals))
    for phase, shade in PHASE_COLOURS.items():
        seconds = totals[f"{phase}_s"].to_numpy(np.float64)
        axes.barh(np.arange(len(totals)), seconds, left=left, color=shade, label=phase, height=0.6)
        left += seconds
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("wall time (s)")
    axes.set_title("Per process", pad=36)
    legend_above(axes, columns=4)


def _curves(axes: Axes, run: Run, timing: pd.DataFrame) -> None:
    time = TimeAxis(run.records.simulated_ms)
    window_ms = run.plan.window_ticks * run.experiment.dt_ms
    busy = [f"{phase}_s" for phase in PHASE_COLOURS if phase != "wait"]
    for label, role, rank in participant_names(timing):
        rows = timing[(timing["participant"] == role) & (timing["rank"] == rank)]
        ends = (rows["window"].to_numpy(np.float64) + 1) * window_ms
        ends, worked_ms = thinned(ends, 1000.0 * rows[busy].sum(axis=1).to_numpy(np.float64), 300)
        axes.plot(
            time.of(ends),
            np.maximum(worked_ms, 1e-3),
            color=ROLE_COLOURS.get(role, INK),
            linestyle="-" if rank == 0 else ":",
            label=label,
            linewidth=1.0,
        )
    axes.axhline(window_ms, color=INK, linewidth=0.8, linestyle="--", label="real time")
    axes.set_yscale("log")
    axes.set_ylabel("work per window (ms)")
    axes.set_title("Over the run", pad=36)
    legend_above(axes)
    time.apply(axes)
