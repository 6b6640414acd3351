"""Files that grow along one axis without ever being whole in memory, and appear whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError, install_hint
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.run_dir.layout import finish_file, partial_path

BUFFER_BYTES = 1 << 20
"""Data gathered per series before they go to the file: windows are much smaller than what HDF5
writes well."""

COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""Lossless, and fast enough not to be noticed beside the simulation."""


@contextmanager
def appears_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` and renames it to ``path`` if all went well.

    Raises:
        RunDirectoryError: If the file cannot be written.
    """
    partial = partial_path(path)
    try:
        yield partial
        finish_file(partial, path)
    except (OSError, RuntimeError) as error:
        # HDF5 says RuntimeError where it cannot flush what it still holds.
        raise RunDirectoryError(
            f"cannot write {path}: {error}. Is the disk full or the folder not writable?"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class Series:
    """One variable that grows along its first axis.

    Args:
        write: Called with the position of the first row and the rows.
    """

    def __init__(self, write: Callable[[int, Array], None]) -> None:
        self._write = write
        self._rows: list[Array] = []
        self._bytes = 0
        self._written = 0

    def append(self, rows: Array) -> None:
        """Adds rows (shape (n, ...)), perhaps none."""
        if len(rows):
            self._rows.append(rows)
            self._bytes += rows.nbytes
            if self._bytes >= BUFFER_BYTES:
                self.flush()

    def flush(self) -> None:
        """Hands everything gathered to the file."""
        if self._rows:
            rows = np.concatenate(self._rows)
            self._write(self._written, rows)
            self._written += len(rows)
            self._rows, self._bytes = [], 0


class NetcdfWriter:
    """A netCDF4 file whose time axes grow; use as a context manager.

    Args:
        path: File to make.
        attributes: Attributes of the file.
    """

    def __init__(self, path: Path, attributes: dict[str, Any]) -> None:
        try:
            import h5netcdf
        except ImportError as error:
            raise RunDirectoryError(
                f"{path.name} needs the package h5netcdf: {install_hint('orchestrator')}"
            ) from error
        self._file = h5netcdf.File(path, "w")
        self._file.attrs.update(attributes)
        self._series: dict[str, Series] = {}

    def __enter__(self) -> NetcdfWriter:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for series in self._series.values():
                series.flush()
        finally:
            self._file.close()

    def axis(self, name: str, labels: Array | list[str]) -> None:
        """Adds a fixed dimension with its labels (names or numbers); again is no harm."""
        if name not in self._file.dimensions:
            self._file.dimensions[name] = len(labels)
            values = np.array(labels, dtype=object) if isinstance(labels, list) else labels
            dtype = _text() if isinstance(labels, list) else labels.dtype
            self._file.create_variable(name, (name,), dtype=dtype, data=values)

    def growing_axis(self, name: str, **attributes: str) -> Series:
        """Adds a dimension that grows, with its coordinate (float64, ms)."""
        self._file.dimensions[name] = None
        return self.series(name, (name,), np.dtype("<f8"), units="ms", **attributes)

    def series(
        self,
        name: str,
        dimensions: tuple[str, ...],
        dtype: np.dtype[Any],
        **attributes: str | float,
    ) -> Series:
        """Adds a variable that grows along its first dimension."""
        fixed = [self._file.dimensions[key].size for key in dimensions[1:]]
        row_bytes = dtype.itemsize * int(np.prod(fixed, dtype=np.int64))
        chunk = max(1, min(4096, BUFFER_BYTES // 2 // max(1, row_bytes)))
        variable = self._file.create_variable(
            name,
            dimensions,
            dtype=dtype,
            chunks=(chunk, *(max(1, n) for n in fixed)),
            **COMPRESSION,
        )
        variable.attrs.update(attributes)

        def write(start: int, rows: Array) -> None:
            stop = start + len(rows)
            if self._file.dimensions[dimensions[0]].size < stop:
                self._file.resize_dimension(dimensions[0], stop)
            variable[start:stop] = rows

        self._series[name] = Series(write)
        return self._series[name]


def _text() -> Any:
    import h5py

    return h5py.string_dtype()


def plain_name(*parts: str) -> str:
    """Joins parts to a name that HDF5 and file systems do not take for a path.

    Slashes are written as in URLs, so that ``a/b`` and ``a_b`` keep names of their own.
    """
    return "_".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
