"""Parameters and noise of TVB's model that follow from ``adex``.

Each quantity is declared once. With ``adex`` the cells, synapses, external drive and noise of both
sides come from there; a second declaration is a fault, never silently overruled.
"""

from __future__ import annotations

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment import AdexRegion, Experiment, zerlaut_parameters
from tvb_nest_cosim.cosim_core.model.experiment.adex import (
    ZERLAUT_MODELS,
    DriveNoise,
    disagreements,
    outside_the_fit,
)
from tvb_nest_cosim.cosim_core.model.experiment.base import Values
from tvb_nest_cosim.orchestrator.planning.sides import Sides
from tvb_nest_cosim.orchestrator.planning.tvb_models import NOISE_VARIABLE


def is_zerlaut(experiment: Experiment) -> bool:
    """Returns whether TVB's regions are the AdEx mean field."""
    return experiment.tvb.model.name in ZERLAUT_MODELS


def active_noise(adex: AdexRegion | None) -> DriveNoise | None:
    """Returns the declared noise unless its weight is zero."""
    noise = adex.noise if adex else None
    return noise if noise and noise.weight_hz > 0 else None


def tvb_parameters(experiment: Experiment, faults: list[Fault]) -> dict[str, Values | str]:
    """Joins declared and derived parameters of TVB's model.

    Args:
        experiment: The experiment.
        faults: Gets what is declared twice, and what the mean field cannot express.
    """
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
    """Derives the dispersion of TVB's noise variable from the declared noise.

    Whether the integrator takes noise at all is TVB's to check.

    Args:
        experiment: The experiment.
        faults: Gets a dispersion that is declared twice.
    """
    noise = active_noise(experiment.adex)
    if noise is None or not is_zerlaut(experiment):
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


def one_sided(experiment: Experiment, sides: Sides) -> list[str]:
    """Lists declarations that one side cannot honour, as warnings."""
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
