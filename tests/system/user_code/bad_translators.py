"""Translators from spikes to rates that work until a given window and then fail."""

from __future__ import annotations

import numpy as np


class _Failing:
    def __init__(self, context, window):
        self.window = window

    def translate(self, window, counts, spikes):
        rates = counts.astype(float)
        return self.fail(rates) if window.index >= self.window else rates


class WrongShape(_Failing):
    def fail(self, rates):
        return rates[:, :-1]


class NotANumber(_Failing):
    def fail(self, rates):
        return np.full_like(rates, np.nan)


class Negative(_Failing):
    def fail(self, rates):
        return rates - 1e6


class Raises(_Failing):
    def fail(self, rates):
        raise KeyError("no [calibration] for this rate")


class Exits(_Failing):
    def fail(self, rates):
        raise SystemExit(3)


class CannotBeMade:
    def __init__(self, context):
        raise ValueError(f"no table for {context.region}")

    def translate(self, window, counts, spikes):
        return counts.astype(float)
