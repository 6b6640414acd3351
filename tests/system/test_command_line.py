"""The commands as a user types them: what they print, what they leave, how they exit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from conftest import COSIM
from system.trouble import running, write_experiment
from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT, EXIT_FAILED, ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import load_experiment, parse
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.results import open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.cli.main import app
from tvb_nest_cosim.orchestrator.launchers import endpoints
from tvb_nest_cosim.orchestrator.planning.plan import plan_run
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.run.validation import check

Tree = dict[str, Any]
Answer = subprocess.CompletedProcess[str]

REPOSITORY = Path(__file__).parents[2]

EXPERIMENT: Tree = {
    "name": "two regions",
    "duration_ms": 30.0,
    "connectome": {"normalise": "region", "weight_scale": 0.3},
    "adex": {"neurons": 100, "p_connect": 0.2, "K_ext": 100, "external_hz": 5.0},
    "tvb": {
        "model": {"name": "ZerlautAdaptationFirstOrder"},
        "initial": {"E": 0.01, "I": 0.01, "W_e": 5.0},
    },
    "spiking": [
        {
            "regions": ["rHC", "lHC"],
            "record": {"analog": [{"population": "excitatory"}]},
        }
    ],
}


def command_line(folder: Path, *arguments: str | Path) -> Answer:
    return subprocess.run(
        [*COSIM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A run that was given no folder, and what it printed."""
    folder = tmp_path_factory.mktemp("command-line")
    answer = command_line(folder, "run", write_experiment(folder, EXPERIMENT))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (root,) = (folder / "runs").iterdir()
    return root, answer


@pytest.fixture(autouse=True)
def _nothing_changed(recorded: tuple[Path, Answer]) -> Iterator[None]:
    """No command but ``report`` touches a run that is there."""
    layout = RunLayout(recorded[0])
    before = layout.provenance.read_bytes(), layout.spikes.read_bytes()
    yield
    assert (layout.provenance.read_bytes(), layout.spikes.read_bytes()) == before


def line_of(text: str, start: str) -> str:
    """Returns what follows the start of the only line that has it."""
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return line.removeprefix(start).strip()


# run


def test_run_names_its_folder_by_experiment_and_time(recorded: tuple[Path, Answer]) -> None:
    root, answer = recorded
    assert re.fullmatch(r"two-regions-\d{8}-\d{6}", root.name)
    assert Path(line_of(answer.stdout, "results")) == root
    assert Path(line_of(answer.stdout, "report")) == root / "report.html"


def test_run_leaves_every_file_and_nothing_half_written(recorded: tuple[Path, Answer]) -> None:
    root, _ = recorded
    names = {path.name for path in root.iterdir()}
    expected = {"experiment.yaml", "plan.json", "provenance.json", "report.html"}
    expected |= {"spikes.h5", "tvb.nc", "rates.nc", "analog.nc", "timing.csv"}
    assert expected | {"journal", "logs", "figures"} <= names
    assert [path for path in root.rglob("*") if path.name.endswith(".partial")] == []
    logs = {path.name for path in (root / "logs").glob("*.jsonl")}
    assert logs >= {f"{name}.jsonl" for name in ("tvb-0", "nest-0", "translator-0")}
    assert {path.suffix for path in (root / "figures").iterdir()} == {".png", ".svg"}


def test_run_writes_the_experiment_with_every_default(recorded: tuple[Path, Answer]) -> None:
    root, _ = recorded
    assert load_experiment(root / "experiment.yaml") == parse(EXPERIMENT)
    assert "stall_s: null" in (root / "experiment.yaml").read_text()


def test_run_tells_a_file_what_it_tells_a_terminal_without_its_codes(
    recorded: tuple[Path, Answer],
) -> None:
    _, answer = recorded
    lines = answer.stdout.splitlines()
    assert lines[:3] == ["Building the simulators", "Writing the results", "Drawing the report"]
    assert "finished" in lines
    assert "\x1b" not in answer.stdout
    assert answer.stderr == ""
    for text in ("windows", "wall time", "rHC", "excitatory", " Hz", "TVB, other", "real"):
        assert text in answer.stdout


def test_provenance_says_what_was_run_where_and_how(recorded: tuple[Path, Answer]) -> None:
    root, answer = recorded
    told = json.loads((root / "provenance.json").read_text())
    assert (told["outcome"], told["exit_code"], told["cause"]) == ("finished", 0, None)
    assert told["digest"] == line_of(answer.stdout, "digest")
    assert told["command"][:2] == ["cosim", "run"]
    assert told["seeds"] == {"experiment": 1}
    assert {"nest", "tvb-library", "numpy", "python", "tvb-nest-cosim"} <= told["versions"].keys()
    with open_run(root) as run:
        assert told["windows_done"] == run.plan.grid.window_count


def test_a_failed_run_exits_with_1_and_says_why(tmp_path: Path, tiny: Tree) -> None:
    tiny["spiking"][0]["rate"] = {
        "translator": "bad_translators:Raises",
        "translator_parameters": {"window": 1},
    }
    answer = command_line(tmp_path, "run", write_experiment(tmp_path, tiny), "--out", "failed")
    assert answer.returncode == EXIT_FAILED
    assert "bad_translators:Raises of region 'rHC'" in line_of(answer.stdout, "failed:")
    assert 'raise KeyError("no [calibration] for this rate")' in answer.stdout
    assert (tmp_path / "failed" / "report.html").is_file()


def test_runs_that_start_together_get_folders_of_their_own(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, {**EXPERIMENT, "duration_ms": 5.0, "simulators": "tvb"})
    with (
        running("run", path, cwd=tmp_path) as one,
        running("run", path, cwd=tmp_path) as other,
    ):
        for process in (one, other):
            output, errors = process.communicate(timeout=200)
            assert process.returncode == 0, output + errors
    roots = list((tmp_path / "runs").iterdir())
    assert len(roots) == 2
    runs = [json.loads((root / "provenance.json").read_text()) for root in roots]
    assert [told["run"] for told in runs] == [root.name for root in roots]
    assert runs[0]["digest"] == runs[1]["digest"]


def test_a_folder_is_taken_by_one_run_only(tmp_path: Path) -> None:
    """What happens when runs have chosen the same name before one of them has made the folder."""
    planned = plan_run(parse(EXPERIMENT), tmp_path, tmp_path / "same")
    taken = []
    for _ in range(3):
        check(planned, may_rename=True)
        taken.append(runner._claimed(planned.plan, may_rename=True))
    assert [plan.run for plan in taken] == ["same", "same-2", "same-3"]
    assert all(Path(plan.run_dir, "journal").is_dir() for plan in taken)
    with pytest.raises(ExperimentError, match="same exists"):
        check(planned)
    with pytest.raises(ExperimentError, match="same was made by somebody else just now"):
        runner._claimed(planned.plan, may_rename=False)


# validate and plan


def test_validate_builds_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, EXPERIMENT)
    before = set(tmp_path.iterdir())
    answer = command_line(tmp_path, "validate", path, "--set", "duration_ms=1e6")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "valid: every participant could build its side" in answer.stdout
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "__pycache__"}


def test_plan_shows_what_a_run_would_be(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, EXPERIMENT)
    shown = command_line(tmp_path, "plan", path, "--set", "resources.nest.ranks=2")
    assert shown.returncode == 0, shown.stderr
    tree = json.loads(command_line(tmp_path, "plan", path, "--json").stdout)
    plan, limit = RunPlan.model_validate(tree["plan"]), tree["limit"]
    assert limit["edge"].startswith("the tract from ")
    assert plan.lookahead * plan.window_ticks * plan.experiment.dt_ms <= limit["ms"] + 1e-9
    assert plan.participants == {"tvb": 1, "nest": 1, "translator": 1}
    assert tree["estimate"]["disk_bytes"] > 0
    text = " ".join(shown.stdout.split())
    for part in (
        *endpoints.planned(has_data=True).values(),
        f"{plan.window_ticks * plan.experiment.dt_ms:g} ms, ",
        "2 nest",
        "memory",
        "disk",
        "region rHC",
        "poisson",
    ):
        assert part in text


# What is done with a run


@pytest.mark.parametrize("participant", ["nest", "tvb"])
def test_replay_does_again_what_was_recorded(
    recorded: tuple[Path, Answer], tmp_path: Path, participant: str
) -> None:
    arguments = ("--participant", participant, "--out", "again")
    answer = command_line(tmp_path, "replay", recorded[0], *arguments)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"identical to what {participant} did in the recorded run" in answer.stdout
    with open_run(tmp_path / "again") as run:
        assert run.experiment.simulators == participant


def test_replay_tells_a_difference(recorded: tuple[Path, Answer], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(recorded[0], copy)
    plan = json.loads((copy / "plan.json").read_text())
    plan["plan"]["experiment"]["seed"] = 2
    (copy / "plan.json").write_text(json.dumps(plan))
    refused = command_line(tmp_path, "replay", copy, "--participant", "nest", "--out", "again")
    assert "plan.json is not the file that manifest.json lists" in refused.stderr
    (copy / "manifest.json").unlink()
    answer = command_line(tmp_path, "replay", copy, "--participant", "nest", "--out", "again")
    assert answer.returncode == EXIT_FAILED
    assert "different: nest did not do again" in answer.stdout
    assert "spikes" in answer.stdout.partition("different")[2]


def test_digest_prints_what_run_printed(recorded: tuple[Path, Answer], tmp_path: Path) -> None:
    answer = command_line(tmp_path, "digest", recorded[0])
    assert re.fullmatch(r"[0-9a-f]{64}\n", answer.stdout)
    assert answer.stdout.strip() == line_of(recorded[1].stdout, "digest")


def test_report_draws_everything_again(recorded: tuple[Path, Answer], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(recorded[0], copy)
    (copy / "report.html").unlink()
    shutil.rmtree(copy / "figures")
    answer = command_line(tmp_path, "report", copy)
    assert (answer.returncode, answer.stdout.strip()) == (0, str(copy / "report.html"))
    assert (copy / "report.html").read_text().startswith("<!")
    assert list((copy / "figures").glob("*.svg"))


@pytest.mark.parametrize("command", ["digest", "report", "replay"])
def test_a_folder_that_is_no_run_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    arguments = ["--participant", "nest"] if command == "replay" else []
    answer = command_line(tmp_path, command, "nowhere", *arguments)
    assert answer.returncode == EXIT_FAILED
    assert answer.stderr.startswith("failed: nowhere is not a run directory: it has no plan.json")
    assert len(answer.stderr.splitlines()) == 1


# For scripts and for people who type


def test_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    answer = command_line(tmp_path, "--version")
    assert (answer.returncode, answer.stdout) == (0, f"cosim {version('tvb-nest-cosim')}\n")


def test_run_prints_its_summary_as_one_json_object(tmp_path: Path) -> None:
    changed = {**EXPERIMENT, "duration_ms": 5.0, "simulators": "tvb"}
    path = write_experiment(tmp_path, changed)
    answer = command_line(tmp_path, "run", path, "--json", "--out", "one")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    provenance = json.loads((tmp_path / "one" / "provenance.json").read_text())
    for key in ("run", "outcome", "exit_code", "digest", "wall_s", "warnings"):
        assert found[key] == provenance[key]
    assert (tmp_path / found["report"]).is_file()
    assert found["summary"]["simulated_ms"] == 5.0
    assert found["summary"]["groups"].keys() >= {"other"}
    assert "Building the simulators" in answer.stderr


def test_a_batch_job_has_no_summary(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, EXPERIMENT)
    answer = command_line(tmp_path, "run", path, "--json", "--launcher", "slurm")
    assert answer.returncode == EXIT_BAD_INPUT
    assert "--json: a batch job has no summary until it has ended" in answer.stderr


def test_validate_prints_faults_as_json(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, EXPERIMENT)
    answer = command_line(tmp_path, "validate", path, "--json", "--set", "duration_ms=0.15")
    assert answer.returncode == EXIT_BAD_INPUT
    found = json.loads(answer.stdout)
    assert (found["valid"], found["warnings"]) == (False, [])
    assert [fault["path"] for fault in found["faults"]] == ["duration_ms"]
    assert "whole number of ticks" in found["faults"][0]["message"]
    answer = command_line(tmp_path, "validate", path, "--json", "--set", "simulators=tvb")
    assert (answer.returncode, json.loads(answer.stdout)["valid"]) == (0, True)


def test_digest_and_data_list_print_json(recorded: tuple[Path, Answer], tmp_path: Path) -> None:
    root, answer = recorded
    found = json.loads(command_line(tmp_path, "digest", root, "--json").stdout)
    assert found == {"run": str(root), "digest": line_of(answer.stdout, "digest")}
    rows = json.loads(command_line(tmp_path, "data", "list", "--json").stdout)
    regions = {row["name"]: row["regions"] for row in rows}
    assert (regions["connectivity_76"], regions["allen-mouse"]) == (76, 98)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "Did you mean 'run'?"),
        (("run", "x", "--launcher", "slrum"), "Did you mean slurm?"),
        (("run", "x", "--partion", "main"), "--partition"),
    ],
)
def test_a_misspelt_word_gets_a_suggestion(arguments: tuple[str, ...], said: str) -> None:
    answer = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert answer.exit_code == EXIT_BAD_INPUT
    assert said in answer.output


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    answer = subprocess.run(
        COSIM,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={
            **os.environ,
            "_COSIM_COMPLETE": "complete_bash",
            "COMP_WORDS": "cosim val",
            "COMP_CWORD": "1",
        },
    )
    assert answer.stdout.split() == ["validate"]


JOBS = "Batch jobs (--launcher slurm)"


@pytest.mark.parametrize(
    ("command", "panels"),
    [
        ("", ["Options", "Running", "Before and after a run", "Servers"]),
        ("run", ["Arguments", "Options", "Agents (--launcher agents)", JOBS]),
        ("validate", ["Arguments", "Options", "Agents (--launcher agents)"]),
        ("sweep", ["Arguments", "Options", JOBS, "Servers"]),
    ],
)
def test_commands_and_options_stand_in_groups(command: str, panels: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"]).stdout
    assert re.findall(r"^╭─ (.*?) ─", shown, re.M) == panels
    options, _, jobs = shown.partition(JOBS)
    for option in ("--partition", "--time", "--images", "--dry-run"):
        assert option not in options
        assert (option in jobs) == (JOBS in panels)


# The rest


def test_schema_is_the_documented_one(tmp_path: Path) -> None:
    answer = command_line(tmp_path, "schema")
    assert answer.stdout == (REPOSITORY / "docs" / "experiment.schema.json").read_text()
    assert yaml.safe_load(answer.stdout)["title"] == "Experiment"


def test_data_list_names_what_experiments_may_use() -> None:
    answer = CliRunner().invoke(app, ["data", "list"], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    for text in ("connectivity_76", "76", "connectivity_192", "allen-mouse", "98"):
        assert text in answer.stdout


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Lists every command of the command line."""
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(typer.main.get_command(app))], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(app, [*path, "--help"])
    assert answer.exit_code == 0
    assert " ".join(path) in answer.stdout
    assert len(answer.stdout.split()) > 15
