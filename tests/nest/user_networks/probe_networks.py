"""Networks as a user would write them: probes that show when input acts, and bad ones."""

from __future__ import annotations

from typing import Never

from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes


def parrots(context: NetworkContext) -> dict[str, Nodes]:
    """Cells that repeat every spike at the tick at which it arrives."""
    count = context.parameters.get("count", 4)
    return {"first": context.nest.Create("parrot_neuron", count)}


def two_parrot_populations(context: NetworkContext) -> dict[str, Nodes]:
    """Populations whose neurons are interleaved with nodes that belong to neither."""
    nest = context.nest
    first = nest.Create("parrot_neuron", 3)
    nest.Create("poisson_generator", 2)
    second = nest.Create("parrot_neuron", 2)
    return {"second": second, "first": first}


def perfect_integrators(context: NetworkContext) -> dict[str, Nodes]:
    """Cells whose potential is the sum of what they got, in mV per pA step of dt."""
    cells = context.nest.Create(
        "iaf_psc_delta", 2, params={"tau_m": 1e9, "C_m": 1.0, "E_L": 0.0, "V_m": 0.0, "V_th": 1e9}
    )
    return {"cells": cells}


def names_by_region(context: NetworkContext) -> dict[str, Nodes]:
    return {"b_c" if context.region == "a" else "c": context.nest.Create("parrot_neuron", 2)}


def conductances(context: NetworkContext) -> dict[str, Nodes]:
    return {"cells": context.nest.Create("aeif_cond_exp", 2)}


def raises(context: NetworkContext) -> Never:
    raise ValueError("tau must be positive\nand finite")


def misspells(context: NetworkContext) -> dict[str, Nodes]:
    return {"cells": context.nest.Create("iaf_psc_alpha", 3, params={"taum": 1.0})}


def returns_a_list(context: NetworkContext) -> list[Nodes]:
    return [context.nest.Create("parrot_neuron", 1)]


def returns_nothing_in_a_dict(context: NetworkContext) -> dict[str, Nodes]:
    return {}


def returns_bad_name(context: NetworkContext) -> dict[str, Nodes]:
    return {"layer 4": context.nest.Create("parrot_neuron", 1)}


def returns_numbers(context: NetworkContext) -> dict[str, list[int]]:
    return {"cells": [1, 2, 3]}


def returns_devices(context: NetworkContext) -> dict[str, Nodes]:
    return {"cells": context.nest.Create("poisson_generator", 2)}


def returns_overlap(context: NetworkContext) -> dict[str, Nodes]:
    cells = context.nest.Create("parrot_neuron", 4)
    return {"one": cells[:3], "two": cells[2:]}


def returns_empty(context: NetworkContext) -> dict[str, Nodes]:
    return {"cells": context.nest.NodeCollection([])}


def simulates(context: NetworkContext) -> dict[str, Nodes]:
    cells = context.nest.Create("parrot_neuron", 1)
    context.nest.Simulate(1.0)
    return {"cells": cells}


def wipes_the_kernel(context: NetworkContext) -> dict[str, Nodes]:
    context.nest.ResetKernel()
    return {"cells": context.nest.Create("parrot_neuron", 1)}


SHARED: list[Nodes] = []


def returns_the_same_twice(context: NetworkContext) -> dict[str, Nodes]:
    if not SHARED:
        SHARED.append(context.nest.Create("parrot_neuron", 2))
    return {"cells": SHARED[0]}


def reports_seed(context: NetworkContext) -> dict[str, Nodes]:
    """As many cells as the seed's last digit says, plus one."""
    return {"cells": context.nest.Create("parrot_neuron", 1 + context.seed % 10)}
