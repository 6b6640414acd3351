"""The complementary error function with scipy's bits.

``scipy.special.erfc`` is that of Cephes (S. L. Moshier, https://www.netlib.org/cephes, ndtr.c). The
same coefficients in the same order of evaluation, with the C library's ``exp``, give the same bits;
a function of our own can be compiled into the kernels and cached, which a pointer into scipy
cannot.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

_MAXLOG = 7.09782712893383996843e2

_P = (
    2.46196981473530512524e-10,
    5.64189564831068821977e-1,
    7.46321056442269912687e0,
    4.86371970985681366614e1,
    1.96520832956077098242e2,
    5.26445194995477358631e2,
    9.34528527171957607540e2,
    1.02755188689515710272e3,
    5.57535335369399327526e2,
)
_Q = (
    1.32281951154744992508e1,
    8.67072140885989742329e1,
    3.54937778887819891062e2,
    9.75708501743205489753e2,
    1.82390916687909736289e3,
    2.24633760818710981792e3,
    1.65666309194161350182e3,
    5.57535340817727675546e2,
)
_R = (
    5.64189583547755073984e-1,
    1.27536670759978104416e0,
    5.01905042251180477414e0,
    6.16021097993053585195e0,
    7.40974269950448939160e0,
    2.97886665372100240670e0,
)
_S = (
    2.26052863220117276590e0,
    9.39603524938001434673e0,
    1.20489539808096656605e1,
    1.70814450747565897222e1,
    9.60896809063285878198e0,
    3.36907645100081516050e0,
)
_T = (
    9.60497373987051638749e0,
    9.00260197203842689217e1,
    2.23200534594684319226e3,
    7.00332514112805075473e3,
    5.55923013010394962768e4,
)
_U = (
    3.35617141647503099647e1,
    5.21357949780152679795e2,
    4.59432382970980127987e3,
    2.26290000613890934246e4,
    4.92673942608635921086e4,
)


@njit(error_model="numpy")
def erfc(value: float) -> Any:
    """Returns 2 / sqrt(pi) times the integral of exp(-t**2) from ``value`` to infinity."""
    if math.isnan(value):
        return value
    size = abs(value)
    if size < 1.0:
        return 1.0 - _erf_near_zero(value)
    exponent = -value * value
    tail = 0.0
    if exponent >= -_MAXLOG:
        factor = math.exp(exponent)
        if size < 8.0:
            tail = (factor * _polynomial(size, _P)) / _monic(size, _Q)
        else:
            tail = (factor * _polynomial(size, _R)) / _monic(size, _S)
    return 2.0 - tail if value < 0.0 else tail


@njit(error_model="numpy")
def _erf_near_zero(value: float) -> Any:
    square = value * value
    return value * _polynomial(square, _T) / _monic(square, _U)


@njit(error_model="numpy")
def _polynomial(x: float, coefficients: tuple[float, ...]) -> float:
    """Evaluates by Horner's rule, highest power first."""
    total = coefficients[0]
    for index in range(1, len(coefficients)):
        total = total * x + coefficients[index]
    return total


@njit(error_model="numpy")
def _monic(x: float, coefficients: tuple[float, ...]) -> float:
    """The same with a leading coefficient of 1 that is not in the list."""
    total = x + coefficients[0]
    for index in range(1, len(coefficients)):
        total = total * x + coefficients[index]
    return total
