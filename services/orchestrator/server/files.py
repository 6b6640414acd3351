"""The files of a run directory that may be fetched, and nothing else."""

from __future__ import annotations

import mimetypes
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from tvb_nest_cosim.cosim_core.run_dir.checked_files import CheckedFiles
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest, input_files

_MEDIA_TYPES = {
    ".yaml": "application/yaml",
    ".h5": "application/x-hdf5",
    ".nc": "application/x-netcdf",
    ".jsonl": "application/x-ndjson",
    ".out": "text/plain; charset=utf-8",
    ".csv": "text/csv",
}

_PIECE_BYTES = 1024 * 1024


def result_files(root: Path) -> dict[str, Path]:
    """Returns what a run offers, by name; files that appear later are missing."""
    layout = RunLayout(root)
    fixed = [
        layout.experiment, layout.provenance, layout.plan, layout.spikes, layout.tvb,
        layout.rates, layout.analog, layout.timing, layout.report, layout.manifest,
    ]  # fmt: skip
    logs = sorted(layout.logs.glob("*.jsonl")) + sorted(layout.logs.glob("*.out"))
    return {path.name: path for path in (*fixed, *logs) if _is_plain(path)}


def figure_files(root: Path) -> dict[str, Path]:
    """Returns the figures of a run, by name."""
    folder = RunLayout(root).figures
    found = [path for path in sorted(folder.glob("*")) if path.suffix in (".png", ".svg")]
    return {path.name: path for path in found if _is_plain(path)}


def check(root: Path, paths: Iterable[Path]) -> None:
    """Compares files with the manifest of their run, if it is complete.

    Raises:
        RunDirectoryError: If one is damaged.
    """
    layout = RunLayout(root)
    manifest = Manifest.read(layout)
    if manifest is not None:
        checked = CheckedFiles(layout, manifest)
        for path in paths:
            checked.check(path)


def _is_plain(path: Path) -> bool:
    """Tells a file from a folder, and from a link that may lead anywhere."""
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def media_type(path: Path) -> str:
    """Returns the media type of a file by its name."""
    guessed = mimetypes.guess_type(path.name)[0]
    return _MEDIA_TYPES.get(path.suffix) or guessed or "application/octet-stream"


def make_archive(root: Path, folder: Path) -> tuple[int, Iterator[bytes]]:
    """Packs files, figures and inputs of a run, journals left out.

    The archive lies in a file without name, which the system removes whatever becomes of the
    client.

    Args:
        root: Run directory; its name becomes the folder inside.
        folder: Where the temporary file lies.

    Returns:
        Its size in bytes, and its content piece by piece.

    Raises:
        RunDirectoryError: If a file is damaged.
    """
    layout = RunLayout(root)
    inputs = [path for path in (layout.inputs_manifest, *input_files(layout)) if _is_plain(path)]
    paths = [*result_files(root).values(), *figure_files(root).values(), *inputs]
    check(root, paths)
    folder.mkdir(exist_ok=True)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed when it has been read
    with zipfile.ZipFile(file, "w", compresslevel=1) as archive:
        for path in paths:
            # Of what is large, only spikes are not compressed already.
            kind = zipfile.ZIP_DEFLATED if path.suffix == ".h5" else zipfile.ZIP_STORED
            archive.write(path, f"{root.name}/{path.relative_to(root)}", kind)
    size = file.tell()
    return size, _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece
