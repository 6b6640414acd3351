"""Plans of small ensembles, made by hand: the translator's tests need no connectome."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plans import region_plan, run_plan
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind, Feed
from tvb_nest_cosim.cosim_core.model.plan import Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    EDGES,
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TVB_TO_TRANSLATOR,
    sender_of,
)

SIZES = {"excitatory": 80, "inhibitory": 20}


def populations_of(plan: RunPlan) -> Populations:
    return {region.name: dict(SIZES) for region in plan.regions}


def make_plan(
    *,
    drives: Sequence[DriveKind] = ("poisson",),
    rates: Sequence[dict[str, Any]] | None = None,
    group_drive: dict[str, Any] | None = None,
    simulators: str = "both",
    stand_in: dict[str, Any] | None = None,
    ticks: int = 200,
    window_ticks: int = 20,
    dt_ms: float = 0.1,
    noise: DriveNoise | None = None,
    correlation: float = 0.2,
    seed: int = 7,
    nest_ranks: int = 1,
    nest_kernels: int = 1,
    one_group: bool = False,
    base_dir: Path = Path("/nonexistent"),
    run_dir: Path = Path("/nonexistent/run"),
) -> RunPlan:
    """One region (r0, r1, ...) per entry of ``drives``, each a spiking group of its own or not."""
    indices = range(len(drives))
    groups = [indices] if one_group else [[index] for index in indices]
    tree: dict[str, Any] = {
        "simulators": simulators,
        "duration_ms": ticks * dt_ms,
        "dt_ms": dt_ms,
        "seed": seed,
        "spiking": [
            {
                "regions": [f"r{index}" for index in group],
                "drive": {
                    "kind": drives[group[0]],
                    "correlation": correlation,
                    **(group_drive or {}),
                },
                "rate": rates[group[0]] if rates else {"width_ms": 2.0},
            }
            for group in groups
        ],
    }
    if stand_in is not None:
        tree["stand_in"] = stand_in
    edges = {
        "both": list(EDGES),
        "nest": [TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR],
        "tvb": [TVB_TO_TRANSLATOR, "translator>tvb"],
    }[simulators]
    participants = {"translator": 1, **{sender_of(edge): 1 for edge in edges}}
    if "nest" in participants:
        participants["nest"] = nest_ranks
    return run_plan(
        parse(tree),
        run_dir=str(run_dir),
        base_dir=str(base_dir),
        participants=participants,
        nest_kernels=nest_kernels,
        edges=edges,
        total_ticks=ticks,
        window_ticks=window_ticks,
        regions=[
            region_plan(
                f"r{index}",
                index,
                group=0 if one_group else index,
                kind=kind,
                feeds=[Feed(variable="E", population="excitatory", unit_per_hz=0.001)],
                synapses=100.0,
                external_hz=1.0,
                correlation=correlation,
                current_pA_per_hz=0.5,
                hz_per_unit=1000.0,
                noise=noise,
            )
            for index, kind in enumerate(drives)
        ],
        has_proxies=True,
    )
