"""Batch scripts: pure functions of typed values.

The script of an ensemble starts the orchestrator beside itself, waits until it listens, and then
starts the participants: TVB and the translator on the same node, NEST's ranks by ``srun`` on nodes
of their own. With an ``mpirun`` of which Slurm knows nothing, all share one node.
Simulators are started by the script and not by the orchestrator, so that this works from within
images as well, where neither ``srun`` nor Apptainer is. What the two tell each other lies in the
folder ``$COSIM_JOB``; ``orchestrator.launchers.job`` is the other side of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.processes.commands import (
    ORCHESTRATOR,
    first_rank_option,
    module_command,
    worker_environment,
)
from tvb_nest_cosim.cosim_core.processes.mpi import STARTERS, StarterName
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import (
    LAUNCH_ORDER,
    MODULES,
    Program,
    Role,
    programs_of,
)
from tvb_nest_cosim.orchestrator.slurm.request import (
    Group,
    Request,
    command_line,
    directives,
    quoted,
)

_NEST_GROUP = ("--het-group=1", "--export=ALL", "--input=none")

_HIDE_SLURM = (
    "env",
    *(
        f"--unset={name}"
        for name in (
            *("SLURM_JOBID", "SLURM_JOB_ID", "SLURM_NODELIST", "SLURM_JOB_NODELIST"),
            *("SLURM_STEPID", "SLURM_STEP_ID"),
        )
    ),
)
"""An MPI that sees Slurm calls srun, which no image has, or asks a lone process for its rank."""

_OTHERS_CPUS = 2
"""TVB keeps a core busy; the orchestrator and the translator need little."""

_TAKE_PART = """\
# Runs a participant; its process group and its exit code are for the orchestrator.
take_part() {
    trap '' TERM
    echo "$BASHPID" >"$COSIM_JOB/$1.group"
    "${@:2}" >"$logs/$1.out" 2>&1 </dev/null 3>&-
    echo "$?" >"$COSIM_JOB/$1.part" && mv "$COSIM_JOB/$1.part" "$COSIM_JOB/$1.code"
}

# Hands a signal on to the orchestrator, which ends the run and keeps what was computed. All others
# are deaf to SIGTERM, which scancel sends to everybody.
hand_on() {
    handed_on=yes
    kill -s "$1" "$(cat "$COSIM_JOB/orchestrator.pid")" || exit 1
}
trap 'hand_on USR1' USR1
trap 'hand_on TERM' TERM
"""

_LISTEN = """\
# It says where it listens, or ends without a word.
control=
until read -r -t 1 control digest <&3; do
    [ -n "$(jobs -rp)" ] || break
done
"""

_LEAVE = """\
while handed_on=; wait "$orchestrator"; code=$?; [ -n "$handed_on" ]; do :; done
exit "$code"
"""

_ENGINE = """\
engine=$(command -v apptainer || command -v singularity) || {
    echo "neither apptainer nor singularity is in PATH on $(hostname)" >&2
    exit 1
}
unset PYTHONPATH PYTHONHOME
"""


@dataclass(frozen=True)
class EnsembleJob:
    """An ensemble as a job.

    Attributes:
        out: Run directory, absolute.
        command: Arguments of ``cosim`` on the node.
        participants: Processes by role.
        nest_kernels: How many NESTs share the ranks of that role; each is a job step of its own.
        threads: Threads of a rank of NEST.
        mpi: What starts ranks.
        python: Interpreter that has everything, where there are no images.
        images: Folder of ``orchestrator.sif``, ``nest.sif``, ``tvb.sif`` and ``translator.sif``.
        binds: Folders that images must see besides home and temporary files.
    """

    out: Path
    command: tuple[str, ...]
    participants: Mapping[str, int]
    threads: int
    mpi: StarterName
    python: str
    images: Path | None = None
    binds: tuple[Path, ...] = ()
    nest_kernels: int = 1

    @property
    def ranks(self) -> int:
        """Ranks of NEST; 0 if it takes no part."""
        return self.participants.get("nest", 0)

    @property
    def is_one_node(self) -> bool:
        """Whether ranks are started by a program that Slurm knows nothing of."""
        return STARTERS[self.mpi].program != "srun"

    def groups(self) -> tuple[Group, ...]:
        """Returns what to ask for: the orchestrator's node, and NEST's."""
        if self.is_one_node:
            return (Group(tasks=1, cpus=_OTHERS_CPUS + self.ranks * self.threads, one_node=True),)
        here = Group(tasks=1, cpus=_OTHERS_CPUS, one_node=True)
        if not self.ranks:
            return (here,)
        return (here, Group(tasks=self.ranks, cpus=self.threads, one_node=False))


def array_script(
    request: Request,
    words: Sequence[str],
    elements: Mapping[int, Sequence[str]],
    image: Path | None = None,
    binds: Sequence[Path] = (),
) -> str:
    """Returns the script of a job array, whose elements are one command with words of their own.

    Args:
        request: What it asks for; its ``array`` names the elements.
        words: How the command begins.
        elements: How it goes on, by index.
        image: In which it is run, if in any.
        binds: Folders that the image must see besides home and temporary files.
    """
    cases = [f"{index}) set -- {command_line(own)} ;;" for index, own in elements.items()]
    choice = ['case "$SLURM_ARRAY_TASK_ID" in', *cases, "*) exit 2 ;;", "esac"]
    engine = _ENGINE.splitlines() if image else ()
    within = _in_image(image, binds) if image else ""
    return _script(request, [*choice, *engine, f'exec {within}{command_line(words)} "$@"'])


def ensemble_script(request: Request, job: EnsembleJob) -> str:
    """Returns the script of a whole ensemble."""
    layout = RunLayout(job.out)
    starts = [
        f"    take_part {program.label} {_participant(job, role, program)} &"
        for role in LAUNCH_ORDER
        if job.participants.get(role)
        for program in programs_of(
            role, job.participants[role], job.nest_kernels if role == "nest" else 1
        )
    ]
    return _script(
        request,
        [
            "# Every participant leads a process group of its own.",
            "set -m",
            "COSIM_JOB=$(mktemp --directory --tmpdir cosim-XXXXXXXX) || exit 1",
            f"export COSIM_JOB COSIM_KEYS={quoted(str(layout.keys))}",
            f"logs={quoted(str(layout.logs))}",
            'trap \'rm -rf "$COSIM_JOB" "$COSIM_KEYS"\' EXIT',
            'mkfifo "$COSIM_JOB/call" && exec 3<>"$COSIM_JOB/call" || exit 1',
            *_variables(),
            "",
            *_TAKE_PART.splitlines(),
            "",
            *(_ENGINE.splitlines() if job.images else ()),
            f"(trap '' TERM && exec {_orchestrator(job)}) 3>&- &",
            "orchestrator=$!",
            *_LISTEN.splitlines(),
            'if [ -n "$control" ]; then',
            *starts,
            "fi",
            *_LEAVE.splitlines(),
        ],
    )


def _script(request: Request, body: Sequence[str]) -> str:
    head = ["#!/bin/bash", "# Made by cosim; 'sbatch' and the name of this file submit it."]
    return "\n".join([*head, *directives(request), "", *body, ""])


def _variables() -> list[str]:
    """Returns what workers need in their environment, unless the user has said otherwise."""
    needed = worker_environment("nest", {})
    return [f"export {name}=${{{name}:-{quoted(value)}}}" for name, value in needed.items()]


def _orchestrator(job: EnsembleJob) -> str:
    words = ["cosim"] if job.images else module_command(ORCHESTRATOR, python=job.python)
    return f"{_within(job, 'orchestrator')}{command_line([*words, *job.command])}"


def _participant(job: EnsembleJob, role: Role, program: Program) -> str:
    """Returns how a program is started: by Slurm and MPI if need be, in an image if there are."""
    python = "python" if job.images else job.python
    worker = (
        f"{command_line(module_command(MODULES[role], 'worker', python=python))} "
        f'--control "$control" --run {quoted(job.out.name)} --digest "$digest"'
    )
    worker = " ".join([worker, *first_rank_option(program)])
    if role != "nest":
        return f"{_within(job, role)}{worker}"
    count = len(program.names)
    line = STARTERS[job.mpi].line(count)
    if job.is_one_node:
        # The mpirun of the image fits the MPI that its NEST was built with.
        ranks = line if count > 1 else []
        return f"{_within(job, role)}{command_line([*_HIDE_SLURM, *ranks])} {worker}"
    alone = count == 1
    tasks = ["srun", "--mpi=none", "--ntasks=1"] if alone else line
    # Steps beside one another take only what each needs.
    share = ["--exact"] if job.nest_kernels > 1 else []
    group = command_line([*tasks, *share, *_NEST_GROUP, f"--cpus-per-task={job.threads}"])
    hide = f"{command_line(_HIDE_SLURM)} " if alone else ""
    return f"{group} {_within(job, role)}{hide}{worker}"


def _within(job: EnsembleJob, name: str) -> str:
    """Returns what stands before a command to run it in an image; nothing if there are none."""
    if job.images is None:
        return ""
    folder = '--bind "$COSIM_JOB" ' if name == "orchestrator" else ""
    return _in_image(job.images / f"{name}.sif", job.binds, folder)


def _in_image(image: Path, binds: Sequence[Path], further: str = "") -> str:
    """Returns what stands before a command to run it in an image; ``_ENGINE`` comes before.

    Args:
        image: The image.
        binds: Folders that it must see.
        further: Further options, as the shell is to read them.
    """
    mounts = [word for path in binds for word in ("--mount", _mount(path))]
    return f'"$engine" --silent exec {further}{command_line([*mounts, str(image)])} '


def _mount(path: Path) -> str:
    """Returns a mount as Apptainer reads it: comma-separated fields, quoted if need be."""
    text = str(path).replace('"', '""')
    return f'type=bind,"source={text}","destination={text}"'
