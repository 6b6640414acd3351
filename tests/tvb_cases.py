"""For the tests of TVB's side: plans, a driver in place of the ensemble, plain TVB as reference."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plans import region_plan, run_plan
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import HOP_TICKS, Experiment, Feed, parse
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine
from tvb_nest_cosim.cosim_core.model.plan import Built, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TRANSLATOR_TO_TVB, TVB_TO_TRANSLATOR
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

SPEED_MM_PER_MS = 4.0


def data_folder() -> Path:
    """The folder of the tvb-data package."""
    spec = importlib.util.find_spec("tvb_data")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def connectome_of(experiment: Experiment) -> Connectome:
    """The connectome of an experiment that uses tvb-data."""
    name = f"{experiment.connectome.source}.zip"
    return load_connectome(data_folder() / "connectivity" / name, experiment.connectome)


@dataclass
class Case:
    """What to simulate; a few words instead of a whole experiment."""

    tvb: dict[str, Any]
    proxies: tuple[int, ...] = ()
    drives: dict[int, DriveKind] = field(default_factory=dict)
    """Kind of drive by proxy; ``poisson`` where nothing is said."""
    feeds: dict[str, float] = field(default_factory=dict)
    """unit_per_hz by variable; population ``of VARIABLE`` feeds it."""
    ticks: int = 120
    window: int = 10
    lookahead: int = 1
    dt_ms: float = 0.1
    coupling_variable: int = 0
    coupling_name: str | None = None
    """Name of the coupling variable, as an experiment declares it."""
    hz_per_unit: float = 1.0
    seed: int = 7
    noise: dict[str, float] = field(default_factory=dict)
    base_dir: str = "."
    source: str = "connectivity_76"
    tracts: str = "synapses"
    """What becomes of the tracts among proxies; ``rates``: TVB carries them."""
    engine: Engine = "auto"

    def experiment(self) -> Experiment:
        return parse(
            {
                "duration_ms": round(self.ticks * self.dt_ms, 6),
                "dt_ms": self.dt_ms,
                "seed": self.seed,
                "connectome": {"source": self.source, "speed_mm_per_ms": SPEED_MM_PER_MS},
                "tvb": {"engine": self.engine, **self.tvb},
                "spiking": [
                    {
                        "regions": ["rHC"],
                        "tracts": {"mode": self.tracts},
                        "drive": {"coupling_variable": self.coupling_name},
                    }
                ]
                if self.proxies
                else [],
            }
        )

    def plan(self) -> RunPlan:
        experiment = self.experiment()
        connectome = connectome_of(experiment)
        return run_plan(
            experiment,
            base_dir=self.base_dir,
            participants={"tvb": 1},
            edges=[TVB_TO_TRANSLATOR, TRANSLATOR_TO_TVB] if self.proxies else [],
            window_ticks=self.window,
            lookahead=self.lookahead,
            connectome_path=str(data_folder() / "connectivity" / f"{self.source}.zip"),
            regions=[self._region(connectome.labels[index], index) for index in self.proxies],
            tvb_parameters=dict(experiment.tvb.model.parameters),
            tvb_noise=self.noise,
            has_proxies=bool(self.proxies),
        )

    def _region(self, name: str, index: int) -> RegionPlan:
        return region_plan(
            name,
            index,
            kind=self.drives.get(index, "poisson"),
            feeds=[
                Feed(variable=variable, population=f"of_{variable}", unit_per_hz=factor)
                for variable, factor in self.feeds.items()
            ],
            coupling_variable=self.coupling_variable,
            hz_per_unit=self.hz_per_unit,
        )

    def limit(self) -> int:
        """Longest product of window and lookahead that is exact (design section 3)."""
        into, out = self.delays()
        limit = min(1 + into - HOP_TICKS["poisson"], 1 + out)
        return min(limit, self.limit_among()) if self.tracts == "rates" else limit

    def limit_among(self) -> int:
        """The same for the tracts among proxies alone, which cross twice."""
        idelays, edge, proxy = self._edges()
        among = idelays[edge & proxy[:, None] & proxy[None, :]].min()
        return (1 + int(among) - HOP_TICKS["poisson"]) // 2

    def delays(self) -> tuple[int, int]:
        """Shortest delays of edges between proxies and others, into and out, in ticks."""
        idelays, edge, proxy = self._edges()
        into = idelays[edge & proxy[:, None] & ~proxy[None, :]].min()
        out = idelays[edge & ~proxy[:, None] & proxy[None, :]].min()
        return int(into), int(out)

    def _edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Delays in ticks, which edges there are, and which regions are proxies."""
        experiment = self.experiment()
        connectome = connectome_of(experiment)
        proxy = np.isin(np.arange(len(connectome.labels)), self.proxies)
        return connectome.idelays(experiment.dt_ms), connectome.weights > 0, proxy


RateSource = Callable[[str, int, int], np.ndarray]
"""Rates of a region for ticks first ... last, [population, tick] in Hz."""


@dataclass
class Result:
    """What a run of the simulator left behind."""

    built: Built
    initial: np.ndarray
    """State at tick 0, [state variable, region, mode]."""
    times: dict[str, np.ndarray]
    data: dict[str, np.ndarray]
    coupling: dict[str, np.ndarray]
    """Hz by region, for every emission tick of the run."""
    recorded: list[tuple[int, dict[str, np.ndarray]]]


def run_case(case: Case, rates: RateSource | None = None) -> Result:
    """Carries a simulator through a run, in the order of calls that the contract demands."""
    plan, simulator = case.plan(), TvbSimulator()
    recorded: list[tuple[int, dict[str, np.ndarray]]] = []
    built = simulator.build(
        plan, 0, lambda window, arrays: recorded.append((window.index, dict(arrays)))
    )
    initial = simulator._assembly.simulator.current_state.copy()
    populations = {f"of_{variable}": 0 for variable in case.feeds}
    simulator.start({region.name: populations for region in plan.regions})
    blocks: dict[int, Mapping[str, Any]] = {}
    grid = plan.grid

    def absorb(index: int) -> None:
        if simulator.in_edge is not None and rates is not None:
            window = grid.window(index)
            simulator.absorb(
                window,
                {
                    f"rates/{region.name}": rates(region.name, window.start + 1, window.stop)
                    for region in plan.regions
                },
            )

    for index in range(min(simulator.lead, grid.window_count)):
        blocks[index] = simulator.prologue(grid.window(index))
    for window in grid.windows():
        if window.index >= simulator.lag:
            absorb(window.index - simulator.lag)
        simulator.advance(window)
        blocks[window.index + simulator.lead] = simulator.read(window)
    for index in range(max(0, grid.window_count - simulator.lag), grid.window_count):
        absorb(index)
    simulator.finish()
    simulator.close()
    return Result(
        built,
        initial,
        _joined(recorded, "time"),
        _joined(recorded, "data"),
        {
            region.name: np.concatenate(
                [blocks[i][f"coupling/{region.name}"] for i in range(grid.window_count)]
            )
            for region in plan.regions
        },
        recorded,
    )


def _joined(recorded: list[tuple[int, dict[str, np.ndarray]]], what: str) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    for _, arrays in recorded:
        for name, array in arrays.items():
            _, key, kind = name.split("/")
            if kind == what:
                parts.setdefault(key, []).append(array)
    return {key: np.concatenate(arrays) for key, arrays in parts.items()}


def plain_tvb(case: Case, initial: np.ndarray, monitors: tuple[Any, ...], **parts: Any) -> Any:
    """Builds tvb-library's own simulator by hand, as a user of TVB would.

    Args:
        case: Connectome, proxies (no edges among them, unless they are carried) and step.
        initial: State of the constant history.
        monitors: TVB monitors.
        parts: Further parts of ``Simulator``.
    """
    from tvb.datatypes.connectivity import Connectivity
    from tvb.simulator.simulator import Simulator

    experiment = case.experiment()
    connectome = connectome_of(experiment)
    weights = connectome.weights.copy()
    for target in case.proxies if case.tracts != "rates" else ():
        for source in case.proxies:
            weights[target, source] = 0.0
    connectivity = Connectivity(
        weights=weights,
        tract_lengths=connectome.lengths_mm,
        region_labels=np.array(connectome.labels),
        centres=connectome.centres,
        cortical=connectome.cortical,
        orientations=connectome.orientations,
        speed=np.array([SPEED_MM_PER_MS]),
    )
    connectivity.configure()
    connectivity.set_idelays(case.dt_ms)
    simulator = Simulator(
        connectivity=connectivity,
        monitors=monitors,
        initial_conditions=np.repeat(initial[None], connectivity.horizon, axis=0),
        **parts,
    )
    simulator.configure()
    simulator.current_step = 0
    return simulator
