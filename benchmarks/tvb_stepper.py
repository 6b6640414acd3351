"""Cost of a tick of TVB: tvb-library itself, the plain loop, the compiled engine.

The three advance by turns, ten ticks each, and the fastest of their turns count: what else the
machine does only ever makes a turn slower. The loop and the compiled engine feed two proxies and
compute the input to them as in a co-simulation, tvb-library has none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values

_MODELS = (
    "ZerlautAdaptationFirstOrder",
    "ZerlautAdaptationSecondOrder",
    "ReducedWongWang",
    "ReducedWongWangExcInh",
    "Generic2dOscillator",
)
_REGIONS = (76, 192, 1000)
_PROXIES = np.array([20, 4])
_TICKS = 10
_TURNS = 15
_TARGETS_US = {"ZerlautAdaptationSecondOrder": 200.0}
_TARGETS = {"ZerlautAdaptationFirstOrder": 10.0, "ZerlautAdaptationSecondOrder": 12.0}

_START = """
import sys, time
sys.path.append(sys.argv[1])
from tvb_nest_cosim.tvb_service.library import load_tvb
load_tvb()
import numpy
from tvb_brains import build
from tvb_nest_cosim.tvb_service.compiled.stepper import CompiledStepper
simulator = build("ZerlautAdaptationSecondOrder", "HeunDeterministic")
began = time.monotonic()
CompiledStepper(simulator, numpy.array([20, 4]), 1)
print(time.monotonic() - began)
"""


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    from tvb_nest_cosim.tvb_service.library import load_tvb

    load_tvb()
    models, sizes = (_MODELS[2:3], _REGIONS[:1]) if setting.is_tiny else (_MODELS, _REGIONS)
    turns = {(model, size): _turns(model, size) for size in sizes for model in models}

    def once() -> Values:
        values: dict[str, float] = {} if setting.is_tiny else _starts()
        for (model, size), engines in turns.items():
            best_s = _fastest(engines, 2 if setting.is_tiny else _TURNS)
            for engine, seconds in best_s.items():
                values[f"{model}-{size}-{engine}"] = seconds / _TICKS * 1e6
            values[f"{model}-{size}-ratio"] = best_s["stock"] / best_s["compiled"]
        return values

    yield once


def _turns(model: str, regions: int) -> dict[str, Callable[[], None]]:
    from tvb_brains import build, connectivity_of, synthetic
    from tvb_nest_cosim.tvb_service.compiled.stepper import CompiledStepper
    from tvb_nest_cosim.tvb_service.stepper import LoopStepper, Stepper

    def simulator() -> Any:
        # 200 tracts into each of 1,000 regions; tvb-library's own have 20 and 270
        brain = synthetic(1000, 0.2) if regions == 1000 else connectivity_of(_FILES[regions])
        return build(model, "HeunDeterministic", brain)

    stock = simulator()

    def run_stock() -> None:
        for _ in stock(n_steps=_TICKS):
            pass

    def run(stepper: Stepper) -> None:
        first = stepper.tick + 1
        stepper.coupling_into(_PROXIES, range(first, first + _TICKS))
        stepper.advance(_TICKS)
        stepper.feed(first, np.full((_TICKS, 1, len(_PROXIES)), 0.01))

    plain = LoopStepper(simulator(), _PROXIES, _TICKS)
    compiled = CompiledStepper(simulator(), _PROXIES, _TICKS)
    return {"stock": run_stock, "plain": lambda: run(plain), "compiled": lambda: run(compiled)}


_FILES = {76: "connectivity_76", 192: "connectivity_192"}


def _fastest(engines: dict[str, Callable[[], None]], turns: int) -> dict[str, float]:
    best_s = dict.fromkeys(engines, np.inf)
    for _ in range(turns):
        for engine, advance in engines.items():
            began_s = time.perf_counter()
            advance()
            best_s[engine] = min(best_s[engine], time.perf_counter() - began_s)
    return best_s


def _starts() -> dict[str, float]:
    """Measures a start that compiles and one that finds it done."""
    tests = next(path for path in sys.path if path.endswith("tests"))
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _START, tests]
        seconds = [
            float(
                subprocess.run(
                    command, env=environment, capture_output=True, check=True, timeout=600
                ).stdout
            )
            for _ in range(2)
        ]
    return {"first_start": seconds[0], "later_start": seconds[1]}


def _quantities() -> Iterator[Quantity]:
    yield Quantity("first_start", "first start, which compiles (Zerlaut, second order)", "s")
    yield Quantity("later_start", "later start, which loads", "s")
    for size in _REGIONS:
        for model in _MODELS:
            named = f"{model}, {size} regions"
            key = f"{model}-{size}"
            yield Quantity(f"{key}-stock", f"{named}: tvb-library", "us per tick")
            yield Quantity(f"{key}-plain", f"{named}: plain loop", "us per tick")
            is_typical = size == _REGIONS[0]
            yield Quantity(
                f"{key}-compiled",
                f"{named}: compiled",
                "us per tick",
                at_most=_TARGETS_US.get(model) if is_typical else None,
            )
            yield Quantity(
                f"{key}-ratio",
                f"{named}: times faster than tvb-library",
                at_least=_TARGETS.get(model) if is_typical else None,
            )


BENCHMARK = Benchmark(
    name="tvb-stepper",
    text="a tick of TVB by tvb-library, by the plain loop and compiled",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=5,
)
