"""Models of TVB that fail at once or after a while."""

from __future__ import annotations

import numpy as np
from tvb.simulator.models import ZerlautAdaptationFirstOrder


class RaisesAtOnce(ZerlautAdaptationFirstOrder):
    def dfun(self, state, coupling, local_coupling=0.0):
        raise ArithmeticError("the [model] is broken")


class _Failing(ZerlautAdaptationFirstOrder):
    calls = 0

    def dfun(self, state, coupling, local_coupling=0.0):
        type(self).calls += 1
        return self.fail(super().dfun(state, coupling, local_coupling), type(self).calls > 400)


class NotANumberLater(_Failing):
    def fail(self, change, now):
        return np.full_like(change, np.nan) if now else change


class RaisesLater(_Failing):
    def fail(self, change, now):
        if now:
            raise ArithmeticError("the [model] is broken")
        return change
