"""One number for what a run computed, and for nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tvb_nest_cosim.cosim_core.model.signals import Array, group_signals
from tvb_nest_cosim.cosim_core.results.netcdf import monitor_facts
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

_FORMAT = "cosim-digest-1"


def digest(root: Path) -> str:
    """Computes the digest of a run's spikes and TVB series from its journals.

    Equal digests mean equal bits: every recorded spike (absolute tick and neuron, sorted) and
    every sample of every TVB monitor. The digest does not depend on the length of windows, the
    number of processes and threads, timing, names of runs or paths. Each series is hashed on its
    own while it is read; the digest is the SHA-256 of the list of names and those hashes.

    Args:
        root: Run directory; of a run that did not finish, the complete windows count.

    Returns:
        64 hexadecimal digits.

    Raises:
        RunDirectoryError: If it is no run directory.
    """
    return hashlib.sha256("\n".join([_FORMAT, *digest_lines(root)]).encode()).hexdigest()


def digest_lines(root: Path) -> list[str]:
    """Returns what the digest is made of: one line per series, with its name and hash.

    Lines of spikes begin with ``spikes``, lines of TVB's monitors with ``monitor``.

    Raises:
        RunDirectoryError: If it is no run directory.
    """
    records = RunRecords.open(root)
    return [*_spike_lines(records), *_monitor_lines(records)]


def _spike_lines(records: RunRecords) -> Iterable[str]:
    hashes = {
        (region, population): hashlib.sha256()
        for region in sorted(records.populations)
        for population in sorted(records.recorded(region))
    }
    for window, blocks in records.blocks("nest"):
        for region in records.populations:
            ticks, neurons = records.spikes(window, blocks, region)
            for population, start in records.offsets(region).items():
                if (region, population) in hashes:
                    stop = start + records.populations[region][population]
                    inside = (neurons >= start) & (neurons < stop)
                    pairs = np.column_stack([ticks[inside], neurons[inside] - np.uint64(start)])
                    hashes[region, population].update(pairs.astype("<u8").tobytes())
    return [_line("spikes", names, found.hexdigest()) for names, found in hashes.items()]


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
