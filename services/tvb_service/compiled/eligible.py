"""What the compiled engine can do."""

from __future__ import annotations

from typing import Any

from tvb.datatypes.patterns import StimuliRegion
from tvb.simulator import coupling, integrators, models
from tvb.simulator.integrators import IntegratorStochastic
from tvb.simulator.noise import Additive

MODELS = (
    models.ZerlautAdaptationFirstOrder,
    models.ZerlautAdaptationSecondOrder,
    models.ReducedWongWang,
    models.ReducedWongWangExcInh,
    models.Generic2dOscillator,
)
COUPLINGS = (coupling.Linear, coupling.Scaling)
INTEGRATORS = (
    integrators.EulerDeterministic,
    integrators.EulerStochastic,
    integrators.HeunDeterministic,
    integrators.HeunStochastic,
)


def why_not(simulator: Any) -> str | None:
    """Tells why the compiled engine does not apply; None if it does.

    Args:
        simulator: A configured ``Simulator`` of tvb-library.
    """
    for part, known in (
        (simulator.model, MODELS),
        (simulator.coupling, COUPLINGS),
        (simulator.integrator, INTEGRATORS),
    ):
        # not isinstance: a subclass may compute something else
        if type(part) not in known:
            names = ", ".join(kind.__name__ for kind in known)
            return f"{type(part).__name__} is not among what is compiled: {names}"
    return (
        _why_not_sizes(simulator)
        or _why_not_integrator(simulator.integrator)
        or _why_not_stimulus(simulator.stimulus)
    )


def _why_not_sizes(simulator: Any) -> str | None:
    scale = [getattr(simulator.coupling, name, None) for name in ("a", "b")]
    if any(value is not None and value.size != 1 for value in scale):
        return f"{type(simulator.coupling).__name__} has more than one value of a parameter"
    return None


def _why_not_integrator(integrator: Any) -> str | None:
    if integrator.clamped_state_variable_values is not None:
        return "state variables are clamped"
    if not isinstance(integrator, IntegratorStochastic):
        return None
    if type(integrator.noise) is not Additive:
        return f"noise {type(integrator.noise).__name__} is not compiled, only Additive"
    return "coloured noise is not compiled" if integrator.noise.ntau > 0.0 else None


def _why_not_stimulus(stimulus: Any) -> str | None:
    if stimulus is None or type(stimulus) is StimuliRegion:
        return None
    return f"stimulus {type(stimulus).__name__} is not compiled"
