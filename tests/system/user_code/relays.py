"""A network of parrot neurons: whatever reaches a neuron leaves it as a spike in the same tick."""

from typing import Any


def build(context: Any) -> dict[str, Any]:
    return {"relays": context.nest.Create("parrot_neuron", context.parameters["neurons"])}
