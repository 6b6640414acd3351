"""Oracle 1 through the whole system: proxies fed with plain TVB's own states change nothing.

    TVB alone (no proxies) --Raw--> states of rHC --journal--> translator <--> TVB with proxy rHC

The same test runs over channels inside this process with every model, and over real processes and
sockets, which carry what they get, with one that has two coupling variables and with another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.model.plan import Built
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter, read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.orchestrator.planning.plan import plan_run

PROXY = "rHC"
DETERMINISTIC = {"name": "HeunDeterministic"}
STOCHASTIC = {"name": "HeunStochastic", "noise": {"nsig": 1e-6}}

MODELS: dict[str, dict[str, Any]] = {
    "ReducedWongWang": {"coupling": ("Linear", 0.05), "variables": ["S"]},
    "Generic2dOscillator": {"coupling": ("Linear", 0.1), "variables": ["V"]},
    "JansenRit": {"coupling": ("SigmoidalJansenRit", 10.0), "variables": ["y1", "y2"]},
    "ZerlautAdaptationFirstOrder": {"coupling": ("Linear", 0.3), "variables": ["E"]},
    "ZerlautAdaptationSecondOrder": {"coupling": ("Linear", 0.3), "variables": ["E"]},
}


def experiment_of(model: str, integrator: Mapping[str, Any]) -> dict[str, Any]:
    """One proxy; every coupling variable is fed from a population of its own name."""
    coupling, slope = MODELS[model]["coupling"]
    variables = MODELS[model]["variables"]
    return {
        "simulators": "tvb",
        "duration_ms": 12.0,
        "seed": 5,
        "tvb": {
            "model": {"name": model, "variables_of_interest": variables},
            "coupling": {"name": coupling, "parameters": {"a": slope}},
            "integrator": dict(integrator),
            "monitors": [{"name": "Raw"}],
        },
        "spiking": [
            {
                "regions": [PROXY],
                "network": {"module": "tvb_nest_cosim.nest_service.networks.brunel:build"},
                "drive": {"weight": 1.0, "synapses": 1.0, "hz_per_unit": 1.0},
                "feed": [{"variable": name, "population": name} for name in variables],
                "tracts": {"mode": "none"},
            }
        ],
    }


def raw(root: Path) -> np.ndarray:
    """Every sample of the Raw monitor, shape (tick, variable, region)."""
    blocks = [
        block.arrays["monitor/Raw/data"]
        for block in read_journal(RunLayout(root).journal("tvb", 0))
        if "monitor/Raw/data" in block.arrays
    ]
    return np.concatenate(blocks)[..., 0]


def pretend_nest_did(root: Path, tree: Mapping[str, Any], states: np.ndarray) -> None:
    """Writes the journal of a run in which the proxy's populations had its states as rates.

    Args:
        root: Run directory to make.
        tree: The experiment.
        states: States of all regions, [tick, variable, region].
    """
    with_stand_in = {**tree, "stand_in": {"kind": "constant", "hz": 0.0}}
    plan = plan_run(parse(with_stand_in), root.parent, root).plan
    layout = RunLayout(root)
    layout.make()
    proxy = plan.regions[0].index
    populations = {PROXY: dict.fromkeys(plan.regions[0].fed_populations, 1)}
    write_plan(layout.root, plan, Built(populations=populations))
    owner = JournalOwner(plan.run, "translator", 0)
    with JournalWriter(layout.journal("translator", 0), owner) as journal:
        for window in plan.grid.windows():
            rates = np.ascontiguousarray(states[window.start : window.stop, :, proxy].T)
            journal.append(Block("translator.record", window.index, 0, {f"rates/{PROXY}": rates}))


def check(
    tree: dict[str, Any], tmp_path: Path, carry_out: Callable[[dict[str, Any]], Path]
) -> None:
    plain = raw(carry_out(tree))
    pretend_nest_did(tmp_path / "recorded", tree, plain)
    fed = raw(
        carry_out({**tree, "stand_in": {"kind": "journal", "run": str(tmp_path / "recorded")}})
    )
    assert plain.shape == fed.shape
    assert np.ptp(plain[-1]) > 0
    np.testing.assert_array_equal(fed, plain)


@pytest.mark.parametrize("integrator", [DETERMINISTIC, STOCHASTIC], ids=["deterministic", "noise"])
@pytest.mark.parametrize("model", MODELS)
def test_in_memory(
    model: str, integrator: dict[str, Any], tmp_path: Path, finished_here: Callable[..., Any]
) -> None:
    check(experiment_of(model, integrator), tmp_path, lambda tree: finished_here(tree).root)


@pytest.mark.parametrize(
    ("model", "integrator"),
    [("JansenRit", STOCHASTIC), ("ReducedWongWang", DETERMINISTIC)],
)
def test_over_processes_and_sockets(
    model: str, integrator: dict[str, Any], tmp_path: Path, finished: Callable[..., Any]
) -> None:
    check(experiment_of(model, integrator), tmp_path, lambda tree: finished(tree).root)


def test_other_states_are_noticed(finished_here: Callable[..., Any]) -> None:
    """The oracle can fail: a proxy that is fed something else moves its neighbours."""
    tree = experiment_of("ReducedWongWang", DETERMINISTIC)
    plain = raw(finished_here(tree).root)
    fed = raw(finished_here({**tree, "stand_in": {"kind": "constant", "hz": 0.9}}).root)
    assert not np.array_equal(plain[-1], fed[-1])
