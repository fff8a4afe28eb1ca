"""Initialisers: distributions, fans, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import init

SHAPE = (200, 300)


def filled(function: Any, *args: Any, shape: tuple[int, ...] = SHAPE, **kwargs: Any) -> Any:
    leaf = mg.zeros(shape, requires_grad=True)
    assert function(leaf, *args, **kwargs) is leaf
    assert leaf.is_leaf
    assert leaf.dtype == mg.float32
    assert leaf.data.flags.writeable
    return leaf.numpy()


@pytest.mark.parametrize(
    ("function", "kwargs", "bound"),
    [
        (init.uniform_, {"a": -0.5, "b": 0.5}, 0.5),
        (init.xavier_uniform_, {"gain": 2.0}, 2 * math.sqrt(6 / 500)),
        (init.kaiming_uniform_, {}, math.sqrt(2) * math.sqrt(3 / 300)),
        (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(300)),
        (init.kaiming_uniform_, {"mode": "fan_out", "nonlinearity": "tanh"}, 5 / 3 * math.sqrt(3 / 200)),
    ],
)
def test_uniform(function: Any, kwargs: dict[str, Any], bound: float) -> None:
    values = filled(function, **kwargs)
    assert abs(values).max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert abs(values.mean()) < bound / 50


@pytest.mark.parametrize(
    ("function", "kwargs", "std"),
    [
        (init.normal_, {"std": 0.3}, 0.3),
        (init.xavier_normal_, {}, math.sqrt(2 / 500)),
        (init.kaiming_normal_, {"nonlinearity": "relu"}, math.sqrt(2 / 300)),
    ],
)
def test_normal(function: Any, kwargs: dict[str, Any], std: float) -> None:
    values = filled(function, **kwargs)
    assert values.std() == pytest.approx(std, rel=0.02)
    assert abs(values).max() > 3 * std


def test_fans_count_the_kernel() -> None:
    values = filled(init.kaiming_normal_, nonlinearity="linear", shape=(50, 20, 5, 4))
    assert values.std() == pytest.approx(1 / math.sqrt(400), rel=0.02)


def test_constants() -> None:
    assert set(filled(init.constant_, 0.5).ravel()) == {0.5}
    assert set(filled(init.ones_).ravel()) == {1}
    assert set(filled(init.zeros_).ravel()) == {0}
    np.testing.assert_array_equal(filled(init.eye_, shape=(2, 3)), np.eye(2, 3))


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 5), (0, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    values = filled(init.orthogonal_, 2.0, shape=shape).reshape(shape[0], math.prod(shape[1:]))
    small = values @ values.T if values.shape[0] <= values.shape[1] else values.T @ values
    np.testing.assert_allclose(small, 4 * np.eye(min(values.shape)), atol=1e-5)


def test_seeded() -> None:
    draws = []
    for _ in range(2):
        mg.manual_seed(5)
        draws.append(filled(init.orthogonal_, shape=(3, 3)))
    np.testing.assert_array_equal(*draws)


def test_a_graph_that_kept_the_old_values_is_told() -> None:
    w = mg.ones(2, 2, requires_grad=True)
    y = (w * w).sum()
    init.uniform_(w)
    with pytest.raises(mg.GraphError, match=r"test_init\.py"):
        y.backward()


def test_refusals() -> None:
    vector = mg.zeros(3)
    for function in (init.eye_, init.orthogonal_, init.xavier_uniform_, init.kaiming_normal_):
        with pytest.raises(mg.ShapeError, match=r"\(3,\)"):
            function(vector)
    with pytest.raises(mg.MinigradError, match="fan_in"):
        init.kaiming_normal_(mg.zeros(2, 2), mode="both")
    with pytest.raises(mg.MinigradError, match="no gain is known for 'swish'"):
        init.calculate_gain("swish")


def test_gains() -> None:
    assert init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / (1 + 1e-4)))
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(math.sqrt(2 / 1.04))
    assert init.calculate_gain("linear") == 1
