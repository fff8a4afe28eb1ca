"""The primitives of minigrad.nn."""

from __future__ import annotations

import numpy as np
from case import Case

from minigrad import Tensor, backend
from minigrad.nn.losses import _binary_cross_entropy, _class_log_likelihood, _floored_log, _toward_class
from minigrad.nn.normalization import normalize


def _normalized(x: np.ndarray, dim: tuple[int, ...], eps: float) -> np.ndarray:
    return (x - x.mean(dim, keepdims=True)) / np.sqrt(x.var(dim, keepdims=True) + eps)


def _likelihood(x: np.ndarray, target: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    p = np.exp(x) / np.exp(x).sum(dim, keepdims=True)
    return np.log(np.take_along_axis(p, target, dim)), p


def _toward(p: np.ndarray, u: np.ndarray, target: np.ndarray, dim: int) -> np.ndarray:
    right = np.zeros_like(p)
    np.put_along_axis(right, target, 1.0, dim)
    return u * (right - p)


def _with_target(function):
    """The op with its target where its inputs are, as the losses bring it there."""

    def call(*inputs, target, dim):
        array = inputs[0].data if isinstance(inputs[0], Tensor) else inputs[0]
        return function(*inputs, target=backend.of(array).from_host(target), dim=dim)

    call.op = function.op
    return call


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
    Case(
        _with_target(_class_log_likelihood),
        lambda rng: (rng.standard_normal((3, 4, 2)),),
        _likelihood,
        {"target": np.array([[[0, 3]], [[1, 1]], [[2, 0]]]), "dim": 1},
        name="class_log_likelihood",
    ),
    Case(
        _with_target(_toward_class),
        lambda rng: (rng.uniform(0.1, 0.9, (3, 4)), rng.standard_normal((3, 1))),
        _toward,
        {"target": np.array([[0], [3], [1]]), "dim": 1},
        name="toward_class",
    ),
]
