"""A run directory as arrays, data sets and spike trains.

::

    RUN/
    ├── experiment.yaml      resolved, every default written out    Run.experiment
    ├── connectome.zip       a copy                                 Run.connectome
    ├── plan.json            plan, populations and monitors built   Run.plan, Run.populations
    ├── provenance.json      versions, seeds, outcome, digest       Run.provenance
    ├── spikes.h5            SONATA: /spikes/REGION_POPULATION      Run.spikes, Run.spiketrains
    ├── tvb.nc               TVB's monitors                         Run.tvb
    ├── rates.nc             translated rates, counts, input        Run.rates
    ├── analog.nc            multimeters                            Run.analog
    ├── timing.csv           seconds per phase of every window      Run.timing
    ├── manifest.json        size and SHA-256 of all files, last    Run.is_complete
    ├── report.html          the report, and figures/*.png, *.svg
    ├── logs/                PROCESS-RANK.jsonl
    └── journal/             PROCESS-RANK.journal, .timing          Run.records, Run.digest

Result files are made from the journals; a run without e.g. multimeters has no ``analog.nc``. Every
file is compared with the manifest when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import h5py
import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError, install_hint
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.plan import Populations, RunPlan
from tvb_nest_cosim.cosim_core.results.digest import digest
from tvb_nest_cosim.cosim_core.results.growing import plain_name
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.records import Indices, RunRecords

if TYPE_CHECKING:
    import neo
    import pandas as pd
    import xarray as xr


def open_run(path: Path | str, *, partial: bool = False) -> Run:
    """Opens a run directory for reading.

    Args:
        path: Run directory, as named by ``cosim run``.
        partial: Compare nothing with the manifest, and go on with what is there of a run that is
            damaged or not complete.

    Raises:
        RunDirectoryError: If it is none, or damaged.
    """
    run = Run(RunRecords.open(Path(path), partial=partial), partial=partial)
    run.check_sizes()
    return run


class Run:
    """What a run computed. Files are opened when first asked for.

    Use it as a context manager, or call :meth:`close`, where the files have to be released.

    Args:
        records: The run's plan, populations and journals.
        partial: Read result files as they are.
    """

    def __init__(self, records: RunRecords, *, partial: bool = False) -> None:
        self.records = records
        self._partial = partial
        self._datasets: dict[str, xr.Dataset] = {}

    def __repr__(self) -> str:
        """Names the folder and what can be read from it."""
        names = ("tvb", "rates", "spikes", "analog", "timing")
        if not (self.is_complete or self._partial):
            return f"<Run {self.root}: not complete>"
        there = ", ".join(name for name in names if self.has(name)) or "no results"
        return f"<Run {self.root}: {self.records.simulated_ms:g} ms, {there}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the files; may be called again."""
        while self._datasets:
            self._datasets.popitem()[1].close()

    @property
    def root(self) -> Path:
        """The run directory."""
        return self.records.layout.root

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended and all its results are there, by its manifest."""
        return self.records.files is not None

    def check_sizes(self) -> None:
        """Compares the sizes of all result files with the manifest, if there is one.

        Raises:
            RunDirectoryError: If one has another size or is missing.
        """
        if self.records.files is not None:
            for path in self.records.layout.results():
                self.records.files.check_size(path)

    @property
    def plan(self) -> RunPlan:
        """The plan that the participants got."""
        return self.records.plan

    @property
    def experiment(self) -> Experiment:
        """The experiment with every default filled in."""
        return self.plan.experiment

    @cached_property
    def connectome(self) -> Connectome:
        """The connectome, scaled as the experiment says; the run directory holds a copy.

        Raises:
            ExperimentError: If it cannot be read.
            RunDirectoryError: If the copy is damaged.
        """
        copy = self.records.layout.connectome
        if self.records.files is not None and copy.is_file():
            self.records.files.check(copy)
        path = copy if copy.is_file() else Path(self.plan.connectome_path)
        return load_connectome(path, self.experiment.connectome)

    @property
    def populations(self) -> Populations:
        """Neurons by spiking region and population; empty if NEST was not built."""
        return self.records.populations

    @cached_property
    def provenance(self) -> Provenance | None:
        """Versions, seeds, host, command and outcome; None if the run never got so far.

        Raises:
            RunDirectoryError: If the file is damaged.
        """
        return Provenance.read(self.root)

    @cached_property
    def digest(self) -> str | None:
        """Digest of spikes and TVB series, of a run that is not complete from the journals.

        None if nothing was computed.
        """
        if self.records.files is not None:
            return self.records.files.manifest.digest
        return digest(self.root, partial=self._partial)

    @property
    def tvb(self) -> xr.Dataset:
        """TVB's monitors, one variable each: (time_KEY, variable_KEY, region).

        Raises:
            RunDirectoryError: If there is no such file, it is damaged, or the results are not
                complete; as for all data sets here.
        """
        return self._dataset(self.records.layout.tvb)

    @property
    def rates(self) -> xr.Dataset:
        """``rate_REGION`` (Hz), ``counts_REGION`` (time, population), ``input_REGION`` (Hz)."""
        return self._dataset(self.records.layout.rates)

    @property
    def analog(self) -> xr.Dataset:
        """Multimeter recordings, ``VARIABLE_REGION_N`` (time, neuron)."""
        return self._dataset(self.records.layout.analog)

    @property
    def timing(self) -> pd.DataFrame:
        """Seconds per phase, one row per participant, rank and window."""
        pandas = _optional("pandas")
        path = self._existing(self.records.layout.timing)
        with _readable(path):
            frame: pd.DataFrame = pandas.read_csv(path)
        return frame

    def spikes(self, region: str, population: str) -> tuple[Reals, Indices]:
        """Returns the spikes of a population.

        Returns:
            Times in ms (float64) and neurons (uint64, index within the population), sorted by
            time, then neuron.

        Raises:
            RunDirectoryError: If they were not recorded or cannot be read.
        """
        with self.spikes_file() as file:
            group = file["spikes"].get(plain_name(region, population))
            if group is None:
                raise RunDirectoryError(
                    f"{file.filename} has no spikes of '{population}' in '{region}', it has "
                    f"those of {', '.join(file['spikes']) or 'no population'}; "
                    "record.spikes of the experiment says what is kept"
                )
            return group["timestamps"][:], group["node_ids"][:]

    @contextmanager
    def spikes_file(self) -> Iterator[h5py.File]:
        """Opens ``spikes.h5``, for those who read a part of it.

        Raises:
            RunDirectoryError: As :meth:`spikes`.
        """
        path = self._existing(self.records.layout.spikes)
        with _readable(path), h5py.File(path) as file:
            yield file

    def spiketrains(self, region: str, population: str) -> list[neo.SpikeTrain]:
        """Returns one spike train per neuron, silent neurons included, for neo and elephant.

        Raises:
            RunDirectoryError: If the spikes were not recorded or neo is not installed.
        """
        neo = _optional("neo")
        times_ms, neurons = self.spikes(region, population)
        size = self.populations[region][population]
        order = np.argsort(neurons, kind="stable")
        bounds = np.searchsorted(neurons[order], np.arange(1, size))
        return [
            neo.SpikeTrain(
                times,
                t_stop=self.records.simulated_ms,
                units="ms",
                region=region,
                population=population,
                neuron=index,
            )
            for index, times in enumerate(np.split(times_ms[order], bounds))
        ]

    def has(self, name: str) -> bool:
        """Tells whether the run has a result: ``tvb``, ``rates``, ``analog``, ``spikes``...

        Raises:
            RunDirectoryError: If the results are not complete.
        """
        path: Path = getattr(self.records.layout, name)
        if self.records.files is not None:
            return self.records.files.lists(path)
        self._refuse_unfinished()
        return path.is_file()

    def _dataset(self, path: Path) -> xr.Dataset:
        if path.name not in self._datasets:
            xarray = _optional("xarray")
            with _readable(self._existing(path)):
                dataset = xarray.open_dataset(path, engine="h5netcdf")
                # Of what was compared with nothing, damage shows while it is read.
                self._datasets[path.name] = dataset.load() if self._partial else dataset
        return self._datasets[path.name]

    def _existing(self, path: Path) -> Path:
        files = self.records.files
        if files is None:
            self._refuse_unfinished()
        else:
            files.check(path)
        if not path.is_file():
            raise RunDirectoryError(
                f"{self.root} has no {path.name}: the run recorded nothing of the kind"
            )
        return path

    def _refuse_unfinished(self) -> None:
        if not self._partial:
            raise RunDirectoryError(
                f"{self.root} has no {self.records.layout.manifest.name}: the run goes on, or it "
                f"ended before its results were complete; 'cosim report {self.root}' completes them"
            )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what pandas, h5py and h5netcdf raise about a damaged file into one sentence."""
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise RunDirectoryError(
            f"{path} is damaged: {error}. 'cosim report {path.parent}' makes it again from the "
            "journals, if these are whole"
        ) from error


def _optional(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RunDirectoryError(
            f"reading this result needs the package {name}: {install_hint('orchestrator')}"
        ) from error
