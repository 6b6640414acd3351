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
    ├── report.html          the report, and figures/*.png, *.svg
    ├── logs/                PROCESS-RANK.jsonl
    └── journal/             PROCESS-RANK.journal, .timing          Run.records, Run.digest

Result files are made from the journals; a run without e.g. multimeters has no ``analog.nc``.
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


def open_run(path: Path | str) -> Run:
    """Opens a run directory for reading.

    Args:
        path: Run directory, as named by ``cosim run``.

    Raises:
        RunDirectoryError: If it is none.
    """
    return Run(RunRecords.open(Path(path)))


class Run:
    """What a run computed. Files are opened when first asked for.

    Use it as a context manager, or call :meth:`close`, where the files have to be released.

    Args:
        records: The run's plan, populations and journals.
    """

    def __init__(self, records: RunRecords) -> None:
        self.records = records
        self._datasets: dict[str, xr.Dataset] = {}

    def __repr__(self) -> str:
        """Names the folder and what can be read from it."""
        names = ("tvb", "rates", "spikes", "analog", "timing")
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
        """
        copy = self.records.layout.connectome
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
        """Digest of spikes and TVB series, from the journals; None if nothing was computed."""
        return digest(self.root)

    @property
    def tvb(self) -> xr.Dataset:
        """TVB's monitors, one variable each: (time_KEY, variable_KEY, region).

        Raises:
            RunDirectoryError: If there is no such file, as for all data sets here.
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
        frame: pd.DataFrame = pandas.read_csv(self._existing(self.records.layout.timing))
        return frame

    def spikes(self, region: str, population: str) -> tuple[Reals, Indices]:
        """Returns the spikes of a population.

        Returns:
            Times in ms (float64) and neurons (uint64, index within the population), sorted by
            time, then neuron.

        Raises:
            RunDirectoryError: If they were not recorded or cannot be read.
        """
        path = self._existing(self.records.layout.spikes)
        with _readable(path), h5py.File(path) as file:
            group = file["spikes"].get(plain_name(region, population))
            if group is None:
                raise RunDirectoryError(
                    f"{path} has no spikes of '{population}' in '{region}', it has those of "
                    f"{', '.join(file['spikes']) or 'no population'}; "
                    "record.spikes of the experiment says what is kept"
                )
            return group["timestamps"][:], group["node_ids"][:]

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
        """Tells whether the run has a result: ``tvb``, ``rates``, ``analog``, ``spikes``..."""
        path: Path = getattr(self.records.layout, name)
        return path.is_file()

    def _dataset(self, path: Path) -> xr.Dataset:
        if path.name not in self._datasets:
            xarray = _optional("xarray")
            with _readable(self._existing(path)):
                self._datasets[path.name] = xarray.open_dataset(path, engine="h5netcdf")
        return self._datasets[path.name]

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise RunDirectoryError(
                f"{self.root} has no {path.name}: either the run recorded nothing of the kind, or "
                f"it ended before its results were collected; 'cosim report {self.root}' does that"
            )
        return path


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what h5py and h5netcdf raise about a damaged file into one sentence."""
    try:
        yield
    except (OSError, KeyError, ValueError) as error:
        raise RunDirectoryError(
            f"{path} is damaged: {error}. Delete it and timing.csv; then 'cosim report "
            f"{path.parent}' makes both again from the journals"
        ) from error


def _optional(name: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RunDirectoryError(
            f"reading this result needs the package {name}: {install_hint('orchestrator')}"
        ) from error
