"""Names for the types of NumPy arrays; a docstring beside each use gives shape and unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
"""An array of any type."""

Arrays = Mapping[str, Array]
"""Arrays by name, such as the signals of a block."""

Reals = npt.NDArray[np.float64]
"""Rates, couplings, currents, times."""

Integers = npt.NDArray[np.int64]
"""Ticks, indices, and sums of counts."""

Counts = npt.NDArray[np.uint32]
"""Numbers of spikes as they are sent."""

Words = npt.NDArray[np.uint64]
"""Random bits."""
