"""Parameters and noise of TVB's model that follow from ``adex``.

Each quantity is declared once. With ``adex`` the cells, synapses, external drive and noise of both
sides come from there; a second declaration is a fault, never silently overruled.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, zerlaut_parameters
from tvb_nest_cosim.cosim_core.model.experiment.adex import (
    ZERLAUT_MODELS,
    disagreements,
    outside_the_fit,
)
from tvb_nest_cosim.cosim_core.model.experiment.base import Values
from tvb_nest_cosim.orchestrator.planning.sides import Sides
from tvb_nest_cosim.orchestrator.planning.tvb_models import NOISE_VARIABLE


@dataclass(frozen=True)
class MeanField:
    """What TVB's model takes from the experiment.

    Attributes:
        parameters: Parameters of the model, declared and derived.
        noise: nsig by state variable that follows from ``adex.noise``.
        warnings: Declarations that one side cannot honour.
    """

    parameters: dict[str, Values | str]
    noise: dict[str, float]
    warnings: list[str]


def derive_mean_field(experiment: Experiment, sides: Sides, faults: list[Fault]) -> MeanField:
    """Derives parameters and noise of TVB's model.

    Args:
        experiment: The experiment.
        sides: Which simulators take part.
        faults: Gets what is declared twice, and what the mean field cannot express.
    """
    if not sides.tvb:
        return MeanField({}, {}, [])
    parameters, noise = _parameters(experiment, faults), _noise(experiment, faults)
    return MeanField(parameters, noise, _one_sided(experiment, sides))


def _is_zerlaut(experiment: Experiment) -> bool:
    return experiment.tvb.model.name in ZERLAUT_MODELS


def _parameters(experiment: Experiment, faults: list[Fault]) -> dict[str, Values | str]:
    """Joins declared and derived parameters of TVB's model."""
    declared = dict(experiment.tvb.model.parameters)
    if not (experiment.adex and _is_zerlaut(experiment)):
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


def _noise(experiment: Experiment, faults: list[Fault]) -> dict[str, float]:
    """Derives the dispersion of TVB's noise variable from the declared noise.

    Whether the integrator takes noise at all is TVB's to check.
    """
    noise = experiment.adex.active_noise if experiment.adex else None
    if noise is None or not _is_zerlaut(experiment):
        return {}
    declared = experiment.tvb.integrator.noise
    own = declared.nsig if declared else 0.0
    if NOISE_VARIABLE in own if isinstance(own, dict) else own != 0.0:
        faults.append(
            Fault(
                "tvb.integrator.noise.nsig",
                f"declared twice: {NOISE_VARIABLE} takes its dispersion from adex.noise.nsig; name "
                "the other state variables here, if any",
            )
        )
    return {NOISE_VARIABLE: noise.nsig}


def _one_sided(experiment: Experiment, sides: Sides) -> list[str]:
    """Lists declarations that one side cannot honour, as warnings."""
    adex = experiment.adex
    if adex is None:
        return []
    if _is_zerlaut(experiment):
        return outside_the_fit(adex) if sides.nest else []
    model = experiment.tvb.model.name
    acting = {"adex.external_hz": adex.external_hz > 0, "adex.noise": adex.active_noise is not None}
    return [
        f"{key} acts on the spiking regions only; TVB's {model} does not derive from 'adex'"
        for key, acts in acting.items()
        if acts
    ]
