"""``cosim run --launcher slurm`` before a fake Slurm: what it submits, shows and returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from slurm.fake_slurm import FakeSlurm
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

INVALID = "1 slurm_load_jobs error: Invalid job id specified"


@pytest.fixture
def slurm(fake: FakeSlurm) -> FakeSlurm:
    fake.answers("sbatch", "0 4711;cluster")
    fake.answers("sacct", "0 COMPLETED")
    return fake


def test_a_dry_run_prints_the_script_and_leaves_nothing(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / "a run"
    done = slurm.cosim(
        *[
            "run",
            experiment,
            "--launcher",
            "slurm",
            "--partition",
            "fast lane",
            "--time",
            "1:00:00",
        ],
        *["--account", "me", "--constraint", "ib", "--sbatch-arg=--mem=4G", "--interface", "ib0"],
        *["--set", "resources.nest.ranks=2", "--mpi", "pmi2", "--out", out, "--dry-run"],
        "--no-report",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "#SBATCH --partition=fast\\ lane\n" in done.stdout
    assert "#SBATCH --account=me\n#SBATCH --time=1:00:00\n#SBATCH --constraint=ib\n" in done.stdout
    assert done.stdout.count("#SBATCH --mem=4G\n") == 2
    assert "take_part nest srun --mpi=pmi2 --ntasks=2 " in done.stdout
    assert " --no-report --mpi pmi2 --interface ib0)" in done.stdout
    assert "tiny\\ it\\'s.yaml" in done.stdout
    assert sys.executable in done.stdout
    assert not out.parent.exists()
    assert slurm.calls("sbatch") == []


def test_a_job_is_submitted_and_how_to_end_it_is_told(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / "one"
    done = slurm.cosim("run", experiment, "--launcher", "slurm", "--out", out)
    assert done.returncode == 0, done.stderr
    assert slurm.calls("sbatch") == [["--parsable", f"{out}.sbatch"]]
    assert "4711, 'scancel 4711' ends it" in done.stdout
    assert Path(f"{out}.sbatch").read_text().startswith("#!/bin/bash\n")
    assert not out.exists()


def test_what_slurm_refuses_is_told_in_its_words(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    slurm.answers("sbatch", "1 sbatch: error: Requested node configuration is not available")
    done = slurm.cosim("run", experiment, "--launcher", "slurm", "--out", tmp_path / "one")
    assert done.returncode == 1
    assert "Requested node configuration is not available" in done.stderr
    assert not (tmp_path / "one.sbatch").exists()


def test_two_jobs_never_have_the_same_results(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    command = ("run", experiment, "--launcher", "slurm", "--out", tmp_path / "one")
    slurm.cosim(*command)
    done = slurm.cosim(*command)
    assert done.returncode == 2
    assert f"{tmp_path / 'one.sbatch'} exists, so a job" in " ".join(done.stderr.split())
    assert len(slurm.calls("sbatch")) == 1


def test_without_slurm_the_way_out_is_told(
    fake: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    done = fake.cosim("run", experiment, "--launcher", "slurm", "--out", tmp_path / "one")
    assert done.returncode == 1
    assert "sbatch is not in PATH" in done.stderr
    assert "--dry-run" in done.stderr


def test_faults_are_told_together_and_nothing_is_submitted(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    done = slurm.cosim(
        *["run", experiment, "--launcher", "slurm", "--time", "soon", "--sbatch-arg", "x"],
        *["--images", tmp_path, "--out", tmp_path / "one"],
    )
    assert done.returncode == 2
    for path in ("--time", "--sbatch-arg", "orchestrator.sif", "nest.sif", "tvb.sif"):
        assert path in done.stderr
    assert slurm.calls("sbatch") == []


@pytest.mark.parametrize("launcher", ["local", "agents"])
def test_options_of_jobs_are_for_jobs(
    fake: FakeSlurm, experiment: Path, tmp_path: Path, launcher: str
) -> None:
    done = fake.cosim(
        *["run", experiment, "--launcher", launcher, "--partition", "p", "--follow"],
        *["--out", tmp_path / "one"],
    )
    assert done.returncode == 2
    assert "--partition" in done.stderr
    assert "--follow" in done.stderr


def follow(slurm: FakeSlurm, experiment: Path, out: Path, *states: str) -> tuple[int, str]:
    slurm.answers("squeue", *states)
    done = slurm.cosim("run", experiment, "--launcher", "slurm", "--out", out, "--follow")
    return done.returncode, done.stdout + done.stderr


def test_following_shows_states_and_the_log_and_returns_how_the_run_ended(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one"
    Path(f"{out}.log").write_text("  10/20 windows, 3.0x slower than real time\n")
    # The job's own doing, done in advance: a run directory must not be there at submission.
    slurm.answers("sbatch", "0 4711")
    known = json.dumps({"outcome": "interrupted", "exit_code": 130})
    (slurm.folder / "sbatch").write_text(
        (slurm.folder / "sbatch")
        .read_text()
        .replace(
            "print(text,",
            f"Path({str(out)!r}).mkdir(); Path({str(RunLayout(out).provenance)!r})"
            f".write_text({known!r}); print(text,",
        )
    )
    code, said = follow(
        slurm, experiment, out,
        "0 PENDING|Priority", "0 PENDING|Resources", "1 slurm_load_jobs error: try again",
        "0 RUNNING|None", INVALID,
    )  # fmt: skip
    assert code == 130
    for line in (
        "job 4711 PENDING, Priority",
        "job 4711 PENDING, Resources",
        "job 4711 RUNNING",
        "  10/20 windows",
        "job 4711 COMPLETED",
    ):
        assert line in said
    assert slurm.calls("sacct")[0][-1] == "4711"


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"])
def test_a_job_that_never_got_as_far_as_a_result_is_a_failure(
    slurm: FakeSlurm, experiment: Path, tmp_path: Path, state: str
) -> None:
    code, said = follow(
        slurm, experiment, tmp_path / "one", "0 PENDING|JobHeldUser", f"0 {state}|None"
    )
    assert code == 1
    assert "PENDING, JobHeldUser" in said
    assert f"job 4711 {state}" in said


def test_the_launcher_of_a_job_is_not_offered(fake: FakeSlurm, experiment: Path) -> None:
    """Its batch script says by COSIM_JOB where they meet."""
    told = fake.cosim("run", "--help").stdout
    assert "local|agents|slurm" in told
    assert "job-folder" not in told
    done = fake.cosim("run", experiment, "--launcher", "job")
    assert done.returncode == 2
    assert "'job' is not one of" in done.stderr
