"""Slurm and Apptainer as users find them: real daemons, real images, real faults.

``make test-cluster`` runs it in some minutes, besides what it takes to build the Docker images.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import COSIM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
NODE = Path(os.environ.get("COSIM_HPC_NODE", ROOT.parent / "shared" / "tools" / "hpc-node"))
IMAGES = os.environ.get("COSIM_TEST_IMAGES", "cosim-")
"""How the names of the Docker images begin."""

SERVICES = ("orchestrator", "nest", "tvb", "translator")
SMALL = ["adex.neurons=100", "duration_ms=50"]

Facts = dict[str, str]


def why_no_cluster() -> str:
    """Says why no cluster can be had here; empty if it can."""
    if os.environ.get("COSIM_TEST_CLUSTER") != "1":
        return "tests on a cluster take minutes; 'make test-cluster' runs them"
    if not NODE.is_file():
        return f"there is no {NODE}, which makes a node with Slurm and Apptainer (COSIM_HPC_NODE)"
    if os.geteuid() != 0:
        return f"{NODE} needs root"
    if shutil.which("docker") is None:
        return "there is no docker in PATH, whose images are tested"
    return ""


def call(*command: str | Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=1500, cwd=ROOT, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Plays all scenarios, one after another, on a node of its own."""
    if reason := why_no_cluster():
        pytest.skip(reason)
    call(NODE, "setup")
    folder = tmp_path_factory.mktemp("node")
    for service in SERVICES:
        archive = folder / f"{service}.tar"
        call("docker", "save", f"{IMAGES}{service}", "--output", archive)
        call(NODE, "put", archive)
        archive.unlink()
    call(NODE, "put", ROOT / "singularity", ROOT / "examples", ROOT / "tests" / "cluster")
    pinned = folder / "services"
    pinned.mkdir()
    shutil.copy(ROOT / "services" / "constraints.txt", pinned)
    call(NODE, "put", pinned)
    print(call(NODE, "run", (Path(__file__).with_name("scenarios.sh")).read_text())[-3000:])
    subprocess.run([NODE, "get", "facts"], cwd=folder, check=True)
    found: Facts = {}
    key = ""
    for line in (folder / "facts").read_text().splitlines():
        name, equals, value = line.partition("=")
        # What continues a value over several lines is no name.
        key = name if equals and re.fullmatch(r"\w+", name) else key
        found[key] = value if key == name else f"{found[key]}\n{line}"
    print(found)
    return found


@pytest.fixture(scope="module")
def local_digests(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The digests of the quickstart on this machine, by threads of NEST."""
    digests = {}
    for threads in (1, 2):
        out = tmp_path_factory.mktemp("local") / "run"
        options = [word for change in SMALL for word in ("--set", change)]
        options += ["--set", f"resources.nest.threads={threads}", "--out", str(out)]
        cosim = COSIM
        call(*cosim, "run", "examples/quickstart.yaml", *options)
        digests[threads] = call(*cosim, "digest", out).strip()
    return digests


@pytest.mark.parametrize("service", [*SERVICES, "all"])
def test_definition_files_build_and_pass_their_own_tests(facts: Facts, service: str) -> None:
    assert facts[f"built_{service}"] == "yes"


def test_instances_give_the_local_digest_and_leave_nothing(
    facts: Facts, local_digests: dict[int, str]
) -> None:
    assert facts["instances_digest"] == local_digests[1], facts["instances_said"]
    assert facts["instances_left"] == ""


def test_one_image_gives_the_digest_of_local_threads_with_ranks(
    facts: Facts, local_digests: dict[int, str]
) -> None:
    assert facts["alone_outcome"].split("|")[::2] == ["finished", local_digests[2]]


@pytest.mark.parametrize(("name", "threads"), [("ranks", 2), ("nodes", 1), ("odd", 1)])
def test_jobs_give_the_local_digest(
    facts: Facts, local_digests: dict[int, str], name: str, threads: int
) -> None:
    """``ranks``: two in one image; ``nodes``: NEST on another; ``odd``: hostile names and paths."""
    assert facts[f"{name}_state"] == "COMPLETED"
    kind, _, digest, _ = facts[f"{name}_outcome"].split("|", 3)
    # The name is part of what a run is told, not of its results.
    assert (kind, digest) == ("finished", local_digests[threads])
    assert "report.html" in facts[f"{name}_files"]
    assert ".keys" not in facts[f"{name}_files"]


def test_a_sweep_killed_half_way_is_taken_up_again(
    facts: Facts, local_digests: dict[int, str]
) -> None:
    """Twelve points by a job array: no element ran twice, and the table has them all."""
    assert 4 <= int(facts["sweep_before"]) < 12, facts["sweep_said"]
    assert facts["sweep_code"] == "0", facts["sweep_said"]
    assert facts["sweep_elements"] == "12"
    assert facts["sweep_table"].split() == ["12", "12", "finished", local_digests[1]]


def test_hostile_names_do_nothing_but_name(facts: Facts) -> None:
    assert facts["pwned"] == ""
    assert facts["odd_name"] == "a b; $(touch pwned) 100% # x"


def test_a_killed_rank_is_named(facts: Facts) -> None:
    kind, windows, _, cause = facts["killed_outcome"].split("|", 3)
    assert (facts["killed_state"], kind) == ("FAILED", "failed")
    assert "nest-1 was killed by signal 9 (SIGKILL)" in cause
    assert int(windows) > 0


def test_the_time_limit_ends_a_run_at_a_window_and_keeps_it(facts: Facts) -> None:
    kind, windows, _, cause = facts["limit_outcome"].split("|", 3)
    assert (kind, cause) == ("interrupted", "interrupted by the time limit of the job")
    assert int(windows) > 0
    assert "spikes.h5" in facts["limit_files"]
    assert facts["limit_state"] == "FAILED"  # exit code 130, not Slurm's TIMEOUT


def test_scancel_ends_everything_at_once_and_the_journals_give_the_results(facts: Facts) -> None:
    assert facts["cancelled_state"] == "CANCELLED"
    assert ".keys" not in facts["cancelled_files"]
    assert {"spikes.h5", "tvb.nc", "report.html"} <= set(facts["cancelled_files"].split())


def test_a_job_that_is_asked_to_end_ends_at_a_window_and_keeps_the_run(facts: Facts) -> None:
    kind, windows, _, cause = facts["asked_outcome"].split("|", 3)
    assert (kind, cause) == ("interrupted", "interrupted by the user")
    assert int(windows) > 0
    assert "spikes.h5" in facts["asked_files"]


def test_a_job_that_never_starts_says_why_and_leaves_nothing(facts: Facts) -> None:
    assert facts["never_reason"] == "PartitionDown"
    assert facts["never_state"] == "CANCELLED"
    assert facts["never_files"] == ""


def test_nothing_is_left_on_the_node(facts: Facts) -> None:
    assert facts["left"] == ""
    assert facts["folders"] == ""
