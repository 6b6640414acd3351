"""Short times on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable

BLOCKS = 10


def fastest_us(call: Callable[[], object], times: int) -> float:
    """Returns the mean time of a call in the fastest of ten blocks of calls, in microseconds.

    What else the machine does only ever makes a block slower.

    Args:
        call: What to time.
        times: Number of calls, ten at least.
    """
    size = times // BLOCKS
    means_s = []
    for _ in range(BLOCKS):
        began_s = time.perf_counter()
        for _ in range(size):
            call()
        means_s.append((time.perf_counter() - began_s) / size)
    return min(means_s) * 1e6
