"""Runs one tick: does TVB run at all, and can spiking regions be taken out of it exactly?"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
from tvb.simulator.integrators import IntegratorStochastic, SciPyODEBase

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.tvb_service.monitors import KeyedMonitor
from tvb_nest_cosim.tvb_service.proxies import Indices, Proxy


def tick_faults(
    simulator: Any, monitors: list[KeyedMonitor], proxies: list[Proxy], indices: Indices
) -> list[Fault]:
    """Runs a tick and finds what would fail later, or make proxies inexact.

    Args:
        simulator: A configured simulator, to be discarded afterwards.
        monitors: Its monitors.
        proxies: The proxies.
        indices: Their indices.
    """
    try:
        with np.errstate(all="ignore"):
            incoming = simulator.coupling(1, simulator.history)
            state = _tick(simulator, simulator.current_state.copy(), incoming)
            faults = _monitor_faults(monitors, simulator.model.observe(state), incoming)
            if proxies:
                faults += _coupling_faults(simulator, proxies, indices, incoming)
                faults += _isolation_faults(simulator, indices, incoming)
            return faults
    # tvb-library and a user's classes raise anything
    except (Exception, SystemExit) as error:
        text = (
            f"the first tick of {type(simulator.model).__name__} fails: {cause_of(error)}; likely "
            "causes are a parameter of a wrong size, or a coupling that does not suit the model"
        )
        return [Fault("tvb", text, traceback.format_exc())]


def _tick(simulator: Any, state: Any, incoming: Any) -> Any:
    stimulus: Any = 0.0
    if simulator.stimulus is not None:
        stimulus = np.zeros((simulator.model.nvar, simulator.number_of_nodes, 1))
    return simulator.integrate_next_step(state, simulator.model, incoming, 0.0, stimulus)


def _monitor_faults(monitors: list[KeyedMonitor], observed: Any, incoming: Any) -> list[Fault]:
    faults = []
    for entry in monitors:
        try:
            entry.monitor.record(1, incoming if entry.sees_coupling else observed)
        except (ValueError, IndexError) as error:
            text = f"{type(entry.monitor).__name__} cannot record this model: {cause_of(error)}"
            faults.append(Fault(f"tvb.monitors.{entry.number}", text))
    return faults


def _coupling_faults(
    simulator: Any, proxies: list[Proxy], indices: Indices, incoming: Any
) -> list[Fault]:
    faults = []
    for proxy in proxies:
        if proxy.coupling_variable >= len(incoming):
            text = (
                f"number {proxy.coupling_variable} is asked for, but "
                f"{type(simulator.coupling).__name__} delivers {len(incoming)} coupling variables"
            )
            faults.append(Fault(f"spiking.{proxy.plan.group}.drive.coupling_variable", text))
    if any(_depends_on_itself(simulator, index, incoming) for index in indices):
        text = (
            f"{type(simulator.coupling).__name__} makes the input to a region depend on the "
            "region's own state without delay, so the drive of a spiking region cannot be known "
            "ahead; use a coupling of the other regions' states only, such as Linear"
        )
        faults.append(Fault("tvb.coupling.name", text))
    return list(dict.fromkeys(faults))


def _depends_on_itself(simulator: Any, region: int, incoming: Any) -> bool:
    """Returns whether the input to a region depends on the region's own state without delay."""
    buffer = simulator.history.buffer
    kept = buffer[:, :, region].copy()
    buffer[:, :, region] += 1.0
    changed = simulator.coupling(1, simulator.history)[:, region]
    buffer[:, :, region] = kept
    return not np.array_equal(changed, incoming[:, region])


def _isolation_faults(simulator: Any, indices: Indices, incoming: Any) -> list[Fault]:
    """Finds models and schemes in which a proxy's placeholder would act on other regions."""
    integrator = simulator.integrator
    if isinstance(integrator, SciPyODEBase):
        text = (
            f"{type(integrator).__name__} adapts its steps to all regions at once, so spiking "
            "regions cannot be taken out exactly; use a fixed step such as HeunDeterministic"
        )
        return [Fault("tvb.integrator.name", text)]
    other = simulator.current_state.copy()
    # any valid state that differs: that of the neighbours
    other[:, indices] = np.roll(other, 1, axis=1)[:, indices]
    results = []
    for state in (simulator.current_state.copy(), other):
        if isinstance(integrator, IntegratorStochastic):
            integrator.noise.random_stream = np.random.RandomState(1)
        results.append(np.delete(_tick(simulator, state, incoming), indices, axis=1))
    if np.array_equal(results[0], results[1], equal_nan=True):
        return []
    text = (
        f"{type(simulator.model).__name__} mixes regions inside the model, so spiking regions "
        "cannot be taken out exactly; regions may act on each other through the coupling only"
    )
    return [Fault("tvb.model.name", text)]
