"""The integration scheme and its noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvb.simulator.integrators import IntegratorStochastic

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Noise
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.tvb_service.registry import INTEGRATORS, NOISES, find_class, make

PATH = "tvb.integrator"
_SET_ELSEWHERE = {
    "nsig": f"{PATH}.noise.nsig",
    "ntau": f"{PATH}.noise.tau_ms",
    "noise_seed": "seed",
}


def build_integrator(plan: RunPlan, state_variables: list[str], faults: list[Fault]) -> Any | None:
    """Makes the integrator, seeded by the experiment.

    Args:
        plan: The plan; ``tvb_noise`` joins what is declared here.
        state_variables: Names, in the model's order.
        faults: Gets everything that is wrong.
    """
    declared = plan.experiment.tvb.integrator
    kind = find_class(INTEGRATORS, declared.name, f"{PATH}.name", plan.base_dir, faults)
    if kind is None:
        return None
    if not issubclass(kind, IntegratorStochastic):
        if declared.noise or plan.tvb_noise:
            stochastic = ", ".join(name for name in INTEGRATORS.names if "Stochastic" in name)
            faults.append(
                Fault(
                    f"{PATH}.name",
                    f"{declared.name} is deterministic but noise is declared; stochastic ones "
                    f"are: {stochastic}",
                )
            )
        return kind(dt=plan.experiment.dt_ms)
    if declared.noise is None and not plan.tvb_noise:
        faults.append(Fault(f"{PATH}.noise", f"missing: {declared.name} is stochastic"))
        return None
    noise = _noise(plan, declared.noise or Noise(), state_variables, faults)
    return None if noise is None else kind(dt=plan.experiment.dt_ms, noise=noise)


def _noise(
    plan: RunPlan, declared: Noise, state_variables: list[str], faults: list[Fault]
) -> Any | None:
    path = f"{PATH}.noise"
    noise = make(NOISES, declared, path, plan.base_dir, faults, _SET_ELSEWHERE)
    if noise is None:
        return None
    noise.nsig = _dispersion(plan, declared, state_variables, faults)
    noise.ntau = declared.tau_ms
    noise.noise_seed = plan.experiment.seed
    noise.random_stream = np.random.RandomState(plan.experiment.seed)
    return noise


def _dispersion(
    plan: RunPlan, declared: Noise, state_variables: list[str], faults: list[Fault]
) -> Any:
    """Returns nsig per state variable, float64 [state variable]."""
    path = f"{PATH}.noise.nsig"
    names = ", ".join(state_variables)
    if isinstance(declared.nsig, dict):
        faults.extend(
            Fault(f"{path}.{name}", f"is not a state variable; there are: {names}")
            for name in declared.nsig
            if name not in state_variables
        )
        own = np.array([declared.nsig.get(name, 0.0) for name in state_variables])
    else:
        given = np.atleast_1d(np.array(declared.nsig, dtype=np.float64))
        if given.size not in (1, len(state_variables)):
            faults.append(
                Fault(
                    path,
                    f"{given.size} values, expected 1 or {len(state_variables)}, one per state "
                    f"variable: {names}",
                )
            )
            given = np.zeros(1)
        own = np.array(np.broadcast_to(given, len(state_variables)))
    if (own < 0).any():
        faults.append(Fault(path, f"{own.min():g} is negative; a dispersion is at least 0"))
    for name, value in plan.tvb_noise.items():
        own[state_variables.index(name)] = value
    return own
