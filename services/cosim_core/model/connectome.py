"""Connectomes: TVB's zip format read without TVB, checked, with delays on the time grid."""

from __future__ import annotations

import bz2
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.experiment.connectome import ConnectomeChoice
from tvb_nest_cosim.cosim_core.plugins import near_names

Flags = npt.NDArray[np.bool_]

MAX_MEMBER_BYTES = 256 * 1024 * 1024
"""Largest file inside a connectome zip that is unpacked."""

MAX_REGIONS = 20_000
"""Largest number of regions that is accepted."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    KeyError,
    EOFError,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # an encrypted member
)
"""What reading a damaged zip may raise, besides OSError."""


@dataclass(frozen=True)
class Connectome:
    """Regions and the tracts between them; row i, column j is the tract from j to i, as in TVB.

    Attributes:
        labels: Region names, unique.
        weights: Coupling strength, shape (region, region), float64, diagonal 0, not negative.
        lengths_mm: Tract lengths, shape (region, region), float64.
        centres: Centres of the regions, shape (region, 3), in units of the file.
        speed_mm_per_ms: Conduction speed.
        cortical: Whether a region is part of the cortex, shape (region,), bool; None if the file
            does not say.
        orientations: Mean orientation of the regions' surfaces, unit vectors of shape (region, 3),
            float64; None if the file has none.
    """

    labels: tuple[str, ...]
    weights: Reals
    lengths_mm: Reals
    centres: Reals
    speed_mm_per_ms: float
    cortical: Flags | None = None
    orientations: Reals | None = None

    def idelays(self, dt_ms: float) -> npt.NDArray[np.int32]:
        """Delays in ticks, as ``Connectivity.set_idelays`` of tvb-library computes them.

        Returns:
            rint(length / speed / dt), shape (region, region), int32.
        """
        return np.rint(self.lengths_mm / self.speed_mm_per_ms / dt_ms).astype(np.int32)

    def index(self, region: str) -> int:
        """Returns the index of a region.

        Raises:
            KeyError: With the nearest names, if there is no such region.
        """
        try:
            return self.labels.index(region)
        except ValueError:
            near = near_names(region, self.labels)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise KeyError(
                f"'{region}' is not a region of this connectome of {len(self.labels)} regions{hint}"
            ) from None


def load_connectome(path: Path, choice: ConnectomeChoice) -> Connectome:
    """Reads a TVB connectivity zip and applies the experiment's scaling.

    The diagonal is zeroed: tvb-data's files hold self-loops of length zero there.

    Args:
        path: A zip with ``weights``, ``tract_lengths`` and ``centres`` (``.txt``, perhaps
            ``.txt.bz2``), in any folder of the archive.
        choice: Speed, unit of length and normalisation.

    Raises:
        ExperimentError: With every fault found in the file.
    """
    with _opened(path) as archive:
        tables = {stem: _table(archive, stem) for stem in ("weights", "tract_lengths")}
        labels, centres = _centres(archive)
        cortical = _optional(archive, "cortical", (len(labels),))
        orientations = _optional(archive, "average_orientations", (len(labels), 3))
    faults = _faults(path, labels, tables)
    if faults:
        raise ExperimentError(faults)
    weights = tables["weights"].copy()
    np.fill_diagonal(weights, 0.0)
    return Connectome(
        labels=labels,
        weights=_normalised(weights, choice.normalise) * choice.weight_scale,
        lengths_mm=tables["tract_lengths"] * choice.length_unit_mm,
        centres=centres,
        speed_mm_per_ms=choice.speed_mm_per_ms,
        cortical=None if cortical is None else cortical != 0,
        orientations=orientations,
    )


def region_names(path: Path) -> tuple[str, ...]:
    """Reads nothing but the region names of a TVB connectivity zip.

    Raises:
        ExperimentError: If it cannot be read.
    """
    with _opened(path) as archive:
        return _centres(archive)[0]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens a zip; what reading it raises becomes a fault."""
    where = "connectome.source"
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise ExperimentError.single(
            where, f"cannot read {path}: {error.strerror or error}"
        ) from error
    except _DAMAGED as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise ExperimentError.single(
            where, f"{path} is damaged or no TVB connectivity zip: {reason}"
        ) from error


def _member(archive: zipfile.ZipFile, stem: str) -> str:
    text = _member_or_none(archive, stem)
    if text is None:
        raise KeyError(f"it has no {stem}.txt")
    return text


def _member_or_none(archive: zipfile.ZipFile, stem: str) -> str | None:
    for info in archive.infolist():
        name = PurePosixPath(info.filename)
        if name.parts and name.parts[0] == "__MACOSX":
            continue
        if name.name in (f"{stem}.txt", f"{stem}.txt.bz2"):
            with archive.open(info) as packed:
                member = bz2.BZ2File(packed) if name.suffix == ".bz2" else packed
                raw = member.read(MAX_MEMBER_BYTES + 1)
            if len(raw) > MAX_MEMBER_BYTES:
                raise ValueError(f"{info.filename} has more than {MAX_MEMBER_BYTES} bytes")
            return raw.decode("utf-8")
    return None


def _optional(archive: zipfile.ZipFile, stem: str, shape: tuple[int, ...]) -> Reals | None:
    """Reads a table that only some files have; it counts only if it covers every region."""
    text = _member_or_none(archive, stem)
    if text is None:
        return None
    table = _numbers(text, stem)
    return table.reshape(shape) if table.size == np.prod(shape) else None


def _table(archive: zipfile.ZipFile, stem: str) -> Reals:
    return _numbers(_member(archive, stem), stem)


def _numbers(text: str, stem: str) -> Reals:
    if not text.strip():
        raise ValueError(f"{stem}.txt is empty")
    try:
        return np.loadtxt(io.StringIO(text), dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{stem}.txt is not a table of numbers ({error})") from error


def _centres(archive: zipfile.ZipFile) -> tuple[tuple[str, ...], Reals]:
    labels, centres = [], []
    for number, line in enumerate(_member(archive, "centres").splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split()
        if len(fields) < 4:
            raise ValueError(f"centres.txt, line {number}: expected a label and x, y, z")
        labels.append(fields[0])
        centres.append([float(field) for field in fields[1:4]])
    return tuple(labels), np.array(centres, dtype=np.float64).reshape(-1, 3)


def _faults(path: Path, labels: tuple[str, ...], tables: dict[str, Reals]) -> list[Fault]:
    faults = []

    def fault(text: str) -> None:
        faults.append(Fault("connectome.source", f"{path.name}: {text}"))

    count = len(labels)
    if not 1 <= count <= MAX_REGIONS:
        fault(f"{count} regions, expected 1 to {MAX_REGIONS}")
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        fault(f"region names are not unique: {', '.join(repeated[:5])}")
    for stem, table in tables.items():
        if table.shape != (count, count):
            fault(
                f"{stem} has shape {table.shape}, expected ({count}, {count}): square, one row per "
                "region of centres.txt"
            )
            continue
        for text, bad in (("not finite", ~np.isfinite(table)), ("negative", table < 0)):
            if bad.any():
                i, j = (int(k) for k in np.argwhere(bad)[0])
                fault(
                    f"{stem} has {int(bad.sum())} of {bad.size} entries that are {text}, the first "
                    f"from {labels[j]} to {labels[i]}: {table[i, j]}"
                )
    return faults


def _normalised(weights: Reals, how: str) -> Reals:
    if how == "none":
        return weights
    sums = weights.max() if how == "max" else weights.sum(axis=1, keepdims=True)
    scaled: Reals = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    return scaled
