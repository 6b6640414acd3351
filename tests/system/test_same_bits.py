"""Oracle 3: the same experiment gives the same bits, whatever the window, layout or timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.nest_service.simulator import NestSimulator
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.translator.pipeline import Pipeline
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator


@pytest.fixture
def limit_ms(tiny: dict[str, Any], tmp_path: Path) -> float:
    planned = plan_run(parse(tiny), tmp_path, tmp_path / "plan")
    assert planned.limit is not None
    return ms_of(planned.limit.limit_ticks, planned.plan.experiment.dt_ms)


def on_grid(time_ms: float) -> float:
    return int(time_ms * 10 + 1e-6) / 10


def test_windows_lookahead_and_repetition(
    finished: Callable[..., Any],
    finished_here: Callable[..., Any],
    tiny: dict[str, Any],
    limit_ms: float,
) -> None:
    """The last one in processes, which are not to differ from threads either."""
    cases = [
        (on_grid(limit_ms), 1),
        (on_grid(limit_ms / 2), 2),
        (on_grid(limit_ms / 2), 1),
        (on_grid(limit_ms / 4), 2),
        (on_grid(limit_ms / 2), 2),
    ]
    digests = {}
    for number, (length_ms, lookahead) in enumerate(cases):
        tiny["window"] = {"length_ms": length_ms, "lookahead": lookahead}
        carry_out = finished if number == len(cases) - 1 else finished_here
        ran = carry_out(tiny)
        assert ran.planned.plan.lookahead == lookahead
        digests[number, length_ms, lookahead] = ran.digest
    assert len(set(digests.values())) == 1, digests


def test_engines_of_tvb(finished_here: Callable[..., Any], tiny: dict[str, Any]) -> None:
    tiny["duration_ms"] = 20.0
    digests = {}
    for engine in ("tvb", "compiled"):
        tiny["tvb"]["engine"] = engine
        ran = finished_here(tiny)
        assert ran.coordinator.built().versions["tvb-engine"] == engine
        digests[engine] = ran.digest
    assert len(set(digests.values())) == 1, digests


def test_another_seed_gives_other_bits(
    finished_here: Callable[..., Any], tiny: dict[str, Any]
) -> None:
    """Shows that the digest can differ at all."""
    tiny["duration_ms"] = 20.0
    first = finished_here(tiny).digest
    tiny["seed"] += 1
    assert finished_here(tiny).digest != first


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
@pytest.mark.parametrize("kinds", [("poisson", "mip"), ("sip", "trains")])
def test_ranks_and_threads(
    finished: Callable[..., Any],
    finished_here: Callable[..., Any],
    tiny: dict[str, Any],
    kinds: tuple[str, str],
) -> None:
    for group, kind in zip(tiny["spiking"], kinds, strict=True):
        group["drive"] = {"kind": kind, "correlation": 0.2}
    digests = {}
    for ranks, threads in ((1, 2), (2, 1)):
        tiny["resources"] = {"nest": {"ranks": ranks, "threads": threads, "virtual_processes": 2}}
        carry_out = finished if ranks > 1 else finished_here
        digests[ranks, threads] = carry_out(tiny).digest
    assert len(set(digests.values())) == 1, digests


class Sleepy:
    """A simulator that dawdles at random before whatever it does."""

    def __init__(self, simulator: Any, seed: int) -> None:
        self._simulator = simulator
        self._random = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._simulator, name)
        if name in ("absorb", "advance", "drive", "rates"):
            time.sleep(self._random.random() * 0.02)
        return attribute


def test_random_sleeps_in_every_participant(
    finished: Callable[..., Any], finished_here: Callable[..., Any], tiny: dict[str, Any]
) -> None:
    """Threads of one process that dawdle, against real processes that do not."""
    tiny["duration_ms"] = 30.0
    expected = finished(tiny).digest
    for seed in (1, 2):
        sleepy = {
            "nest": lambda rank, seed=seed: Sleepy(NestSimulator(), seed),
            "tvb": lambda rank, seed=seed: Sleepy(TvbSimulator(), seed + 10),
            "translator": lambda plan, seed=seed: Sleepy(Pipeline(plan), seed + 20),
        }
        assert finished_here(tiny, simulators=sleepy).digest == expected
