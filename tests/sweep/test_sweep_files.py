"""Sweep files: what is refused and how it is told, and what is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sweep.sweeps import DRIVE, B, Tree, grid, make_sweep, points_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.faults import parse_as
from tvb_nest_cosim.cosim_core.model.experiment.load import read_yaml
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.local_pool import LocalPool
from tvb_nest_cosim.orchestrator.sweep.model import Measures, Sweep, load_sweep, sweep_schema
from tvb_nest_cosim.orchestrator.sweep.points import expand, resolve
from tvb_nest_cosim.orchestrator.sweep.runner import examine

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = sorted((REPOSITORY / "examples").glob("sweep_*.yaml"))


def faults_of(design: Tree, **more: Any) -> tuple[Fault, ...]:
    with pytest.raises(ExperimentError) as caught:
        points_of(design, **more)
    return caught.value.faults


def told(design: Tree, **more: Any) -> list[str]:
    return [str(fault) for fault in faults_of(design, **more)]


def test_unknown_keys_are_refused_with_what_was_meant() -> None:
    tree = {
        "experiment": "x",
        "desing": {},
        "design": {"kind": "grid", "vary": {"a": {"valus": 1}}},
    }
    with pytest.raises(ExperimentError) as caught:
        parse_as(Sweep, tree)
    assert [str(f) for f in caught.value.faults] == [
        "design.vary.a.values: Field required; got {'valus': 1}",
        "design.vary.a.valus: unknown key; did you mean values?",
        "desing: unknown key; did you mean design or description?",
    ]


def test_the_faults_of_all_points_are_told_at_once_each_once() -> None:
    design = grid(adex__excitatory__b_pA=["x", 1, "y"], adex__external_hz=[-1, 1])
    assert told(design, set={"adex.neuron": 5}) == [
        "adex.excitatory.b_pA: point 0 (adex.excitatory.b_pA = x, adex.external_hz = -1) and 1 "
        "more: Input should be a valid number, unable to parse string as a number; got 'x'",
        "adex.external_hz: point 0 (adex.excitatory.b_pA = x, adex.external_hz = -1) and 2 more: "
        "Input should be greater than or equal to 0; got -1",
        "adex.neuron: unknown key; did you mean neurons?",
        "adex.excitatory.b_pA: point 4 (adex.excitatory.b_pA = y, adex.external_hz = -1) and 1 "
        "more: Input should be a valid number, unable to parse string as a number; got 'y'",
    ]


def test_faults_of_plans_are_found_before_anything_starts(tmp_path: Path) -> None:
    base = {"adex": {"neurons": 50}, "spiking": [{"regions": ["rHC"]}], "duration_ms": 20}
    design = grid(spiking__0__regions=[["rHC"], ["rHCC"]], window__length_ms=["auto", 50])
    points = points_of(design, base)
    layout = SweepLayout(tmp_path / "out")
    pool = LocalPool(layout, tmp_path / "tiny.yaml", None, 2)
    with pytest.raises(ExperimentError) as caught:
        examine(pool, layout, points, Measures(discard_ms=18, bin_ms=3.05))
    paths = [fault.path for fault in caught.value.faults]
    assert paths.count("statistics.bin_ms") == 1
    assert "statistics.discard_ms" in paths
    by_path = {fault.path: fault.message for fault in caught.value.faults}
    assert by_path["spiking.0.regions.0"].startswith("point 2 (spiking.0.regions = ['rHCC'], ")
    assert "is not a region of this connectome" in by_path["spiking.0.regions.0"]
    assert "window.length_ms" in paths
    assert not layout.root.exists()


@pytest.mark.parametrize(
    ("design", "more", "words"),
    [
        (grid(seed=[1, 2]), {"repeats": 2}, "repeats: the design varies the seed already"),
        (
            {"kind": "list", "points": [{"seed": 4}]},
            {"repeats": 2},
            "repeats: the design varies the seed already",
        ),
        (
            {**grid(x=[1, 2], y=[3]), "kind": "zip"},
            {},
            "design.vary: a zip needs as many values in every dimension; x has 2, y has 1",
        ),
        (
            {"kind": "sobol", "number": 12, "vary": {DRIVE: {"low": 0, "high": 1}}},
            {},
            "design.number: 12 is not a power of 2, and only those Sobol points are spread evenly; "
            "take 8 or 16",
        ),
        (
            grid(x={"low": 3, "high": 1, "number": 2}),
            {},
            "design.vary.x.values: low is 3, which is not below high, 1",
        ),
        (
            grid(x={"low": 0, "high": 1, "number": 2, "spacing": "log"}),
            {},
            "design.vary.x.values: low is 0; logarithms need numbers above 0",
        ),
    ],
)
def test_designs_that_make_no_sense_are_refused(design: Tree, more: Tree, words: str) -> None:
    assert told(design, **more)[0].startswith(words)


def test_two_axes_do_not_set_the_same_key() -> None:
    design = grid(adex__excitatory__b_pA=[1], b=[2])
    design["vary"]["b"]["keys"] = {B: {}}
    assert told(design) == [f"design.vary.b: sets {B}, as {B} does"]


def test_only_numbers_can_be_scaled() -> None:
    design = grid(b=["a"])
    design["vary"]["b"]["keys"] = {B: {"factor": 2}}
    assert told(design) == ["design.vary.b: 'a' is not a number, so no key can be computed from it"]


def test_a_missing_experiment_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"cannot read the sweep .*: No such file"):
        load_sweep(tmp_path / "none.yaml")


def test_the_explorations_of_the_reference_are_there() -> None:
    names = {path.stem.removeprefix("sweep_") for path in EXAMPLES}
    ensembles = ("tvb", "nest", "nest_saving", "cosim")
    assert names == {f"{what}_{of}" for what in ("b_drive", "g_current") for of in ensembles}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_sweeps_are_valid(path: Path, tmp_path: Path) -> None:
    sweep = load_sweep(path)
    base = path.parent / sweep.experiment
    points = resolve(sweep, read_yaml(base, "experiment"), str(base))
    layout = SweepLayout(tmp_path / "out")
    pool = LocalPool(layout, base, None, 2)
    assert examine(pool, layout, points, sweep.statistics).keys() == {p.id for p in points}
    assert len(points) == len(expand(sweep)) == 9
    assert sweep.name == path.stem
    assert sweep.description
    ensemble = {"tvb": "tvb", "cosim": "both"}.get(path.stem.split("_")[-1], "nest")
    assert {point.experiment.simulators for point in points} == {ensemble}


def test_a_current_is_a_shift_of_the_leak_potential() -> None:
    """I / g_L, as the examples say."""
    sweep = load_sweep(REPOSITORY / "examples" / "sweep_g_current_nest.yaml")
    base = read_yaml(REPOSITORY / "examples" / sweep.experiment, "experiment")
    for point in resolve(sweep, base, "base"):
        adex = point.experiment.adex
        assert adex is not None
        for cell in (adex.excitatory, adex.inhibitory):
            current_pA = (cell.E_L_mV + 65.0) * cell.g_L_nS
            assert current_pA == pytest.approx(point.parameters["current_pA"])
            assert cell.a_nS == 0.0
        assert adex.Q_i_nS / adex.Q_e_nS == pytest.approx(point.parameters["g"])


def test_the_committed_schema_is_current() -> None:
    committed = (REPOSITORY / "docs" / "sweep.schema.json").read_text(encoding="utf-8")
    current = json.dumps(sweep_schema(), indent=2) + "\n"
    assert committed == current, "docs/sweep.schema.json is out of date; run `make schema`"


def test_every_key_has_a_description() -> None:
    schema = sweep_schema()
    parts = [schema, *schema["$defs"].values()]
    missing = [
        f"{part.get('title')}.{name}"
        for part in parts
        for name, key in part.get("properties", {}).items()
        if not key.get("description")
    ]
    assert missing == []


def test_a_sweep_round_trips(tmp_path: Path) -> None:
    sweep = make_sweep(grid(x=[1, "a", None, [2]]), repeats=2)
    assert Sweep.model_validate(sweep.model_dump(mode="json")) == sweep
