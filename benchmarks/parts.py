"""Every benchmark by its name."""

from __future__ import annotations

from benchmarks import (
    codec,
    drift,
    first_window,
    listeners,
    lockstep,
    nest_alone,
    page_hour,
    page_load,
    ranks,
    ranks_run,
    translation,
    tvb_stepper,
)
from benchmarks.framework import Benchmark

PARTS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        nest_alone.BENCHMARK,
        lockstep.BENCHMARK,
        translation.BENCHMARK,
        codec.BENCHMARK,
        drift.BENCHMARK,
        first_window.BENCHMARK,
        listeners.BENCHMARK,
        page_load.BENCHMARK,
        page_hour.BENCHMARK,
        ranks.BENCHMARK,
        ranks_run.BENCHMARK,
        tvb_stepper.BENCHMARK,
    )
}
