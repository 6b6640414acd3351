"""Decides whether the compiled engine applies to a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvb.datatypes.patterns import StimuliRegion
from tvb.simulator import coupling, integrators, models
from tvb.simulator.integrators import IntegratorStochastic
from tvb.simulator.noise import Additive

MODELS = (
    "ZerlautAdaptationFirstOrder",
    "ZerlautAdaptationSecondOrder",
    "ReducedWongWang",
    "ReducedWongWangExcInh",
    "Generic2dOscillator",
)
"""By name: tvb-library compiles a model for half a second when its class is asked for."""
COUPLINGS = (coupling.Linear, coupling.Scaling)
INTEGRATORS = (
    integrators.EulerDeterministic,
    integrators.EulerStochastic,
    integrators.HeunDeterministic,
    integrators.HeunStochastic,
)


def why_not(simulator: Any) -> str | None:
    """Returns why the compiled engine does not apply; None if it does.

    Args:
        simulator: A configured ``Simulator`` of tvb-library.
    """
    # by identity: a subclass may compute something else
    name = type(simulator.model).__name__
    if name not in MODELS or getattr(models, name) is not type(simulator.model):
        return _not_among(simulator.model, MODELS)
    for part, known in ((simulator.coupling, COUPLINGS), (simulator.integrator, INTEGRATORS)):
        if type(part) not in known:
            return _not_among(part, [kind.__name__ for kind in known])
    return (
        _why_not_sizes(simulator)
        or _why_not_integrator(simulator.integrator)
        or _why_not_stimulus(simulator.stimulus)
    )


def _not_among(part: Any, names: Sequence[str]) -> str:
    kind = type(part)
    own = kind.__module__.startswith("tvb.")
    named = kind.__name__ if own else f"{kind.__module__}:{kind.__name__}"
    return f"{named} is not among what is compiled: {', '.join(names)} of tvb-library"


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
