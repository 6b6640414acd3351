"""Parameters of tvb-library's models as the kernels want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.tvb_service.compiled import (
    oscillator,
    wong_wang,
    wong_wang_exc_inh,
    zerlaut,
    zerlaut_second,
)
from tvb_nest_cosim.tvb_service.compiled.oscillator import Oscillator
from tvb_nest_cosim.tvb_service.compiled.wong_wang import WongWang
from tvb_nest_cosim.tvb_service.compiled.wong_wang_exc_inh import WongWangExcInh
from tvb_nest_cosim.tvb_service.compiled.zerlaut_first import FirstOrder
from tvb_nest_cosim.tvb_service.compiled.zerlaut_second import SecondOrder


def read_model(model: Any, regions: int) -> Any:
    """Returns the parameters of a model, of a type by which the kernels know the model.

    Args:
        model: A configured model of tvb-library.
        regions: Regions of the connectome.
    """
    return READERS[type(model).__name__](model, regions)


def _zerlaut(kind: Any, *further: Any) -> Any:
    def read(model: Any, regions: int) -> Any:
        excitatory = _table(model, zerlaut.EXCITATORY, regions)
        inhibitory = _table(model, zerlaut.INHIBITORY, regions)
        return kind(
            _table(model, zerlaut.SHARED, regions),
            np.concatenate([excitatory, _everywhere(model.P_e, regions)]),
            np.concatenate([inhibitory, _everywhere(model.P_i, regions)]),
            *further,
        )

    return read


def _plain(kind: Any, names: Sequence[str]) -> Any:
    def read(model: Any, regions: int) -> Any:
        return kind(_table(model, names, regions))

    return read


def _table(model: Any, names: Sequence[str], regions: int) -> Reals:
    """Returns parameters, float64 [parameter, region], whether or not they differ by region."""
    rows = [np.broadcast_to(np.ravel(getattr(model, name)), regions) for name in names]
    return np.array(rows, dtype=np.float64)


def _everywhere(coefficients: Any, regions: int) -> Reals:
    """Returns coefficients, float64 [coefficient, region], the same in every region."""
    return np.repeat(np.reshape(coefficients, (-1, 1)), regions, axis=1)


READERS = {
    "ZerlautAdaptationFirstOrder": _zerlaut(FirstOrder),
    "ZerlautAdaptationSecondOrder": _zerlaut(SecondOrder, zerlaut_second.SHIFTS),
    "ReducedWongWang": _plain(WongWang, wong_wang.NAMES),
    "ReducedWongWangExcInh": _plain(WongWangExcInh, wong_wang_exc_inh.NAMES),
    "Generic2dOscillator": _plain(Oscillator, oscillator.NAMES),
}
