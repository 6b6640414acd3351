"""Resources that a job asks Slurm for, as the first lines of a batch script. Pure.

Every text that a user chose passes ``quoted`` or ``directive`` here, and nothing else quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import Fault

_UNSAFE = re.compile(r"([^A-Za-z0-9_@+=:,./-])")
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*")
_TIME = re.compile(r"\d+(:\d\d){0,2}|\d+-\d\d?(:\d\d){0,2}")
_ARRAY = re.compile(r"\d+(-\d+(:\d+)?)?(,\d+(-\d+(:\d+)?)?)*(%\d+)?")


def quoted(text: str) -> str:
    r"""Returns a text as one word of a shell, and of Slurm's directives.

    A backslash before every character that might mean something is the one way that both read
    alike: in a directive it has its meaning even within quotes.
    """
    return _UNSAFE.sub(r"\\\1", text) if text else "''"


def command_line(words: Sequence[str]) -> str:
    """Returns a command as a line of a shell."""
    return " ".join(quoted(word) for word in words)


@dataclass(frozen=True)
class Group:
    """Tasks that are placed together; a job of several groups is heterogeneous.

    Attributes:
        tasks: Number of tasks.
        cpus: Cores per task.
        one_node: Whether all have to share a node.
    """

    tasks: int
    cpus: int
    one_node: bool


@dataclass(frozen=True)
class Request:
    """What a job asks for.

    Attributes:
        name: Name of the job.
        output: File for what the script writes; ``%A`` and ``%a`` stand for the job and the element
            of an array.
        groups: Where its tasks run; the script runs in the first.
        partition: Partition; None: the cluster's default, as for everything below.
        account: Account.
        time: Time limit as Slurm writes it, e.g. ``30``, ``1:30:00`` or ``2-00``.
        constraint: Features of nodes.
        array: Elements of an array of jobs, e.g. ``0-99%4``; such a job has one group.
        warn_s: How many seconds before the time limit the script gets SIGUSR1; None: never.
        further: Further options, e.g. ``--mem=4G``; they hold for every group.
    """

    name: str
    output: Path
    groups: tuple[Group, ...]
    partition: str | None = None
    account: str | None = None
    time: str | None = None
    constraint: str | None = None
    array: str | None = None
    warn_s: int | None = None
    further: tuple[str, ...] = ()


def request_faults(request: Request) -> list[Fault]:
    """Finds what cannot be said in a batch script, or that Slurm would misread."""
    texts = {
        "--partition": request.partition,
        "--account": request.account,
        "--constraint": request.constraint,
        "--out": str(request.output),
        **{f"--sbatch-arg {option}": option for option in request.further},
    }
    faults = [
        Fault(path, f"{text!r} holds a line break or another control character")
        for path, text in texts.items()
        if text is not None and not _ONE_LINE.fullmatch(text)
    ]
    if "\\" in str(request.output):
        faults.append(Fault("--out", f"{request.output}: Slurm takes no backslash in a path"))
    if request.time is not None and not _TIME.fullmatch(request.time):
        what = "use minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS"
        faults.append(Fault("--time", f"{request.time!r} is not a time limit; {what}"))
    if request.array is not None and not _ARRAY.fullmatch(request.array):
        faults.append(
            Fault("--array", f"{request.array!r} is not a list of elements, as 0-99%4 is")
        )
    faults += [
        Fault("--sbatch-arg", f"{option!r} is not an option of sbatch, as --mem=4G is")
        for option in request.further
        if not option.startswith("-")
    ]
    return faults


def directives(request: Request) -> list[str]:
    """Returns the lines by which a script asks for what it needs."""
    lines: list[str] = []
    for number, group in enumerate(request.groups):
        if number:
            lines.append("#SBATCH hetjob")
        lines += _once(request) if number == 0 else ()
        lines += _every(request, group)
    return lines


def _once(request: Request) -> Iterator[str]:
    yield _directive("--job-name", request.name)
    yield _directive("--output", _file_pattern(request))
    if request.array is not None:
        yield _directive("--array", request.array)
    if request.warn_s is not None:
        yield _directive("--signal", f"B:USR1@{request.warn_s}")


def _every(request: Request, group: Group) -> Iterator[str]:
    options = {
        "--partition": request.partition,
        "--account": request.account,
        "--time": request.time,
        "--constraint": request.constraint,
        "--nodes": "1" if group.one_node else None,
        "--ntasks": str(group.tasks),
        "--cpus-per-task": str(group.cpus),
    }
    for option, value in options.items():
        if value is not None:
            yield _directive(option, value)
    for option in request.further:
        yield f"#SBATCH {quoted(option)}"


def _directive(option: str, value: str) -> str:
    return f"#SBATCH {option}={quoted(value)}"


def _file_pattern(request: Request) -> str:
    """Keeps a percent sign of a path from being read as a pattern; an array needs its own."""
    folder, name = request.output.parent, request.output.name
    escaped = str(folder).replace("%", "%%")
    return f"{escaped}/{name if request.array is not None else name.replace('%', '%%')}"
