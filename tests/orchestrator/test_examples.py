"""Every shipped experiment loads and plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import EXAMPLES, EXPERIMENTS, SHARED_DATA
from tvb_nest_cosim.cosim_core.model.connectome import load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import load_experiment
from tvb_nest_cosim.orchestrator.planning import datasets
from tvb_nest_cosim.orchestrator.planning.plan import make_plan

FILES = [path.relative_to(EXAMPLES).as_posix() for path in EXPERIMENTS]


def test_examples_are_found() -> None:
    assert {"quickstart.yaml", "hippocampus.yaml", "custom_network/experiment.yaml"} <= set(FILES)


def mouse() -> Path:
    """The mouse connectome, wherever it is on this machine."""
    copies = (SHARED_DATA / "ConnectivityAllen2mm.zip", datasets.cached("allen-mouse"))
    for path in copies:
        if path.is_file():
            return path
    pytest.skip(
        f"the connectome allen-mouse is neither at {copies[0]} nor in the cache; "
        "cosim data fetch allen-mouse"
    )


@pytest.mark.parametrize("name", FILES)
def test_example_plans(name: str, tmp_path: Path) -> None:
    path = EXAMPLES / name
    experiment = load_experiment(path)
    source = experiment.connectome.source
    found = mouse() if source == "allen-mouse" else datasets.connectome_path(source, path.parent)
    connectome = load_connectome(found, experiment.connectome)
    planned = make_plan(
        experiment,
        connectome,
        connectome_path=found,
        run_dir=tmp_path / "run",
        base_dir=path.parent,
    )
    plan = planned.plan
    assert experiment.name == (path.parent.name if path.stem == "experiment" else path.stem)
    assert experiment.description
    if plan.has_proxies:
        assert planned.limit is not None
        assert plan.window_ticks * plan.lookahead <= planned.limit.limit_ticks


def test_mouse_delays_are_the_published_ones() -> None:
    experiment = load_experiment(EXAMPLES / "mouse_ca1_async.yaml")
    connectome = load_connectome(mouse(), experiment.connectome)
    right, left = connectome.index("Right_Field_CA1"), connectome.index("Left_Field_CA1")
    assert connectome.idelays(0.1)[left, right] == pytest.approx(179.5, abs=0.5)


def test_quickstart_is_the_brain_of_tvb_alone() -> None:
    loop = load_experiment(EXAMPLES / "quickstart.yaml")
    alone = load_experiment(EXAMPLES / "tvb_alone.yaml")
    assert loop.adex == alone.adex
    assert loop.connectome == alone.connectome
    assert (loop.tvb.coupling, loop.tvb.initial) == (alone.tvb.coupling, alone.tvb.initial)
