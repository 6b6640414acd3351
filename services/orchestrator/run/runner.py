"""Runs an experiment: plan, processes, results, report. What ``cosim run`` calls."""

from __future__ import annotations

import itertools
import json
import logging
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    CosimError,
    ExperimentError,
    Fault,
    RunDirectoryError,
)
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan, plan_file
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.logs import also_log_to
from tvb_nest_cosim.orchestrator.launchers.sites import HERE, Place
from tvb_nest_cosim.orchestrator.planning.checks import existing_ancestor, preflight
from tvb_nest_cosim.orchestrator.planning.datasets import connectome_path
from tvb_nest_cosim.orchestrator.planning.estimate import estimate
from tvb_nest_cosim.orchestrator.planning.plan import experiment_digest, make_plan
from tvb_nest_cosim.orchestrator.run.control import RunControl
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.inputs import checked_folder, copy_inputs, recorded_inputs
from tvb_nest_cosim.orchestrator.run.peers import Outcome
from tvb_nest_cosim.orchestrator.run.session import Observer, Session, Timing, interrupts

EXIT_CODES = {
    "finished": 0,
    "validated": 0,
    "failed": EXIT_FAILED,
    "refused": EXIT_BAD_INPUT,
    "interrupted": EXIT_INTERRUPTED,
}


_NEEDED_TO_BUILD = frozenset({"resources.nest.ranks", "TMPDIR"})
"""Key paths of what has to be right before a participant can be asked anything."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """An experiment that may be run.

    Attributes:
        plan: Its plan.
        connectome: Its connectome.
    """

    plan: RunPlan
    connectome: Connectome


@dataclass(frozen=True)
class Finished:
    """What came out of a run.

    Attributes:
        root: Its run directory.
        outcome: How it ended.
        exit_code: Exit code that says so.
        digest: Digest of the results.
        report: Path of the report, if one could be made.
    """

    root: Path
    outcome: Outcome
    exit_code: int
    digest: str
    report: Path | None


def run_name(experiment: Experiment, now: datetime) -> str:
    """Returns a name for a run directory: the experiment's name and the time."""
    return f"{plain_folder(experiment.name)}-{now:%Y%m%d-%H%M%S}"


def plain_folder(name: str) -> str:
    """Makes a name that a folder may have."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]


def prepare(experiment: Experiment, base_dir: Path, out: Path) -> Prepared:
    """Plans a run without touching anything.

    Raises:
        ExperimentError: With every fault found.
    """
    base_dir = checked_folder(experiment, base_dir)
    path = connectome_path(experiment.connectome.source, base_dir)
    connectome = load_connectome(path, experiment.connectome)
    plan = make_plan(
        experiment,
        connectome,
        connectome_path=path,
        run=out.name,
        run_dir=out.absolute(),
        base_dir=base_dir.absolute(),
    )
    return Prepared(plan, connectome)


def free_folder(experiment: Experiment, now: datetime) -> Path:
    """Returns a run directory below ``runs`` that does not exist."""
    folder = Path("runs") / run_name(experiment, now)
    return next(path for path in _numbered(folder) if not path.exists())


def _numbered(folder: Path) -> Iterator[Path]:
    """Yields a path, then the same with -2, -3, ..."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))


def check(prepared: Prepared, out: Path, place: Place = HERE, *, may_rename: bool = False) -> None:
    """Checks that a plan can be carried out and its results be kept.

    If not, the participants are asked as well, so that the user learns of all faults at once.

    Args:
        prepared: The plan.
        out: Its run directory.
        place: Where it will take place.
        may_rename: As for :func:`run`.

    Raises:
        ExperimentError: With every fault found.
    """
    needed = estimate(prepared.plan, prepared.connectome).disk_bytes
    free = shutil.disk_usage(existing_ancestor(out)).free
    try:
        preflight(
            prepared.plan,
            out,
            needed_bytes=needed,
            free_bytes=free,
            is_here=place.is_here,
            may_exist=may_rename,
        )
    except ExperimentError as error:
        further = _further_faults(prepared, error.faults) if place.is_here else []
        raise ExperimentError([*error.faults, *further]) from error


def _further_faults(prepared: Prepared, known: Iterable[Fault]) -> list[Fault]:
    """Asks the participants, unless what is known to be wrong keeps them from starting."""
    paths = {fault.path for fault in known}
    if paths & _NEEDED_TO_BUILD:
        return []
    try:
        validate(prepared)
    except ExperimentError as error:
        return [fault for fault in error.faults if fault.path not in paths]
    return []


def validate(
    prepared: Prepared,
    observe: Observer = lambda coordinator: None,
    *,
    place: Place = HERE,
    below: Path | None = None,
) -> list[str]:
    """Lets every participant build its side, and runs nothing.

    Args:
        prepared: The plan.
        observe: Told about it as it goes on.
        place: Where it takes place.
        below: Folder for a run directory that every participant can reach; none: where this
            machine keeps temporary files.

    Returns:
        Warnings.

    Raises:
        ExperimentError: With every fault that the participants found.
        KeyboardInterrupt: If the user did not want to wait.
    """
    with tempfile.TemporaryDirectory(prefix="cosim-validate-", dir=below) as folder:
        layout = RunLayout(Path(folder) / "run")
        layout.make()
        plan = prepared.plan.model_copy(update={"run_dir": str(layout.root)})
        plan = copy_inputs(_with_own_connectome(plan, layout), layout)
        session = Session(plan, place.open_site(plan), observe=observe, only_build=True)
        outcome, _ = session.run()
        if outcome.kind == "interrupted":
            raise KeyboardInterrupt
        if outcome.kind != "validated":
            raise as_error(outcome)
        return [*plan.warnings, *session.coordinator.built().warnings]


def as_error(outcome: Outcome) -> ExperimentError:
    """Turns the outcome of a run that never started into faults."""
    if outcome.faults:
        return ExperimentError(outcome.faults)
    return ExperimentError.single("", outcome.cause, outcome.detail)


def run(
    prepared: Prepared,
    *,
    command: list[str],
    observe: Observer = lambda coordinator: None,
    control: RunControl | None = None,
    place: Place = HERE,
    tell: Callable[[str], None] = lambda text: None,
    may_rename: bool = False,
    draw: bool = True,
) -> Finished:
    """Carries out a plan and leaves a complete run directory.

    Args:
        prepared: The plan.
        command: What the user typed, for the provenance.
        observe: Told about the run as it goes on.
        control: Commands from other threads.
        place: Where it takes place.
        tell: Told what is being done before and after.
        may_rename: Give the run directory another name if a run that was started at the same
            moment has taken it.
        draw: Draw figures and report.

    Raises:
        ExperimentError: If the run directory cannot be made, or if the participants refuse the
            experiment; the run directory, which holds nothing then, is removed.
        RunDirectoryError: If the run is over, but its results cannot be written.
    """
    plan = _claimed(prepared.plan, may_rename=may_rename)
    layout = RunLayout(Path(plan.run_dir))
    with also_log_to(layout.logs / "orchestrator.jsonl", "orchestrator", plan.run):
        plan = copy_inputs(_with_own_connectome(plan, layout), layout)
        write_atomically(layout.experiment, dump_yaml(plan.experiment).encode())
        write_atomically(layout.plan, plan_file(plan, Built()))
        started = datetime.now(UTC)
        tell("Building the simulators")
        observe = _noting_what_was_built(layout, observe)
        session = Session(plan, place.open_site(plan), observe=observe, control=control)
        try:
            outcome, timing = session.run()
            if outcome.kind == "refused":
                raise as_error(outcome)
        except ExperimentError:
            shutil.rmtree(layout.root)
            raise
        try:
            with interrupts() as seen:
                tell("Writing the results")
                finished = _keep(session.coordinator, outcome, timing, started, command)
            if seen.count or not draw:
                return finished  # whoever wants to end now need not wait for figures
            tell("Drawing the report")
            return replace(finished, report=make_report(layout.root))
        # The simulation is over and in the journals. Whatever goes wrong now, the user is told so.
        except Exception as error:
            _logger.exception("the results could not be completed")
            raise RunDirectoryError(_incomplete(layout, outcome, error)) from error


def _noting_what_was_built(layout: RunLayout, observe: Observer) -> Observer:
    """Completes ``plan.json`` when the first window opens: a killed orchestrator never could."""
    is_noted = False

    def note(coordinator: Coordinator) -> None:
        nonlocal is_noted
        if coordinator.is_running and not is_noted:
            is_noted = True
            write_atomically(layout.plan, plan_file(coordinator.plan, coordinator.built()))
        observe(coordinator)

    return note


def _with_own_connectome(plan: RunPlan, layout: RunLayout) -> RunPlan:
    """Copies the connectome into the run directory, where whoever reads it later will find it."""
    write_atomically(layout.connectome, Path(plan.connectome_path).read_bytes())
    return plan.model_copy(update={"connectome_path": str(layout.connectome)})


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
) -> Finished:
    """Writes what became of the run, then the result files."""
    # Reading and writing results loads h5py, for which the first window need not wait.
    from tvb_nest_cosim.cosim_core.results import collect, open_run

    layout = RunLayout(Path(coordinator.plan.run_dir))
    write_atomically(layout.plan, plan_file(coordinator.plan, coordinator.built()))
    with open_run(layout.root) as run:
        windows, found = run.records.complete_windows, run.digest
    finished = Finished(layout.root, outcome, EXIT_CODES[outcome.kind], found, None)
    provenance = _provenance(coordinator, finished, timing, windows, started, command)
    write_atomically(layout.provenance, json.dumps(provenance, indent=2).encode())
    collect(layout.root)
    return finished


def _incomplete(layout: RunLayout, outcome: Outcome, error: Exception) -> str:
    how = f"the run {outcome.kind}: {outcome.cause}" if outcome.cause else f"the run {outcome.kind}"
    what = str(error) if isinstance(error, CosimError) else f"{type(error).__name__}: {error}"
    return (
        f"{how}\nIts results could not be completed: {what}. Every window computed is in "
        f"{layout.journals}; when the cause is removed (is the disk full?), say: "
        f"cosim report {layout.root}"
    )


def make_report(root: Path) -> Path:
    """Draws the figures and the report of a run directory."""
    # Matplotlib takes a second to import; whoever only plans or validates need not wait for it.
    from tvb_nest_cosim.orchestrator.report import write_report

    return write_report(root)


def _provenance(
    coordinator: Coordinator,
    finished: Finished,
    timing: Timing,
    windows: int,
    started: datetime,
    command: list[str],
) -> dict[str, object]:
    built = coordinator.built()
    plan = coordinator.plan
    grid = plan.grid
    simulated_s = min(windows * grid.window_ticks, grid.total_ticks) * grid.dt_ms / 1000
    return {
        "run": plan.run,
        "outcome": finished.outcome.kind,
        "cause": finished.outcome.cause or None,
        "detail": finished.outcome.detail or None,
        "exit_code": finished.exit_code,
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "build_s": round(timing.build_s, 3),
        "wall_s": round(timing.wall_s, 3),
        "real_time_factor": round(timing.wall_s / simulated_s, 3) if simulated_s else None,
        "windows_done": windows,
        "command": command,
        "host": platform.node(),
        "versions": {
            "tvb-nest-cosim": metadata.version("tvb-nest-cosim"),
            "python": platform.python_version(),
            **built.versions,
        },
        "seeds": {"experiment": plan.experiment.seed},
        "experiment_digest": experiment_digest(plan.experiment),
        "digest": finished.digest,
        "inputs": recorded_inputs(RunLayout(finished.root)),
        "warnings": [*plan.warnings, *built.warnings],
        "participants": {
            peer.name: {"compute_s": round(peer.compute_s, 3), "wait_s": round(peer.wait_s, 3)}
            for peer in coordinator.peers.values()
        },
    }


def this_command() -> list[str]:
    """Returns what the user typed."""
    return ["cosim", *sys.argv[1:]]
