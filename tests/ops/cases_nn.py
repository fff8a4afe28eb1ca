"""The primitives of minigrad.nn."""

from __future__ import annotations

import numpy as np
from case import Case

from minigrad.nn.losses import _binary_cross_entropy, _floored_log
from minigrad.nn.normalization import normalize


def _normalized(x: np.ndarray, dim: tuple[int, ...], eps: float) -> np.ndarray:
    return (x - x.mean(dim, keepdims=True)) / np.sqrt(x.var(dim, keepdims=True) + eps)


CASES = [
    Case(normalize, lambda rng: (rng.standard_normal((3, 4)),), _normalized, {"dim": (-1,), "eps": 1e-3}),
    Case(normalize, lambda rng: (rng.standard_normal((3, 4, 2)),), _normalized, {"dim": (0, 2), "eps": 1e-5}),
    Case(_floored_log, lambda rng: (rng.uniform(0.1, 0.9, (3, 4)),), np.log, name="floored_log"),
    Case(
        _binary_cross_entropy,
        lambda rng: (rng.uniform(0.1, 0.9, (3, 4)), rng.uniform(0.1, 0.9, (3, 4))),
        lambda x, y: -(y * np.log(x) + (1 - y) * np.log(1 - x)),
        name="binary_cross_entropy",
    ),
]
