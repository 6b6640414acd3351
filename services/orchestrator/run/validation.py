"""Validates an experiment by letting every participant build its side, without running anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL
from tvb_nest_cosim.orchestrator.planning.checks import admit
from tvb_nest_cosim.orchestrator.planning.inputs import copy_inputs
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run.peers import Outcome
from tvb_nest_cosim.orchestrator.run.session import Observer, Session

_NEEDED_TO_BUILD = frozenset({"resources.nest.ranks", "TMPDIR", "ulimit -n"})
"""Key paths of what has to be right before a participant can be asked anything."""


def check(planned: Planned, launcher: Launcher = LOCAL, *, may_rename: bool = False) -> None:
    """Admits a run, or asks the participants as well, so that all faults are reported at once.

    Args:
        planned: The run.
        launcher: Where its processes will come from.
        may_rename: Whether the run directory may get another name if its own is taken.

    Raises:
        ExperimentError: With every fault found.
    """
    try:
        admit(planned, is_here=launcher.is_here, may_exist=may_rename)
    except ExperimentError as error:
        further = _further_faults(planned, error.faults) if launcher.is_here else []
        raise ExperimentError([*error.faults, *further]) from error


def _further_faults(planned: Planned, known: Iterable[Fault]) -> list[Fault]:
    """Asks the participants, unless what is known to be wrong keeps them from starting."""
    paths = {fault.path for fault in known}
    if paths & _NEEDED_TO_BUILD:
        return []
    try:
        validate(planned)
    except ExperimentError as error:
        return [fault for fault in error.faults if fault.path not in paths]
    return []


def validate(
    planned: Planned,
    observe: Observer = lambda coordinator: None,
    *,
    launcher: Launcher = LOCAL,
    below: Path | None = None,
) -> list[str]:
    """Lets every participant build its side, and runs nothing.

    Args:
        planned: The run.
        observe: Called with the state of the validation as it goes on.
        launcher: Where its processes come from.
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
        plan = planned.plan.model_copy(update={"run_dir": str(layout.root)})
        plan = copy_inputs(with_own_connectome(plan, layout), layout)
        session = Session(plan, launcher.open(plan), observe=observe, only_build=True)
        outcome, _ = session.run()
        if outcome.kind == "interrupted":
            raise KeyboardInterrupt
        if outcome.kind != "validated":
            raise as_error(outcome)
        return [*plan.warnings, *session.coordinator.built().warnings]


def with_own_connectome(plan: RunPlan, layout: RunLayout) -> RunPlan:
    """Copies the connectome into the run directory, where later readers will find it."""
    write_atomically(layout.connectome, Path(plan.connectome_path).read_bytes())
    return plan.model_copy(update={"connectome_path": str(layout.connectome)})


def as_error(outcome: Outcome) -> ExperimentError:
    """Turns the outcome of a run that never started into faults."""
    if outcome.faults:
        return ExperimentError(outcome.faults)
    return ExperimentError.single("", outcome.cause, outcome.detail)
