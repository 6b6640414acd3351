"""The digest: equal for equal results, however they were computed, and different otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from typer.testing import CliRunner

from results.conftest import MakeRun
from results.synthetic_run import Activity, completed
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.results import digest, open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.cli.main import app


@pytest.fixture
def reference(make_run: MakeRun) -> str | None:
    return digest(make_run("reference"))


@pytest.mark.parametrize(("window_ticks", "ranks"), [(40, 1), (7, 2), (600, 3), (599, 1)])
def test_windows_and_ranks_do_not_matter(
    make_run: MakeRun, reference: str | None, window_ticks: int, ranks: int
) -> None:
    other = make_run("other", window_ticks=window_ticks, nest_ranks=ranks)
    assert digest(other) == reference


def test_collected_files_and_timing_do_not_matter(make_run: MakeRun, reference: str | None) -> None:
    root = make_run()
    for path in RunLayout(root).journals.glob("*.timing"):
        path.unlink()
    completed(root)
    assert digest(root) == reference == open_run(root).digest
    assert len(reference) == 64


def moved_spike(activity: Activity) -> None:
    activity.spikes["lHC"][10, 0] += 1


def other_neuron(activity: Activity) -> None:
    activity.spikes["rHC"][10, 1] = (activity.spikes["rHC"][10, 1] + 1) % 100


def last_bit(activity: Activity) -> None:
    activity.tvb[30, 0, 5, 0] = np.nextafter(activity.tvb[30, 0, 5, 0], 1)


def lost_spike(activity: Activity) -> None:
    activity.spikes["rHC"] = activity.spikes["rHC"][:-1]


@pytest.mark.parametrize("change", [moved_spike, other_neuron, last_bit, lost_spike])
def test_any_difference_in_the_results_changes_it(
    make_run: MakeRun, reference: str | None, change: Callable[[Activity], None]
) -> None:
    activity = Activity.make()
    change(activity)
    assert digest(make_run("changed", activity=activity)) != reference


def test_every_nan_is_the_same_nan(make_run: MakeRun, reference: str | None) -> None:
    activity = Activity.make()
    bits = activity.tvb.view(np.uint64)
    bits[np.isnan(activity.tvb)] = 0xFFF8_0000_0000_0001
    assert digest(make_run("nan", activity=activity)) == reference


@pytest.mark.parametrize("simulators", ["both", "nest", "tvb"])
def test_a_run_that_computed_nothing_has_none(make_run: MakeRun, simulators: str) -> None:
    nothing = {"nest": 0, "tvb": 0, "translator": 0}
    root = make_run(simulators=simulators, windows=nothing)
    assert digest(root) is None
    with open_run(root) as run:
        assert run.digest is None
    answer = CliRunner().invoke(app, ["digest", str(root)])
    assert isinstance(answer.exception, RunDirectoryError)
    assert "computed nothing" in str(answer.exception)
    assert answer.stdout == ""


def test_names_of_populations_count(make_run: MakeRun, reference: str | None) -> None:
    root = make_run()
    path = RunLayout(root).plan
    tree = json.loads(path.read_text())
    for region, populations in tree["populations"].items():
        tree["populations"][region] = {f"{name}_2": size for name, size in populations.items()}
    path.write_text(json.dumps(tree))
    assert digest(root) != reference
