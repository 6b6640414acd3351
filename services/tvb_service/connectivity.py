"""The connectome as tvb-library holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from tvb.datatypes.connectivity import Connectivity

from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.connectome import Connectome


def build_connectivity(
    connectome: Connectome, proxies: Sequence[int], carried: Collection[int], dt_ms: float
) -> Connectivity:
    """Makes TVB's connectivity, without the tracts among proxies that are not TVB's.

    Unless TVB carries it, a tract between two spiking regions is made of NEST's synapses, or left
    out; TVB must not count it a second time.

    Args:
        connectome: The connectome.
        proxies: Indices of the proxies.
        carried: Indices of those into which TVB carries the tracts from other proxies.
        dt_ms: Step in ms, for the delays.

    Raises:
        SimulationError: If TVB's delays are not those that the plan was made with.
    """
    weights = connectome.weights.copy()
    not_carried = [index for index in proxies if index not in carried]
    weights[np.ix_(not_carried, proxies)] = 0.0
    count = len(connectome.labels)
    cortical, orientations = connectome.cortical, connectome.orientations
    connectivity = Connectivity(
        weights=weights,
        tract_lengths=connectome.lengths_mm.copy(),
        region_labels=np.array(connectome.labels),
        centres=connectome.centres.copy(),
        cortical=np.ones(count, dtype=np.bool_) if cortical is None else cortical.copy(),
        # zeros stand for unknown ones; TVB's monitors with a projection read and ignore them
        orientations=np.zeros((count, 3)) if orientations is None else orientations,
        # Simulator.conduction_speed has no effect on the delays
        speed=np.array([connectome.speed_mm_per_ms]),
    )
    connectivity.configure()
    connectivity.set_idelays(dt_ms)
    expected = connectome.idelays(dt_ms)
    if not np.array_equal(connectivity.idelays, expected):
        target, source = (int(k) for k in np.argwhere(connectivity.idelays != expected)[0])
        raise SimulationError(
            f"TVB delays the tract from {connectome.labels[source]} to "
            f"{connectome.labels[target]} by {connectivity.idelays[target, source]} ticks, the "
            f"plan by {expected[target, source]}; this version of tvb-library computes delays in "
            "another way than the planner"
        )
    return connectivity
