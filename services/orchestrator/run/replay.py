"""One simulator alone against the journal of a run; it must do again exactly what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, RunJournal
from tvb_nest_cosim.cosim_core.results import digest_lines, open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout


def replay_experiment(root: Path, participant: Literal["nest", "tvb"]) -> tuple[Experiment, Path]:
    """Makes the experiment that replays one side of a recorded run.

    Args:
        root: Run directory of a co-simulation.
        participant: The side to simulate; the other comes from the journal.

    Returns:
        The experiment, and the folder that its relative paths refer to.

    Raises:
        ExperimentError: If the run was no co-simulation.
        RunDirectoryError: If it is no run directory.
    """
    with open_run(root) as run:
        recorded, plan = run.experiment, run.plan
    if recorded.simulators != "both":
        raise ExperimentError.single(
            "", f"{root} is a run of {recorded.simulators} alone; there is no other side to replay"
        )
    experiment = recorded.model_copy(
        update={
            "name": f"{recorded.name}-{participant}-replay",
            "simulators": participant,
            "stand_in": RunJournal(kind="journal", run=str(root.absolute())),
        }
    )
    has_copies = RunLayout(root).inputs_manifest.is_file()
    return experiment, root if has_copies else Path(plan.base_dir)


def compare(recorded: Path, replayed: Path, participant: Literal["nest", "tvb"]) -> list[str]:
    """Compares what one simulator did in two runs.

    Returns:
        Nothing if it is the same to the last bit, else the series of the recorded run that the
        replay does not have.
    """
    kind = "spikes" if participant == "nest" else "monitor"
    found = set(digest_lines(replayed))
    return [line for line in digest_lines(recorded) if line.startswith(kind) and line not in found]
