"""Whole sequences whose steps Numba compiles, for plain layers in single precision on the CPU.

``pip install "minigrad[fast]"`` brings Numba; without it, and for everything else, :mod:`minigrad_rnn.kernels` does
the same with NumPy alone. Here sequences are batch-major, ``(T, N, features)``, as the user has them: nothing is turned
around, and the outputs are the states. (There they are feature-major, because NumPy's functions want long rows.)

Nothing in this package is imported before a layer first runs this way: Numba takes half a second.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy

DTYPES = [numpy.dtype("float32")]  # double precision has no hyperbolic tangent that would be quicker than NumPy's


@functools.cache
def lacking() -> str | None:
    """Why nothing can be compiled here; ``None`` if it can."""
    try:
        importlib.import_module(".steps", __name__)
    except Exception as error:  # noqa: BLE001 - a Numba that is broken must not break a layer that can do without
        missing = isinstance(error, ImportError) and error.name == "numba"
        return 'there is no Numba; pip install "minigrad[fast]"' if missing else f"Numba cannot be imported: {error}"
    return None


def network(name: str) -> Any:
    """The module ``"lstm"``, ``"gru"`` or ``"rnn"``, imported when it is first asked for."""
    return importlib.import_module(f".{name}", __name__)
