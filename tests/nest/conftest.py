"""Plans made by hand, and a loop that carries NEST through them with a given drive."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest

from plans import region_plan, run_plan
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, Feed
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import Populations, RunPlan, TractPlan
from tvb_nest_cosim.cosim_core.model.signals import NEST_TO_TRANSLATOR, TRANSLATOR_TO_NEST
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.nest_service.kernel import load_nest
from tvb_nest_cosim.nest_service.simulator import NestSimulator

USER_NETWORKS = Path(__file__).parent / "user_networks"
SERIES = ("rate", "amplitude")
"""Drive signals with one value per tick; the others are lists of events."""


class MakePlan(Protocol):
    """Makes a plan with one group of spiking regions."""

    def __call__(self, network: str = "probe_networks:parrots", **options: Any) -> RunPlan: ...


@dataclass
class Outcome:
    """What NEST did in a run, by absolute tick."""

    populations: Populations = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sent: list[tuple[Window, dict[str, Any]]] = field(default_factory=list)
    recorded: list[tuple[Window, dict[str, Any]]] = field(default_factory=list)

    def spikes(self, region: str = "rHC") -> list[tuple[int, int]]:
        """Recorded spikes as (tick, neuron), sorted."""
        return sorted(
            (window.start + int(tick), int(neuron))
            for window, arrays in self.recorded
            for tick, neuron in zip(
                arrays[f"spikes/{region}/tick"], arrays[f"spikes/{region}/neuron"], strict=True
            )
        )

    def spike_ticks(self, region: str = "rHC") -> set[int]:
        return {tick for tick, _ in self.spikes(region)}

    def counts(self, region: str = "rHC") -> npt.NDArray[np.uint32]:
        """Counts of the whole run, [population, tick]."""
        return np.concatenate([arrays[f"counts/{region}"] for _, arrays in self.sent], axis=1)

    def analog(self, name: str, index: int = 0, region: str = "rHC") -> dict[int, list[float]]:
        """Samples by tick, in the order of neurons."""
        samples: dict[tuple[int, int], float] = {}
        for window, arrays in self.recorded:
            ticks, neurons, values = (
                arrays[f"analog/{region}/{index}/{key}"] for key in ("tick", "neuron", name)
            )
            for tick, neuron, value in zip(ticks, neurons, values, strict=True):
                assert (window.start + int(tick), int(neuron)) not in samples
                samples[window.start + int(tick), int(neuron)] = float(value)
        by_tick: dict[int, list[float]] = {}
        for (tick, _), value in sorted(samples.items()):
            by_tick.setdefault(tick, []).append(value)
        return by_tick


class Run(Protocol):
    """Carries NEST through a plan; the drive is by region, over the emission ticks of the run."""

    def __call__(self, plan: RunPlan, drive: Mapping[str, Mapping[str, Any]]) -> Outcome: ...


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what building does to the module search path."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(scope="session")
def nest() -> ModuleType:
    """The simulator, loaded as the service loads it."""
    loaded: ModuleType = load_nest()
    return loaded


@pytest.fixture
def make_plan(tmp_path: Path) -> MakePlan:
    def make(network: str = "probe_networks:parrots", **options: Any) -> RunPlan:
        return _plan(tmp_path, network, **options)

    return make


def _plan(
    run_dir: Path,
    network: str,
    *,
    kind: DriveKind = "poisson",
    regions: tuple[str, ...] = ("rHC",),
    parameters: dict[str, Any] | None = None,
    adex: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
    rate: dict[str, Any] | None = None,
    feeds: list[Feed] | None = None,
    tracts: list[TractPlan] | None = None,
    nest: dict[str, Any] | None = None,
    total_ticks: int = 20,
    window_ticks: int = 5,
    seed: int = 42,
    dt_ms: float = 0.1,
    weight: float = 1.0,
    correlation: float = 1.0,
    targets: list[str] | None = None,
    base_dir: Path = USER_NETWORKS,
) -> RunPlan:
    group = {
        "regions": list(regions),
        "network": {"module": network, "parameters": parameters or {}},
        "record": record or {},
        "rate": rate or {},
    }
    experiment = Experiment.model_validate(
        {
            "simulators": "nest",
            "dt_ms": dt_ms,
            "duration_ms": round(total_ticks * dt_ms, 6),
            "seed": seed,
            "adex": adex,
            "spiking": [group],
            "resources": {"nest": nest or {}},
        }
    )
    return run_plan(
        experiment,
        run_dir=str(run_dir),
        base_dir=str(base_dir),
        participants={"nest": experiment.resources.nest.ranks, "translator": 1},
        edges=[TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR],
        total_ticks=total_ticks,
        window_ticks=window_ticks,
        regions=[
            region_plan(
                name,
                index,
                kind=kind,
                feeds=feeds or [],
                targets=targets,
                weight=weight,
                correlation=correlation,
            )
            for index, name in enumerate(regions)
        ],
        tracts=tracts or [],
    )


@pytest.fixture
def run() -> Run:
    return _run


def _run(plan: RunPlan, drive: Mapping[str, Mapping[str, Any]]) -> Outcome:
    outcome = Outcome()
    simulator = NestSimulator()
    built = simulator.build(plan, 0, lambda window, it: outcome.recorded.append((window, dict(it))))
    outcome.populations, outcome.warnings = built.populations, built.warnings
    simulator.start(built.populations)
    for window in plan.grid.windows():
        simulator.absorb(window, _block(drive, window))
        simulator.advance(window)
        outcome.sent.append((window, dict(simulator.read(window))))
    simulator.finish()
    simulator.close()
    return outcome


def _block(drive: Mapping[str, Mapping[str, Any]], window: Window) -> dict[str, Any]:
    """Cuts a window out of the drive of a run and labels it as the translator does."""
    arrays: dict[str, Any] = {}
    for region, signals in drive.items():
        given = {name: np.asarray(values) for name, values in signals.items()}
        for name in set(given) & set(SERIES):
            arrays[f"drive/{region}/{name}"] = given.pop(name)[window.start : window.stop]
        if given:
            inside = (given["tick"] > window.start) & (given["tick"] <= window.stop)
            arrays[f"drive/{region}/tick"] = (given.pop("tick")[inside] - window.start).astype(
                "<u2"
            )
            for name, values in given.items():
                arrays[f"drive/{region}/{name}"] = values[inside].astype("<u4")
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
