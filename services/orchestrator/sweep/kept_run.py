"""The run directory of a point: whether it is the complete run that a row may be made of."""

from __future__ import annotations

import shutil
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.results import check_records, complete, open_run
from tvb_nest_cosim.cosim_core.run_dir.checked_files import CheckedFiles
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance


class DamagedRunError(RunDirectoryError):
    """A run that has finished cannot be read any more; its point has to be run again."""


def finished_run(root: Path, experiment_digest: str) -> Provenance | None:
    """Returns the provenance of a run that finished and was this very experiment, else None.

    Raises:
        DamagedRunError: If it cannot be read.
    """
    try:
        found = Provenance.read(root)
    except RunDirectoryError as error:
        raise DamagedRunError(str(error)) from error
    if found is None or found.outcome != "finished":
        return None
    return found if found.experiment_digest == experiment_digest else None


def digest_of_complete(root: Path) -> str | None:
    """Returns the digest that the manifest of a run holds; sizes alone of large files are compared.

    Returns:
        The digest; None if the run is not complete, or damaged.
    """
    try:
        with open_run(root) as run:
            return run.digest if run.is_complete else None
    except RunDirectoryError:
        return None


def make_complete(root: Path) -> None:
    """Makes results that are missing or damaged from the journals, and compares all files.

    Raises:
        DamagedRunError: If the journals, or what is needed to read them, are not whole.
        RunDirectoryError: If the run is whole, but its results cannot be made now, e.g. because
            the disk is full or another process is about to make them.
    """
    try:
        complete(root)
    except RunDirectoryError as error:
        if (damage := _damage(root)) is not None:
            raise DamagedRunError(str(damage)) from error
        raise


def check_copy(root: Path) -> None:
    """Makes sure that a copy of the results, as a server hands it out, is complete.

    Raises:
        RunDirectoryError: If it lacks its manifest, or a result file is missing or damaged.
    """
    layout = RunLayout(root)
    files = CheckedFiles.open(layout)
    if files is None:
        raise RunDirectoryError(f"{layout.manifest.name} is missing, which a run gets at its end")
    for error in files.damaged_results().values():
        raise error


def discard(root: Path) -> None:
    """Removes the run directory of a point that is to be run again, unless somebody works in it.

    Raises:
        RunDirectoryError: If that is not possible.
    """
    if not root.exists():
        return
    with run_lock(RunLayout(root)):
        try:
            shutil.rmtree(root)
        except OSError as error:
            raise RunDirectoryError(
                f"{root} is in the way of a new run and cannot be removed: {error}"
            ) from error


def _damage(root: Path) -> RunDirectoryError | None:
    """Finds out, without writing, whether all that results are made of is whole."""
    try:
        check_records(root)
    except RunDirectoryError as error:
        return error
    return None
