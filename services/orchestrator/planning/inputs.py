"""Copies what an experiment names into the run directory, with digests that later runs check.

A run reads its modules, series, sensor files and connectome from ``inputs`` in its run directory,
so that what is digested is what is executed. ``inputs.json`` beside it holds the digests. See
docs/decisions/0018-inputs-are-copied.md, also for what is not covered.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, RunJournal
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import OUTSIDE, find_run, link_path
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.orchestrator.planning.named_inputs import EARLIER_RUN, named_inputs, packages_of

_REMEDY = (
    "Restore the file; or, to run what is there now, copy experiment.yaml and the content of "
    "inputs into a new folder and run them there"
)


class Manifest(BaseModel):
    """Content of ``inputs.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 by path in ``inputs``."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Distribution and version by a name in the experiment that is not copied."""


def checked_folder(experiment: Experiment, base_dir: Path) -> Path:
    """Returns the folder in which the names in an experiment are looked up.

    That is the folder of the experiment file, or, if this is a run directory, its ``inputs``.

    Args:
        experiment: The experiment.
        base_dir: Folder of the experiment file.

    Raises:
        ExperimentError: If a file cannot be read, or is not the one that the run of this run
            directory read.
    """
    layout = RunLayout(base_dir.absolute())
    faults: list[Fault | None]
    if not (layout.plan.is_file() and layout.inputs_manifest.is_file()):
        folder = layout.root
        found = named_inputs(experiment, folder)
        faults = [_difference(layout, key, path, None) for key, path in found.files.values()]
    else:
        folder, recorded = layout.inputs, _manifest(layout).files
        found = named_inputs(experiment, folder)
        faults = [
            Fault("", f"{folder / place} is missing, which the run read. {_REMEDY}")
            for place in _lost(folder, recorded)
        ]
        for place, (key, path) in found.files.items():
            unknown = "no such file" if path.is_relative_to(folder) else None
            faults.append(_difference(layout, key, path, recorded.get(place, unknown)))
    wrong = [fault for fault in faults if fault]
    if wrong:
        raise ExperimentError(wrong)
    return folder


def check_earlier_run(experiment: Experiment, folder: Path) -> None:
    """Reads the earlier run that stands in for a simulator, if there is one here.

    Args:
        experiment: The experiment.
        folder: Folder in which its names are looked up.

    Raises:
        ExperimentError: If that run is damaged.
    """
    if not isinstance(experiment.stand_in, RunJournal):
        return
    root = find_run(folder, experiment.stand_in.run)
    if not root.is_dir():
        return  # whether the participants can see it they will say themselves
    # Loads h5py, for which other plans need not wait.
    from tvb_nest_cosim.cosim_core.results import check_records

    try:
        check_records(root)
    except RunDirectoryError as error:
        raise ExperimentError.single(EARLIER_RUN, str(error)) from error


def copy_inputs(plan: RunPlan, layout: RunLayout) -> RunPlan:
    """Copies what the experiment names into a run directory and lets the plan refer to the copies.

    An earlier run that stands in for a simulator is linked, not copied.

    Raises:
        ExperimentError: If a package is too large to be copied.
        RunDirectoryError: If a file cannot be read or written.
    """
    base_dir, stand_in = Path(plan.base_dir), plan.experiment.stand_in
    inputs = named_inputs(plan.experiment, base_dir)
    digests: dict[str, str] = {}
    try:
        layout.inputs.mkdir()
        for place, (key, path) in inputs.files.items():
            target = layout.inputs / place
            if key != EARLIER_RUN:
                target.parent.mkdir(parents=True, exist_ok=True)
                path = Path(shutil.copyfile(path, target))
            with path.open("rb") as file:
                digests[place] = hashlib.file_digest(file, "sha256").hexdigest()
        if isinstance(stand_in, RunJournal):
            link = layout.inputs / link_path(stand_in.run)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(find_run(base_dir, stand_in.run).absolute())
    except OSError as error:
        raise RunDirectoryError(
            f"the files that the experiment names cannot be copied to {layout.inputs}: {error}"
        ) from error
    manifest = Manifest(files=digests, packages=packages_of(inputs.elsewhere))
    write_atomically(layout.inputs_manifest, manifest.model_dump_json(indent=1).encode())
    return plan.model_copy(update={"base_dir": str(layout.inputs)})


def recorded_inputs(layout: RunLayout) -> dict[str, dict[str, str]]:
    """Returns digests and packages of a run's inputs for its provenance."""
    return _manifest(layout).model_dump()


def _manifest(layout: RunLayout) -> Manifest:
    try:
        return Manifest.model_validate_json(layout.inputs_manifest.read_bytes())
    except (OSError, ValidationError) as error:
        raise ExperimentError.single(
            "", f"{layout.inputs_manifest} is damaged or of another version of this program"
        ) from error


def _lost(folder: Path, recorded: Iterable[str]) -> list[str]:
    """Lists copies that are gone; a file of their name elsewhere must not replace them unseen."""
    return [
        place
        for place in recorded
        if not place.startswith(OUTSIDE) and not (folder / place).is_file()
    ]


def _difference(layout: RunLayout, key: str, path: Path, expected: str | None) -> Fault | None:
    """Checks that a file can be read and, unless ``expected`` is None, has this digest."""
    try:
        with path.open("rb") as file:
            if expected is None:
                return None
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return Fault(key, f"cannot read {path}: {error.strerror or error}")
    if digest == expected:
        return None
    return Fault(
        key,
        f"{path} is not the file that the run in {layout.root} read: its SHA-256 is {digest}, in "
        f"{layout.inputs_manifest.name} stands {expected}. {_REMEDY}",
    )
