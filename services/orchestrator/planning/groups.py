"""Drive and feeds of the spiking groups, every number resolved.

Whether the names of state and coupling variables exist is TVB's to check
(docs/decisions/0006-validation-is-building.md); here they serve to derive what was left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment import (
    ADEX_NETWORK,
    HOP_TICKS,
    AdexRegion,
    Experiment,
    Feed,
    SpikingGroup,
)
from tvb_nest_cosim.cosim_core.model.experiment.adex import ZERLAUT_MODELS
from tvb_nest_cosim.cosim_core.model.plan import DrivePlan
from tvb_nest_cosim.cosim_core.plugins import suggest
from tvb_nest_cosim.orchestrator.planning.sides import Sides
from tvb_nest_cosim.orchestrator.planning.tvb_models import COUPLING_VARIABLES

Report = Callable[[str, str], None]
"""Takes the key path and the message of a fault."""

_FROM_ADEX = {"weight": "Q_e_nS", "synapses": "K_ext", "external_hz": "external_hz"}
"""Entries of a drive and the declaration in ``adex`` that they derive from."""

_MEANING = {
    "weight": "the synaptic weight of the drive in NEST's unit for this neuron model",
    "synapses": "how many afferents each neuron stands for",
}


@dataclass(frozen=True)
class GroupPlan:
    """What the regions of one group have in common.

    Attributes:
        drive: The drive, every number resolved.
        feeds: Which rate becomes which variable of TVB.
        variable: State variable of TVB that drives the group; None if not known.
        hz_per_unit: Hz per unit of TVB's coupling; None if not known and not needed by the drive.
    """

    drive: DrivePlan
    feeds: list[Feed]
    variable: str | None
    hz_per_unit: float | None


def plan_groups(experiment: Experiment, sides: Sides, faults: list[Fault]) -> dict[int, GroupPlan]:
    """Resolves drive and feeds of every group.

    Args:
        experiment: The experiment.
        sides: Which simulators take part.
        faults: Gets every fault found.

    Returns:
        The groups without faults, by their index in ``spiking``.
    """
    if not sides.has_groups:
        return {}
    faults += _model_faults(experiment, sides)
    planned = {
        index: _plan_group(experiment, index, sides, faults)
        for index in range(len(experiment.spiking))
    }
    return {index: group for index, group in planned.items() if group is not None}


def _model_faults(experiment: Experiment, sides: Sides) -> list[Fault]:
    """Finds an unknown model of which something would have to be derived.

    Where nothing has to be derived, TVB itself checks whether there is such a model.
    """
    derives = any(
        group.feed is None or group.drive.hz_per_unit is None for group in experiment.spiking
    )
    if not (sides.proxies and derives and _is_misspelt(experiment)):
        return []
    name = experiment.tvb.model.name
    return [
        Fault(
            "tvb.model.name",
            f"'{name}' is not a model of tvb-library (one of your own is named module:Class); "
            f"{suggest(name, COUPLING_VARIABLES)}",
        )
    ]


def _is_misspelt(experiment: Experiment) -> bool:
    name = experiment.tvb.model.name
    return ":" not in name and name not in COUPLING_VARIABLES


def _plan_group(
    experiment: Experiment, index: int, sides: Sides, faults: list[Fault]
) -> GroupPlan | None:
    found = len(faults)

    def report(path: str, message: str) -> None:
        faults.append(Fault(f"spiking.{index}.{path}", message))

    group = experiment.spiking[index]
    if group.network.module == ADEX_NETWORK and experiment.adex is None:
        report(
            "network.module",
            f"{ADEX_NETWORK} builds what 'adex' declares, but the experiment has no 'adex'; add "
            "it (adex: {} takes the published cells), or name another network",
        )
    feeds = _feeds(experiment, group, sides, report)
    variables = _coupling_variables(experiment, feeds)
    name = group.drive.coupling_variable
    chosen = variables.index(name) if name in variables and sides.proxies else 0
    hz_per_unit = _hz_per_unit(experiment, group, sides, report)
    drive = _drive(experiment, group, chosen, hz_per_unit, report)
    if len(faults) > found or drive is None:
        return None
    return GroupPlan(drive, feeds, variables[chosen] if variables else None, hz_per_unit)


def _feeds(experiment: Experiment, group: SpikingGroup, sides: Sides, report: Report) -> list[Feed]:
    if group.feed is not None:
        fed = [feed.variable for feed in group.feed]
        for number, name in enumerate(fed):
            if fed.index(name) != number:
                report(f"feed.{number}.variable", f"'{name}' is fed twice; drop one of the feeds")
        return list(group.feed)
    if experiment.tvb.model.name in ZERLAUT_MODELS:
        excitatory = Feed(variable="E", population="excitatory", unit_per_hz=0.001)
        if group.network.module != ADEX_NETWORK:
            return [excitatory]
        # I couples to nothing beyond its region, but monitors may look at it
        return [excitatory, Feed(variable="I", population="inhibitory", unit_per_hz=0.001)]
    if sides.proxies and not _is_misspelt(experiment):
        known = COUPLING_VARIABLES.get(experiment.tvb.model.name)
        needed = f" ({', '.join(known)})" if known else ""
        report(
            "feed",
            f"which rate becomes which variable of {experiment.tvb.model.name} has no default; "
            f"declare variable, population and unit_per_hz for every coupling variable{needed}",
        )
    return []


def _coupling_variables(experiment: Experiment, feeds: list[Feed]) -> tuple[str, ...]:
    known = COUPLING_VARIABLES.get(experiment.tvb.model.name)
    return known or tuple(feed.variable for feed in feeds)


def _drive(
    experiment: Experiment,
    group: SpikingGroup,
    chosen: int,
    hz_per_unit: float | None,
    report: Report,
) -> DrivePlan | None:
    declared, adex = group.drive, experiment.adex
    values = _drive_values(group, adex, report)
    if declared.kind in ("mip", "sip") and declared.correlation == 0:
        report(
            "drive.correlation",
            f"0 with kind {declared.kind}, expected 0 < p <= 1; kind poisson gives "
            "uncorrelated drive",
        )
    if values is None:
        return None
    # Only the first-order model adds external input after it has taken the rest above 0.
    adds_external_last = experiment.tvb.model.name == "ZerlautAdaptationFirstOrder"
    return DrivePlan(
        kind=declared.kind,
        targets=None if declared.targets is None else list(declared.targets),
        weight=values["weight"],
        synapses=values["synapses"],
        external_hz=values["external_hz"],
        least_hz=values["external_hz"] if adds_external_last else 0.0,
        correlation=declared.correlation,
        current_pA_per_hz=declared.current_pA_per_hz,
        coupling_variable=chosen,
        hz_per_unit=1.0 if hz_per_unit is None else hz_per_unit,
        noise=adex.active_noise if adex else None,
        hop_ticks=HOP_TICKS[declared.kind],
    )


def _drive_values(
    group: SpikingGroup, adex: AdexRegion | None, report: Report
) -> dict[str, float] | None:
    adex_network = group.network.module == ADEX_NETWORK
    if adex_network and adex is None:
        return None
    derived: dict[str, float] = {
        name: getattr(adex, origin) for name, origin in _FROM_ADEX.items() if adex
    }
    if group.drive.kind == "current":
        derived.pop("weight", None)
    values = {"external_hz": 0.0} | derived
    for name, origin in _FROM_ADEX.items():
        given = getattr(group.drive, name)
        if given is not None and name in derived and adex_network:
            report(f"drive.{name}", f"declared twice: the network takes it from adex.{origin}")
        if given is not None:
            values[name] = given
    if group.drive.kind == "current":
        values.setdefault("weight", 1.0)
    for name in _FROM_ADEX.keys() - values.keys():
        report(f"drive.{name}", f"missing; {_MEANING[name]}")
    return values if len(values) == len(_FROM_ADEX) else None


def _hz_per_unit(
    experiment: Experiment, group: SpikingGroup, sides: Sides, report: Report
) -> float | None:
    if group.drive.hz_per_unit is not None:
        return group.drive.hz_per_unit
    if experiment.tvb.model.name in ZERLAUT_MODELS:
        return 1000.0
    if sides.proxies and not _is_misspelt(experiment):
        report(
            "drive.hz_per_unit",
            f"missing; what one unit of {experiment.tvb.model.name}'s coupling is as a rate in "
            "Hz has no default",
        )
    return None
