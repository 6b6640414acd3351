"""The labelled result files: TVB's monitors, rates and drive, multimeters."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import MonitorFacts, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    COUNT,
    REAL,
    TRANSLATOR_TO_NEST,
    Array,
    Block,
    group_signals,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.results.growing import NetcdfWriter, Series, plain_name
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

UNITS = {"V_m": "mV", "w": "pA", "g_ex": "nS", "g_in": "nS", "I_syn_ex": "pA", "I_syn_in": "pA"}
"""Units of what NEST's multimeters record, as NEST documents them for its neuron models."""

_SENSOR_MONITORS = ("EEG", "MEG", "iEEG", "SEEG")
_MEAN_MONITORS = ("GlobalAverage", "SpatialAverage")


def _attributes(records: RunRecords) -> dict[str, str | float]:
    plan = records.plan
    return {
        "title": plan.experiment.name,
        "run": plan.run,
        "experiment_digest": plan.experiment_digest,
        "dt_ms": plan.experiment.dt_ms,
        "simulated_ms": records.simulated_ms,
        "windows": records.complete_windows,
    }


def collect_tvb(records: RunRecords, path: Path) -> None:
    """Writes ``tvb.nc``: one variable per monitor, (time, variable, node).

    Nodes are ``region``, ``sensor_KEY`` or ``mean_KEY``. A mode axis is there only where the model
    has several modes. What a proxy is not fed is NaN.
    """
    with NetcdfWriter(path, _attributes(records)) as file:
        series: dict[str, tuple[Series, Series]] = {}
        for _, (block,) in records.blocks("tvb"):
            monitors = group_signals(block.arrays, "monitor")
            for key in sorted({name.rsplit("/", 1)[0] for name in monitors}):
                data = monitors[f"{key}/data"]
                if key not in series:
                    series[key] = _monitor_series(file, records, key, data)
                times, values = series[key]
                times.append(monitors[f"{key}/time"])
                values.append(data[..., 0] if data.shape[3] == 1 else data)
        for key, facts in records.built.monitors.items():
            if key not in series:  # no window: nothing tells of modes
                empty = np.empty((0, len(facts.variables), len(facts.nodes), 1))
                _monitor_series(file, records, key, empty)


def _monitor_series(
    file: NetcdfWriter, records: RunRecords, key: str, data: Array
) -> tuple[Series, Series]:
    facts = monitor_facts(records, key, data)
    name = next((m.name for m in records.plan.experiment.tvb.monitors if m.key == key), "")
    label = plain_name(key)
    time, variable = f"time_{label}", f"variable_{label}"
    node = "region"
    if name in _SENSOR_MONITORS:
        node = f"sensor_{label}"
    elif name in _MEAN_MONITORS:
        node = f"mean_{label}"
    dimensions: tuple[str, ...] = (time, variable, node)
    times = file.growing_axis(time, long_name="simulated time")
    file.axis(variable, facts.variables)
    file.axis(node, facts.nodes)
    if data.shape[3] > 1:
        file.axis(f"mode_{label}", np.arange(data.shape[3]))
        dimensions = (*dimensions, f"mode_{label}")
    values = file.series(label, dimensions, REAL, monitor=name, period_ms=facts.period_ms)
    return times, values


def monitor_facts(records: RunRecords, key: str, data: Array) -> MonitorFacts:
    """Returns what a monitor delivers; numbers for names if TVB's answer was lost.

    Args:
        records: The run.
        key: Key of the monitor.
        data: Samples of one window, [sample, variable, node, mode].
    """
    variables, nodes = data.shape[1:3]
    return records.built.monitors.get(key) or MonitorFacts(
        variables=[str(index) for index in range(variables)],
        nodes=[str(index) for index in range(nodes)],
        period_ms=0.0,
    )


def collect_rates(records: RunRecords, path: Path) -> None:
    """Writes ``rates.nc``, per spiking region and tick.

    ``rate_REGION`` (time, population) is the translated rate, ``counts_REGION`` the spikes it came
    from. ``input_REGION`` is the total input rate of a driven neuron; its own time axis says when
    the input acts, ``hop_ticks`` after the device emits it.
    """
    with NetcdfWriter(path, _attributes(records)) as file:
        time = file.growing_axis("time", long_name="simulated time, end of the tick")
        regions = {plan.name: _RegionSeries(file, records, plan) for plan in records.plan.regions}
        if not records.complete_windows:
            for without_data in regions.values():
                without_data.declare(records.plan)
        for window, (block,) in records.blocks("translator"):
            ticks = np.arange(window.start + 1, window.stop + 1)
            time.append(records.times_ms(ticks))
            for region, rate in group_signals(block.arrays, "rates").items():
                regions[region].rates.append(rate.T)
            for region, rate in group_signals(block.arrays, "input").items():
                acts, values = regions[region].input
                acts.append(records.times_ms(ticks + regions[region].plan.drive.hop_ticks))
                values.append(rate)
        for _, by_region in records.counts():
            for region, count in by_region.items():
                regions[region].counts.append(count.T)


class _RegionSeries:
    """The variables of one region in ``rates.nc``, each made when the first data arrive."""

    def __init__(self, file: NetcdfWriter, records: RunRecords, plan: RegionPlan) -> None:
        self.plan = plan
        self._file = file
        self._populations = list(records.rows_of_rates[plan.name])

    @cached_property
    def rates(self) -> Series:
        return self._per_population("rate", REAL, "Hz")

    @cached_property
    def counts(self) -> Series:
        return self._per_population("counts", COUNT, "1")

    @cached_property
    def input(self) -> tuple[Series, Series]:
        name, axis = self.plan.name, plain_name("time_input", self.plan.name)
        acts = self._file.growing_axis(axis, long_name="when the input acts")
        values = self._file.series(
            plain_name("input", name),
            (axis,),
            REAL,
            units="Hz",
            region=name,
            hop_ticks=self.plan.drive.hop_ticks,
        )
        return acts, values

    def declare(self, plan: RunPlan) -> tuple[object, ...]:
        """Makes and returns the variables of a run that has no window."""
        return (
            self.rates,
            "nest" in plan.participants and self.counts,
            TRANSLATOR_TO_NEST in plan.edges and self.input,
        )

    def _per_population(self, quantity: str, dtype: np.dtype[Any], units: str) -> Series:
        name, axis = self.plan.name, plain_name("population", self.plan.name)
        self._file.axis(axis, self._populations)
        return self._file.series(
            plain_name(quantity, name), ("time", axis), dtype, units=units, region=name
        )


def collect_analog(records: RunRecords, path: Path) -> None:
    """Writes ``analog.nc``: ``VARIABLE_REGION_N`` (time, neuron) for the N-th recording."""
    with NetcdfWriter(path, _attributes(records)) as file:
        recorders = [
            _AnalogRecorder(file, records, region, number)
            for region in records.populations
            for number in range(len(records.group(region).record.analog))
        ]
        for window, blocks in records.blocks("nest"):
            for recorder in recorders:
                recorder.take(window, blocks)


class _AnalogRecorder:
    """Turns the events of one multimeter recording into a table of time and neuron."""

    def __init__(self, file: NetcdfWriter, records: RunRecords, region: str, number: int) -> None:
        choice = records.group(region).record.analog[number]
        size = records.populations[region][choice.population]
        chosen = (
            range(min(choice.neurons, size)) if isinstance(choice.neurons, int) else choice.neurons
        )
        self._neurons: npt.NDArray[np.uint32] = np.array(sorted(set(chosen)), np.uint32)
        self._records = records
        self._prefix = f"analog/{region}/{number}"
        time, neuron = (plain_name(axis, region, str(number)) for axis in ("time", "neuron"))
        self._time = file.growing_axis(time, long_name="simulated time")
        file.axis(neuron, self._neurons)
        self._series = {
            name: file.series(
                plain_name(name, region, str(number)),
                (time, neuron),
                REAL,
                units=UNITS.get(name, ""),
                variable=name,
                region=region,
                population=choice.population,
            )
            for name in choice.variables
        }

    def take(self, window: Window, blocks: list[Block]) -> None:
        """Adds the samples of a window; a neuron without a sample there is NaN."""
        parts = [group_signals(block.arrays, self._prefix) for block in blocks]
        parts = [part for part in parts if part and len(part["tick"])]
        if not parts:
            return
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        ticks, row = np.unique(joined["tick"].astype(np.int64), return_inverse=True)
        column = np.searchsorted(self._neurons, joined["neuron"])
        self._time.append(self._records.times_ms(ticks + window.start))
        for name, series in self._series.items():
            table: Reals = np.full((len(ticks), len(self._neurons)), np.nan)
            table[row, column] = joined[name]
            series.append(table)
