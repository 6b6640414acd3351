"""What a user's translator returns, checked in every window before anybody else sees it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.signals import (
    COUNT,
    NEURON,
    REAL,
    TICK,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    Array,
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

Reals = npt.NDArray[np.float64]

SIGNALS: dict[DriveKind, dict[str, np.dtype[Any]]] = {
    "poisson": {"rate": REAL},
    "mip": {"tick": TICK, "count": COUNT},
    "sip": {"tick": TICK, "count": COUNT, "rate": REAL},
    "trains": {"neuron": NEURON, "tick": TICK},
    "current": {"amplitude": REAL},
}
"""What each kind of drive consists of. Real signals have a value per tick, others per event."""


@dataclass(frozen=True)
class _Place:
    """Who returned something, for whom and when."""

    translator: str
    edge: str
    region: str
    window: Window

    def refuse(self, what: str, got: str, expected: str) -> NoReturn:
        raise SimulationError(f"{self}: {what} is {got}, expected {expected}")

    def call(self, translate: Callable[..., Any], *arguments: object) -> Any:
        """Calls a user's code; whatever it raises becomes one line and a traceback."""
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


class GuardedRate:
    """A user's translator from spikes to rates.

    Args:
        name: As written in the experiment.
        user: The translator.
        context: What it was made with.
    """

    def __init__(self, name: str, user: SpikesToRate, context: RateContext) -> None:
        self._name, self._user, self._context = name, user, context

    def translate(self, window: Window, counts: npt.NDArray[np.uint32], spikes: Spikes) -> Reals:
        """Translates one window.

        Raises:
            SimulationError: If the user's code raises or what it returns is no rate.
        """
        place = _Place(self._name, TRANSLATOR_TO_TVB, self._context.region, window)
        result = place.call(self._user.translate, counts, spikes)
        rates: Reals = place.copy_array("the rate", result, REAL, counts.shape)
        place.check_finite("the rate [population, tick] ", rates, signed=False)
        return rates


class GuardedDrive:
    """A user's translator from rates to drive.

    Args:
        name: As written in the experiment.
        user: The translator.
        context: What it was made with.
    """

    def __init__(self, name: str, user: RateToDrive, context: DriveContext) -> None:
        self._name, self._user, self._context = name, user, context
        self._signals = SIGNALS[context.drive.kind]

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """Translates one window.

        Returns:
            The signals ``drive/REGION/...``.

        Raises:
            SimulationError: If the user's code raises or what it returns is no such drive.
        """
        place = _Place(self._name, TRANSLATOR_TO_NEST, self._context.region, window)
        result = place.call(self._user.translate, input_hz)
        if not isinstance(result, Mapping) or set(result) != set(self._signals):
            got = sorted(map(str, result)) if isinstance(result, Mapping) else type(result).__name__
            place.refuse("what it returned", f"{got}", f"a mapping of {sorted(self._signals)}")
        signals = {
            name: place.copy_array(
                name, result[name], dtype, (window.ticks,) if dtype == REAL else None
            )
            for name, dtype in self._signals.items()
        }
        self._check_values(place, signals)
        return {f"drive/{self._context.region}/{name}": array for name, array in signals.items()}

    def _check_values(self, place: _Place, signals: Mapping[str, npt.NDArray[Any]]) -> None:
        events = {name: array for name, array in signals.items() if array.dtype != REAL}
        sizes = {name: array.size for name, array in events.items()}
        if len(set(sizes.values())) > 1:
            place.refuse("the number of events", f"{sizes}", "the same for all signals")
        for name, array in signals.items():
            if array.dtype == REAL:
                place.check_finite(name, array, signed=name == "amplitude")
        if "tick" in events:
            place.check_below("tick", events["tick"], 1, place.window.ticks)
            if (np.diff(events["tick"].astype(np.int64)) < 0).any():
                place.refuse("tick", "not in order", "ascending ticks")
        if "count" in events:
            place.check_below("count", events["count"], 1, np.iinfo(np.int32).max)
        if "neuron" in events:
            place.check_below("neuron", events["neuron"], 0, self._context.driven_neurons - 1)
