"""How NEST is divided into kernels, ranks and threads changes no bit, but by virtual processes."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil
import pytest

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.results import digest_lines, open_run
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator

Tree = dict[str, Any]

LAYOUTS = ((1, 4), (2, 2), (4, 1))
"""Ranks and threads that make four virtual processes; two of them are for test_same_bits.py. NEST
has ranks x threads virtual processes, no more and no less."""


def with_nest(tree: Tree, **resources: Any) -> Tree:
    return {**tree, "resources": {"nest": resources}}


def without_synapses(tree: Tree, mode: str) -> Tree:
    return {**tree, "spiking": [{**group, "tracts": {"mode": mode}} for group in tree["spiking"]]}


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_ranks_and_threads_of_equal_virtual_processes(
    finished: Callable[..., Any], finished_here: Callable[..., Any], tiny: Tree
) -> None:
    """Independent and correlated drive; with four ranks on one or two cores, too."""
    tiny["duration_ms"] = 20.0
    digests = {
        (ranks, threads): (finished if ranks > 1 else finished_here)(
            with_nest(tiny, ranks=ranks, threads=threads, virtual_processes=4)
        ).digest
        for ranks, threads in LAYOUTS
    }
    assert len(set(digests.values())) == 1, digests


def test_a_single_region_is_the_same_in_a_nest_of_its_own(
    finished: Callable[..., Any], finished_here: Callable[..., Any], tiny: Tree
) -> None:
    tiny.update(duration_ms=20.0, spiking=tiny["spiking"][:1])
    shared = finished_here(tiny)
    own = finished(with_nest(tiny, kernels="per_region"))
    assert own.digest == shared.digest


def test_a_nest_per_region_with_tracts_carried_by_tvb(
    finished: Callable[..., Any], finished_here: Callable[..., Any], tiny: Tree
) -> None:
    """Whatever the window, and whether they share a process; they do have other random numbers."""
    tiny["duration_ms"] = 20.0
    # homologous regions, whose tract of 4.9 mm is the shortest of all
    for group, region in zip(tiny["spiking"], ("rCCA", "lCCA"), strict=True):
        group["regions"] = [region]
    carried = with_nest(without_synapses(tiny, "rates"), kernels="per_region")
    apart = finished(carried)
    plan = apart.planned.plan
    assert (plan.participants["nest"], plan.nest_kernels, plan.tracts) == (2, 2, [])
    length_ms = plan.window_ticks // 2 * 0.1
    halves = {**carried, "window": {"length_ms": round(length_ms, 6), "lookahead": 1}}
    assert finished(halves).digest == apart.digest
    together = finished_here(without_synapses(tiny, "rates"))
    assert together.digest != apart.digest
    no_tracts = finished_here(without_synapses(tiny, "none"))
    assert digest_lines(no_tracts.root) != digest_lines(together.root)


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_a_nest_per_region_runs_on_ranks_of_its_own(
    finished: Callable[..., Any], tiny: Tree
) -> None:
    tiny["duration_ms"] = 20.0
    carried = without_synapses(tiny, "rates")
    digests = {
        finished(with_nest(carried, kernels="per_region", ranks=ranks, threads=threads)).digest
        for ranks, threads in ((2, 1), (1, 2))
    }
    assert len(digests) == 1


def test_synapses_between_nests_are_refused(tiny: Tree, tmp_path: Path) -> None:
    tree = with_nest(tiny, kernels="per_region")
    with pytest.raises(ExperimentError) as error:
        plan_run(parse(tree), tmp_path, tmp_path / "run")
    assert [fault.path for fault in error.value.faults] == [
        "spiking.0.tracts.mode",
        "spiking.1.tracts.mode",
    ]
    assert "take rates" in error.value.faults[0].message


def test_the_nest_that_died_is_named(run: Callable[..., Any], tiny: Tree) -> None:
    tree = with_nest(without_synapses(tiny, "none"), kernels="per_region")
    tree["duration_ms"] = 2000.0

    def kill_second(coordinator: Coordinator) -> None:
        if coordinator.is_running and coordinator.windows >= 3:
            for process in psutil.Process().children(recursive=True):
                # It is asked again before the session has noticed.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "--first-rank" in process.cmdline():
                        process.send_signal(signal.SIGKILL)

    outcome = run(tree, observe=kill_second).outcome
    assert outcome.kind == "failed"
    assert "nest-1 was killed by signal 9" in outcome.cause


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_ranks_without_neurons_and_without_spikes(
    finished: Callable[..., Any], finished_here: Callable[..., Any], tmp_path: Path
) -> None:
    """Two neurons on four ranks, one of them driven to fire, one population silent."""
    (tmp_path / "few.py").write_text(
        dedent("""
            def build(context):
                nest = context.nest
                loud = nest.Create("iaf_psc_alpha", 1, params={"I_e": 600.0})
                return {"loud": loud, "silent": nest.Create("iaf_psc_alpha", 1)}
        """)
    )
    tree = {
        "duration_ms": 40.0,
        "connectome": {"normalise": "region"},
        "tvb": {"initial": {"E": 0.005, "I": 0.01, "W_e": 0, "W_i": 0}},
        "spiking": [
            {
                "regions": ["rV1"],
                "network": {"module": "few:build"},
                "drive": {"synapses": 1, "weight": 0.0, "external_hz": 0.0, "hz_per_unit": 1000.0},
                "feed": [{"variable": "E", "population": "loud", "unit_per_hz": 0.001}],
            }
        ],
    }
    ran = {
        ranks: carry_out(with_nest(tree, ranks=ranks, virtual_processes=4), base=tmp_path)
        for ranks, carry_out in ((1, finished_here), (4, finished))
    }
    assert ran[1].digest == ran[4].digest
    with open_run(ran[4].root) as results:
        found = {name: results.spiketrains("rV1", name) for name in ("loud", "silent")}
        assert {name: sum(map(len, trains)) > 0 for name, trains in found.items()} == {
            "loud": True,
            "silent": False,
        }
