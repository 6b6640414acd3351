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
    phases,
    ranks,
    ranks_run,
    recording,
    start_up,
    sweep,
    translation,
    tvb_stepper,
    windows,
)
from benchmarks.framework import Benchmark

PARTS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        nest_alone.BENCHMARK,
        windows.BENCHMARK,
        phases.BENCHMARK,
        lockstep.BENCHMARK,
        translation.BENCHMARK,
        codec.BENCHMARK,
        start_up.BENCHMARK,
        drift.BENCHMARK,
        recording.BENCHMARK,
        first_window.BENCHMARK,
        listeners.BENCHMARK,
        page_load.BENCHMARK,
        page_hour.BENCHMARK,
        ranks.BENCHMARK,
        ranks_run.BENCHMARK,
        sweep.BENCHMARK,
        tvb_stepper.BENCHMARK,
    )
}
