"""Oracle 4: one event takes from TVB through NEST and back exactly as long as inside TVB.

    source (TVB) --12.3 mm--> middle (NEST or TVB) --7.9 mm--> sink (TVB)

The middle is a linear node in one run and a network of parrot neurons in the other: both respond in
the tick in which their input acts. So the sink has to move in the same tick in both runs.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.results import open_run
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

REGIONS = ("source", "middle", "sink")
LENGTHS_MM = {("source", "middle"): 12.3, ("middle", "sink"): 7.9, ("sink", "source"): 40.0}
SPEED_MM_PER_MS = 3.0
ONSET_MS = 5.0
USER_CODE = Path(__file__).parent / "user_code"


def idelay(source: str, target: str) -> int:
    return round(LENGTHS_MM[source, target] / SPEED_MM_PER_MS / 0.1)


@pytest.fixture
def connectome(tmp_path: Path) -> Path:
    """A TVB zip with the three regions above; rows are targets."""
    lengths = np.zeros((3, 3))
    for (source, target), length in LENGTHS_MM.items():
        lengths[REGIONS.index(target), REGIONS.index(source)] = length
    path = tmp_path / "three.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, table in (("weights", (lengths > 0).astype(float)), ("tract_lengths", lengths)):
            text = "\n".join(" ".join(map(str, row)) for row in table)
            archive.writestr(f"{name}.txt", text)
        archive.writestr("centres.txt", "".join(f"{name} 0 0 0\n" for name in REGIONS))
    return path


def experiment_of(connectome: Path) -> dict[str, Any]:
    return {
        "duration_ms": 30.0,
        "connectome": {
            "source": str(connectome),
            "speed_mm_per_ms": SPEED_MM_PER_MS,
            "normalise": "none",
        },
        "tvb": {
            "model": {"name": "Linear", "parameters": {"gamma": -1.0}},
            "coupling": {"name": "Linear", "parameters": {"a": 1.0}},
            "integrator": {"name": "EulerDeterministic"},
            "monitors": [{"name": "Raw"}],
            "initial": {"x": 0.0},
            "stimulus": {
                "regions": {"source": 1.0},
                "equation": {
                    "name": "PulseTrain",
                    "parameters": {"onset": ONSET_MS, "T": 1000.0, "tau": 100.0, "amp": 100.0},
                },
            },
        },
    }


def spiking(kind: str) -> dict[str, Any]:
    """So many afferents that some neuron gets input in the very first tick of it."""
    return {
        "regions": ["middle"],
        "network": {"module": "relays:build", "parameters": {"neurons": 50}},
        "drive": {
            "kind": kind,
            "correlation": 0.5,
            "weight": 1.0,
            "synapses": 10_000.0,
            "hz_per_unit": 1.0,
        },
        "feed": [{"variable": "x", "population": "relays"}],
        "tracts": {"mode": "none"},
    }


def first_ticks(root: Path) -> dict[str, int]:
    """First tick at which each region left its state of rest."""
    with open_run(root) as run:
        states = run.tvb["Raw"].to_numpy()[:, 0, :]
        names = [str(name) for name in run.tvb["region"].to_numpy()]
    return {name: int(np.flatnonzero(states[:, i])[0]) + 1 for i, name in enumerate(names)}


@pytest.mark.parametrize("kind", ["poisson", "mip", "sip", "trains"])
def test_an_event_arrives_when_tvb_alone_would_have_it(
    kind: str, connectome: Path, finished_here: Callable[..., Any]
) -> None:
    tree = experiment_of(connectome)
    alone = first_ticks(finished_here({**tree, "simulators": "tvb"}).root)
    middle = alone["source"] + 1 + idelay("source", "middle")
    assert alone["middle"] == middle
    assert alone["sink"] == middle + 1 + idelay("middle", "sink")

    ran = finished_here({**tree, "spiking": [spiking(kind)]}, base=USER_CODE)
    assert first_ticks(ran.root) == alone


def test_an_event_between_spiking_regions_arrives_when_tvb_alone_would_have_it(
    connectome: Path, finished: Callable[..., Any], finished_here: Callable[..., Any]
) -> None:
    """From one NEST to another by way of TVB, which carries the tract between them."""
    tree = experiment_of(connectome)
    alone = first_ticks(finished_here({**tree, "simulators": "tvb"}).root)
    middle = {**spiking("poisson"), "tracts": {"mode": "rates"}}
    # the middle fires so much that one afferent is enough
    sink = {**middle, "regions": ["sink"], "drive": {**middle["drive"], "synapses": 1.0}}
    tree["resources"] = {"nest": {"kernels": "per_region"}}
    ran = finished({**tree, "spiking": [middle, sink]}, base=USER_CODE)
    assert ran.planned.plan.nest_kernels == 2
    assert first_ticks(ran.root) == alone


def test_every_spike_is_counted_once_to_the_last_tick(
    connectome: Path, finished_here: Callable[..., Any]
) -> None:
    """Windows of 7 ticks, which do not divide the run; an own spike list against the counts."""
    tree = {**experiment_of(connectome), "spiking": [spiking("poisson")]}
    tree["window"] = {"length_ms": 0.7}
    ran = finished_here(tree, base=USER_CODE)
    grid = ran.planned.plan.grid
    recorded = np.zeros(grid.total_ticks + 1, dtype=int)
    for block in read_journal(RunLayout(ran.root).journal("nest", 0)):
        ticks = grid.window(block.window).start + block.arrays["spikes/middle/tick"].astype(int)
        np.add.at(recorded, ticks, 1)
    counted = np.zeros_like(recorded)
    for block in read_journal(RunLayout(ran.root).journal("translator", 0)):
        if block.edge == "nest>translator":
            window = grid.window(block.window)
            counted[window.start + 1 : window.stop + 1] = block.arrays["counts/middle"].sum(axis=0)
    np.testing.assert_array_equal(counted, recorded)
    borders = [grid.window(index).stop for index in range(grid.window_count)]
    assert recorded[borders].sum() > 0
    assert recorded[-1] > 0
