"""A run directory made complete: result files, provenance, and the manifest that says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.processes.collector import Collected, collect_apart
from tvb_nest_cosim.cosim_core.run_dir.checked_files import CheckedFiles
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.lock import run_lock
from tvb_nest_cosim.cosim_core.run_dir.manifest import (
    FileEntry,
    Manifest,
    drawn_files,
    entries,
    input_files,
    journal_files,
    small_files,
)
from tvb_nest_cosim.cosim_core.run_dir.plan_file import read_plan
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance

_logger = logging.getLogger(__name__)


class MakeResults(Protocol):
    """Makes result files, as :func:`collect` says."""

    def __call__(
        self, root: Path, *, only: Collection[str] | None = None, partial: bool = False
    ) -> Collected:
        """Makes them."""


def complete(
    root: Path,
    *,
    partial: bool = False,
    tell: Callable[[str], None] = _logger.warning,
    make: MakeResults = collect_apart,
) -> None:
    """Makes the results of a run that has ended, as far as they are missing or damaged.

    Of a complete run every byte is compared with its manifest, but for report and figures.

    Args:
        root: Run directory.
        partial: Of a run whose journals are damaged, make results of what is left; it does not
            become complete by that.
        tell: Called with what is wrong, a line each.
        make: Makes the result files.

    Raises:
        RunDirectoryError: If it is not a run directory, goes on, is damaged, or cannot be written.
    """
    layout = RunLayout(root)
    read_plan(root)  # no other folder gets a lock
    with run_lock(layout):
        manifest = _usable_manifest(layout, tell)
        try:
            _complete(layout, manifest, tell, make)
        except RunDirectoryError as error:
            if not partial:
                raise
            tell(f"what follows is of a damaged run: {error}")
            keep = [] if manifest is None else _whole_results(layout, manifest)
            make(root, only=[p.name for p in layout.results() if p not in keep], partial=True)


def seal(
    layout: RunLayout, collected: Collected, known: Mapping[str, FileEntry] | None = None
) -> None:
    """Writes the manifest of a run whose other files are all there; the caller holds its lock.

    Args:
        layout: Paths of the run.
        collected: Its results.
        known: Files that have just been read, which need not be read again.

    Raises:
        RunDirectoryError: If a file cannot be read, or the manifest not be written.
    """
    plan, _ = read_plan(layout.root)
    paths = [
        *small_files(layout),
        *input_files(layout),
        *journal_files(layout, plan),
        *(layout.root / name for name in collected.files),
        *drawn_files(layout),
    ]
    Manifest(
        run=plan.run,
        windows=collected.windows,
        simulated_ms=collected.simulated_ms,
        digest=collected.digest,
        files=entries(layout, paths, known),
    ).write(layout)


def list_drawn(layout: RunLayout) -> None:
    """Adds report and figures to the manifest, if there is one; the caller holds the lock.

    Raises:
        RunDirectoryError: If a file cannot be read, or the manifest not be written.
    """
    manifest = Manifest.read(layout)
    if manifest is not None:
        files = {**manifest.files, **entries(layout, drawn_files(layout))}
        manifest.model_copy(update={"files": files}).write(layout)


def _usable_manifest(layout: RunLayout, tell: Callable[[str], None]) -> Manifest | None:
    try:
        return Manifest.read(layout)
    except RunDirectoryError as error:
        tell(str(error))
        return None


def _complete(
    layout: RunLayout,
    manifest: Manifest | None,
    tell: Callable[[str], None],
    make: MakeResults,
) -> None:
    if manifest is None:
        layout.manifest.unlink(missing_ok=True)  # a damaged one would be in the way
        collected = make(layout.root)
        _note_results(layout, collected)
        seal(layout, collected)
        return
    files = CheckedFiles(layout, manifest)
    files.check_records()
    damaged = files.damaged_results()
    if damaged:
        names = [path.name for path in damaged]
        tell(f"made again from the journals: {', '.join(names)} ({next(iter(damaged.values()))})")
        collected = make(layout.root, only=names)
        whole = {name: entry for name, entry in manifest.files.items() if name not in names}
        seal(layout, collected, whole)


def _whole_results(layout: RunLayout, manifest: Manifest) -> list[Path]:
    files = CheckedFiles(layout, manifest)
    damaged = files.damaged_results()
    return [path for path in layout.results() if files.lists(path) and path not in damaged]


def _note_results(layout: RunLayout, collected: Collected) -> None:
    """Completes a provenance that was written when results could not be."""
    known = Provenance.read(layout.root)
    if known is not None and known.digest is None and collected.digest is not None:
        noted = {"digest": collected.digest, "windows_done": collected.windows}
        known.model_copy(update=noted).write(layout.root)
