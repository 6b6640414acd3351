"""Runs an experiment: plan, processes, results, report. What ``cosim run`` calls."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from cosim_core.connectome import Connectome, load_connectome
from cosim_core.ensemble import Built, EnsemblePlan, plan_file
from cosim_core.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, ExperimentError
from cosim_core.experiment import Experiment
from cosim_core.experiment.load import dump_yaml
from cosim_core.layout import RunLayout, write_atomically
from cosim_core.results import collect, digest
from orchestrator.coordinator import Coordinator, Outcome
from orchestrator.data import connectome_path
from orchestrator.plan import experiment_digest, explain, make_plan, preflight
from orchestrator.preflight import existing_ancestor
from orchestrator.session import Observer, Session, Timing

EXIT_CODES = {
    "finished": 0,
    "validated": 0,
    "failed": EXIT_FAILED,
    "refused": EXIT_BAD_INPUT,
    "interrupted": EXIT_INTERRUPTED,
}


@dataclass(frozen=True)
class Prepared:
    """An experiment that may be run.

    Attributes:
        plan: Its plan.
        connectome: Its connectome.
    """

    plan: EnsemblePlan
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
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in experiment.name)
    return f"{safe[:60]}-{now:%Y%m%d-%H%M%S}"


def prepare(experiment: Experiment, base_dir: Path, out: Path) -> Prepared:
    """Plans a run without touching anything.

    Raises:
        ExperimentError: With every fault found.
    """
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


def check(prepared: Prepared, out: Path) -> None:
    """Checks that this machine can carry out a plan and keep its results.

    Raises:
        ExperimentError: With every fault found.
    """
    needed = explain(prepared.plan, prepared.connectome).disk_bytes
    free = shutil.disk_usage(existing_ancestor(out)).free
    preflight(prepared.plan, out, needed_bytes=needed, free_bytes=free)


def validate(prepared: Prepared, observe: Observer = lambda coordinator: None) -> list[str]:
    """Lets every participant build its side, and runs nothing.

    Returns:
        Warnings.

    Raises:
        ExperimentError: With every fault that the participants found.
    """
    with tempfile.TemporaryDirectory(prefix="cosim-validate-") as folder:
        plan = prepared.plan.model_copy(update={"run_dir": str(Path(folder) / "run")})
        RunLayout(Path(plan.run_dir)).make()
        session = Session(plan, mpirun=shutil.which("mpirun"), observe=observe, only_build=True)
        outcome, _ = session.run()
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
    tell: Callable[[str], None] = lambda text: None,
) -> Finished:
    """Carries out a plan and leaves a complete run directory.

    Args:
        prepared: The plan.
        command: What the user typed, for the provenance.
        observe: Told about the run as it goes on.
        tell: Told what is being done before and after.

    Raises:
        ExperimentError: If the participants refuse the experiment; the run directory, which holds
            nothing then, is removed.
    """
    plan = prepared.plan
    layout = RunLayout(Path(plan.run_dir))
    layout.make()
    write_atomically(layout.experiment, dump_yaml(plan.experiment).encode())
    started = datetime.now(UTC)
    tell("Building the simulators")
    session = Session(plan, mpirun=shutil.which("mpirun"), observe=observe)
    write_atomically(layout.plan, plan_file(plan, Built()))
    outcome, timing = session.run()
    if outcome.kind == "refused":
        shutil.rmtree(layout.root)
        raise as_error(outcome)
    write_atomically(layout.plan, plan_file(plan, session.coordinator.built()))
    tell("Writing the results")
    windows = collect(layout.root).windows
    found = digest(layout.root)
    finished = Finished(layout.root, outcome, EXIT_CODES[outcome.kind], found, None)
    provenance = _provenance(session.coordinator, finished, timing, windows, started, command)
    write_atomically(layout.provenance, json.dumps(provenance, indent=2).encode())
    tell("Drawing the report")
    return Finished(layout.root, outcome, finished.exit_code, found, make_report(layout.root))


def make_report(root: Path) -> Path:
    """Draws the figures and the report of a run directory."""
    # Matplotlib takes a second to import; whoever only plans or validates need not wait for it.
    from orchestrator.report import write_report

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
        "warnings": [*plan.warnings, *built.warnings],
        "participants": {
            peer.name: {"compute_s": round(peer.compute_s, 3), "wait_s": round(peer.wait_s, 3)}
            for peer in coordinator.peers.values()
        },
    }


def this_command() -> list[str]:
    """Returns what the user typed."""
    return ["cosim", *sys.argv[1:]]
