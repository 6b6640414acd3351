"""From the journals of a run to the files that people open.

Everything is streamed window by window, so that memory does not grow with the length of a run.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.processes.collector import Collected
from tvb_nest_cosim.cosim_core.results.digest import check_digest, digest_of
from tvb_nest_cosim.cosim_core.results.growing import Series, appears_whole, plain_name
from tvb_nest_cosim.cosim_core.results.netcdf import collect_analog, collect_rates, collect_tvb
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES
from tvb_nest_cosim.cosim_core.run_dir.records import KeptPopulation, RunRecords

TIMING_COLUMNS = ("participant", "rank", "window", *(f"{phase}_s" for phase in PHASES))

_SONATA_MAGIC = np.uint32(0x0A7A)
_SONATA_VERSION = np.array([0, 1], np.uint32)
_SORTING = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype="u1")


def collect(root: Path, *, only: Collection[str] | None = None, partial: bool = False) -> Collected:
    """Makes the result files of a run that finished, failed or was interrupted.

    Files of which the run recorded nothing (``analog.nc`` without multimeters, ``tvb.nc`` without
    TVB) are not made. Existing files are replaced, each at once. A process in which HDF5 could not
    write is better not used again: :func:`cosim_core.processes.collector.collect_apart`
    does this in one of its own.

    Args:
        root: Run directory.
        only: Names of files to make; None: all.
        partial: Accept that the run is damaged, and go on with the windows that are left.

    Raises:
        RunDirectoryError: If it is not a run directory, or damaged, or a file cannot be written.
    """
    records = RunRecords.open(root, partial=partial)
    found = digest_of(records)
    if not partial:
        check_digest(records, found)
    layout, plan = records.layout, records.plan
    has_windows = records.complete_windows > 0
    makers = {
        layout.spikes: (_collect_spikes, bool(records.kept)),
        layout.tvb: (
            collect_tvb,
            "tvb" in plan.participants and (has_windows or records.built.monitors),
        ),
        layout.rates: (collect_rates, "translator" in plan.participants and records.rows_of_rates),
        layout.analog: (
            collect_analog,
            any(records.group(region).record.analog for region in records.populations),
        ),
        layout.timing: (_collect_timing, True),
    }
    files = []
    for path, (make, wanted) in makers.items():
        if wanted:
            files.append(path.name)
            if only is None or path.name in only:
                with appears_whole(path) as unfinished:
                    make(records, unfinished)
    return Collected(
        windows=records.complete_windows,
        simulated_ms=records.simulated_ms,
        digest=found,
        files=tuple(files),
    )


def _collect_spikes(records: RunRecords, path: Path) -> None:
    """Writes spikes in SONATA layout: ``/spikes/REGION_POPULATION/{timestamps,node_ids}``."""
    with h5py.File(path, "w") as file, ExitStack() as flushing:
        file.attrs["magic"], file.attrs["version"] = _SONATA_MAGIC, _SONATA_VERSION
        file.attrs["windows"] = records.complete_windows
        file.create_group("spikes")
        series = {}
        for kept in records.kept:
            group = _sonata_group(file, records, kept)
            series[kept] = times, ids = _grow(group, "timestamps"), _grow(group, "node_ids")
            flushing.callback(times.flush)
            flushing.callback(ids.flush)
        for window, blocks in records.blocks("nest"):
            for kept, ticks, neurons in records.kept_spikes(window, blocks):
                times, ids = series[kept]
                times.append(records.times_ms(ticks))
                ids.append(neurons)


def _sonata_group(file: h5py.File, records: RunRecords, kept: KeptPopulation) -> h5py.Group:
    group = file["spikes"].create_group(plain_name(kept.region, kept.name))
    group.attrs.create("sorting", 2, dtype=_SORTING)
    group.attrs["region"], group.attrs["population"] = kept.region, kept.name
    group.attrs["neurons"] = kept.stop - kept.start
    group.attrs["dt_ms"] = records.plan.experiment.dt_ms
    group.attrs["simulated_ms"] = records.simulated_ms
    # Without filters: the HDF5 in the wheels of libsonata, on which bluepysnap builds, has none.
    for name, dtype in (("timestamps", "<f8"), ("node_ids", "<u8")):
        group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(8192,))
    group["timestamps"].attrs["units"] = "ms"
    return group


def _grow(group: h5py.Group, name: str) -> Series:
    dataset = group[name]

    def write(start: int, rows: Array) -> None:
        dataset.resize(start + len(rows), axis=0)
        dataset[start:] = rows

    return Series(write)


def _collect_timing(records: RunRecords, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(TIMING_COLUMNS)
        writer.writerows(_timing_rows(records))


def _timing_rows(records: RunRecords) -> Iterator[list[str]]:
    for role, ranks in records.plan.participants.items():
        for rank in range(ranks):
            for window, seconds in records.phases(role, rank):
                yield [role, str(rank), str(window), *(f"{value:.6g}" for value in seconds)]
