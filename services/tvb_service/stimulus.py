"""A stimulus to regions."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvb.datatypes.patterns import StimuliRegion

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Parametrised, Stimulus
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.tvb_service.registry import EQUATIONS, make

PATH = "tvb.stimulus"


def build_stimulus(
    plan: RunPlan, connectome: Connectome, connectivity: Any, faults: list[Fault]
) -> Any | None:
    """Makes the stimulus: spatial weights times a temporal equation.

    Args:
        plan: The plan.
        connectome: Names of the regions.
        connectivity: TVB's connectivity.
        faults: Gets everything that is wrong.

    Returns:
        The stimulus, or None if none is declared or it is wrong.
    """
    declared = plan.experiment.tvb.stimulus
    if declared is None:
        return None
    weights = _weights(plan, declared, connectome, faults)
    equation = _equation(plan, declared.equation, faults)
    if equation is None:
        return None
    return StimuliRegion(temporal=equation, connectivity=connectivity, weight=weights)


def _weights(plan: RunPlan, declared: Stimulus, connectome: Connectome, faults: list[Fault]) -> Any:
    weights = np.zeros(len(connectome.labels))
    proxies = {region.name for region in plan.regions} if plan.has_proxies else set()
    for name, weight in declared.regions.items():
        path = f"{PATH}.regions.{name}"
        try:
            weights[connectome.index(name)] = weight
        except KeyError as error:
            faults.append(Fault(path, str(error.args[0])))
        if name in proxies:
            text = "is a spiking region, on which TVB's stimulus would not act; drive it in NEST"
            faults.append(Fault(path, text))
    return weights


def _equation(plan: RunPlan, declared: Parametrised, faults: list[Fault]) -> Any | None:
    """Makes the equation; its parameters are a dict of tvb-library's, not attributes."""
    path = f"{PATH}.equation"
    equation = make(EQUATIONS, Parametrised(name=declared.name), path, plan.base_dir, faults)
    if equation is None:
        return None
    parameters = dict(equation.parameters)
    for name, value in declared.parameters.items():
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            text = f"'{name}' is not a parameter of {declared.name}; there are: {known}"
            faults.append(Fault(f"{path}.parameters.{name}", text))
        elif not isinstance(value, float):
            faults.append(Fault(f"{path}.parameters.{name}", f"expected a number, got {value!r}"))
        else:
            parameters[name] = value
    equation.parameters = parameters
    return equation
