"""The first-order recursion that the exponential kernel and the noise share."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


def leaky_sum(keep: Reals, inputs: Reals, state: Reals) -> tuple[Reals, Reals]:
    """Computes y[s] = keep * y[s-1] + x[s], two roundings per tick whatever the window.

    In plain numbers: for the few rows that there are it takes a third of the time of one operation
    of NumPy per tick, and importing SciPy's ``lfilter`` takes longer than most runs would save.

    Args:
        keep: Factors, float64 [row].
        inputs: x, float64 [row, tick].
        state: y at the last tick before the window, float64 [row].

    Returns:
        y, float64 [row, tick], and y at the last tick.
    """
    rows = zip(keep.tolist(), inputs.tolist(), state.tolist(), strict=True)
    sums = np.array([_path(*row) for row in rows]).reshape(len(keep), -1)
    return sums[:, 1:], sums[:, -1].copy()


def _path(keep: float, inputs: list[float], past: float) -> list[float]:
    return list(accumulate(inputs, lambda y, x: keep * y + x, initial=past))
