"""Simulators of tvb-library, made by hand: the models that are compiled, in brains of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvb.datatypes.connectivity import Connectivity
from tvb.simulator import coupling, integrators, models, monitors, noise
from tvb.simulator.simulator import Simulator

from tvb_cases import SPEED_MM_PER_MS, data_folder


@dataclass
class Kind:
    """A model in a state in which something happens."""

    parameters: dict[str, Any]
    coupling: tuple[type, dict[str, float]]
    """Class and parameters; an object of it remembers the tracts of its first brain."""
    nsig: list[float]
    low: list[float]
    high: list[float]
    ticks: int


KINDS = {
    "ReducedWongWang": Kind(
        {"w": [0.9]}, (coupling.Scaling, {"a": 0.05}), [1e-5], [0.0], [1.0], 2000
    ),
    "ReducedWongWangExcInh": Kind(
        {"lamda": [0.2]},
        (coupling.Linear, {"a": 0.05}),
        [1e-5, 1e-5],
        [0.0, 0.0],
        [1.0, 1.0],
        2000,
    ),
    "Generic2dOscillator": Kind(
        {"a": [-0.5], "gamma": [0.9]},
        (coupling.Linear, {"a": 0.1, "b": 0.01}),
        [1e-3, 1e-3],
        [-2.0, -6.0],
        [4.0, 6.0],
        2000,
    ),
    "ZerlautAdaptationFirstOrder": Kind(
        {"b_e": [5.0], "a_e": [1.0], "external_input_ex_ex": [3e-4], "weight_noise": [1e-4]},
        (coupling.Linear, {"a": 0.3}),
        [0.0, 0.0, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, -5.0],
        [0.02, 0.02, 50.0, 5.0, 5.0],
        2000,
    ),
    "ZerlautAdaptationSecondOrder": Kind(
        {"b_e": [5.0], "a_i": [1.0], "S_i": [0.8], "weight_noise": [1e-4]},
        (coupling.Linear, {"a": 0.3}),
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -5.0],
        [0.02, 0.02, 1e-6, 1e-6, 1e-6, 50.0, 5.0, 5.0],
        300,
    ),
}


def connectivity_of(source: str) -> Connectivity:
    connectivity = Connectivity.from_file(str(data_folder() / "connectivity" / f"{source}.zip"))
    connectivity.weights /= connectivity.weights.max()
    return connectivity


def synthetic(regions: int, degree: float) -> Connectivity:
    """A brain with no structure but long rows of tracts, and a region that hears nobody."""
    generator = np.random.default_rng(5)
    weights = generator.uniform(0, 1, (regions, regions))
    weights[generator.uniform(size=weights.shape) > degree] = 0.0
    weights[3] = 0.0
    return Connectivity(
        weights=weights / (regions * degree),
        tract_lengths=generator.uniform(0, 30, weights.shape),
        region_labels=np.array([str(k) for k in range(regions)]),
        centres=np.zeros((regions, 3)),
    )


def build(
    name: str, scheme: str, connectivity: Connectivity | None = None, **parameters: Any
) -> Any:
    """Makes a configured simulator, at step 0; the same at every call."""
    kind = KINDS[name]
    brain = connectivity or connectivity_of("connectivity_76")
    brain.speed = np.array([SPEED_MM_PER_MS])
    brain.configure()
    brain.set_idelays(0.1)
    given = {**kind.parameters, **parameters}
    arrays = {key: np.array(value) for key, value in given.items()}
    regions, (couple, scale) = len(brain.weights), kind.coupling
    low, high = (np.array(limits)[:, None, None] for limits in (kind.low, kind.high))
    initial = np.random.default_rng(2).uniform(low, high, (len(kind.low), regions, 1))
    integrator = getattr(integrators, scheme)(dt=0.1)
    if "Stochastic" in scheme:
        integrator.noise = noise.Additive(nsig=np.array(kind.nsig), noise_seed=3)
    simulator = Simulator(
        connectivity=brain,
        model=getattr(models, name)(**arrays),
        coupling=couple(**{key: np.array([value]) for key, value in scale.items()}),
        integrator=integrator,
        monitors=(monitors.Raw(),),
        initial_conditions=np.repeat(initial[None], brain.horizon, axis=0),
    )
    simulator.model.variables_of_interest = tuple(simulator.model.state_variables)
    simulator.configure()
    simulator.current_step = 0
    return simulator
