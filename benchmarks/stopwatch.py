"""Short times on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable


def processor_us(call: Callable[[], object], times: int) -> float:
    """Returns the mean processor time of a call, in microseconds.

    The mean, not the fastest: work that is done in advance for several calls belongs to all of
    them. Processor time, since what else the machine does takes the core away, but hardly adds to
    the work.

    Args:
        call: What to time, by the thread that calls.
        times: Number of calls.
    """
    began_s = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - began_s) / times * 1e6
