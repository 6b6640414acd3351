"""Processor time to translate a window: the pipeline by itself, in one process, without sockets.

Rates and drive by the number of populations and by the length of the window, then every kind of
rate and of drive by itself. Explicit trains are the only kind whose cost grows with the neurons.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks.figures import drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting
from benchmarks.runs import QUICKSTART, REGIONS
from benchmarks.stopwatch import processor_us
from tvb_nest_cosim.cosim_core.model.experiment import load_experiment
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind, RateKind
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import COUNT, REAL, Array
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.report.style import INK, REGION_COLOURS, colour
from tvb_nest_cosim.translator.pipeline import Pipeline

POPULATIONS = (2, 10, 20, 40)
TICKS = (1, 5, 20, 50)
NEURONS = (100, 1000)
"""Neurons of a region, for explicit trains."""

AT_MOST_US = 50.0
WINDOWS = 1024
"""A multiple of the windows for which the translator makes noise at once."""
_HZ = 5.0


@dataclass(frozen=True)
class Case:
    """A translation to measure.

    Attributes:
        populations: Populations of all regions, two each.
        ticks: Ticks of a window.
        neurons: Neurons of a region.
        changes: Kinds of rate and drive; default: those of the quickstart.
    """

    populations: int = 10
    ticks: int = 20
    neurons: int = 1000
    changes: tuple[str, ...] = field(default=())

    def plan(self, windows: int) -> RunPlan:
        """Returns the plan of a run of this translation over a number of windows."""
        names = ",".join(REGIONS[: self.populations // 2])
        changes = [
            f"duration_ms={ms_of(windows * self.ticks, 0.1)}",
            f"spiking.0.regions=[{names}]", f"window.length_ms={ms_of(self.ticks, 0.1)}",
            "connectome.speed_mm_per_ms=1", f"adex.neurons={self.neurons}",
            "spiking.0.tracts.mode=none", *self.changes,
        ]  # fmt: skip
        return plan_run(load_experiment(QUICKSTART, changes), QUICKSTART.parent, Path("none")).plan


def _drive(kind: str, neurons: int = 1000) -> Case:
    correlation = 0.1 if kind in ("mip", "sip") else 0.0
    changes = (f"spiking.0.drive.kind={kind}", f"spiking.0.drive.correlation={correlation}")
    return Case(neurons=neurons, changes=changes)


RATES = {
    f"rate {kind}": Case(changes=(f"spiking.0.rate.kind={kind}",)) for kind in get_args(RateKind)
}
DRIVES = {
    **{f"drive {kind}": _drive(kind) for kind in get_args(DriveKind) if kind != "trains"},
    **{f"drive trains {neurons}": _drive("trains", neurons) for neurons in NEURONS},
}
GRID = tuple(
    Case(populations, ticks) for populations, ticks in itertools.product(POPULATIONS, TICKS)
)


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    windows = 4 if setting.is_tiny else WINDOWS
    yield lambda: dict(_measured(windows))


def _measured(windows: int) -> Iterator[tuple[str, float]]:
    for case in GRID:
        rates_us, drive_us = _window_us(case, windows)
        yield f"both {case.populations} {case.ticks}", rates_us + drive_us
    for key, case in RATES.items():
        yield key, _window_us(case, windows)[0]
    for key, case in DRIVES.items():
        yield key, _window_us(case, windows)[1]


def _window_us(case: Case, windows: int) -> tuple[float, float]:
    """Returns the processor time of rates and of drive of a window, in microseconds."""
    plan = case.plan(windows)
    sizes = {"excitatory": case.neurons * 4 // 5, "inhibitory": case.neurons // 5}
    pipeline = Pipeline(plan)
    pipeline.build(lambda window, arrays: None)
    pipeline.start({region.name: sizes for region in plan.regions})
    random = np.random.default_rng(1)
    mean = np.array([[size * _HZ * 1e-4] for size in sizes.values()])
    counts = iter(
        [
            {
                f"counts/{region.name}": random.poisson(mean, (2, case.ticks)).astype(COUNT)
                for region in plan.regions
            }
            for _ in range(windows)
        ]
    )
    coupling: dict[str, Array] = {
        f"coupling/{region.name}": np.full(case.ticks, 2.0, REAL) for region in plan.regions
    }
    grid, rates, drives = plan.grid, itertools.count(), itertools.count()
    return (
        processor_us(lambda: pipeline.rates(grid.window(next(rates)), [next(counts)]), windows),
        processor_us(lambda: pipeline.drive(grid.window(next(drives)), coupling), windows),
    )


def _draw(result: Result, folder: Path) -> None:
    with drawn(folder / "translator.png", 8.0, 3.6, panels=2) as (left, right):
        left.set_title("rates and drive of a window (us)")
        for number, ticks in enumerate(TICKS):
            medians = [result.median(f"both {populations} {ticks}") for populations in POPULATIONS]
            shade = colour(REGION_COLOURS, number)
            left.plot(POPULATIONS, medians, "o-", color=shade, label=f"{ms_of(ticks, 0.1):g} ms")
        left.axhline(AT_MOST_US, color=INK, linestyle=":")
        left.set_xlabel("populations")
        left.set_ylim(0, None)
        left.legend(title="window")
        right.set_title("by kind: 10 populations, 2 ms (us)")
        keys = [*RATES, *DRIVES]
        medians = [result.median(key) for key in keys]
        right.plot(medians, keys, "o", color=colour(REGION_COLOURS, 2))
        for key, median in zip(keys, medians, strict=True):
            right.annotate(f"  {median:.3g}", (median, key), va="center", fontsize=8)
        right.set_xscale("log")
        right.invert_yaxis()


def _quantities() -> Iterator[Quantity]:
    for case in GRID:
        yield Quantity(
            f"both {case.populations} {case.ticks}",
            f"rates and drive: {case.populations} populations, {ms_of(case.ticks, 0.1):g} ms",
            "us",
            at_most=AT_MOST_US if (case.populations, case.ticks) == (10, 20) else None,
        )
    for key in RATES:
        yield Quantity(key, f"10 populations, 2 ms: rates, {key.split()[1]}", "us")
    for key in DRIVES:
        _, kind, *neurons = key.split()
        trains = f" for 5 x {neurons[0]} neurons" if neurons else ""
        yield Quantity(key, f"10 populations, 2 ms: drive, {kind}{trains}", "us")


BENCHMARK = Benchmark(
    name="translator",
    text="the translation of a window alone",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=5,
    draw=_draw,
)
