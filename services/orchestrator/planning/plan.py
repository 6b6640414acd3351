"""From an experiment to the plan of a run, with its limits and estimates, in one pass.

Every stage gets the list of faults and goes on after one, so that all are found before anything
starts and are raised together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan, TractPlan
from tvb_nest_cosim.cosim_core.model.timegrid import ticks_of
from tvb_nest_cosim.orchestrator.planning.datasets import connectome_path
from tvb_nest_cosim.orchestrator.planning.estimate import Estimate, estimate
from tvb_nest_cosim.orchestrator.planning.groups import GroupPlan, plan_groups
from tvb_nest_cosim.orchestrator.planning.inputs import check_earlier_run, checked_folder
from tvb_nest_cosim.orchestrator.planning.mean_field import MeanField, derive_mean_field
from tvb_nest_cosim.orchestrator.planning.regions import ProxyEdge, couple
from tvb_nest_cosim.orchestrator.planning.sides import Sides, choose_sides
from tvb_nest_cosim.orchestrator.planning.tracts import plan_tracts
from tvb_nest_cosim.orchestrator.planning.windows import plan_windows


@dataclass(frozen=True)
class Planned:
    """A run that can be planned without a fault.

    Attributes:
        plan: What the participants have to agree on.
        estimate: What it takes.
        limit: The tract that limits lookahead times window; None: nothing does.
        limits_ticks: Longest lookahead times window that is exact, by spiking region coupled to
            TVB.
    """

    plan: RunPlan
    estimate: Estimate
    limit: ProxyEdge | None
    limits_ticks: Mapping[str, int]


def experiment_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of the resolved experiment as canonical JSON."""
    tree = experiment.model_dump(mode="json")
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plan_run(experiment: Experiment, base_dir: Path, run_dir: Path) -> Planned:
    """Plans a run; reads the connectome, writes nothing.

    Args:
        experiment: The experiment.
        base_dir: Folder of the experiment file, to which its paths are relative.
        run_dir: Run directory to be made; its name is the identity of the run.

    Raises:
        ExperimentError: With every fault found.
    """
    try:
        base_dir = checked_folder(experiment, base_dir)
        check_earlier_run(experiment, base_dir)
        path = connectome_path(experiment.connectome.source, base_dir)
        connectome = load_connectome(path, experiment.connectome)
    except ExperimentError as error:
        faults = list(error.faults)
        _derive(experiment, faults)
        raise ExperimentError(faults) from error
    return make_plan(
        experiment, connectome, connectome_path=path, base_dir=base_dir, run_dir=run_dir
    )


def make_plan(
    experiment: Experiment,
    connectome: Connectome,
    *,
    connectome_path: Path,
    base_dir: Path,
    run_dir: Path,
) -> Planned:
    """Plans a run on a connectome; reads and writes nothing.

    Args:
        experiment: The experiment.
        connectome: Its connectome, scaled as the experiment says.
        connectome_path: Where the participants find it.
        base_dir: As for :func:`plan_run`.
        run_dir: As for :func:`plan_run`.

    Raises:
        ExperimentError: With every fault found.
    """
    faults: list[Fault] = []
    sides, groups, mean_field = _derive(experiment, faults)
    coupled = couple(experiment, connectome, sides, faults)
    regions = [
        RegionPlan(
            name=at.name, index=at.index, group=at.group, drive=group.drive, feeds=group.feeds
        )
        for at in coupled.locations
        if (group := groups.get(at.group)) is not None
    ]
    tracts, left_out = list[TractPlan](), list[str]()
    if sides.nest:
        tracts, left_out = plan_tracts(experiment, connectome, regions, groups, faults)
    windows = plan_windows(experiment, sides, coupled, faults)
    if faults:
        raise ExperimentError(faults)
    plan = RunPlan(
        run=run_dir.name,
        run_dir=str(run_dir.absolute()),
        base_dir=str(base_dir.absolute()),
        experiment=experiment,
        experiment_digest=experiment_digest(experiment),
        nest_kernels=sides.nest_kernels,
        participants=sides.participants,
        edges=sides.edges,
        total_ticks=ticks_of(experiment.duration_ms, experiment.dt_ms),
        window_ticks=windows.ticks,
        lookahead=windows.lookahead,
        connectome_path=str(connectome_path.absolute()),
        regions=regions,
        tracts=tracts,
        tvb_parameters=mean_field.parameters,
        tvb_noise=mean_field.noise,
        has_proxies=sides.proxies,
        warnings=[*mean_field.warnings, *left_out],
    )
    return Planned(plan, estimate(plan, connectome), windows.limit, windows.limits_ticks)


def _derive(
    experiment: Experiment, faults: list[Fault]
) -> tuple[Sides, dict[int, GroupPlan], MeanField]:
    """Derives what needs no connectome, so that its faults are found without one, too."""
    sides = choose_sides(experiment, faults)
    groups = plan_groups(experiment, sides, faults)
    return sides, groups, derive_mean_field(experiment, sides, faults)
