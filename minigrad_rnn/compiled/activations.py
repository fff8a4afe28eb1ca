r"""The hyperbolic tangent and the logistic sigmoid inside compiled loops.

The C library's ``tanh`` is a call for every number, which keeps a loop from being vectorised. In single precision
:math:`\tanh x / x` is a quotient of two polynomials of degree 4 in :math:`x^2` instead: between -9 and 9, beyond which
the result is :math:`\pm 1`, the quotient is off by :math:`2 \cdot 10^{-8}` of the value at most, and rounding adds up
to 6 units in the last place. The coefficients are the best that weighted least squares found (Lawson's algorithm), see
``tests/rnn/make_tanh.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy
from numba.extending import overload

ABOVE = tuple(map(numpy.float32, (0.9999999787, 0.1337972673, 0.003494044207, 2.058360796e-5, 1.331918695e-8)))
BELOW = tuple(map(numpy.float32, (1.0, 0.4671304198, 0.02587111197, 0.0003283107232, 7.762079346e-7)))
MOST = numpy.float32(9)
ONE, HALF = numpy.float32(1), numpy.float32(0.5)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return math.tanh(x)


def sigmoid(x: Any) -> Any:
    r""":math:`\tanh(x/2)/2 + 1/2`."""
    return 0.5 * tanh(0.5 * x) + 0.5


@overload(tanh, jit_options={"fastmath": {"contract"}})
def _tanh(x: Any) -> Callable[[Any], Any]:
    def precise(x: Any) -> Any:
        return math.tanh(x)

    def quotient(x: Any) -> Any:
        x = MOST if x > MOST else x  # NaN passes
        x = -MOST if x < -MOST else x
        square = x * x
        above = ABOVE[0] + square * (ABOVE[1] + square * (ABOVE[2] + square * (ABOVE[3] + square * ABOVE[4])))
        below = BELOW[0] + square * (BELOW[1] + square * (BELOW[2] + square * (BELOW[3] + square * BELOW[4])))
        y = x * above / below
        y = ONE if y > ONE else y
        return -ONE if y < -ONE else y

    return quotient if x == numba.float32 else precise


@overload(sigmoid, jit_options={"fastmath": {"contract"}})
def _sigmoid(x: Any) -> Callable[[Any], Any]:
    def precise(x: Any) -> Any:
        return 0.5 * tanh(0.5 * x) + 0.5

    def single(x: Any) -> Any:
        return HALF * tanh(HALF * x) + HALF

    return single if x == numba.float32 else precise
