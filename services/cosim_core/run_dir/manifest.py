"""``manifest.json``: that a run's results are complete, and the bytes of every file of the run.

It is written last, when everything that it lists is on the disk. A run directory without it is not
complete, whatever else lies there; see docs/decisions/0019-a-manifest-is-written-last.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically


class FileEntry(BaseModel):
    """What a file of a run holds.

    Attributes:
        bytes: Its size.
        sha256: SHA-256 of its content, 64 hexadecimal digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """Reads a file.

        Raises:
            RunDirectoryError: If it cannot be read.
        """
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                return cls(bytes=file.tell(), sha256=digest)
        except OSError as error:
            raise RunDirectoryError(f"cannot read {path}: {error.strerror or error}") from error


class Manifest(BaseModel):
    """Content of ``manifest.json``.

    Attributes:
        format: Version of this format.
        run: Identity of the run.
        windows: Complete windows, which the result files hold.
        simulated_ms: Simulated time in ms that they cover.
        digest: Digest of spikes and TVB series; None if nothing was computed.
        files: What each file holds, by its path in the run directory.
        checksum: SHA-256 of all of the above.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    run: str
    windows: int
    simulated_ms: float
    digest: str | None
    files: dict[str, FileEntry]
    checksum: str = ""

    @classmethod
    def read(cls, layout: RunLayout) -> Manifest | None:
        """Reads the file of a run directory; None if there is none.

        Raises:
            RunDirectoryError: If it is damaged or of another version.
        """
        try:
            found = cls.model_validate_json(layout.manifest.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise _damaged(layout, str(error)) from error
        if found.checksum != (expected := _sum(found)):
            raise _damaged(layout, f"its checksum is {found.checksum!r}, expected {expected!r}")
        return found

    def write(self, layout: RunLayout) -> None:
        """Writes the file into a run directory.

        Raises:
            RunDirectoryError: If that is not possible, e.g. because the disk is full.
        """
        signed = self.model_copy(update={"checksum": _sum(self)})
        write_atomically(layout.manifest, signed.model_dump_json(indent=1).encode())


def entries(
    layout: RunLayout, paths: Iterable[Path], known: Mapping[str, FileEntry] | None = None
) -> dict[str, FileEntry]:
    """Returns what files of a run directory hold, by their paths in it.

    Args:
        layout: Paths of the run.
        paths: The files; those that do not exist are left out.
        known: Files that have just been read, which need not be read again.

    Raises:
        RunDirectoryError: If one cannot be read.
    """
    names = {str(path.relative_to(layout.root)): path for path in paths if path.is_file()}
    return {
        name: (known or {}).get(name) or FileEntry.of(path) for name, path in sorted(names.items())
    }


def small_files(layout: RunLayout) -> tuple[Path, ...]:
    """Returns the files without which nothing of a run can be understood."""
    return (layout.experiment, layout.plan, layout.provenance, layout.inputs_manifest)


def input_files(layout: RunLayout) -> Iterator[Path]:
    """Yields the copies that a run has read; an earlier run, which is linked, is not followed."""
    yield layout.connectome
    for folder, folders, names in os.walk(layout.inputs):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (path for name in names if not (path := Path(folder) / name).is_symlink())


def journal_files(layout: RunLayout, plan: RunPlan) -> Iterator[Path]:
    """Yields the journals that the processes of a run keep."""
    for role, ranks in plan.participants.items():
        for rank in range(ranks):
            yield layout.journal(role, rank)
            yield layout.timing_journal(role, rank)


def drawn_files(layout: RunLayout) -> Iterator[Path]:
    """Yields the report and the figures."""
    yield layout.report
    yield from layout.figures.glob("[!.]*")


def _sum(manifest: Manifest) -> str:
    text = manifest.model_copy(update={"checksum": ""}).model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(layout: RunLayout, what: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"{layout.manifest} is damaged or of another version of this program: {what}. If the "
        f"journals are whole, 'cosim report {layout.root}' makes it and the results again"
    )
