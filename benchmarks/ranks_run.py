"""Runs with 1, 2, 4 and 8 ranks of NEST: what collecting their spikes takes of a window.

NEST alone under constant input, with next to no neurons and with 8,000. The ranks may be more than
the cores, so wall times say little; what counts is how long the translator works for a window and
how long a rank takes to hand over and keep what it has, from the run's own timing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from tvb_nest_cosim.cosim_core.results import open_run

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = Path(__file__).parents[1] / "examples" / "nest_alone.yaml"

RANKS = (1, 2, 4, 8)
NETWORKS = {"empty": 10, "8,000 neurons": 4000}
"""Neurons per region; of the small ones none fires."""

WAIT_S = 600.0


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    if shutil.which("mpirun") is None:
        raise RuntimeError("this needs OpenMPI's mpirun and a NEST with MPI (CONTRIBUTING.md)")
    folder = setting.folder / "ranks-run"
    folder.mkdir(exist_ok=True)
    networks = {"empty": 10} if setting.is_tiny else NETWORKS
    ranks = RANKS[1:2] if setting.is_tiny else RANKS
    count = iter(range(10**6))

    def once() -> Values:
        values: dict[str, float] = {}
        for network, neurons in networks.items():
            for number in ranks:
                root = folder / str(next(count))
                values |= _measured(network, neurons, number, root, 20 if setting.is_tiny else 200)
                shutil.rmtree(root)
        return values

    yield once


def _measured(network: str, neurons: int, ranks: int, root: Path, duration_ms: int) -> Values:
    silent = ["adex.external_hz=0", "stand_in.hz=0"] if neurons < 100 else []
    changes = [
        f"adex.neurons={neurons}", "adex.p_connect=0.05", f"duration_ms={duration_ms}",
        f"resources.nest.ranks={ranks}", "spiking.0.record.analog=[]", "window.length_ms=2",
        *silent,
    ]  # fmt: skip
    options = [word for change in changes for word in ("--set", change)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tvb_nest_cosim.orchestrator",
         "run", str(EXAMPLE), "--no-report",
         "--out", str(root), *options],
        # Not what MPI has set behind Python's back, should NEST have been loaded here.
        env=dict(os.environ),
        check=False, timeout=WAIT_S, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"a run with {ranks} ranks failed: {done.stdout}{done.stderr}")
    with open_run(root) as run:
        timing = run.timing
    ours, theirs = (timing[timing["participant"] == role] for role in ("translator", "nest"))
    key = f"{network}, {ranks} ranks"
    return {
        f"translator: {key}": mean_us(
            ours, "receive_s", "advance_s", "encode_s", "send_s", "record_s"
        ),
        f"rank: {key}": mean_us(theirs, "encode_s", "send_s", "record_s"),
    }


def mean_us(timing: pd.DataFrame, *phases: str) -> float:
    """Returns what some phases take together of a window, in us, mean over windows and ranks.

    A participant may take several windows in one go and charge the first of them with all the time,
    so a median may be 0; a total does not depend on how windows are charged. The first tenth is
    left out, in which code and memory are touched for the first time.
    """
    late = timing[timing["window"] >= 0.1 * timing["window"].max()]
    return float(late[list(phases)].sum(axis=1).mean()) * 1e6


BENCHMARK = Benchmark(
    name="ranks-run",
    text="work per window of the translator and of a rank besides NEST, real runs, windows of 2 ms",
    quantities=tuple(
        Quantity(f"{who}: {network}, {ranks} ranks", f"{text}, {network}, {ranks} ranks", "us")
        for who, text in (("translator", "translator"), ("rank", "a rank sends and keeps"))
        for network in NETWORKS
        for ranks in RANKS
    ),
    prepare=_prepared,
    repeats=3,
)
