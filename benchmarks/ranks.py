"""Time that the translator spends on collecting from many ranks of NEST: a model of its costs.

Everything the translator does for a window is done here by its own code, in one process and without
simulators: take the frames of every rank's block, check, decode and journal them, add up or merge,
translate, and encode the drive and hand it to a socket for every rank. Then a straight line is
fitted through the measured times: so much per window, per rank, and per thousand spikes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from tvb_nest_cosim.cosim_core.model.experiment import load_experiment
from tvb_nest_cosim.cosim_core.model.plan import Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    COUNT,
    NEST_TO_TRANSLATOR,
    NEURON,
    TICK,
    TRANSLATOR_TO_NEST,
    Array,
    Block,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.participant.inbox import Inbox
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder
from tvb_nest_cosim.cosim_core.wire.codec import decode_block, encode_block
from tvb_nest_cosim.cosim_core.wire.protocol import Frames, peer_name
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.translator.pipeline import Pipeline

EXAMPLE = Path(__file__).parents[1] / "examples" / "quickstart.yaml"
HERE = Path(__file__).parent

RANKS = (1, 2, 4, 8, 16, 64)
SPIKES = (0, 160, 16_000)
"""Spikes in a window over all ranks; 8,000 neurons that fire at 10 Hz have 160 in 2 ms."""

WINDOW_TICKS = 20
SIZES = {"excitatory": 3200, "inhibitory": 800}
"""Neurons of each of the two regions."""


class MeanRate:
    """A user's translator: it makes NEST send single spikes. Counts over neurons, in Hz."""

    def __init__(self, context: object) -> None:
        self._neurons = np.array([[n] for n in SIZES.values()])

    def translate(self, window: Window, counts: Array, spikes: object) -> Array:
        """Returns float64 [population, tick]."""
        return np.asarray(counts / self._neurons * 10_000.0)


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    windows = 20 if setting.is_tiny else 400
    ranks = RANKS[:2] if setting.is_tiny else RANKS
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10**6))

        def once() -> Values:
            points = [(r, s) for r in ranks for s in SPIKES]
            rows = [
                (r, s, _window_us(r, s, windows, Path(folder) / str(next(count))))
                for r, s in points
            ]
            return _fitted(np.array(rows))

        yield once


def _fitted(rows: Array) -> Values:
    """Fits time = window + rank * ranks + spike * spikes, relative errors counting alike."""
    ranks, spikes, measured_us = rows.astype(np.float64).T
    terms = np.stack([np.ones_like(ranks), ranks, spikes / 1000]) / measured_us
    (window, rank, thousand), *_ = np.linalg.lstsq(terms.T, np.ones_like(ranks), rcond=None)
    model = window + rank * ranks + thousand * spikes / 1000
    by_point = {f"{int(r)} ranks, {int(s)} spikes": us for r, s, us in rows if s in SPIKES[:2]}
    return {
        "window": window,
        "rank": rank,
        "thousand": thousand,
        "misfit": float(np.abs(model / measured_us - 1).max()),
        **by_point,
    }


def _plan(ranks: int, folder: Path, *, with_spikes: bool) -> RunPlan:
    changes = [f"resources.nest.ranks={ranks}", f"window.length_ms={WINDOW_TICKS / 10}"]
    if with_spikes:
        changes.append("spiking.0.rate.translator=ranks:MeanRate")
    return plan_run(load_experiment(EXAMPLE, changes), HERE, folder).plan


def _window_us(ranks: int, spikes: int, windows: int, folder: Path) -> float:
    """Returns the least mean time of a window, over blocks of windows, in microseconds."""
    plan = _plan(ranks, folder, with_spikes=spikes > 0)
    RunLayout(folder).make()
    recorder = Recorder(RunLayout(folder), JournalOwner("benchmark", "translator", 0))
    pipeline = Pipeline(plan)
    pipeline.build(recorder.record)
    populations: Populations = {region.name: dict(SIZES) for region in plan.regions}
    pipeline.start(populations)
    transport = ZmqTransport()
    try:
        with _Listeners(transport, folder, ranks) as listeners:
            best, block = np.inf, max(1, windows // 8)
            blocks = [
                _frames(plan, populations, window, ranks, spikes) for window in range(windows)
            ]
            inbox = Inbox({NEST_TO_TRANSLATOR: ranks})
            for first in range(0, windows, block):
                part = range(first, min(first + block, windows))
                began_s = time.perf_counter()
                for index in part:
                    _step(plan, pipeline, recorder, inbox, index, blocks[index], listeners)
                best = min(best, (time.perf_counter() - began_s) / len(part))
                listeners.drain()
            return best * 1e6
    finally:
        transport.close()
        recorder.close()


def _step(
    plan: RunPlan,
    pipeline: Pipeline,
    recorder: Recorder,
    inbox: Inbox,
    index: int,
    frames: list[Frames],
    listeners: _Listeners,
) -> None:
    """Does what :mod:`cosim_core.participant.translator_loop` does for a window, both ways."""
    for rank, each in enumerate(frames):
        inbox.put(decode_block(each, plan.run, peer_name("nest", rank)), peer_name("nest", rank))
    window = plan.grid.window(index)
    got = inbox.take(NEST_TO_TRANSLATOR, index)
    for block in got:
        recorder.received(block)
    pipeline.rates(window, [block.arrays for block in got])
    coupling: dict[str, Array] = {
        f"coupling/{region.name}": np.full(window.ticks, 2.0) for region in plan.regions
    }
    drive = pipeline.drive(window, coupling)
    listeners.send(encode_block(Block(TRANSLATOR_TO_NEST, index, 0, drive), plan.run))
    recorder.end_window()


def _frames(
    plan: RunPlan, populations: Populations, window: int, ranks: int, spikes: int
) -> list[Frames]:
    """Makes what every rank sends of a window, spikes dealt evenly."""
    rng = np.random.default_rng(window)
    frames: list[Frames] = []
    for rank in range(ranks):
        arrays: dict[str, Array] = {}
        for region, sizes in populations.items():
            arrays[f"counts/{region}"] = np.zeros((len(sizes), WINDOW_TICKS), COUNT)
            if spikes:
                own = spikes // ranks // len(populations)
                neurons = rng.integers(0, sum(sizes.values()), own)
                arrays[f"spikes/{region}/neuron"] = neurons.astype(NEURON)
                ticks = rng.integers(1, WINDOW_TICKS + 1, own)
                arrays[f"spikes/{region}/tick"] = ticks.astype(TICK)
        frames.append(encode_block(Block(NEST_TO_TRANSLATOR, window, rank, arrays), plan.run))
    return frames


class _Listeners:
    """Ranks that take what they are sent and do nothing with it."""

    def __init__(self, transport: ZmqTransport, folder: Path, ranks: int) -> None:
        self._names = [peer_name("nest", rank) for rank in range(ranks)]
        self._transport = transport
        self._hub = transport.bind(f"ipc://{folder}/data")
        self._ends = [transport.connect(self._hub.endpoint, name) for name in self._names]

    def __enter__(self) -> _Listeners:
        for end in self._ends:
            end.send([b"OPEN"])
        here: set[str] = set()
        while len(here) < len(self._names):
            self._transport.wait([self._hub], 1.0)
            while (received := self._hub.receive()) is not None:
                here.add(received[0])
        return self

    def __exit__(self, *_: object) -> None:
        self.drain()

    def send(self, frames: Frames) -> None:
        for name in self._names:
            self._hub.send(frames, name)

    def drain(self) -> None:
        for end in self._ends:
            while end.receive() is not None:
                pass


BENCHMARK = Benchmark(
    name="ranks",
    text="work of the translator by ranks of NEST and spikes, two regions, windows of 2 ms",
    quantities=(
        Quantity("window", "fitted: per window", "us"),
        Quantity("rank", "fitted: per rank and window", "us"),
        Quantity("thousand", "fitted: per thousand spikes", "us"),
        Quantity("misfit", "greatest relative error of the fit"),
        *(
            Quantity(f"{ranks} ranks, {spikes} spikes", f"{ranks} ranks, {spikes} spikes", "us")
            for ranks in RANKS
            for spikes in SPIKES[:2]
        ),
    ),
    prepare=_prepared,
    repeats=5,
)
