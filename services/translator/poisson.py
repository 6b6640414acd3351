"""Poisson counts by inversion of the distribution, one uniform number per count.

Every count is a pure function of its own uniform number and mean: neither its neighbours in the
array nor the array's length change it. The count is the smallest k with u <= P(X <= k).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, pdtr

from tvb_nest_cosim.cosim_core.model.arrays import Integers, Reals

SUMMED_BELOW = 4.0
"""Means below this are inverted by summing probabilities, others by expansion."""

_NEGLIGIBLE = 1e-20
"""Probability below which the sum has converged; uniform numbers are no finer than 2**-53."""

_CENTRAL = 3.0
"""Standard normal deviates within which the expansion's error bound holds."""


def poisson_counts(uniforms: Reals, means: Reals) -> Integers:
    """Turns uniform numbers into Poisson counts.

    Args:
        uniforms: Numbers in (0, 1).
        means: Means, finite and not negative; broadcast to the shape of ``uniforms``.

    Returns:
        int64, shape of ``uniforms``.
    """
    counts = np.zeros(uniforms.size, dtype=np.int64)
    flat = uniforms.ravel()
    none = np.broadcast_to(np.exp(-means), uniforms.shape).ravel()
    several = np.flatnonzero(flat > none)
    spread = np.broadcast_to(means, uniforms.shape).ravel()[several]
    is_small = spread < SUMMED_BELOW
    small, large = several[is_small], several[~is_small]
    if small.size:
        counts[small] = _by_summation(flat[small], none[small], spread[is_small])
    if large.size:
        counts[large] = _by_expansion(flat[large], spread[~is_small])
    return counts.reshape(uniforms.shape)


def _by_summation(uniforms: Reals, probability: Reals, means: Reals) -> Integers:
    """Sums P(0) + P(1) + ... until the sum reaches the uniform number, known to exceed P(0)."""
    counts = np.zeros(uniforms.size, dtype=np.int64)
    cumulated = probability
    active = np.arange(uniforms.size)
    k = 0
    while active.size:
        k += 1
        probability = probability * (means / k)
        cumulated = cumulated + probability
        counts[active] = k
        more = (uniforms > cumulated) & (probability > _NEGLIGIBLE)
        active, uniforms, means = active[more], uniforms[more], means[more]
        probability, cumulated = probability[more], cumulated[more]
    return counts


def _by_expansion(uniforms: Reals, means: Reals) -> Integers:
    """Inverts by Giles' normal expansion, and by the distribution itself where that is unsure.

    Source: M. B. Giles 2016, ACM Trans Math Softw 42(1) 7, expansion Q_N2 and its error bound. The
    integer part is right unless the expansion falls within the bound of an integer.
    """
    z = ndtri(uniforms)
    z2 = z * z
    root = np.sqrt(means)
    x = (
        means
        + root * z
        + (1.0 / 3.0 + z2 / 6.0)
        - (z / 36.0 + z2 * z / 72.0) / root
        + (-8.0 / 405.0 + 7.0 * z2 / 810.0 + z2 * z2 / 270.0) / means
    )
    bound = (1.0 / 40.0 + z2 / 80.0 + z2 * z2 / 160.0) / means
    below = np.floor(x)
    rest = x - below
    unsure = np.flatnonzero((np.abs(z) > _CENTRAL) | (rest < bound) | (rest > 1.0 - bound))
    counts = np.maximum(below, 0.0)
    counts[unsure] = _by_search(uniforms[unsure], means[unsure], counts[unsure])
    return counts.astype(np.int64)


def _by_search(uniforms: Reals, means: Reals, counts: Reals) -> Reals:
    """Moves counts near the right ones up, then down, by the distribution function."""
    for step in (1.0, -1.0):
        active = np.arange(counts.size)
        while active.size:
            k, u, mean = counts[active], uniforms[active], means[active]
            moves = pdtr(k, mean) < u if step > 0 else (k > 0) & (pdtr(k - 1.0, mean) >= u)
            active = active[moves]
            counts[active] += step
    return counts
