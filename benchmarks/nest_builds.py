"""``python -m benchmarks.nest_builds NAME=FOLDER...``: builds of NEST against each other.

A folder holds a NEST, as ``pip install --no-deps --target FOLDER`` makes one. Every build simulates
the two regions of the quickstart, with Poisson spikes in place of TVB, in a process of its own; the
builds take turns, and each is compared with the first within a turn. Only ``Simulate``
counts. On a busy machine the processor's time is to be trusted, not that of the clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLE = Path(__file__).parents[1] / "examples" / "quickstart.yaml"
BACKGROUND_HZ = 800.0
"""Stands for 400 afferents of 0.8 Hz and for the connectome."""
WARM_UP_MS = 20.0


def simulate(neurons: int, duration_ms: float) -> dict[str, Any]:
    """Simulates two regions; returns its cost, and digests of spikes and of last potentials."""
    from tvb_nest_cosim.cosim_core.model.experiment import load_experiment
    from tvb_nest_cosim.nest_service.context import NetworkContext
    from tvb_nest_cosim.nest_service.kernel import load_nest
    from tvb_nest_cosim.nest_service.networks.adex_region import build

    experiment = load_experiment(EXAMPLE, [f"adex.neurons={neurons}"])
    nest = load_nest()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=experiment.dt_ms, rng_seed=experiment.seed, total_num_virtual_procs=1)
    parameters = experiment.spiking[0].network.parameters | {"background_hz": BACKGROUND_HZ}
    recorder = nest.Create("spike_recorder")
    cells = []
    for seed, region in enumerate(("rHC", "lHC")):
        context = NetworkContext(region, parameters, experiment.adex, seed, experiment.dt_ms, nest)
        for population in build(context).values():
            nest.Connect(population, recorder)
            cells.append(population)
    nest.Simulate(WARM_UP_MS)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    nest.Simulate(duration_ms)
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.monotonic() - began_s
    events = recorder.get("events")
    order = np.lexsort((events["senders"], events["times"]))
    return {
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "spikes": len(order),
        "spike_digest": _digest(events["times"][order], events["senders"][order]),
        "state_digest": _digest(*(population.get("V_m") for population in cells)),
    }


def _digest(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()[:12]


def _measured(folder: str, neurons: int, duration_ms: float) -> dict[str, Any]:
    """Simulates in a process that finds NEST in ``folder``."""
    code = "import json, sys; from benchmarks.nest_builds import simulate; "
    code += f"print(json.dumps(simulate({neurons}, {duration_ms})))"
    environment = {**os.environ, "PYTHONPATH": folder, "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=3600,
    )
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nest_builds", description=__doc__)
    parser.add_argument("builds", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--neurons", type=int, default=1000, help="of each of the two regions")
    parser.add_argument("--duration-ms", type=float, default=500.0)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args(arguments)
    builds = dict(build.split("=", 1) for build in chosen.builds)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in builds}
    for turn in range(chosen.repeats):
        # there and back, so that none is always measured after the same other
        for name in list(builds)[:: 1 if turn % 2 == 0 else -1]:
            result = _measured(builds[name], chosen.neurons, chosen.duration_ms)
            results[name].append(result)
            print(turn, name, result, f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    _print(results, chosen)


def _print(results: dict[str, list[dict[str, Any]]], chosen: argparse.Namespace) -> None:
    first = next(iter(results.values()))
    print(f"2 x {chosen.neurons} neurons, {chosen.duration_ms:g} ms, {chosen.repeats} turns")
    print("| build | CPU s | CPU / first: median (range) | wall / first | spikes | potentials |")
    print("|---|---|---|---|---|---|")
    for name, mine in results.items():
        cpu, wall = (
            [a[key] / b[key] for a, b in zip(mine, first, strict=True)]
            for key in ("cpu_s", "wall_s")
        )
        cpu_s = statistics.median(result["cpu_s"] for result in mine)
        spread = f"{statistics.median(cpu):.3f} ({min(cpu):.3f} ... {max(cpu):.3f})"
        spikes, potentials = (
            " ".join(sorted({result[key] for result in mine}))
            for key in ("spike_digest", "state_digest")
        )
        print(
            f"| {name} | {cpu_s:.2f} | {spread} | {statistics.median(wall):.3f} "
            f"| {mine[0]['spikes']}: {spikes} | {potentials} |"
        )


if __name__ == "__main__":
    main()
