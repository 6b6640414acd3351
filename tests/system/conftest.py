"""Small experiments and how to run them.

``run`` and ``finished`` do it as a user does, in real processes over real sockets; ``run_here`` and
``finished_here`` in threads of this process, with real simulators. A test takes processes where it
is about processes, sockets, ranks of MPI or the command line, and threads where it is about
numbers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import COSIM
from small_orchestrator import SmallOrchestrator
from system.agent_ensemble import Ensemble, agent_ensemble
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.results import collect, complete, digest
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.wire.keys import new_keys
from tvb_nest_cosim.nest_service.simulator import NestSimulator
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.planning.plan import Planned, plan_run
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome
from tvb_nest_cosim.orchestrator.run.session import Observer, Session
from tvb_nest_cosim.translator.pipeline import Pipeline
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

Tree = dict[str, Any]

TINY: Tree = {
    "name": "tiny",
    "duration_ms": 40.0,
    "seed": 7,
    "connectome": {"normalise": "region", "weight_scale": 0.3},
    "adex": {"neurons": 100, "p_connect": 0.2, "K_ext": 100, "external_hz": 5.0},
    "tvb": {
        "model": {"name": "ZerlautAdaptationFirstOrder"},
        "integrator": {"name": "HeunStochastic", "noise": {"nsig": {"E": 1e-9}}},
        "monitors": [{"name": "Raw"}, {"name": "TemporalAverage", "period_ms": 1.0}],
        "initial": {"E": [0.001, 0.01], "I": 0.01, "W_e": 5.0},
    },
    "spiking": [
        {"regions": ["rHC"], "drive": {"kind": "poisson"}},
        {"regions": ["lHC"], "drive": {"kind": "mip", "correlation": 0.2}},
    ],
}


def changed(tree: Tree, **changes: Any) -> Tree:
    """Returns a copy with values set at ``key__path``."""
    result = deepcopy(tree)
    for path, value in changes.items():
        node = result
        *above, last = path.split("__")
        for key in above:
            node = node.setdefault(key, {})
        node[last] = value
    return result


SIMULATORS: dict[str, Callable[..., Any]] = {
    "tvb": lambda rank: TvbSimulator(),
    "nest": lambda rank: NestSimulator(),
    "translator": Pipeline,
}


@dataclass
class Ran:
    """A run in a test."""

    root: Path
    planned: Planned
    outcome: Outcome
    coordinator: Coordinator

    @property
    def digest(self) -> str:
        return digest(self.root)


@pytest.fixture
def tiny() -> Tree:
    return deepcopy(TINY)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Runs an experiment in real processes and collects its results; no report."""
    count = iter(range(1000))

    def go(
        tree: Mapping[str, Any], observe: Observer = lambda c: None, base: Path = tmp_path
    ) -> Ran:
        root = tmp_path / f"run-{next(count)}"
        planned = plan_run(parse(tree), base, root)
        RunLayout(root).make()
        session = Session(planned.plan, LOCAL.open(planned.plan), observe=observe)
        outcome, _ = session.run()
        return _collected(root, planned, outcome, session.coordinator)

    return go


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs an experiment with one process per role in threads and collects its results."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    count = iter(range(1000))

    def go(tree: Mapping[str, Any], base: Path = tmp_path, simulators: Any = SIMULATORS) -> Ran:
        root = tmp_path / f"here-{next(count)}"
        planned = plan_run(parse(tree), base, root)
        assert set(planned.plan.participants.values()) == {1}
        orchestrator = SmallOrchestrator(planned.plan, simulators, simulators["translator"])
        outcome = orchestrator.run(timeout_s=200.0)
        return _collected(root, planned, outcome, orchestrator.coordinator)

    return go


def _collected(root: Path, planned: Planned, outcome: Outcome, coordinator: Coordinator) -> Ran:
    write_plan(root, planned.plan, coordinator.built())
    complete(root, make=collect)
    return Ran(root, planned, outcome, coordinator)


@pytest.fixture
def finished(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """The same as ``run``, for runs that have to finish."""
    return _finishing(run)


@pytest.fixture
def finished_here(run_here: Callable[..., Ran]) -> Callable[..., Ran]:
    """The same as ``run_here``, for runs that have to finish."""
    return _finishing(run_here)


def _finishing(run: Callable[..., Ran]) -> Callable[..., Ran]:
    def go(tree: Mapping[str, Any], **options: Any) -> Ran:
        ran = run(tree, **options)
        outcome = ran.outcome
        told = [outcome.cause, outcome.detail, *map(str, outcome.faults)]
        assert outcome.kind == "finished", "\n".join(told)
        return ran

    return go


@pytest.fixture
def cosim(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Calls the command line in a process of its own."""

    def call(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "200", **options.pop("env", {})}
        return subprocess.run(
            [*COSIM, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=200,
            cwd=options.pop("cwd", tmp_path),
            env=environment,
            check=False,
            **options,
        )

    return call


def mpi_is_missing() -> str:
    """Says why MPI tests cannot run here; empty if they can."""
    if shutil.which("mpirun") is None:
        return "no mpirun in PATH (Debian: openmpi-bin)"
    probe = "import nest; print('MPI', nest.build_info['have_mpi'])"
    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    if "MPI True" not in answer.stdout:
        return "this NEST was built without MPI (see CONTRIBUTING.md)"
    if os.geteuid() == 0 and "OMPI_ALLOW_RUN_AS_ROOT" not in os.environ:
        return "OpenMPI does not run as root unless OMPI_ALLOW_RUN_AS_ROOT=1 is set"
    return ""


@pytest.fixture(scope="session")
def mpi() -> None:
    """Skips a test where MPI or NEST with MPI is missing, and says what is missing."""
    if reason := mpi_is_missing():
        pytest.skip(reason)


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    yield from agent_ensemble(tmp_path, None)


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ensemble]:
    monkeypatch.setenv("COSIM_ADVERTISE", "127.0.0.1")
    new_keys(tmp_path / "keys")
    yield from agent_ensemble(tmp_path, tmp_path / "keys")
