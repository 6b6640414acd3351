"""Carries out a planned run: processes, results, report."""

from __future__ import annotations

import itertools
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import (
    CosimError,
    ExperimentError,
    RunDirectoryError,
)
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.outcomes import EXIT_CODES
from tvb_nest_cosim.cosim_core.processes.collector import Collector
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.logs import also_log_to
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.run_dir.provenance import ProcessTimes, Provenance
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.planning.inputs import copy_inputs, recorded_inputs
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run.control import RunControl, signals_to
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome
from tvb_nest_cosim.orchestrator.run.session import Observer, Session, Timing
from tvb_nest_cosim.orchestrator.run.validation import as_error, with_own_connectome

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finished:
    """A run that has ended and left its results.

    Attributes:
        root: Its run directory.
        outcome: How it ended.
        exit_code: Exit code that says so.
        digest: Digest of the results; None if nothing was computed.
        report: Path of the report, if one could be made.
    """

    root: Path
    outcome: Outcome
    exit_code: int
    digest: str | None
    report: Path | None


def run_name(experiment: Experiment, now: datetime) -> str:
    """Returns a name for a run directory: the experiment's name and the time."""
    return f"{plain_folder(experiment.name)}-{now:%Y%m%d-%H%M%S}"


def plain_folder(name: str) -> str:
    """Makes a name that a folder may have."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]


def free_folder(experiment: Experiment, now: datetime) -> Path:
    """Returns a run directory below ``runs`` that does not exist."""
    folder = Path("runs") / run_name(experiment, now)
    return next(path for path in _numbered(folder) if not path.exists())


def _numbered(folder: Path) -> Iterator[Path]:
    """Yields a path, then the same with -2, -3, ..."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))


def run(
    planned: Planned,
    *,
    command: list[str],
    observe: Observer = lambda coordinator: None,
    control: RunControl | None = None,
    launcher: Launcher = LOCAL,
    tell: Callable[[str], None] = lambda text: None,
    may_rename: bool = False,
    draw: bool = True,
) -> Finished:
    """Carries out a plan and leaves a complete run directory.

    Args:
        planned: The run.
        command: What the user typed, for the provenance.
        observe: Called with the state of the run as it goes on.
        control: Commands from other threads.
        launcher: Where its processes come from.
        tell: Called with what is being done before and after.
        may_rename: Give the run directory another name if a run that was started at the same
            moment has taken it.
        draw: Draw figures and report.

    Raises:
        ExperimentError: If the run directory cannot be made, or if the participants refuse the
            experiment; the run directory, which holds nothing then, is removed.
        RunDirectoryError: If the run is over, but its results cannot be written.
    """
    plan = _claimed(planned.plan, may_rename=may_rename)
    layout = RunLayout(Path(plan.run_dir))
    with (
        run_lock(layout),
        also_log_to(layout.logs / "orchestrator.jsonl", "orchestrator", plan.run),
        Collector() as collector,
    ):
        plan = copy_inputs(with_own_connectome(plan, layout), layout)
        write_atomically(layout.experiment, dump_yaml(plan.experiment).encode())
        write_plan(layout.root, plan, Built())
        started = datetime.now(UTC)
        tell("Building the simulators")
        observe = _with_preparations(layout, collector, observe)
        session = Session(plan, launcher.open(plan), observe=observe, control=control)
        try:
            outcome, timing = session.run()
            if outcome.kind == "refused":
                raise as_error(outcome)
        except ExperimentError:
            shutil.rmtree(layout.root)
            raise
        try:
            meanwhile = RunControl()
            with signals_to(meanwhile):
                tell("Writing the results")
                finished = _keep(session.coordinator, outcome, timing, started, command, collector)
            if any(meanwhile.taken()) or not draw:
                return finished  # a user who wants to end now need not wait for figures
            tell("Drawing the report")
            return replace(finished, report=_draw(layout.root))
        # The simulation is over and in the journals, and any error from here on has to say so.
        except Exception as error:
            _logger.exception("the results could not be completed")
            raise RunDirectoryError(_incomplete(layout, outcome, error)) from error


def _with_preparations(layout: RunLayout, collector: Collector, observe: Observer) -> Observer:
    """Prepares what comes later while the run goes on.

    ``plan.json`` is completed when the first window opens: a killed orchestrator never could. What
    writes the results starts with the end of the run, so that it imports while the others leave.
    """
    is_noted = False

    def prepare(coordinator: Coordinator) -> None:
        nonlocal is_noted
        if coordinator.is_running and not is_noted:
            is_noted = True
            write_plan(layout.root, coordinator.plan, coordinator.built())
        if coordinator.outcome is not None and coordinator.outcome.kind != "refused":
            collector.start()
        observe(coordinator)

    return prepare


def _claimed(plan: RunPlan, *, may_rename: bool) -> RunPlan:
    """Makes the run directory, which no other run can take then; returns the plan with its name."""
    folder = Path(plan.run_dir)
    for root in _numbered(folder) if may_rename else [folder]:
        try:
            RunLayout(root).make()
        except FileExistsError:
            continue
        except OSError as error:
            raise ExperimentError.single(
                "--out", f"{root} cannot be made: {error.strerror or error}"
            ) from error
        return plan.model_copy(update={"run": root.name, "run_dir": str(root)})
    raise ExperimentError.single(
        "--out", f"{folder} was made by somebody else just now. Choose another folder"
    )


def _keep(
    coordinator: Coordinator,
    outcome: Outcome,
    timing: Timing,
    started: datetime,
    command: list[str],
    collector: Collector,
) -> Finished:
    """Writes the result files, then what became of the run, then that all of it is there."""
    # Reading results loads h5py, for which the first window need not wait.
    from tvb_nest_cosim.cosim_core.results import seal

    layout = RunLayout(Path(coordinator.plan.run_dir))
    write_plan(layout.root, coordinator.plan, coordinator.built())
    exit_code = EXIT_CODES[outcome.kind]
    # Participants of a run that failed may have done windows that they could not record.
    windows = coordinator.plan.grid.window_count if outcome.kind == "finished" else 0
    found = None
    try:
        collected = collector.collect(layout.root)
        windows, found = max(windows, collected.windows), collected.digest
    finally:
        # How the run ended has to be told, even if its results cannot be written now.
        Provenance.now(
            coordinator.plan,
            coordinator.built(),
            outcome=outcome.kind,
            cause=outcome.cause,
            detail=outcome.detail,
            exit_code=exit_code,
            started=started,
            build_s=timing.build_s,
            wall_s=timing.wall_s,
            windows_done=windows,
            command=command,
            digest=found,
            inputs=recorded_inputs(layout),
            participants=_process_times(coordinator),
        ).write(layout.root)
    if collected.windows < windows:
        raise RunDirectoryError(
            f"the journals hold {collected.windows} complete windows of {windows} that were "
            "simulated; are the disks in order?"
        )
    seal(layout, collected)
    return Finished(layout.root, outcome, exit_code, found, None)


def _process_times(coordinator: Coordinator) -> dict[str, ProcessTimes]:
    return {
        peer.name: ProcessTimes(compute_s=round(peer.compute_s, 3), wait_s=round(peer.wait_s, 3))
        for peer in coordinator.peers.values()
    }


def _incomplete(layout: RunLayout, outcome: Outcome, error: Exception) -> str:
    how = f"the run {outcome.kind}: {outcome.cause}" if outcome.cause else f"the run {outcome.kind}"
    what = str(error) if isinstance(error, CosimError) else f"{type(error).__name__}: {error}"
    return (
        f"{how}\nIts results could not be completed: {what}. Every window computed is in "
        f"{layout.journals}; when the cause is removed (is the disk full?), say: "
        f"cosim report {layout.root}"
    )


def make_report(
    root: Path, *, partial: bool = False, tell: Callable[[str], None] = _logger.warning
) -> Path:
    """Completes the results of a run that has ended, and draws its figures and report.

    Args:
        root: Run directory.
        partial: Go on with what is there of a damaged run.
        tell: Called with what is wrong, a line each.

    Raises:
        RunDirectoryError: If it is not a run directory, goes on, is damaged, or cannot be written.
    """
    from tvb_nest_cosim.cosim_core.results import complete

    complete(root, partial=partial, tell=tell)
    with run_lock(RunLayout(root)):
        return _draw(root, partial=partial)


def _draw(root: Path, *, partial: bool = False) -> Path:
    # Matplotlib takes a second to import, for which planning and validating need not wait.
    from tvb_nest_cosim.orchestrator.report import write_report

    return write_report(root, partial=partial)


def this_command() -> list[str]:
    """Returns what the user typed."""
    return ["cosim", *sys.argv[1:]]
