"""``cosim run --launcher agents``: the whole path through agents, without containers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containers.stack import free_port
from system.trouble import write_experiment
from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT, ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import parse
from tvb_nest_cosim.cosim_core.results import digest
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES
from tvb_nest_cosim.orchestrator.cli.launcher_options import LauncherChoice, opened_launcher
from tvb_nest_cosim.orchestrator.launchers import agents as agents_launcher
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run import runner

Tree = dict[str, Any]
Answer = subprocess.CompletedProcess[str]

WAIT_S = 60.0


@pytest.fixture
def endpoint() -> str:
    return f"tcp://127.0.0.1:{free_port()}"


@pytest.fixture
def agents(endpoint: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """One agent per role; the orchestrator that they call comes and goes."""
    started = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", module, "agent", "--orchestrator", endpoint],
            env={**os.environ, "COSIM_ADVERTISE": "127.0.0.1"},
        )
        for module in MODULES.values()
    ]
    yield started
    for process in started:
        process.terminate()
    for process in started:
        assert process.wait(WAIT_S) == 0


def test_runs_through_agents_have_the_bits_of_a_local_one(
    endpoint: str,
    agents: list[subprocess.Popen[bytes]],
    tiny: Tree,
    tmp_path: Path,
    finished_here: Callable[..., Any],
    cosim: Callable[..., Answer],
) -> None:
    """The agents outlive the orchestrator of each run and serve the next one."""
    tiny["duration_ms"] = 20.0
    expected = finished_here(tiny).digest
    path = write_experiment(tmp_path, tiny)
    by_agents = ("--launcher", "agents", "--orchestrator", endpoint)
    for name in ("first", "second"):
        answer = cosim("run", path, "--out", tmp_path / name, *by_agents)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert digest(tmp_path / name) == expected
    answer = cosim("validate", path, *by_agents)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    tiny["spiking"][0]["network"] = {"module": "no_such_module:build"}
    answer = cosim("validate", write_experiment(tmp_path, tiny), *by_agents)
    assert answer.returncode == EXIT_BAD_INPUT
    assert "spiking.0.network.module" in answer.stderr
    assert all(process.poll() is None for process in agents)


def test_agents_that_do_not_come_are_named(
    endpoint: str, tiny: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents_launcher, "AWAIT_S", 0.2)
    out = tmp_path / "run"
    planned = plan_run(parse(tiny), tmp_path, out)
    with (
        opened_launcher(LauncherChoice("agents", endpoint, None)) as launcher,
        pytest.raises(ExperimentError) as error,
    ):
        runner.run(planned, command=[], launcher=launcher)
    told = [fault.message for fault in error.value.faults]
    assert len(told) == len(MODULES)
    for role, module in MODULES.items():
        assert any(
            f"no free agent for {role} at {endpoint}" in text
            and f"python -P -m {module} agent --orchestrator" in text
            for text in told
        )
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--launcher", "agents"], "missing: where agents connect"),
        (["--orchestrator", "tcp://127.0.0.1:1"], "add --launcher agents"),
        (["--launcher", "agents", "--orchestrator", "tcp://0.0.0.0:*"], "sockets need keys"),
        (["--launcher", "agents", "--orchestrator", "nonsense"], "nonsense"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    options: list[str], told: str, tiny: Tree, tmp_path: Path, cosim: Callable[..., Answer]
) -> None:
    answer = cosim("run", write_experiment(tmp_path, tiny), *options)
    assert answer.returncode == EXIT_BAD_INPUT
    assert "--orchestrator" in answer.stderr
    assert told in " ".join(answer.stderr.split())
    assert not (tmp_path / "runs").exists()
