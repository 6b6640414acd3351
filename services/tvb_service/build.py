"""From the plan to a configured ``Simulator`` of tvb-library, or all faults at once."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from tvb.simulator.simulator import Simulator

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.tvb_service.connectivity import build_connectivity
from tvb_nest_cosim.tvb_service.dry_run import tick_faults
from tvb_nest_cosim.tvb_service.engine import choose_engine
from tvb_nest_cosim.tvb_service.initial_conditions import initial_states
from tvb_nest_cosim.tvb_service.integrator import build_integrator
from tvb_nest_cosim.tvb_service.model import build_coupling, build_model
from tvb_nest_cosim.tvb_service.monitors import KeyedMonitor, build_monitors, unfed_faults
from tvb_nest_cosim.tvb_service.proxies import Indices, Proxy, check_proxies
from tvb_nest_cosim.tvb_service.stimulus import build_stimulus


@dataclass(frozen=True)
class Assembly:
    """TVB, built for a run.

    Attributes:
        simulator: Configured ``Simulator``, at step 0.
        monitors: Its monitors, by name in the results.
        proxies: The spiking regions; empty if TVB simulates all regions itself.
        engine: Engine that integrates.
        warnings: For the user.
    """

    simulator: Any
    monitors: list[KeyedMonitor]
    proxies: list[Proxy]
    engine: Engine = "tvb"
    warnings: list[str] = field(default_factory=list)

    @property
    def indices(self) -> Indices:
        """Indices of the proxies in the connectome."""
        return np.array([proxy.plan.index for proxy in self.proxies], dtype=np.intp)


def assemble(plan: RunPlan) -> Assembly:
    """Builds TVB's side.

    A first copy runs for a tick and is discarded: what TVB or a user's model cannot handle is found
    before the run begins, and the second copy starts from untouched state.

    Raises:
        ExperimentError: With all faults found.
        SimulationError: If TVB and the plan disagree about the delays.
    """
    connectome = load_connectome(Path(plan.connectome_path), plan.experiment.connectome)
    tried = _compose(plan, connectome)
    faults = tick_faults(tried.simulator, tried.monitors, tried.proxies, tried.indices)
    if tried.proxies:
        faults += unfed_faults(tried.monitors, tried.simulator.model, _known_state(tried))
    engine, warnings = plan.experiment.tvb.engine, list[str]()
    if not faults:
        engine = choose_engine(engine, tried.simulator, tried.indices, faults, warnings)
    if faults:
        raise ExperimentError(faults)
    return replace(_compose(plan, connectome), engine=engine, warnings=warnings)


def _known_state(assembly: Assembly) -> Reals:
    """Returns the initial state, float64 (state variable, region, mode), NaN where not fed."""
    state: Reals = assembly.simulator.current_state.copy()
    for proxy in assembly.proxies:
        unfed = np.setdiff1d(np.arange(len(state)), proxy.variables)
        state[unfed, proxy.plan.index] = np.nan
    return state


def _compose(plan: RunPlan, connectome: Connectome) -> Assembly:
    faults: list[Fault] = []
    count = len(connectome.labels)
    model = build_model(plan, count, faults)
    coupling = build_coupling(plan, faults)
    places = [region.index for region in plan.regions] if plan.has_proxies else []
    connectivity = build_connectivity(connectome, places, plan.carried, plan.experiment.dt_ms)
    stimulus = build_stimulus(plan, connectome, connectivity, faults)
    if model is None:
        raise ExperimentError(faults)
    integrator = build_integrator(plan, list(model.state_variables), faults)
    monitors = build_monitors(plan, model, connectome, faults)
    initial = initial_states(plan, model, count, faults)
    proxies = check_proxies(plan, model, faults)
    if faults:
        raise ExperimentError(faults)
    parts = {
        "model": model,
        "connectivity": connectivity,
        "coupling": coupling,
        "integrator": integrator,
        "stimulus": stimulus,
        "monitors": tuple(entry.monitor for entry in monitors),
        "initial_conditions": np.repeat(initial[None], connectivity.horizon, axis=0),
    }
    return Assembly(_configured(parts), monitors, proxies)


def _configured(parts: dict[str, Any]) -> Any:
    try:
        simulator = Simulator(**parts)
        simulator.configure()
    # tvb-library and a user's classes raise anything
    except (Exception, SystemExit) as error:
        raise ExperimentError.single(
            "tvb", f"TVB cannot be configured: {cause_of(error)}", traceback.format_exc()
        ) from error
    # A history given in full makes TVB begin at step horizon - 1. It is constant in time, so the
    # run may begin at step 0 as any other: steps are ticks, and monitors count from there.
    simulator.current_step = 0
    return simulator
