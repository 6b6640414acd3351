"""Translators from spikes to rates that work until a given window and then fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import numpy as np

if TYPE_CHECKING:
    from tvb_nest_cosim.cosim_core.model.arrays import Counts, Reals
    from tvb_nest_cosim.cosim_core.model.timegrid import Window
    from tvb_nest_cosim.translator.interfaces import RateContext, Spikes


class _Failing:
    def __init__(self, context: RateContext, window: int) -> None:
        self.window = window

    def translate(self, window: Window, counts: Counts, spikes: Spikes) -> Reals:
        rates = counts.astype(float)
        return self.fail(rates) if window.index >= self.window else rates


class WrongShape(_Failing):
    def fail(self, rates: Reals) -> Reals:
        return rates[:, :-1]


class NotANumber(_Failing):
    def fail(self, rates: Reals) -> Reals:
        return np.full_like(rates, np.nan)


class Negative(_Failing):
    def fail(self, rates: Reals) -> Reals:
        return rates - 1e6


class Raises(_Failing):
    def fail(self, rates: Reals) -> NoReturn:
        raise KeyError("no [calibration] for this rate")


class Exits(_Failing):
    def fail(self, rates: Reals) -> NoReturn:
        raise SystemExit(3)


class Spins(_Failing):
    def fail(self, rates: Reals) -> NoReturn:
        while True:
            pass


class Sleeps(_Failing):
    def fail(self, rates: Reals) -> Reals:
        time.sleep(600.0)
        return rates


class CannotBeMade:
    def __init__(self, context: RateContext) -> None:
        raise ValueError(f"no table for {context.region}")

    def translate(self, window: Window, counts: Counts, spikes: Spikes) -> Reals:
        return counts.astype(float)
