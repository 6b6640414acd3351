"""``cosim run --launcher slurm``: from an experiment to a job, and what the login node shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import EXIT_FAILED, ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.cosim_core.run_dir.logs import LogTail
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.planning.checks import admit
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.slurm import queue
from tvb_nest_cosim.orchestrator.slurm.options import JobChoice
from tvb_nest_cosim.orchestrator.slurm.request import Request, request_faults
from tvb_nest_cosim.orchestrator.slurm.script import EnsembleJob, ensemble_script

WARN_S = 120
"""How long before its time limit a run begins to end; Slurm may say so up to a minute earlier."""

ASK_EVERY_S = 2.0
"""How often Slurm is asked for the state of a followed job."""

PATIENCE_S = 120.0
"""How long it may give no answer before the job is no longer followed."""


@dataclass(frozen=True)
class Submission:
    """A run to be submitted.

    Attributes:
        experiment: Experiment file, absolute.
        overrides: Changes of its values.
        out: Run directory that the job makes, absolute.
        planned: Its plan.
        draw: Draw figures and report.
    """

    experiment: Path
    overrides: tuple[str, ...]
    out: Path
    planned: Planned
    draw: bool = True

    @property
    def script(self) -> Path:
        """The batch script, beside the run directory."""
        return self.out.with_name(f"{self.out.name}.sbatch")

    @property
    def log(self) -> Path:
        """What the script and the orchestrator write, beside the run directory."""
        return self.out.with_name(f"{self.out.name}.log")


def submit(what: Submission, choice: JobChoice, console: Console) -> int:
    """Submits a run, or prints its script; returns the exit code.

    Raises:
        ExperimentError: With every fault found.
        SchedulerError: If Slurm does not take the job.
    """
    request, job = _typed(what, choice)
    faults = [*request_faults(request), *_image_faults(job)]
    if faults:
        raise ExperimentError(faults)
    admit(what.planned, is_here=False)
    script = ensemble_script(request, job)
    if choice.dry_run:
        typer.echo(script, nl=False)
        return 0
    _claim(what.script)
    try:
        write_atomically(what.script, script.encode())
        number = queue.submit(what.script)
    except (RunDirectoryError, queue.SchedulerError):
        what.script.unlink()
        raise
    _say(console, f"job     {number}, 'scancel {number}' ends it")
    _say(console, f"results {what.out}")
    _say(console, f"log     {what.log}")
    return _follow(number, what, console) if choice.follow else 0


def _claim(path: Path) -> None:
    """Makes the file of a batch script, whose name is that of one job only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
    except FileExistsError as error:
        raise ExperimentError.single(
            "--out",
            f"{path} exists, so a job with these results was submitted before. Choose another "
            "folder, or, if that job is over, remove the file",
        ) from error
    except OSError as error:
        raise RunDirectoryError(f"cannot make {path}: {error.strerror}") from error


def _typed(what: Submission, choice: JobChoice) -> tuple[Request, EnsembleJob]:
    plan = what.planned.plan
    job = EnsembleJob(
        out=what.out,
        command=tuple(_command(what, choice)),
        participants=plan.participants,
        nest_kernels=plan.nest_kernels,
        threads=plan.experiment.resources.nest.threads,
        mpi=choice.mpi,
        python=sys.executable,
        images=choice.images.absolute() if choice.images else None,
        binds=tuple(dict.fromkeys([what.out.parent, what.experiment.parent])),
    )
    request = Request(
        name=plan.experiment.name,
        output=what.log,
        groups=job.groups(),
        partition=choice.partition,
        account=choice.account,
        time=choice.time,
        constraint=choice.constraint,
        warn_s=WARN_S,
        further=choice.sbatch_arg,
    )
    return request, job


def _command(what: Submission, choice: JobChoice) -> Iterator[str]:
    """Yields the orchestrator's arguments on the node."""
    yield from ("run", str(what.experiment), "--out", str(what.out))
    for override in what.overrides:
        yield from ("--set", override)
    if not what.draw:
        yield "--no-report"
    yield from ("--mpi", choice.mpi)
    if choice.interface is not None:
        yield from ("--interface", choice.interface)


def _image_faults(job: EnsembleJob) -> list[Fault]:
    if job.images is None:
        return []
    names = ["orchestrator", *(role for role, count in job.participants.items() if count)]
    missing = [name for name in names if not (job.images / f"{name}.sif").is_file()]
    return [
        Fault("--images", f"there is no {job.images / name}.sif; 'make sif' builds it")
        for name in missing
    ]


def _follow(job: str, what: Submission, console: Console) -> int:
    """Shows the state of a job and what it writes until it has ended; returns its exit code."""
    log = LogTail(what.log)
    shown = state = queue.JobState("")
    patience = Deadline.after(PATIENCE_S)
    while True:
        try:
            state = queue.state(job)
            patience = Deadline.after(PATIENCE_S)
        except queue.SchedulerError:
            # A busy controller does not always answer.
            if patience.passed():
                raise
        if state != shown:
            shown = state
            waits = f", {state.reason}" if state.name in queue.WAITING and state.reason else ""
            _say(console, f"job {job} {state.name}{waits}")
        for line in log.new():
            _say(console, line.decode(errors="replace"))
        if state.is_over and state.name:
            return _exit_code(what.out, state)
        time.sleep(ASK_EVERY_S)


def _exit_code(out: Path, state: queue.JobState) -> int:
    """Returns how the run ended; a failure if it never got as far as to say so."""
    known = Provenance.read(out)
    if known is not None and known.exit_code is not None:
        return known.exit_code
    return 0 if state.name == "COMPLETED" else EXIT_FAILED


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
