"""Plans made by hand, without planning: what the plans of all tests have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS, Experiment, Feed
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import DrivePlan, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import EDGES
from tvb_nest_cosim.cosim_core.model.timegrid import ticks_of

DIGEST = "d" * 64


def run_plan(experiment: Experiment, **changes: Any) -> RunPlan:
    """Makes a plan of three processes, windows of 10 ticks and no spiking region."""
    values: dict[str, Any] = {
        "run": "test",
        "run_dir": "/nonexistent/run",
        "base_dir": "/nonexistent",
        "experiment": experiment,
        "experiment_digest": DIGEST,
        "participants": {"tvb": 1, "nest": 1, "translator": 1},
        "edges": list(EDGES),
        "total_ticks": ticks_of(experiment.duration_ms, experiment.dt_ms),
        "window_ticks": 10,
        "lookahead": 1,
        "connectome_path": "none.zip",
        "regions": [],
        "tracts": [],
        "tvb_parameters": {},
        "has_proxies": False,
    }
    return RunPlan(**{**values, **changes})


def region_plan(
    name: str,
    index: int,
    *,
    group: int = 0,
    kind: DriveKind = "poisson",
    feeds: Sequence[Feed] = (),
    **drive: Any,
) -> RegionPlan:
    """Makes the plan of a spiking region; what is said of its drive differs from one afferent."""
    values: dict[str, Any] = {
        "kind": kind,
        "targets": None,
        "weight": 1.0,
        "synapses": 1.0,
        "external_hz": 0.0,
        "correlation": 0.0,
        "current_pA_per_hz": 1.0,
        "coupling_variable": 0,
        "hz_per_unit": 1.0,
        "noise": None,
        "hop_ticks": HOP_TICKS[kind],
    }
    return RegionPlan(
        name=name, index=index, group=group, feeds=list(feeds), drive=DrivePlan(**values | drive)
    )
