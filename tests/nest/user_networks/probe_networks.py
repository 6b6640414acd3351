"""Networks as a user would write them: probes that show when input acts, and bad ones."""

from __future__ import annotations


def parrots(context):
    """Cells that repeat every spike at the tick at which it arrives."""
    count = context.parameters.get("count", 4)
    return {"first": context.nest.Create("parrot_neuron", count)}


def two_parrot_populations(context):
    """Populations whose neurons are interleaved with nodes that belong to neither."""
    nest = context.nest
    first = nest.Create("parrot_neuron", 3)
    nest.Create("poisson_generator", 2)
    second = nest.Create("parrot_neuron", 2)
    return {"second": second, "first": first}


def perfect_integrators(context):
    """Cells whose potential is the sum of what they got, in mV per pA step of dt."""
    cells = context.nest.Create(
        "iaf_psc_delta", 2, params={"tau_m": 1e9, "C_m": 1.0, "E_L": 0.0, "V_m": 0.0, "V_th": 1e9}
    )
    return {"cells": cells}


def names_by_region(context):
    return {"b_c" if context.region == "a" else "c": context.nest.Create("parrot_neuron", 2)}


def conductances(context):
    return {"cells": context.nest.Create("aeif_cond_exp", 2)}


def raises(context):
    raise ValueError("tau must be positive\nand finite")


def misspells(context):
    return {"cells": context.nest.Create("iaf_psc_alpha", 3, params={"taum": 1.0})}


def returns_a_list(context):
    return [context.nest.Create("parrot_neuron", 1)]


def returns_nothing_in_a_dict(context):
    return {}


def returns_bad_name(context):
    return {"layer 4": context.nest.Create("parrot_neuron", 1)}


def returns_numbers(context):
    return {"cells": [1, 2, 3]}


def returns_devices(context):
    return {"cells": context.nest.Create("poisson_generator", 2)}


def returns_overlap(context):
    cells = context.nest.Create("parrot_neuron", 4)
    return {"one": cells[:3], "two": cells[2:]}


def returns_empty(context):
    return {"cells": context.nest.NodeCollection([])}


def simulates(context):
    cells = context.nest.Create("parrot_neuron", 1)
    context.nest.Simulate(1.0)
    return {"cells": cells}


def wipes_the_kernel(context):
    context.nest.ResetKernel()
    return {"cells": context.nest.Create("parrot_neuron", 1)}


SHARED = []


def returns_the_same_twice(context):
    if not SHARED:
        SHARED.append(context.nest.Create("parrot_neuron", 2))
    return {"cells": SHARED[0]}


def reports_seed(context):
    """As many cells as the seed's last digit says, plus one."""
    return {"cells": context.nest.Create("parrot_neuron", 1 + context.seed % 10)}
