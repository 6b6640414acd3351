"""The monitors of an experiment: made, checked, described."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvb.simulator import monitors

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Monitor
from tvb_nest_cosim.cosim_core.model.plan import MonitorFacts, RunPlan
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, ms_of, ticks_of
from tvb_nest_cosim.tvb_service.model import coupling_variables
from tvb_nest_cosim.tvb_service.projections import add_sensors
from tvb_nest_cosim.tvb_service.registry import MONITORS, make

_ALIASES = {"SEEG": "iEEG"}
"""Classes of tvb-library by the name that the field uses."""

_SET_ELSEWHERE = {
    "period": "period_ms",
    "sensors": "sensors",
    "projection": "projection",
    "region_mapping": "region_mapping",
}
_LABEL = re.compile(r"[A-Za-z][\w -]*")
_RESERVED = ("region",)
"""Names in ``tvb.nc`` that all monitors share."""

_MIXING = (monitors.Projection, monitors.GlobalAverage, monitors.SpatialAverage)
"""Monitors whose every value depends on several regions."""


@dataclass(frozen=True)
class KeyedMonitor:
    """A monitor and its name in the results.

    Attributes:
        key: The name.
        monitor: TVB's object.
        number: Its index in ``tvb.monitors``.
    """

    key: str
    monitor: Any
    number: int

    @property
    def sees_coupling(self) -> bool:
        """Whether TVB hands it the coupling instead of the state."""
        return isinstance(self.monitor, monitors.AfferentCoupling)


def build_monitors(
    plan: RunPlan, model: Any, connectome: Connectome, faults: list[Fault]
) -> list[KeyedMonitor]:
    """Makes all monitors.

    Args:
        plan: The plan.
        model: TVB's model; its variables of interest are what monitors choose from.
        connectome: The connectome.
        faults: Gets everything that is wrong.
    """
    declared = plan.experiment.tvb.monitors
    keys = [monitor.key for monitor in declared]
    built = []
    for number, entry in enumerate(declared):
        path = f"tvb.monitors.{number}"
        if keys.index(entry.key) != number:
            text = f"'{entry.key}' names two monitors; give one of them a label of its own"
            faults.append(Fault(f"{path}.label", text))
        if not _LABEL.fullmatch(entry.key) or entry.key in _RESERVED:
            text = (
                f"'{entry.key}' cannot name a variable of the results; take letters, digits, _, - "
                f"and spaces, beginning with a letter, and none of {', '.join(_RESERVED)}"
            )
            faults.append(Fault(f"{path}.label", text))
        named = entry.model_copy(update={"name": _ALIASES.get(entry.name, entry.name)})
        monitor = make(MONITORS, named, path, plan.base_dir, faults, _SET_ELSEWHERE)
        if monitor is not None:
            _set_period(monitor, entry, number, plan, faults)
            _check_variables(monitor, number, model, faults)
            if isinstance(monitor, monitors.Projection):
                add_sensors(monitor, entry, number, plan, connectome, faults)
            else:
                _refuse_files(entry, path, faults)
            built.append(KeyedMonitor(entry.key, monitor, number))
    return built


def facts(entry: KeyedMonitor, simulator: Any) -> MonitorFacts:
    """Describes what a configured monitor delivers."""
    monitor, model = entry.monitor, simulator.model
    seen = list(model.variables_of_interest)
    if entry.sees_coupling:
        seen = [f"coupling of {name}" for name in coupling_variables(model)]
    everything = isinstance(monitor, monitors.Raw) and not isinstance(monitor, monitors.RawVoi)
    variables = seen if everything else [seen[index] for index in monitor.voi]
    if isinstance(monitor, monitors.Projection):
        nodes = [str(label) for label in monitor.sensors.labels]
    elif isinstance(monitor, monitors.GlobalAverage):
        nodes = ["mean"]
    elif isinstance(monitor, monitors.SpatialAverage):
        nodes = [f"area {area}" for area in range(len(monitor.spatial_mean))]
    else:
        nodes = [str(label) for label in simulator.connectivity.region_labels]
    period_ms = ms_of(monitor.istep, simulator.integrator.dt)
    return MonitorFacts(variables=variables, nodes=nodes, period_ms=period_ms)


def unfed_faults(built: list[KeyedMonitor], model: Any, state: Reals) -> list[Fault]:
    """Finds monitors that cannot work because TVB does not know a variable of the proxies.

    Args:
        built: Configured monitors.
        model: TVB's model.
        state: A state, float64 (state variable, region, mode), NaN where proxies are not fed.
    """
    faults = []
    unseen = np.isnan(model.observe(state)).any(axis=(1, 2))
    for entry in built:
        path = f"tvb.monitors.{entry.number}"
        name = type(entry.monitor).__name__
        if entry.sees_coupling:
            text = (
                f"{name} needs the coupling right after every tick, which spiking regions make "
                "known only later; their drive is recorded in the results anyway"
            )
            faults.append(Fault(path, text))
        elif isinstance(entry.monitor, _MIXING) and unseen[entry.monitor.voi].any():
            unfed = [
                model.variables_of_interest[index] for index in entry.monitor.voi if unseen[index]
            ]
            text = (
                f"{name} mixes all regions, but {', '.join(unfed)} of the spiking regions is not "
                "fed; feed it, or choose other variables_of_interest"
            )
            faults.append(Fault(path, text))
    return faults


def _set_period(
    monitor: Any, entry: Monitor, number: int, plan: RunPlan, faults: list[Fault]
) -> None:
    """Sets a period of a whole number of ticks; TVB would round another one silently."""
    dt_ms = plan.experiment.dt_ms
    path = f"tvb.monitors.{number}.period_ms"
    if isinstance(monitor, monitors.Raw) and not isinstance(monitor, monitors.TemporalAverage):
        if entry.period_ms is not None and not math.isclose(entry.period_ms, dt_ms):
            text = f"{entry.name} records every tick ({dt_ms:g} ms); SubSample takes a period"
            faults.append(Fault(path, text))
        return
    period_ms = monitor.period if entry.period_ms is None else entry.period_ms
    if entry.period_ms is None:
        ticks = max(1, round(period_ms / dt_ms))
    else:
        try:
            ticks = ticks_of(period_ms, dt_ms)
        except InexactTimeError as error:
            faults.append(Fault(path, str(error)))
            return
    if ticks < 1:
        faults.append(Fault(path, f"{period_ms:g} ms is shorter than a tick of {dt_ms:g} ms"))
        return
    monitor.period = ticks * dt_ms
    while int(monitor.period / dt_ms) < ticks:
        # projection monitors truncate where others round: 0.3 / 0.1 is a little less than 3
        monitor.period = math.nextafter(monitor.period, math.inf)


def _check_variables(monitor: Any, number: int, model: Any, faults: list[Fault]) -> None:
    chosen = monitor.variables_of_interest
    names = list(model.variables_of_interest)
    if isinstance(monitor, monitors.AfferentCoupling):
        names = coupling_variables(model)
    if chosen is not None and not np.isin(chosen, np.arange(len(names))).all():
        listed = ", ".join(f"{index} {name}" for index, name in enumerate(names))
        text = (
            f"{chosen.tolist()} are not all indices of variables of interest; there are: {listed}"
        )
        faults.append(Fault(f"tvb.monitors.{number}.parameters.variables_of_interest", text))


def _refuse_files(entry: Monitor, path: str, faults: list[Fault]) -> None:
    faults.extend(
        Fault(f"{path}.{key}", f"is not used by {entry.name}, only by EEG, MEG and iEEG; remove it")
        for key in ("sensors", "projection", "region_mapping")
        if getattr(entry, key) is not None
    )
