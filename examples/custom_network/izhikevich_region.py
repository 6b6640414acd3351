"""A network of Izhikevich neurons (IEEE Trans Neural Netw 14, 1569-1572), as a user brings it.

``build`` is called once per spiking region, on every MPI rank alike, and returns the populations
by name; the names are what the experiment refers to.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes


class Parameters(BaseModel):
    """What ``network.parameters`` of the experiment may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    neurons: int = Field(default=1000, ge=10)
    """Neurons of both populations; four fifths are excitatory."""
    indegree: int = Field(default=100, ge=1)
    """Synapses per neuron, four fifths of them excitatory."""
    weight_mV: float = Field(default=0.5, gt=0)
    """Jump of the potential at an excitatory synapse; inhibitory ones are twice as strong."""
    delay_ms: float = Field(default=1.0, gt=0)
    """Delay of all synapses."""


def build(context: NetworkContext) -> dict[str, Nodes]:
    """Builds regular-spiking excitatory and fast-spiking inhibitory neurons."""
    parameters = context.parse_parameters(Parameters)
    nest = context.nest
    inhibitory = parameters.neurons // 5
    excitatory = parameters.neurons - inhibitory

    # Neurons differ as in the paper. NumPy's numbers must be the same on every MPI rank, so the
    # generator takes the seed of the context, never one of its own.
    spread = np.random.default_rng(context.seed).random(excitatory) ** 2
    populations = {
        "regular_spiking": nest.Create("izhikevich", excitatory, params={"a": 0.02, "b": 0.2}),
        "fast_spiking": nest.Create(
            "izhikevich", inhibitory, params={"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0}
        ),
    }
    populations["regular_spiking"].set(
        c=(-65.0 + 15.0 * spread).tolist(), d=(8.0 - 6.0 * spread).tolist()
    )

    everyone = populations["regular_spiking"] + populations["fast_spiking"]
    fourth = parameters.indegree // 5
    for source, indegree, weight in (
        ("regular_spiking", parameters.indegree - fourth, parameters.weight_mV),
        ("fast_spiking", fourth, -2.0 * parameters.weight_mV),
    ):
        nest.Connect(
            populations[source],
            everyone,
            {"rule": "fixed_indegree", "indegree": indegree},
            {"weight": weight, "delay": parameters.delay_ms},
        )
    return populations
