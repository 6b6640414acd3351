"""Commands that plan, check and run experiments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console

from tvb_nest_cosim.cosim_core.errors import EXIT_FAILED, ExperimentError, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, load_experiment
from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of as lines_of
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.orchestrator.cli.console import console_of_run
from tvb_nest_cosim.orchestrator.cli.json_output import print_json, run_tree, verdict_tree
from tvb_nest_cosim.orchestrator.cli.launcher_options import LauncherChoice, opened_launcher
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.planning.plan import Planned, plan_run
from tvb_nest_cosim.orchestrator.run import runner, validation
from tvb_nest_cosim.orchestrator.terminal import (
    LiveRun,
    show_difference,
    show_finished,
    show_plan,
    show_warnings,
)


def run(
    experiment: Path,
    overrides: Sequence[str],
    out: Path | None,
    choice: LauncherChoice,
    *,
    draw: bool,
    as_json: bool,
) -> int:
    """Runs an experiment, or submits it as a batch job.

    Args:
        experiment: Experiment file.
        overrides: Changes of its values, ``KEY.PATH=VALUE``.
        out: Run directory to make; None: a new one below ``runs``.
        choice: Where its processes shall come from.
        draw: Draw figures and report.
        as_json: Print the summary as JSON, and progress to stderr.

    Returns:
        The exit code.
    """
    loaded = load_experiment(experiment, overrides)
    if choice.name == "slurm":
        if as_json:
            raise ExperimentError.single("--json", "a batch job has no summary until it has ended")
        return _submit(loaded, experiment, overrides, out, choice, draw=draw)
    with opened_launcher(choice) as launcher:
        return _carry_out(
            loaded, experiment.parent, out, launcher, draw=draw, as_json=as_json
        ).exit_code


def validate(
    experiment: Path, overrides: Sequence[str], choice: LauncherChoice, *, as_json: bool
) -> None:
    """Lets every participant build its side; arguments as for :func:`run`."""
    console = Console(stderr=as_json)
    loaded = load_experiment(experiment, overrides)
    planned = plan_run(loaded, experiment.parent, _default_out(loaded))
    with opened_launcher(choice) as launcher:
        validation.check(planned, launcher, may_rename=True)
        with console.status("Building the simulators"):
            warnings = validation.validate(planned, launcher=launcher)
    if as_json:
        print_json(verdict_tree([], warnings))
        return
    show_warnings(console, warnings)
    console.print("[bold green]valid[/]: every participant could build its side")


def plan(experiment: Path, overrides: Sequence[str], *, as_json: bool) -> None:
    """Shows the plan of an experiment; arguments as for :func:`run`."""
    loaded = load_experiment(experiment, overrides)
    planned = plan_run(loaded, experiment.parent, _default_out(loaded))
    if as_json:
        typer.echo(json.dumps(_plan_tree(planned), indent=2))
    else:
        show_plan(Console(), planned)


def _plan_tree(planned: Planned) -> dict[str, Any]:
    plan, limit = planned.plan, planned.limit
    dt_ms = plan.experiment.dt_ms
    return {
        "plan": plan.model_dump(mode="json"),
        "limit": limit and {"ms": ms_of(limit.limit_ticks, dt_ms), "edge": limit.describe(dt_ms)},
        "estimate": planned.estimate.model_dump(mode="json"),
    }


def replay(run_directory: Path, participant: Literal["nest", "tvb"], out: Path | None) -> int:
    """Runs one simulator alone against the recorded other side.

    Args:
        run_directory: The recorded run.
        participant: The simulator.
        out: Run directory to make; None: a new one below ``runs``.

    Returns:
        The exit code; a failure if the results differ.
    """
    # Reading results loads h5py, for which the other commands need not wait.
    from tvb_nest_cosim.orchestrator.run.replay import compare, replay_experiment

    experiment, base_dir = replay_experiment(run_directory, participant)
    finished = _carry_out(experiment, base_dir, out)
    if finished.exit_code == 0:
        difference = compare(run_directory, finished.root, participant)
        if difference:
            show_difference(Console(), participant, difference)
            return EXIT_FAILED
        Console().print(f"[bold green]identical[/] to what {participant} did in the recorded run")
    return finished.exit_code


def report(root: Path, *, partial: bool) -> None:
    """Completes the results of a run, draws its report and prints where that is."""
    typer.echo(str(runner.make_report(root, partial=partial, tell=_warn)))


def print_digest(root: Path, *, partial: bool, as_json: bool) -> None:
    """Prints the digest of a run.

    Raises:
        RunDirectoryError: If it computed nothing, or is damaged and that is not accepted.
    """
    from tvb_nest_cosim.cosim_core.results import digest

    try:
        found = digest(root)
    except RunDirectoryError as error:
        if not partial:
            raise
        _warn(f"what follows is of a damaged run: {error}")
        found = digest(root, partial=True)
    if found is None:
        raise RunDirectoryError(
            f"{root} has no digest, since the run computed nothing: no window is complete in all "
            "of its journals"
        )
    if as_json:
        print_json({"run": str(root), "digest": found})
    else:
        typer.echo(found)


def _warn(text: str) -> None:
    typer.echo(f"warning: {text}", err=True)


def _default_out(experiment: Experiment) -> Path:
    return runner.free_folder(experiment, datetime.now().astimezone())


def _submit(
    loaded: Experiment,
    experiment: Path,
    overrides: Sequence[str],
    out: Path | None,
    choice: LauncherChoice,
    *,
    draw: bool,
) -> int:
    from tvb_nest_cosim.orchestrator.slurm.submit import Submission, submit

    folder = (out or _default_out(loaded)).absolute()
    planned = plan_run(loaded, experiment.parent, folder)
    what = Submission(experiment.absolute(), tuple(overrides), folder, planned, draw)
    return submit(what, choice.job, Console())


def _carry_out(
    experiment: Experiment,
    base_dir: Path,
    out: Path | None,
    launcher: Launcher = LOCAL,
    *,
    draw: bool = True,
    as_json: bool = False,
) -> runner.Finished:
    """Plans, checks and runs an experiment with a live display."""
    console = console_of_run(on_stderr=as_json)
    folder = out or _default_out(experiment)
    planned = plan_run(experiment, base_dir, folder)
    validation.check(planned, launcher, may_rename=out is None)
    with LiveRun(console) as live:
        finished = runner.run(
            planned,
            command=runner.this_command(),
            observe=live,
            tell=live.tell,
            may_rename=out is None,
            launcher=launcher,
            draw=draw,
        )
    from tvb_nest_cosim.cosim_core.results import open_run

    with open_run(finished.root) as run:
        if as_json:
            print_json(run_tree(finished, run, with_summary=draw))
            return finished
        show_warnings(console, run.provenance.warnings if run.provenance else [])
        told = live.has_told_cause
        show_finished(console, finished, run, with_summary=draw, has_told_cause=told)
    return finished
