"""One number for what a run computed, and for nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Array, group_signals
from tvb_nest_cosim.cosim_core.results.netcdf import monitor_facts
from tvb_nest_cosim.cosim_core.run_dir.checked_files import REMEDY
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

_FORMAT = "cosim-digest-1"


def digest(root: Path, *, partial: bool = False) -> str | None:
    """Computes the digest of a run's spikes and TVB series from its journals.

    Equal digests mean equal bits: every recorded spike (absolute tick and neuron, sorted) and
    every sample of every TVB monitor. The digest does not depend on the length of windows, the
    number of processes and threads, timing, names of runs or paths. Each series is hashed on its
    own while it is read; the digest is the SHA-256 of the list of names and those hashes.

    Args:
        root: Run directory; of a run that did not finish, the complete windows count.
        partial: Accept that it is damaged, and go on with the windows that are left.

    Returns:
        64 hexadecimal digits; None if no window is complete, so nothing was computed.

    Raises:
        RunDirectoryError: If it is not a run directory, or damaged.
    """
    records = RunRecords.open(root, partial=partial)
    found = digest_of(records)
    if not partial:
        check_digest(records, found)
    return found


def check_records(root: Path) -> None:
    """Makes sure that all that results are made of is whole; writes nothing.

    Args:
        root: Run directory, complete or not.

    Raises:
        RunDirectoryError: If it is not a run directory, or damaged.
    """
    records = RunRecords.open(root)
    records.check_journals()
    if records.files is None:
        check_digest(records, digest_of(records))


def digest_of(records: RunRecords) -> str | None:
    """Computes the digest, as :func:`digest` does, and compares it with nothing."""
    if not records.complete_windows:
        return None
    return hashlib.sha256("\n".join([_FORMAT, *_lines(records)]).encode()).hexdigest()


def check_digest(records: RunRecords, found: str | None) -> None:
    """Compares a digest of the journals with the one that was written when the run ended.

    Raises:
        RunDirectoryError: If it is another.
    """
    root = records.layout.root
    if records.files is not None:
        source, expected = records.layout.manifest, records.files.manifest.digest
    else:
        known = Provenance.read(root)
        source, expected = records.layout.provenance, known.digest if known else None
    if expected is not None and found != expected:
        raise RunDirectoryError(
            f"the journals in {records.layout.journals} give the digest {found}, in {source.name} "
            f"stands {expected}: they are not those that the run wrote. {REMEDY}"
        )


def digest_lines(root: Path) -> list[str]:
    """Returns what the digest is made of: one line per series, with its name and hash.

    Lines of spikes begin with ``spikes``, lines of TVB's monitors with ``monitor``.

    Raises:
        RunDirectoryError: If it is not a run directory, or damaged.
    """
    return _lines(RunRecords.open(root))


def _lines(records: RunRecords) -> list[str]:
    return [*_spike_lines(records), *_monitor_lines(records)]


def _spike_lines(records: RunRecords) -> Iterable[str]:
    names = sorted((kept.region, kept.name) for kept in records.kept)
    hashes = {name: hashlib.sha256() for name in names}
    for window, blocks in records.blocks("nest"):
        for kept, ticks, neurons in records.kept_spikes(window, blocks):
            pairs = np.column_stack([ticks, neurons])
            hashes[kept.region, kept.name].update(pairs.astype("<u8").tobytes())
    return [_line("spikes", name, found.hexdigest()) for name, found in hashes.items()]


def _monitor_lines(records: RunRecords) -> Iterable[str]:
    names: dict[str, tuple[str, ...]] = {}
    hashes: dict[tuple[str, str], hashlib._Hash] = {}
    for _, (block,) in records.blocks("tvb"):
        for name, array in group_signals(block.arrays, "monitor").items():
            key, part = name.rsplit("/", 1)
            hashes.setdefault((key, part), hashlib.sha256()).update(_canonical(array))
            if part == "data" and key not in names:
                facts = monitor_facts(records, key, array)
                names[key] = ("variables", *facts.variables, "nodes", *facts.nodes)
    return [
        _line("monitor", (key, part, *names[key]), found.hexdigest())
        for (key, part), found in sorted(hashes.items())
    ]


def _canonical(array: Array) -> bytes:
    values = array.astype("<f8")
    return np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes()


def _line(kind: str, names: tuple[str, ...], found: str) -> str:
    """Joins with lengths, so that no choice of names can make two different runs look equal."""
    return " ".join([kind, *(f"{len(name)}:{name}" for name in names), found])
