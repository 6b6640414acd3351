"""Content of a sweep file: the experiment, the points, the statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Count,
    FileName,
    Name,
    NonNegative,
    Part,
    Positive,
)
from tvb_nest_cosim.cosim_core.model.experiment.faults import parse_as
from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of
from tvb_nest_cosim.cosim_core.model.experiment.load import json_schema, read_yaml

KeyPath = Name
"""Key path of an experiment, such as ``adex.excitatory.b_pA`` or ``spiking.0.rate.width_ms``."""


class Span(Part):
    """A range of numbers."""

    low: float
    """Lowest value."""
    high: float
    """Highest value."""
    spacing: Literal["linear", "log"] = "linear"
    """``log``: evenly spread in the logarithm; both ends must be above 0."""
    integer: bool = False
    """Round to whole numbers."""


class Steps(Span):
    """Evenly spaced values, both ends included."""

    number: Annotated[int, Field(ge=2)]
    """How many."""


class Link(Part):
    """How a key follows from the value of its axis: ``offset + factor * value``."""

    factor: float = 1.0
    """Factor."""
    offset: float = 0.0
    """Value at 0."""


class Linked(Part):
    """What an axis sets in the experiment."""

    keys: dict[KeyPath, Link] = Field(default_factory=dict)
    """Key paths that follow from the axis. Default: the axis is named by the key path it sets."""


class Axis(Linked):
    """One dimension with given values."""

    values: Annotated[list[JsonValue], Field(min_length=1)] | Steps
    """The values, of any kind that the key takes, or evenly spaced numbers."""


class Range(Linked, Span):
    """One dimension to draw numbers from."""


Axes = Annotated[dict[Name, Axis], Field(min_length=1)]
Ranges = Annotated[dict[Name, Range], Field(min_length=1)]


class Grid(Part):
    """Every combination; the last axis varies fastest."""

    kind: Literal["grid"]
    """Marks the form."""
    vary: Axes
    """Dimensions by name: a key path, or any name with ``keys``."""


class Zip(Part):
    """First values together, second values together, and so on."""

    kind: Literal["zip"]
    """Marks the form."""
    vary: Axes
    """Dimensions of the same length by name: a key path, or any name with ``keys``."""


class Listed(Part):
    """Points one by one."""

    kind: Literal["list"]
    """Marks the form."""
    points: Annotated[list[dict[KeyPath, JsonValue]], Field(min_length=1)]
    """Values by key path; a key that a point leaves out keeps its value of the experiment."""


class LatinHypercube(Part):
    """Points that hit every one of ``number`` slices of every dimension once."""

    kind: Literal["latin_hypercube"]
    """Marks the form."""
    vary: Ranges
    """Ranges by name: a key path, or any name with ``keys``."""
    number: Count
    """Points."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the draw; not that of the experiment."""


class Sobol(Part):
    """Scrambled Sobol points, which fill many dimensions evenly."""

    kind: Literal["sobol"]
    """Marks the form."""
    vary: Ranges
    """Ranges by name: a key path, or any name with ``keys``."""
    number: Count
    """Points, a power of 2: only those are spread evenly."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the scrambling; not that of the experiment."""


Design = Annotated[Grid | Zip | Listed | LatinHypercube | Sobol, Field(discriminator="kind")]


class Measures(Part):
    """How the statistics in the table are computed."""

    discard_ms: NonNegative = 0.0
    """Time at the start of every run that is left out."""
    bin_ms: Positive = 3.0
    """Bins of spike counts, for synchrony, correlation and power; a whole number of steps."""
    frequency_resolution_hz: Positive = 5.0
    """Distance of frequencies in power spectra; their segments last 1 / this."""


class Sweep(Part):
    """An exploration of parameters."""

    name: Name = "sweep"
    """Short name; becomes the name of its folder."""
    description: str = ""
    """What it shows."""
    experiment: FileName
    """The experiment that every point changes; a path relative to the sweep file."""
    set: dict[KeyPath, JsonValue] = Field(default_factory=dict)
    """Values for all points, by key path; like ``--set`` of ``cosim run``."""
    design: Design
    """The points."""
    repeats: Count = 1
    """Runs of every point, with the seeds ``seed``, ``seed + 1``, ... of the experiment."""
    statistics: Measures = Measures()
    """How the table is computed."""


def load_sweep(path: Path) -> Sweep:
    """Reads a sweep file.

    Raises:
        ExperimentError: If it cannot be read or is not a valid sweep; with every fault.
    """
    with lines_of(path):
        return parse_as(Sweep, read_yaml(path, "sweep"))


def sweep_schema() -> dict[str, Any]:
    """Returns the JSON schema of a sweep file."""
    return json_schema(Sweep)


def names_of(design: Design) -> list[str]:
    """Returns the names of what is varied, in the order of the file."""
    if isinstance(design, Listed):
        return list(dict.fromkeys(_keys(design.points)))
    return list(design.vary)


def _keys(points: list[dict[str, Any]]) -> Iterator[str]:
    for point in points:
        yield from point
