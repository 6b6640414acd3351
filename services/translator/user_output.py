"""Calls users' translators and checks their results, in every window, before they are used."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.arrays import Array, Counts, Reals
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    COUNT,
    NEURON,
    REAL,
    TICK,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.translator.interfaces import (
    DriveContext,
    RateContext,
    RateToDrive,
    Spikes,
    SpikesToRate,
)
from tvb_nest_cosim.translator.random_numbers import CounterStream
from tvb_nest_cosim.translator.user_classes import UserClass

SIGNALS: dict[DriveKind, dict[str, np.dtype[Any]]] = {
    "poisson": {"rate": REAL},
    "mip": {"tick": TICK, "count": COUNT},
    "sip": {"tick": TICK, "count": COUNT, "rate": REAL},
    "trains": {"neuron": NEURON, "tick": TICK},
    "current": {"amplitude": REAL},
}
"""The signals of each kind of drive. Real ones have a value per tick, others one per event."""


@dataclass(frozen=True)
class _Call:
    """One call of a user's translator; it names itself at the start of every message."""

    translator: str
    edge: str
    region: str
    window: Window

    def refuse(self, what: str, got: str, expected: str) -> NoReturn:
        raise SimulationError(f"{self}: {what} is {got}, expected {expected}")

    def result(self, translate: Callable[..., Any], *arguments: object) -> Any:
        """Calls the translator; any exception becomes one line, with the traceback as detail."""
        try:
            return translate(self.window, *arguments)
        except (Exception, SystemExit) as error:
            raise SimulationError(
                f"{self}: it raised {cause_of(error)}", traceback.format_exc()
            ) from error

    def copy_array(
        self, what: str, array: object, dtype: np.dtype[Any], shape: tuple[int, ...] | None
    ) -> npt.NDArray[Any]:
        """Copies an array of the right type and shape; no shape means one-dimensional."""
        if not isinstance(array, np.ndarray):
            self.refuse(what, f"of type {type(array).__name__}", "a NumPy array")
        if array.dtype != dtype:
            self.refuse(what, f"of dtype {array.dtype}", f"{dtype} (array.astype(np.{dtype}))")
        if array.ndim != 1 if shape is None else array.shape != shape:
            expected = "(events,)" if shape is None else str(shape)
            self.refuse(what, f"of shape {array.shape}", f"shape {expected}")
        # A copy: the translator may use its array again while this one is being sent.
        return np.array(array, order="C")

    def check_finite(self, what: str, values: Reals, *, signed: bool) -> None:
        """Checks real values."""
        bad = ~np.isfinite(values) if signed else ~((values >= 0.0) & (values < np.inf))
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            expected = "finite numbers" if signed else "finite numbers, not negative"
            self.refuse(f"{what}{list(at)}", f"{values[at]}", expected)

    def check_below(self, what: str, values: Array, low: int, high: int) -> None:
        """Checks that integers lie in low ... high."""
        if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
            got = f"in the range {values.min()} ... {values.max()}"
            self.refuse(what, got, f"values in {low} ... {high}")

    def __str__(self) -> str:
        first, last = self.window.start + 1, self.window.stop
        return (
            f"translator {self.translator} of region '{self.region}', edge {self.edge}, window "
            f"{self.window.index} (ticks {first} ... {last})"
        )


class CheckedRate:
    """A user's translator from spikes to rates, made for one region.

    Args:
        user: The user's class.
        plan: The plan of the run.
        region: The region.
        sizes: Number of neurons by population.

    Raises:
        ExperimentError: If the user's constructor fails.
    """

    def __init__(
        self, user: UserClass, plan: RunPlan, region: RegionPlan, sizes: Mapping[str, int]
    ) -> None:
        self._name, self._region = user.name, region.name
        stream = CounterStream(plan.experiment.seed, region.name, "user rate")
        context = RateContext(region.name, dict(sizes), plan.grid, stream.uniforms)
        self._translator: SpikesToRate = user.make(context)

    def translate(self, window: Window, counts: Counts, spikes: Spikes) -> Reals:
        """Translates one window; see :class:`SpikesToRate` for the arrays.

        Raises:
            SimulationError: If the user's code raises or does not return such rates.
        """
        call = _Call(self._name, TRANSLATOR_TO_TVB, self._region, window)
        result = call.result(self._translator.translate, counts, spikes)
        rates: Reals = call.copy_array("the rate", result, REAL, counts.shape)
        call.check_finite("the rate [population, tick] ", rates, signed=False)
        return rates


class CheckedDrive:
    """A user's translator from rates to drive, made for one region.

    Args:
        user: The user's class.
        plan: The plan of the run.
        region: The region.
        sizes: Number of neurons by population.
        driven_neurons: Number of neurons that get the drive.

    Raises:
        ExperimentError: If the user's constructor fails.
    """

    def __init__(
        self,
        user: UserClass,
        plan: RunPlan,
        region: RegionPlan,
        sizes: Mapping[str, int],
        driven_neurons: int,
    ) -> None:
        self._name, self._region, self._driven_neurons = user.name, region.name, driven_neurons
        self._signals = SIGNALS[region.drive.kind]
        uniforms = CounterStream(plan.experiment.seed, region.name, "user drive").uniforms
        self._translator: RateToDrive = user.make(
            DriveContext(
                region.name, dict(sizes), plan.grid, uniforms, region.drive, driven_neurons
            )
        )

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """Translates one window.

        Args:
            window: The ticks at which the devices emit.
            input_hz: Total input rate of a driven neuron, float64 [tick].

        Returns:
            The signals ``drive/REGION/...``.

        Raises:
            SimulationError: If the user's code raises or does not return such a drive.
        """
        call = _Call(self._name, TRANSLATOR_TO_NEST, self._region, window)
        result = call.result(self._translator.translate, input_hz)
        if not isinstance(result, Mapping) or set(result) != set(self._signals):
            got = sorted(map(str, result)) if isinstance(result, Mapping) else type(result).__name__
            call.refuse("what it returned", f"{got}", f"a mapping of {sorted(self._signals)}")
        signals = {
            name: call.copy_array(
                name, result[name], dtype, (window.ticks,) if dtype == REAL else None
            )
            for name, dtype in self._signals.items()
        }
        self._check_values(call, signals)
        return {f"drive/{self._region}/{name}": array for name, array in signals.items()}

    def _check_values(self, call: _Call, signals: Mapping[str, npt.NDArray[Any]]) -> None:
        events = {name: array for name, array in signals.items() if array.dtype != REAL}
        sizes = {name: array.size for name, array in events.items()}
        if len(set(sizes.values())) > 1:
            call.refuse("the number of events", f"{sizes}", "the same for all signals")
        for name, array in signals.items():
            if array.dtype == REAL:
                call.check_finite(name, array, signed=name == "amplitude")
        if "tick" in events:
            call.check_below("tick", events["tick"], 1, call.window.ticks)
            if (np.diff(events["tick"].astype(np.int64)) < 0).any():
                call.refuse("tick", "not in order", "ascending ticks")
        if "count" in events:
            call.check_below("count", events["count"], 1, np.iinfo(np.int32).max)
        if "neuron" in events:
            call.check_below("neuron", events["neuron"], 0, self._driven_neurons - 1)
