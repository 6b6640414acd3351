"""Everything that follows from what the experiment declares: drives, feeds, TVB's parameters.

Each quantity is declared once. With ``adex`` the cells, synapses, external drive and noise of both
sides come from there; what is declared a second time is a fault, never silently overruled.
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
    zerlaut_parameters,
)
from tvb_nest_cosim.cosim_core.model.experiment.adex import (
    ZERLAUT_MODELS,
    DriveNoise,
    disagreements,
    outside_the_fit,
)
from tvb_nest_cosim.cosim_core.model.experiment.base import Values
from tvb_nest_cosim.cosim_core.model.plan import DrivePlan
from tvb_nest_cosim.cosim_core.plugins import suggest
from tvb_nest_cosim.orchestrator.planning.tvb_models import COUPLING_VARIABLES, NOISE_VARIABLE

Report = Callable[[str, str], None]
"""Takes the key path and the message of a fault."""


@dataclass(frozen=True)
class Sides:
    """Which simulators take part, and how.

    Attributes:
        nest: Whether NEST runs.
        tvb: Whether TVB runs.
        proxies: Whether TVB treats the spiking regions as proxies.
    """

    nest: bool
    tvb: bool
    proxies: bool

    @classmethod
    def of(cls, experiment: Experiment) -> Sides:
        """Reads them off the experiment."""
        kind = experiment.simulators
        fed = kind == "tvb" and experiment.stand_in is not None
        return cls(kind != "tvb", kind != "nest", kind == "both" or fed)


@dataclass(frozen=True)
class GroupPlan:
    """What the regions of one group have in common.

    Attributes:
        drive: The drive, every number resolved.
        feeds: What TVB gets.
        variable: State variable of TVB that drives the group; None if not known.
        hz_per_unit: Hz per unit of TVB's coupling; None if not known and not needed by the drive.
    """

    drive: DrivePlan
    feeds: list[Feed]
    variable: str | None
    hz_per_unit: float | None


def is_zerlaut(experiment: Experiment) -> bool:
    """Tells whether TVB's regions are the AdEx mean field."""
    return experiment.tvb.model.name in ZERLAUT_MODELS


def model_faults(experiment: Experiment, sides: Sides) -> list[Fault]:
    """Finds a model of which nothing can be derived, since nobody knows it.

    Where nothing has to be derived, TVB itself tells whether there is such a model.
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
            f"'{name}' is no model of tvb-library (one of your own is named module:Class); "
            f"{suggest(name, COUPLING_VARIABLES)}",
        )
    ]


def _is_misspelt(experiment: Experiment) -> bool:
    name = experiment.tvb.model.name
    return ":" not in name and name not in COUPLING_VARIABLES


def active_noise(adex: AdexRegion | None) -> DriveNoise | None:
    """Returns the declared noise unless its weight is zero."""
    noise = adex.noise if adex else None
    return noise if noise and noise.weight_hz > 0 else None


def plan_group(
    experiment: Experiment, index: int, sides: Sides, faults: list[Fault]
) -> GroupPlan | None:
    """Resolves drive and feeds of one group.

    Args:
        experiment: The experiment.
        index: Index of the group in ``spiking``.
        sides: Which simulators take part.
        faults: Gets every fault found.

    Returns:
        The plan, or None if a fault was found.
    """
    found = len(faults)

    def report(path: str, message: str) -> None:
        faults.append(Fault(f"spiking.{index}.{path}", message))

    group = experiment.spiking[index]
    _check_network(experiment, group, report)
    feeds = _feeds(experiment, group, sides, report)
    variables = _coupling_variables(experiment, feeds)
    chosen = _coupling_index(group, variables, sides, report)
    hz_per_unit = _hz_per_unit(experiment, group, sides, report)
    drive = _drive(experiment, group, chosen, hz_per_unit, report)
    if len(faults) > found or drive is None:
        return None
    return GroupPlan(drive, feeds, variables[chosen] if variables else None, hz_per_unit)


def _check_network(experiment: Experiment, group: SpikingGroup, report: Report) -> None:
    if group.network.module != ADEX_NETWORK:
        return
    if experiment.adex is None:
        report(
            "network.module",
            f"{ADEX_NETWORK} builds what 'adex' declares, but the experiment has no 'adex'; add "
            "it (adex: {} takes the published cells), or name another network",
        )


def _feeds(experiment: Experiment, group: SpikingGroup, sides: Sides, report: Report) -> list[Feed]:
    if group.feed is None:
        if is_zerlaut(experiment):
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
                f"which rate becomes which variable of {experiment.tvb.model.name} has no "
                f"default; declare variable, population and unit_per_hz for every coupling "
                f"variable{needed}",
            )
        return []
    fed = [feed.variable for feed in group.feed]
    for name in sorted({name for name in fed if fed.count(name) > 1}):
        report("feed", f"the variable {name} is fed twice")
    missing = set(COUPLING_VARIABLES.get(experiment.tvb.model.name, ())) - set(fed)
    if missing and sides.proxies:
        report(
            "feed",
            f"{', '.join(sorted(missing))} of {experiment.tvb.model.name} reaches other regions "
            "but is not fed; every coupling variable needs a feed",
        )
    return list(group.feed)


def _coupling_variables(experiment: Experiment, feeds: list[Feed]) -> tuple[str, ...]:
    known = COUPLING_VARIABLES.get(experiment.tvb.model.name)
    return known or tuple(feed.variable for feed in feeds)


def _coupling_index(
    group: SpikingGroup, variables: tuple[str, ...], sides: Sides, report: Report
) -> int:
    name = group.drive.coupling_variable
    if name is None or not sides.proxies:
        return 0
    if name not in variables:
        report(
            "drive.coupling_variable",
            f"'{name}' is no coupling variable; there are: {', '.join(variables) or 'none'}",
        )
        return 0
    return variables.index(name)


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
    return DrivePlan(
        kind=declared.kind,
        targets=None if declared.targets is None else list(declared.targets),
        weight=values["weight"],
        synapses=values["synapses"],
        external_hz=values["external_hz"],
        least_hz=values["external_hz"] if _adds_external_last(experiment) else 0.0,
        correlation=declared.correlation,
        current_pA_per_hz=declared.current_pA_per_hz,
        coupling_variable=chosen,
        hz_per_unit=1.0 if hz_per_unit is None else hz_per_unit,
        noise=active_noise(adex),
        hop_ticks=HOP_TICKS[declared.kind],
    )


def _adds_external_last(experiment: Experiment) -> bool:
    """Tells whether the model adds external input after it has taken the rest above 0."""
    return experiment.tvb.model.name == "ZerlautAdaptationFirstOrder"


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
    for name in _FROM_ADEX:
        given = getattr(group.drive, name)
        if given is not None and name in derived and adex_network:
            origin = _FROM_ADEX[name]
            report(f"drive.{name}", f"declared twice: the network takes it from adex.{origin}")
        if given is not None:
            values[name] = given
    if group.drive.kind == "current":
        values.setdefault("weight", 1.0)
    for name in _FROM_ADEX.keys() - values.keys():
        report(f"drive.{name}", f"missing; {_MEANING[name]}")
    return values if len(values) == len(_FROM_ADEX) else None


_FROM_ADEX = {"weight": "Q_e_nS", "synapses": "K_ext", "external_hz": "external_hz"}
"""Entries of a drive and the declaration in ``adex`` that they derive from."""

_MEANING = {
    "weight": "the synaptic weight of the drive in NEST's unit for this neuron model",
    "synapses": "how many afferents each neuron stands for",
}


def _hz_per_unit(
    experiment: Experiment, group: SpikingGroup, sides: Sides, report: Report
) -> float | None:
    if group.drive.hz_per_unit is not None:
        return group.drive.hz_per_unit
    if is_zerlaut(experiment):
        return 1000.0
    if sides.proxies and not _is_misspelt(experiment):
        report(
            "drive.hz_per_unit",
            f"missing; what one unit of {experiment.tvb.model.name}'s coupling is as a rate in "
            "Hz has no default",
        )
    return None


def tvb_parameters(experiment: Experiment, faults: list[Fault]) -> dict[str, Values | str]:
    """Joins declared and derived parameters of TVB's model."""
    declared = dict(experiment.tvb.model.parameters)
    if not (experiment.adex and is_zerlaut(experiment)):
        return declared
    derived: dict[str, Values | str] = {**zerlaut_parameters(experiment.adex)}
    faults.extend(
        Fault(
            f"tvb.model.parameters.{name}",
            "declared twice: it follows from 'adex', which both simulators obey",
        )
        for name in declared
        if name in derived
    )
    faults.extend(Fault("adex", text) for text in disagreements(experiment.adex))
    return {**derived, **declared}


def tvb_noise(experiment: Experiment, faults: list[Fault]) -> dict[str, float]:
    """Derives the dispersion of TVB's noise variable from the declared noise."""
    integrator = experiment.tvb.integrator
    stochastic = "Stochastic" in integrator.name
    if integrator.noise and not stochastic:
        faults.append(
            Fault(
                "tvb.integrator.noise",
                f"{integrator.name} takes no noise; use HeunStochastic or drop the noise",
            )
        )
    noise = active_noise(experiment.adex)
    if noise is None or not is_zerlaut(experiment):
        return {}
    if not stochastic:
        faults.append(
            Fault(
                "tvb.integrator.name",
                f"adex.noise asks for noise, but {integrator.name} is deterministic; use "
                "HeunStochastic, or set adex.noise.weight_hz to 0",
            )
        )
    own = integrator.noise.nsig if integrator.noise else 0.0
    named = NOISE_VARIABLE in own if isinstance(own, dict) else own != 0.0
    if named:
        faults.append(
            Fault(
                "tvb.integrator.noise.nsig",
                f"declared twice: {NOISE_VARIABLE} takes its dispersion from adex.noise.nsig; name "
                "the other state variables here, if any",
            )
        )
    return {NOISE_VARIABLE: noise.nsig}


def warnings_of(experiment: Experiment, sides: Sides) -> list[str]:
    """Lists what one side cannot honour without being wrong."""
    adex = experiment.adex
    if adex is None or not sides.tvb:
        return []
    if is_zerlaut(experiment):
        return outside_the_fit(adex) if sides.nest else []
    model = experiment.tvb.model.name
    acting = {"adex.external_hz": adex.external_hz > 0, "adex.noise": bool(active_noise(adex))}
    return [
        f"{key} acts on the spiking regions only; TVB's {model} does not derive from 'adex'"
        for key, acts in acting.items()
        if acts
    ]
