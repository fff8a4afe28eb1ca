"""What counts as a number among the options: Python's and NumPy's, but not booleans."""

from __future__ import annotations

import numbers
from typing import Any


def is_whole(value: Any) -> bool:
    """Whether it is a whole number."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Whether it is a number."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_probability(value: Any) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_real(value) and 0.0 <= value <= 1.0
