"""Networks that fail: when they are built, when they return, or in the middle of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tvb_nest_cosim.nest_service.context import NetworkContext, Nodes


def raises(context: NetworkContext) -> NoReturn:
    raise ValueError("tau must be positive\nand finite")


def returns_a_list(context: NetworkContext) -> list[Nodes]:
    return [context.nest.Create("parrot_neuron", 2)]


def unstable_after_20_ms(context: NetworkContext) -> dict[str, Nodes]:
    """AdEx cells with a current, from 20 ms on, that no numerical scheme survives."""
    cells = context.nest.Create("aeif_cond_exp", 4)
    current = context.nest.Create(
        "step_current_generator", params={"amplitude_times": [20.0], "amplitude_values": [-1e9]}
    )
    context.nest.Connect(current, cells)
    return {"excitatory": cells}


def builds_for_hours(context: NetworkContext) -> dict[str, int]:
    """Stays in one call into C that lets no other thread run, as NEST does when it connects."""
    Path("NEST-builds").touch()
    return {"excitatory": sum(range(10**15))}
