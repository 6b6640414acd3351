"""The job scripts of the page on other schedulers, run as these would: by bash, in their words.

A stand-in for ``cosim`` notes how each script calls it, with which variables and where; scripts
call it alike, whatever the scheduler. The whole way, with real runs, is gone with Flux's scripts,
since an MPI takes notice of its variables, and up to the time limit with that of PBS, since a job's
name with brackets becomes the name of the run's folder.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import yaml

from conftest import COSIM
from sweep.sweeps import grid, write_sweep
from system.conftest import TINY, changed
from system.trouble import eventually, recorded_windows

PAGE = Path(__file__).parents[2] / "docs" / "running" / "other-schedulers.md"
SCRIPTS = {
    found[2]: found[1]
    for found in re.finditer(r"```bash\n(.*?\n# (\S+)\n.*?)```", PAGE.read_text(), re.S)
}
SCHEDULERS = {
    "pbs": {"PBS_JOBID": "12[].server"},
    "lsf": {"LSB_JOBID": "12", "LSB_JOBINDEX": "0"},
    "flux": {"FLUX_URI": "local:///nowhere"},
}
"""What each sets for a lone job."""


def element(scheduler: str, point: int) -> dict[str, str]:
    """Returns what a scheduler sets for the element of an array that runs a point."""
    return {
        "pbs": {"PBS_JOBID": f"12[{point}].server", "PBS_ARRAY_INDEX": str(point)},
        "lsf": {"LSB_JOBID": "12", "LSB_JOBINDEX": str(point + 1)},
        "flux": {"FLUX_JOB_CC": str(point), "FLUX_JOB_ID": "f12", "PMI_RANK": "0", "PMI_FD": "9"},
    }[scheduler]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that has ``cosim`` where the page says."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "cosim").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder that jobs are submitted from."""
    folder = tmp_path / "work folder"
    folder.mkdir()
    return folder


STAND_IN = r"""#!/bin/bash
trap 'echo time is up; exit 130' USR1
printf '%s\n' "$PWD" "${{!FLUX_@}} ${{!PMI_@}}" "$@" >"{called}.partial"
mv "{called}.partial" "{called}"
while [ -e "{wait}" ]; do sleep 0.02; done
"""


@pytest.fixture
def called(home: Path, tmp_path: Path) -> Path:
    """Puts a stand-in where the page says ``cosim`` is; this file holds how it was called.

    It waits as long as there is a file ``wait`` beside that one.
    """
    (home / "cosim").unlink()
    program = home / "cosim" / "bin" / "cosim"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN.format(called=tmp_path / "called", wait=tmp_path / "wait"))
    program.chmod(0o755)
    return tmp_path / "called"


def start(
    script: str, home: Path, work: Path, variables: dict[str, str], text: str | None = None
) -> subprocess.Popen[str]:
    """Starts a script where its scheduler would."""
    file = home / script
    file.write_text(text or SCRIPTS[script])
    environment = {**os.environ, "HOME": str(home), "PBS_O_WORKDIR": str(work), **variables}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        ["bash", "-u", file],
        stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment,
        cwd=home if script.endswith(".pbs") else work,
    )  # fmt: skip


def said(job: subprocess.Popen[str]) -> str:
    told, _ = job.communicate(timeout=200)
    assert job.returncode == 0, told
    return told


def outcome(work: Path) -> dict[str, Any]:
    (run,) = (work / "runs").iterdir()
    found: dict[str, Any] = json.loads((run / "provenance.json").read_text())
    return found


def test_the_page_has_a_script_for_a_run_and_for_a_sweep_each() -> None:
    assert sorted(SCRIPTS) == sorted(f"{what}.{s}" for what in ("run", "sweep") for s in SCHEDULERS)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_job_calls_cosim_where_it_was_submitted(
    scheduler: str, home: Path, work: Path, called: Path
) -> None:
    said(start(f"run.{scheduler}", home, work, SCHEDULERS[scheduler]))
    where, _, *words, out = called.read_text().splitlines()
    assert where == str(work)
    assert words == ["run", "study.yaml", "--set", "resources.nest.ranks=4", "--out"]
    name = {"pbs": r"12\[\]\.server", "lsf": "12", "flux": r"\d{8}-\d{6}"}[scheduler]
    assert re.fullmatch(f"runs/{name}", out)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_an_element_calls_cosim_for_its_point(
    scheduler: str, home: Path, work: Path, called: Path
) -> None:
    said(start(f"sweep.{scheduler}", home, work, element(scheduler, 3)))
    where, variables, *words = called.read_text().splitlines()
    assert where == str(work)
    assert variables == " ", "an MPI that sees them asks Flux for ranks"
    assert words == ["sweep", "sweep.yaml", "--out", "sweeps/mine", "--only", "3"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_cosim_hears_that_its_time_limit_nears(
    script: str, home: Path, work: Path, called: Path
) -> None:
    """``timeout`` takes SIGALRM for its clock."""
    scheduler = script.partition(".")[2]
    called.with_name("wait").touch()
    job = start(script, home, work, {**SCHEDULERS[scheduler], **element(scheduler, 3)})
    eventually(called.exists, "the call")
    assert psutil.Process(job.pid).name() == "timeout"
    job.send_signal(signal.SIGALRM)
    told, _ = job.communicate(timeout=100)
    assert (job.returncode, told) == (130, "time is up\n")


@pytest.mark.mpi
@pytest.mark.usefixtures("mpi")
def test_a_job_runs_an_experiment_with_ranks(home: Path, work: Path) -> None:
    (work / "study.yaml").write_text(yaml.safe_dump(TINY))
    two = text_of("run.flux", "nest.ranks=4", "nest.ranks=2 --no-report")
    said(start("run.flux", home, work, SCHEDULERS["flux"], two))
    assert outcome(work)["outcome"] == "finished"
    (run,) = (work / "runs").iterdir()
    assert yaml.safe_load((run / "experiment.yaml").read_text())["resources"]["nest"]["ranks"] == 2


def text_of(script: str, old: str, new: str) -> str:
    """Returns a script with something in it replaced."""
    text = SCRIPTS[script]
    assert text.count(old) == 1
    return text.replace(old, new)


def test_the_elements_of_an_array_make_a_table(home: Path, work: Path) -> None:
    sweep = write_sweep(work, grid(adex__external_hz=[0.5, 1.0]))
    for point in (1, 0):
        said(start("sweep.flux", home, work, element("flux", point)))
    collect = re.findall(r"^    cosim (sweep .* --collect)", PAGE.read_text(), re.M)
    assert len(set(collect)) == 1
    cosim = [*COSIM, *collect[0].split()]
    subprocess.run(cosim, cwd=sweep.parent, check=True, timeout=200)
    table = pd.read_parquet(work / "sweeps" / "mine" / "table.parquet")
    assert table["outcome"].tolist() == ["finished"] * 2
    assert table["adex.external_hz"].tolist() == [0.5, 1.0]
    assert table["digest"].nunique() == 2


def test_a_run_ends_in_good_order_as_its_time_limit_nears(home: Path, work: Path) -> None:
    endless = changed(TINY, duration_ms=1e6)
    (work / "study.yaml").write_text(yaml.safe_dump(endless))
    alone = text_of("run.pbs", "nest.ranks=4", "nest.ranks=1 --no-report")
    job = start("run.pbs", home, work, SCHEDULERS["pbs"], alone)
    roots = lambda: list((work / "runs").glob("*"))  # noqa: E731
    eventually(lambda: any(recorded_windows(root, "nest") > 2 for root in roots()), "windows")
    job.send_signal(signal.SIGALRM)
    job.communicate(timeout=100)
    assert job.returncode == 130
    assert outcome(work)["cause"] == "interrupted by the time limit of the job"
    (root,) = roots()
    assert (root / "spikes.h5").is_file()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_line_for_an_image_stands_for_the_one_above_it(
    script: str, home: Path, work: Path
) -> None:
    text, count = re.subn(
        r"^PATH=.*\n# in place of it, in an image: (within=.*)$", r"\1", SCRIPTS[script], flags=re.M
    )
    assert count == 1
    programs = home / "bin"
    programs.mkdir()
    (programs / "apptainer").write_text("#!/bin/sh\nprintf '%s|' \"$@\"\n")
    (programs / "apptainer").chmod(0o755)
    scheduler = script.partition(".")[2]
    variables = {**SCHEDULERS[scheduler], **element(scheduler, 3)}
    variables["PATH"] = f"{programs}:{os.environ['PATH']}"
    words = said(start(script, home, work, variables, text)).split("|")
    assert words[:5] == ["--silent", "exec", "--bind", str(work), str(home / "all.sif")]
    assert words[5] == "timeout"
    told = words[words.index("cosim") :]
    if script.startswith("sweep"):
        assert told[-3:] == ["--only", "3", ""]
    else:
        assert told[:3] == ["cosim", "run", "study.yaml"]
