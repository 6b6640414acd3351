"""Connectomes: where they are, and how to get those that no package ships."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.connectome import region_names
from tvb_nest_cosim.cosim_core.plugins import find_file, suggest

CACHE_VARIABLE = "COSIM_DATA_DIR"
"""Environment variable that names another folder for downloads."""


@dataclass(frozen=True)
class Download:
    """A connectome that is fetched on demand.

    Attributes:
        url: Where it comes from; the commit is part of the address.
        sha256: Its checksum.
        regions: Number of regions.
        licence: Its licence.
    """

    url: str
    sha256: str
    regions: int
    licence: str


DOWNLOADS = {
    "allen-mouse": Download(
        url="https://raw.githubusercontent.com/the-virtual-brain/tvb-data/"
        "f1a3e7dc5370158df721f206c9c9bfad55d98172/"
        "tvb_data/mouse/allen_2mm/ConnectivityAllen2mm.zip",
        sha256="e8f136d80b0223feff66ec29feefb2ac9e7f665c4e9eefdb45193724e0553cff",
        regions=98,
        licence="GPL-3.0 (the-virtual-brain/tvb-data)",
    )
}
"""Connectomes by the name used in ``connectome.source``."""

_TVB_DATA_LICENCE = "GPL-3.0 (tvb-data)"


@dataclass(frozen=True)
class DataRow:
    """One line of ``cosim data list``.

    Attributes:
        name: What to write as ``connectome.source``.
        regions: Number of regions.
        present: Whether it is on this machine.
        where: Path, or the address it would come from.
        licence: Its licence.
    """

    name: str
    regions: int
    present: bool
    where: str
    licence: str


def cache_dir() -> Path:
    """Returns the folder of downloads: ``COSIM_DATA_DIR`` or the user's cache folder."""
    override = os.environ.get(CACHE_VARIABLE)
    return Path(override) if override else platformdirs.user_cache_path("tvb-nest-cosim")


def cached(name: str) -> Path:
    """Returns where a download lies or would lie."""
    return cache_dir() / f"{name}.zip"


def connectome_path(source: str, base_dir: Path) -> Path:
    """Finds the file of a connectome.

    Args:
        source: Name in tvb-data, with or without ``.zip``; name of a download; or path of a zip,
            relative to ``base_dir``. A file beside the experiment wins over a name in tvb-data.
        base_dir: Folder of the experiment file.

    Raises:
        ExperimentError: If there is no such connectome; says what there is or how to get it.
    """
    if source in DOWNLOADS:
        path = cached(source)
        if not path.is_file():
            raise _fault(
                f"{source} is not on this machine yet; get it with: cosim data fetch {source}"
            )
        return path
    local = find_file(base_dir, source)
    if local.is_file():
        return local
    shipped = _shipped()
    name = source.removesuffix(".zip")
    if name in shipped:
        return shipped[name]
    hint = suggest(name, [*shipped, *DOWNLOADS])
    raise _fault(f"there is no file {local} and no connectome named '{source}'; {hint}")


def list_data() -> list[DataRow]:
    """Lists every connectome that has a name."""
    rows = [
        DataRow(name, len(region_names(path)), True, str(path), _TVB_DATA_LICENCE)
        for name, path in _shipped().items()
    ]
    for name, download in DOWNLOADS.items():
        path = cached(name)
        where = str(path) if path.is_file() else download.url
        rows.append(DataRow(name, download.regions, path.is_file(), where, download.licence))
    return rows


def fetch(name: str, *, source: Path | None = None) -> Path:
    """Puts a connectome into the cache, checked against its checksum.

    Args:
        name: One of :data:`DOWNLOADS`.
        source: A copy of the file on this machine; none: download it.

    Returns:
        Where it lies; nothing is downloaded if it is there already.

    Raises:
        ExperimentError: If the name is unknown, the file is not the expected one, or it cannot be
            had or written.
    """
    if name not in DOWNLOADS:
        raise ExperimentError.single(
            "data", f"'{name}' cannot be fetched; what can be: {', '.join(DOWNLOADS)}"
        )
    path, download = cached(name), DOWNLOADS[name]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if source is not None:
            return _adopt(source, path, download)
        return _download(path, download)
    except OSError as error:
        # requests' errors are OSErrors too
        raise ExperimentError.single(
            "data",
            f"{name} could not be fetched from {source or download.url}: {error}. Without a "
            "network, bring the file from elsewhere: cosim data fetch "
            f"{name} --from FILE",
        ) from error


def _download(path: Path, download: Download) -> Path:
    import pooch

    try:
        found = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=path.name,
            path=path.parent,
        )
    except ValueError as error:
        raise ExperimentError.single(
            "data", f"what {download.url} delivered is not the expected file: {error}"
        ) from error
    return Path(found)


def _adopt(source: Path, path: Path, download: Download) -> Path:
    import pooch

    got = pooch.file_hash(str(source), alg="sha256")
    if got != download.sha256:
        raise ExperimentError.single(
            "data",
            f"{source} is not the expected file: its SHA-256 is {got}, expected {download.sha256}",
        )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        partial = Path(folder) / path.name
        shutil.copyfile(source, partial)
        os.replace(partial, path)
    return path


def _shipped() -> dict[str, Path]:
    """Connectomes of the installed tvb-data, found without importing it."""
    spec = importlib.util.find_spec("tvb_data")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(next(iter(spec.submodule_search_locations))) / "connectivity"
    return {path.stem: path for path in sorted(folder.glob("*.zip"))}


def _fault(message: str) -> ExperimentError:
    return ExperimentError.single("connectome.source", message)
