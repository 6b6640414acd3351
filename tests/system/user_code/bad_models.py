"""Models of TVB that fail at once or after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
from tvb.simulator.models import ZerlautAdaptationFirstOrder

if TYPE_CHECKING:
    from tvb_nest_cosim.cosim_core.model.arrays import Reals


class RaisesAtOnce(ZerlautAdaptationFirstOrder):
    def dfun(self, state: Reals, coupling: Reals, local_coupling: Reals | float = 0.0) -> NoReturn:
        raise ArithmeticError("the [model] is broken")


class _Failing(ZerlautAdaptationFirstOrder):
    calls = 0

    def dfun(self, state: Reals, coupling: Reals, local_coupling: Reals | float = 0.0) -> Reals:
        type(self).calls += 1
        return self.fail(super().dfun(state, coupling, local_coupling), type(self).calls > 400)


class NotANumberLater(_Failing):
    def fail(self, change: Reals, now: bool) -> Reals:
        return np.full_like(change, np.nan) if now else change


class RaisesLater(_Failing):
    def fail(self, change: Reals, now: bool) -> Reals:
        if now:
            raise ArithmeticError("the [model] is broken")
        return change
