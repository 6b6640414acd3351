"""Small experiments and connectomes for tests of the planner."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.orchestrator.planning.plan import Planned, make_plan

LABELS = ("alpha", "beta", "gamma", "delta")

ADEX: dict[str, Any] = {
    "duration_ms": 100.0,
    "adex": {"neurons": 100, "p_connect": 0.2, "K_ext": 50},
    "spiking": [{"regions": ["alpha", "beta"]}],
}
"""Two spiking AdEx regions among four; everything else is derived."""

EXPLICIT: dict[str, Any] = {
    "duration_ms": 100.0,
    "tvb": {"model": {"name": "JansenRit"}},
    "spiking": [
        {
            "regions": ["alpha", "beta"],
            "network": {"module": "tvb_nest_cosim.nest_service.networks.brunel:build"},
            "drive": {"weight": 2.0, "synapses": 10.0, "hz_per_unit": 5.0},
            "feed": [
                {"variable": "y1", "population": "excitatory", "unit_per_hz": 0.5},
                {"variable": "y2", "population": "inhibitory"},
            ],
            "tracts": {"synapses_per_weight": 3.0},
        }
    ],
}
"""The same with another network and another model, every number given."""


def connectome(
    weights: Any = None, lengths_mm: Any = None, speed_mm_per_ms: float = 1.0
) -> Connectome:
    """Makes a connectome of four regions, all joined, every tract 3 mm unless given."""
    count = len(LABELS)
    weights = np.full((count, count), 0.5) if weights is None else np.array(weights, dtype=float)
    lengths = np.full((count, count), 3.0) if lengths_mm is None else np.array(lengths_mm)
    weights = weights.copy()
    np.fill_diagonal(weights, 0.0)
    return Connectome(LABELS, weights, lengths, np.zeros((count, 3)), speed_mm_per_ms)


def changed(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Copies a tree and sets ``a__0__b=value`` at the key path a.0.b."""
    tree = copy.deepcopy(tree)
    for path, value in changes.items():
        *keys, last = path.split("__")
        node: Any = tree
        for key in keys:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        if isinstance(node, list):
            node[int(last)] = value
        else:
            node[last] = value
    return tree


def planned_of(
    tree: dict[str, Any], network: Connectome | None = None, run_dir: Path = Path("run")
) -> Planned:
    """Plans an experiment, with its limits and estimates."""
    return make_plan(
        parse(tree),
        network or connectome(),
        connectome_path=Path("connectome.zip"),
        run_dir=run_dir,
        base_dir=Path(),
    )


def plan_of(tree: dict[str, Any], network: Connectome | None = None) -> RunPlan:
    """Plans an experiment."""
    return planned_of(tree, network).plan


def faults_of(tree: dict[str, Any], network: Connectome | None = None) -> dict[str, Fault]:
    """Plans an experiment that must be refused; returns the faults by key path."""
    try:
        plan_of(tree, network)
    except ExperimentError as error:
        return {fault.path: fault for fault in error.faults}
    raise AssertionError("the experiment was accepted")
