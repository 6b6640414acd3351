"""The history before the run: constant in time, explicit, reproducible."""

from __future__ import annotations

from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import RunPlan

PATH = "tvb.initial"

_STREAM = int.from_bytes(b"initial\0")
"""Keeps these random numbers apart from those of the translation, which share the seed."""


def initial_states(plan: RunPlan, model: Any, region_count: int, faults: list[Fault]) -> Reals:
    """Draws the state of every region up to the start of the run.

    Random values come from Philox, keyed by the seed and the index of the state variable, and
    depend on nothing else.

    Args:
        plan: The plan.
        model: TVB's model.
        region_count: Regions of the connectome.
        faults: Gets everything that is wrong.

    Returns:
        float64, shape (state variable, region, mode).
    """
    declared = plan.experiment.tvb.initial
    variables = list(model.state_variables)
    faults.extend(
        Fault(f"{PATH}.{name}", f"is not a state variable; there are: {', '.join(variables)}")
        for name in declared
        if name not in variables
    )
    states = np.zeros((len(variables), region_count, model.number_of_modes))
    for index, name in enumerate(variables):
        value = declared.get(name, model.state_variable_range.get(name, (np.nan, np.nan)))
        if isinstance(value, float):
            states[index] = value
            continue
        low, high = (float(bound) for bound in value)
        if not (np.isfinite([low, high]).all() and low <= high):
            text = f"[{low:g}, {high:g}] cannot be drawn from; expected low <= high, both finite"
            faults.append(Fault(f"{PATH}.{name}", text))
            continue
        key = np.array([plan.experiment.seed, _STREAM + index], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        states[index] = generator.uniform(low, high, states.shape[1:])
    return states
