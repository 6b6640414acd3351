"""A network of parrot neurons: whatever reaches a neuron leaves it as a spike in the same tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes


def build(context: NetworkContext) -> dict[str, Nodes]:
    return {"relays": context.nest.Create("parrot_neuron", context.parameters["neurons"])}
