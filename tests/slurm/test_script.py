"""Batch scripts: pure functions, compared with golden text and read by a real shell."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tvb_nest_cosim.orchestrator.slurm.request import Group, Request, quoted, request_faults
from tvb_nest_cosim.orchestrator.slurm.script import EnsembleJob, array_script, ensemble_script

GOLDEN = Path(__file__).with_name("golden")

HOSTILE = [
    "a b",
    "it's",
    'say "hi"',
    "$(touch pwned)",
    "`touch pwned`",
    "a;rm -rf b",
    "back\\slash",
    "--flag",
    "# no comment",
    "*?[a]{b,c}~!",
    "ünïcode",
    "tab\there",
    "",
]

REQUEST = Request(
    name="two regions",
    output=Path("/home/me/runs/a run.log"),
    groups=(Group(1, 2, True), Group(4, 2, False)),
    partition="batch",
    account="p123",
    time="1:30:00",
    constraint="avx512&ib",
    warn_s=120,
    further=("--mem=4G", "--mail-user=me@example.org"),
)

JOB = EnsembleJob(
    out=Path("/home/me/runs/a run"),
    command=("run", "/home/me/it's.yaml", "--set", "name=$HOME"),
    participants={"nest": 4, "tvb": 1, "translator": 1},
    threads=2,
    mpi="pmix",
    python="/home/me/venv/bin/python",
)

IN_IMAGES = dataclasses.replace(
    JOB,
    participants={"nest": 2, "tvb": 1, "translator": 1},
    threads=1,
    mpi="openmpi",
    images=Path("/data/images"),
    binds=(Path('/data/a,b "c"'),),
)

TWO_NESTS = dataclasses.replace(JOB, nest_kernels=2, threads=1)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("nodes.sbatch", ensemble_script(REQUEST, JOB)),
        (
            "images.sbatch",
            ensemble_script(dataclasses.replace(REQUEST, groups=IN_IMAGES.groups()), IN_IMAGES),
        ),
        (
            "kernels.sbatch",
            ensemble_script(dataclasses.replace(REQUEST, groups=TWO_NESTS.groups()), TWO_NESTS),
        ),
        (
            "array.sbatch",
            array_script(
                dataclasses.replace(REQUEST, groups=(Group(1, 4, True),), array="0,7%4"),
                ["/home/me/venv/bin/python", "-P", "-m", "tvb_nest_cosim.orchestrator"],
                {0: ["run", "$HOME"], 7: ["run", "it's"]},
            ),
        ),
        (
            "array-images.sbatch",
            array_script(
                dataclasses.replace(REQUEST, groups=(Group(1, 4, True),), array="0,7%4"),
                ["cosim"],
                {0: ["run", "$HOME"], 7: ["run", "it's"]},
                Path("/data/images/all.sif"),
                IN_IMAGES.binds,
            ),
        ),
    ],
)
def test_scripts_are_the_golden_text(name: str, script: str) -> None:
    """A script that changed on purpose is written there anew by hand."""
    assert script == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_a_shell_can_read_the_golden_text(name: str) -> None:
    done = subprocess.run(["bash", "-n", GOLDEN / name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_shell_reads_one_word(text: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf '%s|' {quoted(text)} end"], capture_output=True, cwd=tmp_path
    )
    assert done.stdout.decode() == f"{text}|end|"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_a_directive_is_one_word(text: str) -> None:
    """Slurm's reader of directives knows quotes and backslashes as shlex does."""
    request = dataclasses.replace(REQUEST, name=text)
    line = next(line for line in ensemble_script(request, JOB).splitlines() if "--job-name" in line)
    lexer = shlex.shlex(line.removeprefix("#SBATCH "), posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    assert list(lexer) == [f"--job-name={text}"]


def test_an_element_gets_its_own_words_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(array_script(REQUEST, ["printf", "%s|"], {3: HOSTILE, 4: ["other"]}))

    def said(index: str) -> tuple[int, str]:
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": index}
        done = subprocess.run(["bash", script], capture_output=True, cwd=tmp_path, env=environment)
        return done.returncode, done.stdout.decode()

    assert said("3") == (0, "".join(f"{text}|" for text in HOSTILE))
    assert said("4") == (0, "other|")
    assert said("5") == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["script"]


@pytest.mark.parametrize("engine", ["apptainer", "singularity"])
def test_an_element_runs_in_its_image_by_whichever_engine_there_is(
    engine: str, tmp_path: Path
) -> None:
    """Both names are those of one program; folders of odd names are seen by the image, too."""
    image, binds = Path("/data/it's/all.sif"), [Path("/data/a b"), Path("/data/c,d")]
    script = tmp_path / "script"
    script.write_text(array_script(REQUEST, ["cosim"], {3: ["run", "$HOME"]}, image, binds))

    def said() -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(tmp_path), "SLURM_ARRAY_TASK_ID": "3"}
        bash = ["/bin/bash", script]
        return subprocess.run(bash, capture_output=True, text=True, env=environment)

    (tmp_path / "hostname").write_text("#!/bin/sh\necho node7\n")
    (tmp_path / "hostname").chmod(0o755)
    refused = said()
    assert refused.returncode == 1
    assert refused.stderr == "neither apptainer nor singularity is in PATH on node7\n"
    (tmp_path / engine).write_text("#!/bin/sh\nprintf '%s|' \"$@\"\n")
    (tmp_path / engine).chmod(0o755)
    assert said().stdout.split("|")[:-1] == [
        *["--silent", "exec"],
        *["--mount", 'type=bind,"source=/data/a b","destination=/data/a b"'],
        *["--mount", 'type=bind,"source=/data/c,d","destination=/data/c,d"'],
        *[str(image), "cosim", "run", "$HOME"],
    ]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"partition": "a\n#SBATCH --uid=0"}, "--partition"),
        ({"account": "a\rb"}, "--account"),
        ({"constraint": "a\x00b"}, "--constraint"),
        ({"time": "1 hour"}, "--time"),
        ({"time": "10;rm"}, "--time"),
        ({"array": "0-9;"}, "--array"),
        ({"further": ("mem=4G",)}, "--sbatch-arg"),
        ({"further": ("--a=b\nrm",)}, "--sbatch-arg --a=b\nrm"),
        ({"output": Path("/a\\b.log")}, "--out"),
        ({"output": Path("/a\nb.log")}, "--out"),
    ],
)
def test_what_cannot_be_said_is_refused(change: dict[str, object], path: str) -> None:
    faults = request_faults(dataclasses.replace(REQUEST, **change))  # type: ignore[arg-type]
    assert [fault.path for fault in faults] == [path]


@pytest.mark.parametrize("time", ["5", "30:00", "1:30:00", "2-00", "2-00:30:00"])
def test_times_as_slurm_writes_them(time: str) -> None:
    assert request_faults(dataclasses.replace(REQUEST, time=time)) == []


def test_faults_come_together() -> None:
    request = dataclasses.replace(REQUEST, time="soon", partition="a\nb", further=("x",))
    assert len(request_faults(request)) == 3


def test_a_percent_sign_in_a_path_is_no_pattern() -> None:
    script = ensemble_script(dataclasses.replace(REQUEST, output=Path("/a%j/b%A.log")), JOB)
    assert "#SBATCH --output=/a\\%\\%j/b\\%\\%A.log" in script


def test_ranks_beyond_one_node_are_for_srun_alone() -> None:
    assert [group.one_node for group in JOB.groups()] == [True, False]
    assert [group.one_node for group in IN_IMAGES.groups()] == [True]
    alone = dataclasses.replace(JOB, participants={"tvb": 1})
    assert len(alone.groups()) == 1
    assert "take_part nest" not in ensemble_script(REQUEST, alone)


def test_a_lone_process_of_nest_needs_no_mpi() -> None:
    job = dataclasses.replace(JOB, participants={"nest": 1, "tvb": 1, "translator": 1})
    script = ensemble_script(REQUEST, job)
    assert "take_part nest srun --mpi=none --ntasks=1 --het-group=1" in script
    assert "--mpi=pmix" not in script
