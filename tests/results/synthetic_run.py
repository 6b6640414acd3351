"""Run directories made by hand: the journals that a co-simulation would have left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tvb_data

from plans import region_plan, run_plan
from tvb_nest_cosim.cosim_core.model.connectome import load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import NEST_TO_TRANSLATOR, TVB_TO_TRANSLATOR, Block
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.results import collect, complete
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES

CONNECTOME = Path(tvb_data.__file__).parent / "connectivity" / "connectivity_76.zip"
REGIONS = ("rHC", "lHC")
POPULATIONS = {"excitatory": 80, "inhibitory": 20}
NEURONS = sum(POPULATIONS.values())
DT_MS = 0.1
HOP_TICKS = 1
SAMPLE_TICKS = 10
"""TVB's monitor samples every 10 ticks, at ticks 10, 20, ..."""
ANALOG_TICKS = 5


@dataclass
class Activity:
    """What "happened", by absolute tick, whatever the windows and ranks that carry it."""

    total_ticks: int
    spikes: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """By region: rows (tick, neuron)."""
    tvb: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """[sample, variable, region, mode]."""
    input_hz: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def make(cls, total_ticks: int = 600) -> Activity:
        random = np.random.default_rng(7)
        activity = cls(total_ticks)
        ticks = np.arange(1, total_ticks + 1)
        wave = 1 + 0.8 * np.sin(2 * np.pi * ticks * DT_MS / 125.0)
        for phase, region in enumerate(REGIONS):
            rate_hz = 12 * np.roll(wave, 200 * phase)[:, None] * np.array([1.0, 2.2])
            per_neuron = np.repeat(rate_hz, list(POPULATIONS.values()), axis=1)
            fired = random.random((total_ticks, NEURONS)) < per_neuron * DT_MS / 1000
            rows = np.argwhere(fired)
            activity.spikes[region] = np.add(rows, (1, 0))
            activity.input_hz[region] = 300 * np.roll(wave, 80 + 200 * phase)
        times = np.arange(SAMPLE_TICKS, total_ticks + 1, SAMPLE_TICKS) * DT_MS
        phases = random.uniform(0, 2 * np.pi, 76)
        excitatory = 0.008 + 0.004 * np.sin(2 * np.pi * times[:, None] / 125.0 + phases)
        excitatory += 0.0004 * random.standard_normal(excitatory.shape)
        activity.tvb = np.stack([excitatory, 2 * excitatory], axis=1)[..., None]
        activity.tvb[:, 1, index_of(REGIONS)] = np.nan
        return activity

    def in_window(self, region: str, window: Window) -> npt.NDArray[np.int64]:
        rows = self.spikes[region]
        return rows[(rows[:, 0] > window.start) & (rows[:, 0] <= window.stop)]

    def counts(self, region: str, window: Window) -> npt.NDArray[np.uint32]:
        counts = np.zeros((2, window.ticks), np.uint32)
        for tick, neuron in self.in_window(region, window):
            counts[int(neuron >= POPULATIONS["excitatory"]), tick - window.start - 1] += 1
        return counts


def labels() -> tuple[str, ...]:
    return load_connectome(CONNECTOME, Experiment().connectome).labels


def index_of(regions: tuple[str, ...]) -> list[int]:
    return [labels().index(region) for region in regions]


def make_plan(
    root: Path, total_ticks: int, window_ticks: int, ranks: int, simulators: str
) -> RunPlan:
    spiking = {
        "regions": list(REGIONS),
        "record": {
            "spikes": True,
            "analog": [{"population": "excitatory", "neurons": 3, "interval_ms": 0.5}],
        },
    }
    experiment = Experiment.model_validate(
        {
            "name": "two hippocampi",
            "description": "Right and left hippocampus <spiking> & 74 mean-field regions.",
            "simulators": simulators,
            "duration_ms": total_ticks * DT_MS,
            "dt_ms": DT_MS,
            "adex": {"neurons": NEURONS},
            "spiking": [] if simulators == "tvb" else [spiking],
            "resources": {"nest": {"ranks": ranks}},
            "tvb": {"monitors": [{"name": "TemporalAverage", "period_ms": 1.0}]},
        }
    )
    participants = {"tvb": 1, "translator": 1, "nest": ranks}
    absent = {"both": (), "tvb": ("nest", "translator"), "nest": ("tvb",)}[simulators]
    return run_plan(
        experiment,
        run=root.name,
        run_dir=str(root),
        base_dir=str(root.parent),
        participants={k: v for k, v in participants.items() if k not in absent},
        edges=[TVB_TO_TRANSLATOR, NEST_TO_TRANSLATOR],
        total_ticks=total_ticks,
        window_ticks=window_ticks,
        connectome_path=str(CONNECTOME),
        regions=[] if simulators == "tvb" else [_region(name) for name in REGIONS],
        has_proxies=simulators == "both",
        warnings=["adex.excitatory.V_th_mV = -49 acts in NEST only"],
    )


def _region(name: str) -> RegionPlan:
    return region_plan(
        name,
        labels().index(name),
        weight=1.5,
        synapses=400.0,
        external_hz=0.5,
        hz_per_unit=1000.0,
        hop_ticks=HOP_TICKS,
    )


def write_run(
    root: Path,
    activity: Activity,
    window_ticks: int,
    nest_ranks: int,
    simulators: str = "both",
    windows: dict[str, int] | None = None,
) -> Path:
    """Writes plan and journals; ``windows`` limits what a role recorded."""
    plan = make_plan(root, activity.total_ticks, window_ticks, nest_ranks, simulators)
    layout = RunLayout(root)
    layout.make()
    layout.experiment.write_text(dump_yaml(plan.experiment))
    monitors = {
        "TemporalAverage": {"variables": ["E", "I"], "nodes": list(labels()), "period_ms": 1.0}
    }
    populations = {} if simulators == "tvb" else {region: POPULATIONS for region in REGIONS}
    facts = {"tvb": {"monitors": monitors}} if simulators != "nest" else {}
    tree = {"plan": plan.model_dump(mode="json"), "populations": populations, "facts": facts}
    layout.plan.write_text(json.dumps(tree))
    for role, count in plan.participants.items():
        recorded = list(plan.grid.windows())[: (windows or {}).get(role)]
        for rank in range(count):
            owner = JournalOwner(plan.run, role, rank)
            with JournalWriter(layout.journal(role, rank), owner) as journal:
                for block in BLOCKS[role](activity, recorded, rank, nest_ranks):
                    journal.append(block)
            with JournalWriter(layout.timing_journal(role, rank), owner) as journal:
                for start in range(0, len(recorded), 4):
                    part = recorded[start : start + 4]
                    phases = np.full((len(part), len(PHASES)), 0.01)
                    phases[:, PHASES.index("advance")] = [0.5 + w.index / 100 for w in part]
                    journal.append(Block(f"{role}.timing", start, rank, {"phases": phases}))
    return root


def completed(root: Path, provenance: Provenance | None = None) -> Path:
    """Completes a run, in this process since that is faster."""
    if provenance is not None:
        provenance.write(root)
    complete(root, make=collect)
    return root


def nest_blocks(
    activity: Activity, windows: list[Window], rank: int, nest_ranks: int
) -> Iterator[Block]:
    for window in windows:
        arrays: dict[str, Any] = {}
        for region in activity.spikes:
            rows = activity.in_window(region, window)
            rows = rows[rows[:, 1] % nest_ranks == rank][::-1]
            arrays[f"spikes/{region}/neuron"] = rows[:, 1].astype(np.uint32)
            arrays[f"spikes/{region}/tick"] = (rows[:, 0] - window.start).astype(np.uint16)
            ticks = np.arange(window.start + 1, window.stop + 1)
            ticks = ticks[ticks % ANALOG_TICKS == 0]
            mine = np.array([neuron for neuron in range(3) if neuron % nest_ranks == rank])
            tick, neuron = (axis.ravel() for axis in np.meshgrid(ticks, mine, indexing="ij"))
            arrays[f"analog/{region}/0/tick"] = (tick - window.start).astype(np.uint16)
            arrays[f"analog/{region}/0/neuron"] = neuron.astype(np.uint32)
            arrays[f"analog/{region}/0/V_m"] = v_m(tick, neuron)
        yield Block("nest.record", window.index, rank, arrays)


def v_m(tick: npt.NDArray[np.int64], neuron: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A membrane potential (mV) that says which tick and neuron it belongs to."""
    return -65.0 + neuron + 8 * (tick % 400) / 400


def translator_blocks(
    activity: Activity, windows: list[Window], rank: int, nest_ranks: int
) -> Iterator[Block]:
    for window in windows:
        span = slice(window.start, window.stop)
        yield Block(
            TVB_TO_TRANSLATOR,
            window.index,
            0,
            {f"coupling/{r}": activity.input_hz[r][span] / 400 for r in activity.spikes},
        )
        for sender in range(nest_ranks):
            share = {
                f"counts/{region}": activity.counts(region, window)
                if sender == 0
                else zeros(window)
                for region in activity.spikes
            }
            yield Block(NEST_TO_TRANSLATOR, window.index, sender, share)
        record: dict[str, Any] = {}
        for region in activity.spikes:
            record[f"rates/{region}"] = activity.counts(region, window) * 100.0
            record[f"input/{region}"] = activity.input_hz[region][span].copy()
        yield Block("translator.record", window.index, 0, record)


def zeros(window: Window) -> npt.NDArray[np.uint32]:
    return np.zeros((2, window.ticks), np.uint32)


def tvb_blocks(
    activity: Activity, windows: list[Window], rank: int, nest_ranks: int
) -> Iterator[Block]:
    ticks = np.arange(SAMPLE_TICKS, activity.total_ticks + 1, SAMPLE_TICKS)
    for window in windows:
        inside = (ticks > window.start) & (ticks <= window.stop)
        arrays = {
            "monitor/TemporalAverage/time": ticks[inside] * DT_MS,
            "monitor/TemporalAverage/data": activity.tvb[inside],
        }
        yield Block("tvb.record", window.index, 0, arrays)


BLOCKS = {"nest": nest_blocks, "translator": translator_blocks, "tvb": tvb_blocks}
