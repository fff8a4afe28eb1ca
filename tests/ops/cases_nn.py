"""The primitives of minigrad.nn."""

from __future__ import annotations

import numpy as np
from case import Case

from minigrad import Tensor, backend
from minigrad.nn.alignment import NEVER, _carried, _forward_scores
from minigrad.nn.attention import _masked_softmax
from minigrad.nn.linear_cross_entropy import _linear_cross_entropy
from minigrad.nn.losses import _binary_cross_entropy, _class_log_likelihood, _floored_log, _toward_class
from minigrad.nn.normalization import normalize
from minigrad.ops.selection import where


def _normalized(x: np.ndarray, dim: tuple[int, ...], eps: float) -> np.ndarray:
    return (x - x.mean(dim, keepdims=True)) / np.sqrt(x.var(dim, keepdims=True) + eps)


def _likelihood(x: np.ndarray, target: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    p = np.exp(x) / np.exp(x).sum(dim, keepdims=True)
    return np.log(np.take_along_axis(p, target, dim)), p


def _toward(p: np.ndarray, u: np.ndarray, target: np.ndarray, dim: int) -> np.ndarray:
    right = np.zeros_like(p)
    np.put_along_axis(right, target, 1.0, dim)
    return u * (right - p)


def _forward_scores_one_by_one(emissions: np.ndarray, skips: np.ndarray) -> np.ndarray:
    steps, rows, states = emissions.shape
    p = np.zeros((steps + 1, rows, states))
    p[0, :, 0] = 1
    for t, n, s in np.ndindex(steps, rows, states):
        ways = [s, s - 1, s - 2][: 2 + skips[n, s]]
        p[t + 1, n, s] = np.exp(emissions[t, n, s]) * sum(p[t, n, way] for way in ways if way >= 0)
    return np.where(p > 0, np.log(np.where(p > 0, p, 1)), 0)


def _carried_one_by_one(shares: np.ndarray, values: np.ndarray, reverse: bool) -> np.ndarray:
    y, (_, steps, rows, states) = values.copy(), shares.shape
    for t in range(steps)[:: -1 if reverse else 1]:
        for k, n, s in np.ndindex(3, rows, states):
            if s - k >= 0:
                to, of = ((t, s - k), (t + 1, s)) if reverse else ((t + 1, s), (t, s - k))
                y[to[0], n, to[1]] += shares[k, t, n, s] * y[of[0], n, of[1]]
    return y


def _reached(emissions, skips):
    """The scores of what can be reached: the others lie so low that adding to them changes nothing."""
    scores = _forward_scores(emissions, skips)
    return where(scores > NEVER / 2, scores, 0.0)


def _softmax_of_some(x: np.ndarray, mask: np.ndarray, dim: int) -> np.ndarray:
    e = np.exp(x) * mask
    total = e.sum(dim, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1), 0)


def _with_target(function):
    """The op with its target where its inputs are, as the losses bring it there."""

    def call(*inputs, target, dim):
        array = inputs[0].data if isinstance(inputs[0], Tensor) else inputs[0]
        return function(*inputs, target=backend.of(array).from_host(target), dim=dim)

    call.op = function.op
    return call


CLASSES, FACTORS = np.array([0, 3, 1, 1, 2]), np.array([0.5, 1.0, 2.0, 0.0, 1.0])


def _in_chunks(x, weight, bias):
    """The loss without the gradients that the op makes beside it."""
    near = backend.of(x.data if isinstance(x, Tensor) else x)
    target, factors = near.from_host(CLASSES), near.from_host(FACTORS.astype(x.dtype))
    return _linear_cross_entropy(x, weight, bias, target=target, factors=factors, gradients=True, chunk_size=2)[0]


def _all_at_once(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    p = np.exp(x @ weight.T + bias)
    return -(FACTORS * np.log((p / p.sum(1, keepdims=True))[range(5), CLASSES])).sum()


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
    *(
        Case(
            _masked_softmax,
            lambda rng: (rng.standard_normal((3, 4)), np.array([[True] * 4, [False] * 4, [True, False] * 2])),
            _softmax_of_some,
            {"dim": dim},
            name=f"masked_softmax,dim={dim}",
        )
        for dim in (0, -1)
    ),
    Case(
        _in_chunks,
        lambda rng: tuple(rng.standard_normal(shape) for shape in ((5, 3), (4, 3), (4,))),
        _all_at_once,
        name="linear_cross_entropy",
    ),
    Case(
        _reached,
        lambda rng: (rng.standard_normal((4, 2, 5)), np.array([[False, False, False, True, False]] * 2)),
        _forward_scores_one_by_one,
        name="forward_scores",
    ),
    *(
        Case(
            _carried,
            lambda rng: (rng.uniform(0.1, 0.9, (3, 3, 2, 5)), rng.standard_normal((4, 2, 5))),
            _carried_one_by_one,
            {"reverse": reverse},
            name=f"carried,reverse={reverse}",
        )
        for reverse in (False, True)
    ),
]
