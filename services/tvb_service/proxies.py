"""Spiking regions as TVB sees them: which variables are fed, which coupling drives.

The names are checked here and not by the planner, since only TVB knows its model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, SimulationError
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import Populations, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.tvb_service.model import coupling_variables

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Proxy:
    """One spiking region.

    Attributes:
        plan: The region in the plan of the run.
        variables: Index of each fed state variable, in the order of ``plan.feeds``.
        coupling_variable: Row of TVB's coupling that drives the region.
    """

    plan: RegionPlan
    variables: tuple[int, ...]
    coupling_variable: int


def check_proxies(plan: RunPlan, model: Any, faults: list[Fault]) -> list[Proxy]:
    """Resolves the names in the feeds and drives of the proxies.

    Args:
        plan: The plan.
        model: TVB's model.
        faults: Gets everything that is wrong; regions of one group share their faults.

    Returns:
        The proxies in the plan's order; none if the plan has none.
    """
    if not plan.has_proxies:
        return []
    if model.number_of_modes > 1:
        text = (
            f"{type(model).__name__} has {model.number_of_modes} modes; a spiking region has one "
            "rate per population and cannot stand for them"
        )
        faults.append(Fault("tvb.model.name", text))
    found: dict[Fault, None] = {}
    proxies = [
        Proxy(
            region,
            _fed_variables(region, model, found),
            _coupling_variable(plan, region, model, found),
        )
        for region in plan.regions
    ]
    faults.extend(found)
    return proxies


def _fed_variables(region: RegionPlan, model: Any, found: dict[Fault, None]) -> tuple[int, ...]:
    path = f"spiking.{region.group}.feed"
    names = list(model.state_variables)
    fed = [feed.variable for feed in region.feeds]
    for number, name in enumerate(fed):
        if name not in names:
            text = f"'{name}' is not a state variable; there are: {', '.join(names)}"
            found[Fault(f"{path}.{number}.variable", text)] = None
    missing = [name for name in coupling_variables(model) if name not in fed]
    if missing:
        text = (
            f"{', '.join(missing)} of {type(model).__name__} reaches other regions but is not "
            "fed; every coupling variable needs a feed"
        )
        found[Fault(path, text)] = None
    return tuple(names.index(name) for name in fed if name in names)


def _coupling_variable(
    plan: RunPlan, region: RegionPlan, model: Any, found: dict[Fault, None]
) -> int:
    """Prefers the name declared, since only here the order of ``cvar`` is known for sure."""
    name = plan.experiment.spiking[region.group].drive.coupling_variable
    if name is None:
        return region.drive.coupling_variable
    names = coupling_variables(model)
    if name in names:
        return names.index(name)
    text = f"'{name}' is not a coupling variable; there are: {', '.join(names)}"
    found[Fault(f"spiking.{region.group}.drive.coupling_variable", text)] = None
    return 0


class Feeding:
    """Turns the rates of the spiking populations into TVB's variables.

    Args:
        proxies: The proxies.
        populations: Populations by region, in the order of the rates' channels.

    Raises:
        ExperimentError: If a feed names a population that the network does not have.
    """

    def __init__(self, proxies: list[Proxy], populations: Populations) -> None:
        self._proxies = proxies
        self._names = {
            proxy.plan.name: list(populations.get(proxy.plan.name, {})) for proxy in proxies
        }
        faults = [
            Fault(
                f"spiking.{proxy.plan.group}.feed.{number}.population",
                f"{proxy.plan.name} has no population '{feed.population}'; its network has: "
                f"{', '.join(self._names[proxy.plan.name]) or 'none'}",
            )
            for proxy in proxies
            for number, feed in enumerate(proxy.plan.feeds)
            if feed.population not in self._names[proxy.plan.name]
        ]
        if faults:
            raise ExperimentError(faults)

    def values(self, window: Window, arrays: Mapping[str, Array], variable_count: int) -> Reals:
        """Computes what the proxies' state variables were in a window.

        Args:
            window: The window.
            arrays: ``rates/REGION``, float64 [population, tick], Hz.
            variable_count: State variables of the model.

        Returns:
            float64 [tick, state variable, proxy] in the model's units; NaN where not fed.

        Raises:
            SimulationError: If rates are missing, of a wrong shape or not finite.
        """
        values = np.full((window.ticks, variable_count, len(self._proxies)), np.nan)
        for column, proxy in enumerate(self._proxies):
            names = self._names[proxy.plan.name]
            rates = _checked(proxy.plan.name, arrays, (len(names), window.ticks), window)
            for variable, feed in zip(proxy.variables, proxy.plan.feeds, strict=True):
                rate_hz = rates[names.index(feed.population)]
                values[:, variable, column] = feed.offset + feed.unit_per_hz * rate_hz
        return values


def _checked(
    region: str, arrays: Mapping[str, Array], shape: tuple[int, int], window: Window
) -> Any:
    name = f"rates/{region}"
    where = f"the rates of {region} in window {window.index}"
    if name not in arrays:
        known = ", ".join(arrays) or "no signals"
        raise SimulationError(f"{where} are missing; the translator sent {known}")
    rates = arrays[name]
    if rates.shape != shape:
        raise SimulationError(
            f"{where} have shape {rates.shape}, expected {shape} (population, tick)"
        )
    if not np.isfinite(rates).all():
        population, tick = (int(k) for k in np.argwhere(~np.isfinite(rates))[0])
        raise SimulationError(
            f"{where} are not finite: population {population} at tick {window.start + tick + 1} "
            f"is {rates[population, tick]}"
        )
    return rates
