"""From a sweep file to its points."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweep.sweeps import DRIVE, TINY, B, grid, make_sweep, points_of
from tvb_nest_cosim.cosim_core.model.experiment.load import apply_overrides
from tvb_nest_cosim.orchestrator.planning.plan import experiment_digest
from tvb_nest_cosim.orchestrator.sweep.points import _as_yaml, expand

NUMBERS = st.lists(st.floats(0, 100).map(lambda x: round(x, 3)), min_size=1, max_size=4)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc.: #", min_size=1), inner),
    max_leaves=8,
)  # fmt: skip


def ranges(kind: str, number: int, **vary: Any) -> dict[str, Any]:
    return {"kind": kind, "number": number, "vary": vary}


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_grid_is_every_combination_the_last_axis_fastest(a: Any, b: Any, c: Any) -> None:
    drafts = expand(make_sweep(grid(x=a, y=b, z=c)))
    assert [tuple(draft.parameters.values()) for draft in drafts] == list(
        itertools.product(a, b, c)
    )
    assert [draft.index for draft in drafts] == list(range(len(a) * len(b) * len(c)))


@given(JSON)
def test_values_reach_the_experiment_unchanged(value: Any) -> None:
    text = f"parameters={_as_yaml(value)}"
    assert "\n" not in text
    found = apply_overrides({}, [text])["parameters"]
    assert found == value
    assert repr(found) == repr(value)  # 1 is not 1.0, and True is not 1


def test_zip_takes_the_values_together() -> None:
    design = {**grid(x=[1, 2, 3], y=["a", "b", "c"]), "kind": "zip"}
    drafts = expand(make_sweep(design))
    assert [tuple(d.parameters.values()) for d in drafts] == [(1, "a"), (2, "b"), (3, "c")]


def test_listed_points_keep_what_they_leave_out() -> None:
    design = {"kind": "list", "points": [{B: 5}, {DRIVE: 2.0}, {B: 7, DRIVE: 3.0}]}
    points = points_of(design, set={B: 1})
    assert [point.parameters for point in points] == [
        {B: 5, DRIVE: 0.0}, {B: 1.0, DRIVE: 2.0}, {B: 7, DRIVE: 3.0},
    ]  # fmt: skip
    got = [(p.experiment.adex.excitatory.b_pA, p.experiment.adex.external_hz) for p in points]
    assert got == [(5, 0), (1, 2), (7, 3)]


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 5))
def test_a_latin_hypercube_hits_every_slice_once(number: int, dimensions: int, seed: int) -> None:
    vary = {f"x{n}": {"low": -1, "high": 3} for n in range(dimensions)}
    drafts = expand(make_sweep({**ranges("latin_hypercube", number, **vary), "seed": seed}))
    for name in vary:
        slices = [math.floor((d.parameters[name] + 1) / 4 * number) for d in drafts]
        assert sorted(slices) == list(range(number))


def test_sobol_points_fill_evenly_and_depend_on_their_seed_alone() -> None:
    vary = {"x": {"low": 0, "high": 1}, "y": {"low": 0, "high": 1}}
    first, again = (expand(make_sweep(ranges("sobol", 16, **vary))) for _ in range(2))
    assert first == again
    assert first != expand(make_sweep({**ranges("sobol", 16, **vary), "seed": 2}))
    cells = {tuple(math.floor(4 * v) for v in d.parameters.values()) for d in first}
    assert len(cells) == 16  # one in each of 4 x 4 cells: a (0, 4, 2)-net


def test_steps_are_even_include_both_ends_and_are_short_numbers() -> None:
    values = {"low": 0.1, "high": 0.7, "number": 7}
    found = [d.parameters["x"] for d in expand(make_sweep(grid(x=values)))]
    assert found == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    log = {"low": 1, "high": 1000, "number": 4, "spacing": "log", "integer": True}
    found = [d.parameters["x"] for d in expand(make_sweep(grid(x=log)))]
    assert found == [1, 10, 100, 1000]
    assert all(isinstance(value, int) for value in found)


def test_logarithmic_ranges_are_drawn_evenly_in_the_logarithm() -> None:
    vary = {"x": {"low": 0.01, "high": 100, "spacing": "log"}}
    drafts = expand(make_sweep(ranges("latin_hypercube", 400, **vary)))
    logs = np.log10([d.parameters["x"] for d in drafts])
    assert abs(logs.mean()) < 0.01
    assert np.histogram(logs, 4, (-2, 2))[0].tolist() == [100, 100, 100, 100]


def test_an_axis_may_set_several_keys() -> None:
    design = grid(current_pA=[0, 30])
    design["vary"]["current_pA"]["keys"] = {
        "adex.excitatory.E_L_mV": {"offset": -65, "factor": 0.1},
        "adex.inhibitory.E_L_mV": {"offset": -60, "factor": 0.2},
    }
    points = points_of(design)
    cells = [(p.experiment.adex.excitatory, p.experiment.adex.inhibitory) for p in points]
    assert [(e.E_L_mV, i.E_L_mV) for e, i in cells] == [(-65, -60), (-62, -54)]
    assert [point.parameters for point in points] == [{"current_pA": 0}, {"current_pA": 30}]


def test_repeats_differ_in_their_seed_alone() -> None:
    points = points_of(grid(adex__external_hz=[1, 2]), repeats=3, set={"seed": 5})
    assert [(p.index, p.parameters[DRIVE], p.experiment.seed) for p in points] == [
        (0, 1, 5), (1, 1, 6), (2, 1, 7), (3, 2, 5), (4, 2, 6), (5, 2, 7),
    ]  # fmt: skip
    assert len({point.id for point in points}) == 6
    assert all(
        p.experiment.model_copy(update={"seed": 5}) == points[0].experiment for p in points[:3]
    )


def test_a_point_is_known_by_its_experiment_wherever_it_stands() -> None:
    few = points_of(grid(adex__external_hz=[1, 2]))
    more = points_of(grid(adex__excitatory__b_pA=[0.0, 9.0], adex__external_hz=[3, 2.0, 1]))
    ids = {point.id for point in few}
    assert ids <= {point.id for point in more}  # b = 0 is the default, 2 is 2.0
    assert all(point.digest == experiment_digest(point.experiment) for point in more)


def test_overrides_rebuild_the_experiment_from_its_file() -> None:
    for point in points_of(grid(tvb__initial=[{"E": 1e-06}, {"E": [0, 1e-3]}]), repeats=2):
        texts = [yaml.safe_load(text.partition("=")[2]) for text in point.overrides]
        assert texts[0] == point.parameters["tvb.initial"]
        tree = apply_overrides(TINY, point.overrides)
        assert tree["tvb"]["initial"] == point.parameters["tvb.initial"]


@pytest.mark.parametrize("name", ["seed", "repeats"])
def test_the_seed_is_varied_in_one_way(name: str) -> None:
    design = grid(**({"seed": [1, 2]} if name == "seed" else {"adex__external_hz": [1]}))
    points = points_of(design, repeats=1 if name == "seed" else 2)
    assert [point.experiment.seed for point in points] == [1, 2]
