"""Cases of the conversions."""

from __future__ import annotations

import numpy as np
from case import Case

import minigrad as mg
from minigrad.ops.conversion import cast

CASES = [
    Case(mg.clone, lambda rng: (rng.normal(size=(2, 3)),), np.copy),
    Case(cast, lambda rng: (rng.normal(size=(2, 3)),), lambda x, dtype: x.astype(dtype), {"dtype": mg.float64}),
    Case(cast, lambda rng: (rng.integers(0, 9, 3),), lambda x, dtype: x.astype(dtype), {"dtype": mg.float64}),
]
