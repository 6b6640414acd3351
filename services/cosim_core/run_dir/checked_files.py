"""The files of a complete run, compared with its manifest when they are first used."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.journal import where_it_ends
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import FileEntry, Manifest, small_files

REMEDY = (
    "Put a copy of the file in its place; to go on with what is there, say --partial to 'cosim "
    "report' and 'cosim digest', partial=True to open_run"
)
"""What to do about damage that cannot be made good from other files."""

_SETTLED_S = 2.0
"""Of a file that changed more recently, the next change may leave the same time."""


class CheckedFiles:
    """Refuses files that are not what the manifest says.

    A folder without journals is a copy of the results, as a server hands them out; what it lacks is
    refused when it is asked for. Report and figures are only drawings, and are not looked at.

    Args:
        layout: Paths of the run.
        manifest: Its manifest.
    """

    def __init__(self, layout: RunLayout, manifest: Manifest) -> None:
        self.manifest = manifest
        self._layout = layout
        self._checked: set[Path] = set()
        self._has_journals = layout.journals.is_dir()

    @classmethod
    def open(cls, layout: RunLayout) -> CheckedFiles | None:
        """Checks what is small, and sizes of all but results; None without a manifest.

        Raises:
            RunDirectoryError: If the manifest, or a file that it lists, is damaged or missing.
        """
        manifest = Manifest.read(layout)
        if manifest is None:
            return None
        files = cls(layout, manifest)
        for path in files._records():
            (files.check if path in small_files(layout) else files.check_size)(path)
        return files

    def check_records(self) -> None:
        """Compares every byte of what the results are made from.

        Raises:
            RunDirectoryError: If a file is damaged or missing.
        """
        for path in self._records():
            self.check(path)

    def damaged_results(self) -> dict[Path, RunDirectoryError]:
        """Compares every byte of the result files; returns those that are not what they were."""
        damaged = {}
        for path in self._layout.results():
            try:
                self.check(path)
            except RunDirectoryError as error:
                damaged[path] = error
        return damaged

    def lists(self, path: Path) -> bool:
        """Tells whether the run has such a file."""
        return self._name(path) in self.manifest.files

    def check_size(self, path: Path) -> None:
        """Compares the size of a file, if the run has it.

        Raises:
            RunDirectoryError: If it is another, or the file is missing.
        """
        entry = self.manifest.files.get(self._name(path))
        if entry is None:
            return
        try:
            size = path.stat().st_size
        except OSError as error:
            raise self._damaged(path, f"it cannot be read ({error.strerror})") from error
        if size != entry.bytes:
            raise self._damaged(path, f"it has {size} bytes, expected {entry.bytes}")

    def check(self, path: Path) -> None:
        """Compares every byte of a file, the first time, if the run has it.

        Raises:
            RunDirectoryError: If it differs, or is missing.
        """
        if path in self._checked:
            return
        self.check_size(path)
        entry = self.manifest.files.get(self._name(path))
        if entry is not None:
            found = _sha256(path)
            if found != entry.sha256:
                raise self._damaged(path, f"its SHA-256 is {found}, expected {entry.sha256}")
        self._checked.add(path)

    def _records(self) -> list[Path]:
        """Lists what results are made from, as far as this is no copy without it."""
        drawn = (self._layout.report, *self._layout.results())
        paths = [self._layout.root / name for name in self.manifest.files]
        return [
            path
            for path in paths
            if path not in drawn
            and path.parent != self._layout.figures
            and (self._has_journals or path.exists())
        ]

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._layout.root))

    def _damaged(self, path: Path, what: str) -> RunDirectoryError:
        root = self._layout.root
        text = f"{path} is not the file that {self._layout.manifest.name} lists: {what}"
        if path in self._layout.results():
            return RunDirectoryError(
                f"{text}. If the journals are whole, 'cosim report {root}' makes it again"
            )
        if path.parent == self._layout.journals and not self._has_journals:
            return RunDirectoryError(
                f"{root} is a copy of the results and holds no journals, from which digests and "
                "replays are made; use the original"
            )
        if path.parent == self._layout.journals and path.is_file():
            text = f"{text}; {_how_far(path)}"
        return RunDirectoryError(f"{text}. {REMEDY}")


def _how_far(journal: Path) -> str:
    try:
        return where_it_ends(journal)
    except RunDirectoryError as error:
        return str(error)


def _sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, which is read again only if it has changed."""
    found = path.stat()
    if time.time() - found.st_mtime < _SETTLED_S:
        return FileEntry.of(path).sha256
    return _remembered_sha256(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _remembered_sha256(path: Path, *_state: int) -> str:
    return FileEntry.of(path).sha256
