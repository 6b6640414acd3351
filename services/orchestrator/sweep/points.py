"""From a sweep to its points. Pure: reads and writes nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import yaml

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.load import load_tree
from tvb_nest_cosim.orchestrator.planning.plan import experiment_digest
from tvb_nest_cosim.orchestrator.sweep.model import (
    Axis,
    Grid,
    LatinHypercube,
    Link,
    Linked,
    Listed,
    Sobol,
    Span,
    Steps,
    Sweep,
    Zip,
    names_of,
)

ID_LETTERS = 16
"""Letters of a digest that name a point; two points of one sweep will not share so many."""

_DIGITS = 12
"""Significant digits of computed values: 0.3, not 0.30000000000000004."""

Values = dict[str, Any]
Content = TypeVar("Content", bound=Hashable)


@dataclass(frozen=True)
class Draft:
    """A point as the sweep file says it.

    Attributes:
        index: Its number, from 0; the number of its row in the table.
        parameters: Values of what is varied, by name.
        overrides: Changes to the experiment, as ``--set`` takes them.
    """

    index: int
    parameters: Mapping[str, Any]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A point with its experiment.

    Attributes:
        index: Its number, from 0.
        parameters: Values of what is varied, by name.
        overrides: Changes to the base experiment, as ``--set`` takes them.
        experiment: The resolved experiment.
        digest: Its digest.
    """

    index: int
    parameters: Mapping[str, Any]
    overrides: tuple[str, ...]
    experiment: Experiment
    digest: str

    @property
    def id(self) -> str:
        """Name of its folder; points that are the same experiment share it."""
        return self.digest[:ID_LETTERS]


def expand(sweep: Sweep) -> list[Draft]:
    """Makes the points of a sweep, repeats not counted.

    Raises:
        ExperimentError: With every fault of the design.
    """
    faults = list(_design_faults(sweep))
    if faults:
        raise ExperimentError(faults)
    fixed = dict(sweep.set)
    return [
        Draft(index, chosen, _overrides(fixed | _keys_of(sweep, chosen)))
        for index, chosen in enumerate(_chosen(sweep))
    ]


def resolve(sweep: Sweep, base: Mapping[str, Any], origin: str) -> list[Point]:
    """Makes the experiment of every point.

    Args:
        sweep: The sweep.
        base: Tree of the base experiment.
        origin: Where it comes from, for messages.

    Raises:
        ExperimentError: With every fault of every point, each listed once.
    """
    points: list[Point] = []
    faulty: list[tuple[int, ExperimentError]] = []
    drafts, names = expand(sweep), names_of(sweep.design)
    for draft in drafts:
        try:
            experiment = load_tree(base, origin, draft.overrides)
            complete = _completed(draft, names, experiment)
            for repeat in range(sweep.repeats):
                points.append(_point(len(points), complete, experiment, repeat, base, origin))
        except ExperimentError as error:
            faulty.append((draft.index, error))
    if faulty:
        labels = {draft.index: label(draft.index, draft.parameters) for draft in drafts}
        raise ExperimentError(merged(faulty, labels))
    return points


def _point(
    index: int,
    draft: Draft,
    experiment: Experiment,
    repeat: int,
    base: Mapping[str, Any],
    origin: str,
) -> Point:
    overrides = draft.overrides
    if repeat:
        overrides = (*overrides, *_overrides({"seed": experiment.seed + repeat}))
        experiment = load_tree(base, origin, overrides)
    return Point(index, draft.parameters, overrides, experiment, experiment_digest(experiment))


def _completed(draft: Draft, names: Iterable[str], experiment: Experiment) -> Draft:
    """Adds what a listed point leaves out, as the experiment has it."""
    missing = [name for name in names if name not in draft.parameters]
    if not missing:
        return draft
    tree = experiment.model_dump(mode="json")
    own = {name: _look_up(tree, name) for name in missing} | dict(draft.parameters)
    return replace(draft, parameters={name: own[name] for name in names})


def _look_up(tree: Any, path: str) -> Any:
    """Returns what stands at a key path; None if nothing does."""
    for key in path.split("."):
        if isinstance(tree, dict) and key in tree:
            tree = tree[key]
        elif isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return None
    return tree


def label(index: int, parameters: Mapping[str, Any]) -> str:
    """Names a point in a message."""
    return f"point {index} ({', '.join(f'{k} = {v}' for k, v in parameters.items())})"


def merged(faulty: Iterable[tuple[int, ExperimentError]], labels: Mapping[int, str]) -> list[Fault]:
    """Tells a fault that several points have once, and says which have it.

    Args:
        faulty: Errors by index of their point.
        labels: What to call each point, for all points of the sweep.
    """
    found = by_content((index, error.faults) for index, error in faulty)
    return [
        Fault(fault.path, f"{whose(indices, labels)}{fault.message}", fault.detail)
        for fault, indices in found.items()
    ]


def by_content(found_at: Iterable[tuple[int, Iterable[Content]]]) -> dict[Content, list[int]]:
    """Returns the indices of the points by what holds for them."""
    found: dict[Content, list[int]] = {}
    for index, things in found_at:
        for thing in things:
            found.setdefault(thing, []).append(index)
    return found


def whose(indices: Sequence[int], labels: Mapping[int, str]) -> str:
    """Begins a sentence with the points that it is about; empty if it is about all.

    Args:
        indices: The points that it is about.
        labels: What to call each point, for all points of the sweep.
    """
    if len(indices) == len(labels):
        return ""
    more = f" and {len(indices) - 1} more" if len(indices) > 1 else ""
    return f"{labels[indices[0]]}{more}: "


def _design_faults(sweep: Sweep) -> Iterator[Fault]:
    design = sweep.design
    if sweep.repeats > 1 and _sets_seed(sweep):
        yield Fault("repeats", "the design varies the seed already; leave one of them out")
    if isinstance(design, Listed):
        return
    taken: dict[str, str] = {}
    for name, axis in design.vary.items():
        if isinstance(axis, Span):
            yield from _span_faults(axis, f"design.vary.{name}")
        elif isinstance(axis, Axis) and isinstance(axis.values, Span):
            yield from _span_faults(axis.values, f"design.vary.{name}.values")
        for key in _links(name, axis):
            if key in taken:
                yield Fault(f"design.vary.{name}", f"sets {key}, as {taken[key]} does")
            taken[key] = name
    if isinstance(design, Zip):
        lengths = {name: len(_values(axis)) for name, axis in design.vary.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {number}" for name, number in lengths.items())
            yield Fault("design.vary", f"a zip needs as many values in every dimension; {counts}")
    if isinstance(design, Sobol) and design.number & (design.number - 1):
        below = 2 ** (design.number.bit_length() - 1)
        yield Fault(
            "design.number",
            f"{design.number} is not a power of 2, and only those Sobol points are spread evenly; "
            f"take {below} or {2 * below}",
        )


def _sets_seed(sweep: Sweep) -> bool:
    if isinstance(sweep.design, Listed):
        return "seed" in names_of(sweep.design)
    return any("seed" in _links(name, axis) for name, axis in sweep.design.vary.items())


def _span_faults(span: Span, path: str) -> Iterator[Fault]:
    if span.low >= span.high:
        yield Fault(path, f"low is {span.low:g}, which is not below high, {span.high:g}")
    if span.spacing == "log" and span.low <= 0:
        yield Fault(path, f"low is {span.low:g}; logarithms need numbers above 0")


def _chosen(sweep: Sweep) -> list[Values]:
    """Returns the values of every point by name."""
    design = sweep.design
    if isinstance(design, Listed):
        return [dict(point) for point in design.points]
    names = list(design.vary)
    rows: Iterable[tuple[Any, ...]]
    if isinstance(design, Grid):
        rows = itertools.product(*(_values(axis) for axis in design.vary.values()))
    elif isinstance(design, Zip):
        rows = zip(*(_values(axis) for axis in design.vary.values()), strict=True)
    else:
        rows = _sampled(design)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _values(axis: Axis) -> list[Any]:
    if isinstance(axis.values, Steps):
        last = axis.values.number - 1
        return [_within(axis.values, step / last) for step in range(last + 1)]
    return axis.values


def _sampled(design: LatinHypercube | Sobol) -> list[tuple[float, ...]]:
    # SciPy takes most of a second to import, and only these two designs need it.
    from scipy.stats import qmc

    engine = qmc.Sobol if isinstance(design, Sobol) else qmc.LatinHypercube
    unit = engine(len(design.vary), rng=design.seed).random(design.number).tolist()
    spans = design.vary.values()
    return [tuple(map(_within, spans, row)) for row in unit]


def _within(span: Span, share: float) -> float:
    """Returns the number at a share, from 0 to 1, of a range."""
    if span.spacing == "log":
        value = math.exp((1 - share) * math.log(span.low) + share * math.log(span.high))
    else:
        value = (1 - share) * span.low + share * span.high
    return round(value) if span.integer else _short(value)


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _keys_of(sweep: Sweep, chosen: Values) -> Values:
    """Returns what a point sets, by key path."""
    if isinstance(sweep.design, Listed):
        return chosen
    return {
        key: _followed(link, value, name)
        for name, value in chosen.items()
        for key, link in _links(name, sweep.design.vary[name]).items()
    }


def _links(name: str, axis: Linked) -> dict[str, Link]:
    return axis.keys or {name: Link()}


def _followed(link: Link, value: Any, name: str) -> Any:
    if link == Link():
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExperimentError.single(
            f"design.vary.{name}", f"{value!r} is not a number, so no key can be computed from it"
        )
    return _short(link.offset + link.factor * value)


def _overrides(values: Values) -> tuple[str, ...]:
    return tuple(f"{key}={_as_yaml(value)}" for key, value in values.items())


def _as_yaml(value: Any) -> str:
    """Writes a value on one line, so that reading it gives the same value."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
