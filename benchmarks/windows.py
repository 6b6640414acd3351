"""Time that a window takes, by its length, by the number of spiking regions and by the size of TVB.

Networks are small, so that what comes with every window shows beside computing. A straight line is
fitted to the cost by length: so much per window, so much per tick. The cost is wall time; what each
simulator works of it, waiting left out, comes from the run's own timing.
"""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from benchmarks.figures import drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import QUICKSTART, REGIONS, run, work
from tvb_nest_cosim.orchestrator.report.style import INK, ROLE_COLOURS

LENGTHS_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SPIKING = (1, 2, 4, 8)
BRAINS = (76, 192, 1000)
WINDOWS = 300
NEURONS = 250
SYNTHETIC = "synthetic-1000.zip"
_WHO = ("window", "nest", "tvb", "translator")


@dataclass(frozen=True)
class Case:
    """A length of windows, a number of spiking regions and one of all regions."""

    length_ms: float = 2.0
    spiking: int = 2
    regions: int = 76

    @property
    def key(self) -> str:
        """Its name."""
        return f"{self.length_ms:g} ms, {self.spiking} spiking of {self.regions}"

    def changes(self, windows: int, folder: Path) -> list[str]:
        """Returns what makes the quickstart this case."""
        source, names = {
            76: ("connectivity_76", REGIONS),
            192: ("connectivity_192", ("rMDMF", "lMDMF")),
            1000: (str(folder / SYNTHETIC), ("r0", "r1")),
        }[self.regions]
        return [
            f"connectome.source={source}",
            # so slow that twice 5 ms are exact
            "connectome.speed_mm_per_ms=2",
            f"spiking.0.regions=[{','.join(names[: self.spiking])}]",
            f"adex.neurons={NEURONS}",
            "adex.p_connect=0.8",
            f"window.length_ms={self.length_ms}",
            f"duration_ms={round(windows * self.length_ms, 1)}",
        ]


def _distinct() -> tuple[Case, ...]:
    cases = [Case(length_ms=length) for length in LENGTHS_MS]
    cases += [Case(spiking=number) for number in SPIKING]
    cases += [Case(regions=number) for number in BRAINS]
    return tuple(dict.fromkeys(cases))


CASES = _distinct()


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    windows, cases = (6, (CASES[0], Case())) if setting.is_tiny else (WINDOWS, CASES)
    _write_brain(setting.folder / SYNTHETIC, 30 if setting.is_tiny else 1000)
    order = deque(cases)

    def once() -> Values:
        values: dict[str, float] = {}
        for case in order:
            values |= _measured(case, windows, setting.folder)
        order.rotate(4)
        costs = [values[f"window {c.key}"] for c in cases if c in CASES[: len(LENGTHS_MS)]]
        ticks = [10 * c.length_ms for c in cases if c in CASES[: len(LENGTHS_MS)]]
        tick, window = np.polyfit(ticks, costs, 1, w=1 / np.array(costs))
        return {"per window": float(window), "per tick": float(tick), **values}

    yield once


def _measured(case: Case, windows: int, folder: Path) -> Values:
    ran = run(QUICKSTART, case.changes(windows, folder), folder / "windows")
    phases = ran.phases()
    works = {role: float(np.mean(work(phases[f"{role}-0"]))) for role in _WHO[1:]}
    values = {"window": ran.wall_s / ran.windows, **works}
    return {f"{who} {case.key}": seconds * 1e6 for who, seconds in values.items()}


def _write_brain(path: Path, regions: int) -> None:
    """Writes a brain with no structure but tracts into every region from a fifth of the others."""
    random = np.random.default_rng(5)
    weights = random.uniform(0, 1, (regions, regions))
    weights[random.uniform(size=weights.shape) > 0.2] = 0.0
    lengths = random.uniform(25, 150, weights.shape)
    tables = {
        "weights": [" ".join(f"{value:.3f}" for value in row) for row in weights],
        "tract_lengths": [" ".join(f"{value:.1f}" for value in row) for row in lengths],
        "centres": [f"r{index} 0 0 {index}" for index in range(regions)],
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for stem, lines in tables.items():
            archive.writestr(f"{stem}.txt", "\n".join(lines))


def _draw(result: Result, folder: Path) -> None:
    panels: list[tuple[str, Sequence[float], Sequence[Case]]] = [
        ("length of a window (ms)", LENGTHS_MS, [Case(length_ms=length) for length in LENGTHS_MS]),
        ("spiking regions", SPIKING, [Case(spiking=number) for number in SPIKING]),
        ("regions of the brain", BRAINS, [Case(regions=number) for number in BRAINS]),
    ]
    with drawn(folder / "windows.png", 10.0, 3.4, panels=3) as all_axes:
        for axes, (label, places, cases) in zip(all_axes, panels, strict=True):
            _panel(axes, result, places, cases)
            axes.set_xlabel(label)
        all_axes[0].set_title("a window takes (us)")
        all_axes[0].legend()


def _panel(axes: Axes, result: Result, places: Sequence[float], cases: Sequence[Case]) -> None:
    shades = {"window": INK, **ROLE_COLOURS}
    labels = {"window": "wall time", **{role: f"{role}, work" for role in _WHO[1:]}}
    for who in _WHO:
        there = [(x, f"{who} {case.key}") for x, case in zip(places, cases, strict=True)]
        points = [(x, result.median(key)) for x, key in there if key in result.samples]
        xs, medians = zip(*points, strict=True) if points else ((), ())
        axes.plot(xs, medians, "o-", color=shades[who], label=labels[who])
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()


def _quantities() -> Iterator[Quantity]:
    yield Quantity("per window", "fitted to the lengths: per window", "us")
    yield Quantity("per tick", "fitted to the lengths: per tick", "us")
    for case in CASES:
        text = f"{case.length_ms:g} ms, {case.spiking} spiking of {case.regions} regions"
        yield Quantity(f"window {case.key}", f"{text}: wall time of a window", "us")
        for role in _WHO[1:]:
            yield Quantity(f"{role} {case.key}", f"{text}: work of {role}", "us")


BENCHMARK = Benchmark(
    name="windows",
    text="cost of a window by its length, spiking regions and regions; 250 neurons per network",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=3,
    draw=_draw,
)
