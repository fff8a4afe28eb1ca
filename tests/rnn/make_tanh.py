r"""Print the coefficients of the hyperbolic tangent in minigrad_rnn/compiled/activations.py.

:math:`\tanh x / x = P(x^2) / Q(x^2)` between -9 and 9, both of degree 4, with the relative error as small and as even
as it gets: weighted least squares of :math:`P - f Q`, over and over, where the weights are the squares of the errors so
far (C. L. Lawson, Contributions to the theory of linear least maximum approximation, 1961), and the denominator before
makes of that residual the error of the quotient. Chebyshev polynomials as a basis keep the systems well-conditioned, so
double precision is enough; the last digits printed are not certain, the error is.

python tests/rnn/make_tanh.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

MOST, DEGREE, POINTS, ROUNDS = 9, 4, 120, 2000
Array = Any


def fitted() -> tuple[Array, Array]:
    """The coefficients of P and Q, those of the low powers first, Q's first being 1."""
    angles = (np.arange(POINTS) + 0.5) * np.pi / POINTS
    squares = MOST**2 * (1 - np.cos(angles)) / 2
    f = ratio(np.sqrt(squares))
    basis = np.polynomial.chebyshev.chebvander(2 * squares / MOST**2 - 1, DEGREE)
    terms = np.hstack([basis, -f[:, None] * basis[:, 1:]])  # of Q, that of T_0 is 1 and goes to the other side
    weights, denominator = np.full(POINTS, 1 / POINTS), np.ones(POINTS)
    for _ in range(ROUNDS):
        scale = np.sqrt(weights) / (f * denominator)
        solution = np.linalg.lstsq(terms * scale[:, None], f * scale, rcond=None)[0]
        above, below = solution[: DEGREE + 1], np.concatenate([[1.0], solution[DEGREE + 1 :]])
        denominator = basis @ below
        weights *= np.abs(basis @ above / (f * denominator) - 1)
        weights /= weights.sum()
    above, below = in_powers(above), in_powers(below)
    return above / below[0], below / below[0]


def ratio(x: Array) -> Array:
    """tanh x / x, of numbers that are not zero."""
    return np.tanh(x) / x


def in_powers(coefficients: Array) -> Array:
    """A series of Chebyshev polynomials between 0 and 81 as coefficients of powers."""
    return Chebyshev(coefficients, domain=[0, MOST**2]).convert(kind=Polynomial).coef


def error(above: Array, below: Array) -> float:
    """The largest relative error of the quotient, in double precision."""
    x = np.concatenate([np.linspace(1e-9, MOST, 200_001), np.geomspace(1e-9, 1, 10_001)])
    quotient = Polynomial(above)(x**2) / Polynomial(below)(x**2)
    return float(np.abs(quotient / ratio(x) - 1).max())


if __name__ == "__main__":
    found = fitted()
    for name, coefficients in zip(("ABOVE", "BELOW"), found, strict=True):
        print(name, ", ".join(f"{value:.10g}" for value in coefficients))
    print(f"largest relative error {error(*found):.4g}")
