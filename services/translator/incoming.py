"""What a block must hold before it is translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model.signals import Array

_NOTHING = np.array(0)
"""Stands for a signal that is missing: of no shape that one has."""


def signals_of(
    arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[tuple[int, ...]], where: str
) -> list[Array]:
    """Takes signals out of a block.

    Args:
        arrays: What the block holds.
        names: The signals.
        shapes: The shape that each must have.
        where: Which block it is, for error messages.

    Raises:
        ProtocolError: If a signal is missing or of another shape.
    """
    found = [arrays.get(name, _NOTHING) for name in names]
    got = [array.shape for array in found]
    if got != shapes:
        wrong = next(i for i in range(len(names)) if got[i] != shapes[i])
        what = "missing" if found[wrong] is _NOTHING else f"of shape {got[wrong]}"
        raise ProtocolError(f"{where}: {names[wrong]} is {what}, expected shape {shapes[wrong]}")
    return found
