"""The delayed input to a region with the bits of tvb-library's sparse coupling.

tvb-library keeps history, weights and their products in float32 and sums each region's by
``numpy.add.reduceat``: the first product, plus numpy's pairwise sum of the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

_BLOCK = 128
"""numpy sums so many numbers at once, and halves what is longer."""
_DEPTH = 64
"""More halvings than a number of tracts can have."""


class Tracts(NamedTuple):
    """The tracts of a connectome, by target.

    Attributes:
        first: Index of each region's first tract and, at the end, the number of tracts, int64
            [region + 1].
        back: Where in the history, flattened, a tract finds its source, from the start of the
            present row: source - delay * regions, int64 [tract].
        weight: float32 [tract].
        scale: Factor and offset of the sum, float64 [2].
    """

    first: Any
    back: Any
    weight: Any
    scale: Any


@njit(error_model="numpy")
def incoming(tracts: Tracts, ring: Any, present: int, region: int, products: Any) -> Any:
    """Returns the coupling into a region at a tick.

    Args:
        tracts: The tracts.
        ring: Past states of the coupling variable, float32 [tick modulo length, region], flattened.
        present: Where the tick before starts in it.
        region: The region.
        products: Scratch, float32, as long as a region has tracts.
    """
    first, stop = tracts.first[region], tracts.first[region + 1]
    for tract in range(first, stop):
        # before the first row of the ring comes the last: negative indices count from the end
        seen = ring[present + tracts.back[tract]]
        products[tract - first] = tracts.weight[tract] * seen
    total = np.float32(0.0)
    if stop > first:
        total = products[0]
        if stop > first + 1:
            total += _pairwise(products, 1, stop - first - 1)
    return tracts.scale[0] * total + tracts.scale[1]


@njit(error_model="numpy")
def _pairwise(numbers: Any, first: int, count: int) -> Any:
    """Sums as numpy does, halving what is longer than a block.

    Not by recursion, which numba compiles but does not load from its cache: segments wait on a
    stack, left ones first, and two sums of one depth are those of a left and a right half.
    """
    if count <= _BLOCK:
        return _block(numbers, first, count)
    segments, waiting = np.empty((_DEPTH, 3), dtype=np.int64), 1
    sums, depths, summed = np.empty(_DEPTH, dtype=np.float32), np.empty(_DEPTH, dtype=np.int64), 0
    segments[0] = first, count, 0
    while waiting:
        waiting -= 1
        begin, length, depth = segments[waiting]
        if length > _BLOCK:
            half = length // 2
            half -= half % 8
            segments[waiting] = begin + half, length - half, depth + 1
            segments[waiting + 1] = begin, half, depth + 1
            waiting += 2
            continue
        total = _block(numbers, begin, length)
        while summed and depths[summed - 1] == depth:
            summed -= 1
            total = sums[summed] + total
            depth -= 1
        sums[summed], depths[summed] = total, depth
        summed += 1
    return sums[0]


@njit(error_model="numpy")
def _block(numbers: Any, first: int, count: int) -> Any:
    """Sums up to a block of numbers."""
    if count < 8:
        total = np.float32(-0.0)
        done = 0
    else:
        total, done = _eight_at_once(numbers, first, count)
    for index in range(done, count):
        total += numbers[first + index]
    return total


@njit(error_model="numpy")
def _eight_at_once(numbers: Any, first: int, count: int) -> Any:
    """Sums in eight columns all but the last that fill no row; returns how many it summed."""
    s0, s1, s2, s3 = numbers[first], numbers[first + 1], numbers[first + 2], numbers[first + 3]
    s4, s5, s6, s7 = numbers[first + 4], numbers[first + 5], numbers[first + 6], numbers[first + 7]
    whole = count - count % 8
    for at in range(first + 8, first + whole, 8):
        s0 += numbers[at]
        s1 += numbers[at + 1]
        s2 += numbers[at + 2]
        s3 += numbers[at + 3]
        s4 += numbers[at + 4]
        s5 += numbers[at + 5]
        s6 += numbers[at + 6]
        s7 += numbers[at + 7]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)), whole
