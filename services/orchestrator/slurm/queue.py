"""Slurm's commands: the only module that calls them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import CosimError

_TIMEOUT_S = 60.0

WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "SUSPENDED"})
RUNNING = frozenset({"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING"})


class SchedulerError(CosimError):
    """A command of Slurm is missing, failed, or gave no answer."""


@dataclass(frozen=True)
class JobState:
    """What Slurm says of a job.

    Attributes:
        name: ``PENDING``, ``RUNNING``, ``COMPLETED``, ``CANCELLED``, ``TIMEOUT`` ...
        reason: Why it waits, in Slurm's words; else without meaning.
    """

    name: str
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however."""
        return self.name not in WAITING | RUNNING


def submit(script: Path) -> str:
    """Submits a batch script and returns the number of the job.

    Raises:
        SchedulerError: If Slurm does not take it; its words are in the message.
    """
    answer = _call("sbatch", "--parsable", str(script))
    return answer.strip().partition(";")[0]


def state(job: str) -> JobState:
    """Asks for the state of a job, which may have ended long ago.

    Raises:
        SchedulerError: If neither the queue nor the accounts know it.
    """
    try:
        answer = _call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%r")
        if answer.strip():
            name, _, reason = answer.splitlines()[0].partition("|")
            return JobState(name.strip(), reason.strip().removesuffix("None"))
    except SchedulerError as error:
        if "Invalid job id" not in str(error):
            raise
    # The queue forgets a job some minutes after its end.
    answer = _call(
        "sacct", "--noheader", "--allocations", "--parsable2", "--format=State", "-j", job
    )
    if not answer.strip():
        raise SchedulerError(f"neither squeue nor sacct knows job {job}")
    return JobState(answer.split()[0])


def elements(job: str) -> dict[int, JobState]:
    """Asks for the states of an array's elements, by index; what ended long ago is left out.

    Raises:
        SchedulerError: If Slurm gives no answer.
    """
    fields = ("--noheader", "--array", "--states=all", f"--jobs={job}", "--format=%K|%T|%r")
    try:
        answer = _call("squeue", *fields)
    except SchedulerError as error:
        if "Invalid job id" not in str(error):
            raise
        return {}
    rows = [line.strip().split("|", 2) for line in answer.splitlines()]
    return {int(index): JobState(name, reason) for index, name, reason in rows}


def cancel(job: str, *, in_good_order: bool) -> None:
    """Ends a job array.

    Args:
        job: Its number.
        in_good_order: Take out what waits, and let what runs end at a window.

    Raises:
        SchedulerError: If Slurm gives no answer.
    """
    if in_good_order:
        _call("scancel", "--state=PENDING", job)
        _call("scancel", "--batch", "--signal=INT", job)
    else:
        _call("scancel", job)


def _call(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        raise SchedulerError(
            f"{program} is not in PATH; submit from a login node of the cluster, or print the "
            "script with --dry-run and submit it there"
        )
    try:
        done = subprocess.run(  # noqa: S603 - typed values, no shell
            [program, *arguments],
            capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError(f"{program} gave no answer: {error}") from error
    if done.returncode != 0:
        raise SchedulerError(f"{program}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
