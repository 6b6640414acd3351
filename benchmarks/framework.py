"""Benchmarks: their definition, and how one is carried out.

A benchmark reports, it is no test: a missed target is written down and fails nothing. It prepares
what it needs once and then measures several times; medians are reported. The machine may be busy
with other work, so whatever is compared is measured within one repetition, one after the other,
and the ratio of the two is the measurement.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Values = Mapping[str, float]
"""Measured values by the key of their quantity; a repetition may leave some out."""

Once = Callable[[], Values]
"""Measures once."""


@dataclass(frozen=True)
class Setting:
    """What a benchmark is told.

    Attributes:
        folder: For figures and whatever else is worth keeping; it exists.
        is_tiny: Whether only to show that the benchmark runs, in seconds.
    """

    folder: Path
    is_tiny: bool = False


@dataclass(frozen=True)
class Quantity:
    """Something that is measured.

    Attributes:
        key: Its name among the values.
        text: What it is, for the table.
        unit: Its unit; empty for a ratio.
        at_most: Target that it should not exceed.
        at_least: Target that it should reach.
    """

    key: str
    text: str
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    def is_met(self, value: float) -> bool | None:
        """Tells whether a value meets the target; None without one."""
        if self.at_most is not None:
            return value <= self.at_most
        if self.at_least is not None:
            return value >= self.at_least
        return None

    @property
    def target(self) -> str:
        """Returns the target as text; empty without one."""
        if self.at_most is not None:
            return f"at most {self.at_most:g} {self.unit}".rstrip()
        if self.at_least is not None:
            return f"at least {self.at_least:g} {self.unit}".rstrip()
        return ""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        name: By which it is chosen.
        text: What it measures, one line.
        quantities: What it returns, in the order of the table.
        prepare: Makes what it needs, and yields what measures once.
        repeats: How often to measure.
        draw: Draws figures of the result into a folder.
    """

    name: str
    text: str
    quantities: tuple[Quantity, ...]
    prepare: Callable[[Setting], AbstractContextManager[Once]]
    repeats: int
    draw: Callable[[Result, Path], None] | None = None


@dataclass(frozen=True)
class Result:
    """What came of a benchmark.

    Attributes:
        benchmark: The benchmark.
        samples: Values by quantity, in the order measured.
        wall_s: How long all of it took.
        load: Mean number of runnable processes on the machine, before and after.
    """

    benchmark: Benchmark
    samples: Mapping[str, list[float]]
    wall_s: float
    load: tuple[float, float]

    def median(self, key: str) -> float:
        """Returns the median of a quantity."""
        return statistics.median(self.samples[key])

    def tree(self) -> dict[str, Any]:
        """Returns the result as plain values."""
        return {
            "name": self.benchmark.name,
            "text": self.benchmark.text,
            "wall_s": round(self.wall_s, 1),
            "load_before": self.load[0],
            "load_after": self.load[1],
            "quantities": [
                {
                    "key": quantity.key,
                    "text": quantity.text,
                    "unit": quantity.unit,
                    "target": quantity.target or None,
                    "median": self.median(quantity.key),
                    "is_met": quantity.is_met(self.median(quantity.key)),
                    "samples": self.samples[quantity.key],
                }
                for quantity in self.benchmark.quantities
                if quantity.key in self.samples
            ],
        }


def carry_out(benchmark: Benchmark, setting: Setting, repeats: int | None = None) -> Result:
    """Prepares a benchmark and measures.

    Args:
        benchmark: The benchmark.
        setting: What it is told.
        repeats: How often to measure; default: as the benchmark says.

    Raises:
        ValueError: If it returns what it did not declare.
    """
    known = {quantity.key for quantity in benchmark.quantities}
    samples: dict[str, list[float]] = {}
    began_s, load = time.monotonic(), os.getloadavg()[0]
    with benchmark.prepare(setting) as once:
        for _ in range(repeats or benchmark.repeats):
            values = once()
            if unknown := values.keys() - known:
                raise ValueError(f"{benchmark.name} measured {unknown}, which it does not declare")
            for key, value in values.items():
                samples.setdefault(key, []).append(value)
    wall_s = time.monotonic() - began_s
    return Result(benchmark, samples, wall_s, (load, os.getloadavg()[0]))
