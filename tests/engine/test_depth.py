"""Graphs of any depth and shape: nothing in the engine recurses, and no path is walked twice."""

from __future__ import annotations

import sys
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.edges import Slots


def chain(x: mg.Tensor, length: int) -> mg.Tensor:
    y = x
    for _ in range(length):
        y = -y
    return y


def test_chain_of_100_000_ops_forward_backward_and_release() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    y = chain(x, 100_000)
    assert y.item() == 2.0
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1.0
    del y  # after backward: nodes without edges


def test_release_of_a_chain_that_was_never_differentiated() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    y = chain(x, 300_000)
    first = weakref.ref(x)
    del x, y
    assert first() is None


def test_chain_with_create_graph() -> None:
    x = mg.tensor(1.0, dtype=mg.float64, requires_grad=True)
    y = x
    for _ in range(5_000):
        y = y * x
    (g,) = mg.grad(y, x, create_graph=True)
    (h,) = mg.grad(g, x)
    assert g.item() == 5_001
    assert h.item() == 5_001 * 5_000


def test_mg_grad_of_a_deep_chain() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    assert mg.grad(chain(x, 100_000), x)[0].item() == 1.0


def test_graph_is_deeper_than_the_recursion_limit() -> None:
    assert sys.getrecursionlimit() < 100_000


def test_diamond_of_depth_60() -> None:
    """2^60 paths, 60 nodes."""
    x = mg.tensor(1.0, dtype=mg.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 2.0**60


def test_diamond_of_depth_60_at_second_order() -> None:
    x = mg.tensor(1.0, dtype=mg.float64, requires_grad=True)
    y = x * x
    for _ in range(60):
        y = y + y
    (g,) = mg.grad(y, x, create_graph=True)
    assert mg.grad(g, x)[0].item() == 2.0**61


def test_wide_graph() -> None:
    x = mg.ones(3, requires_grad=True)
    total = mg.zeros(3)
    for i in range(2_000):
        total = total + x * float(i)
    total.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1_999_000.0] * 3


def test_order_is_that_of_creation_not_of_use() -> None:
    """A node made early and used last is still visited after all that used it."""
    x = mg.tensor(3.0, requires_grad=True)
    early = x * x
    late = early.tanh() * 2.0
    y = late * early + early
    seen: list[int] = []
    with mg.observe(lambda event: seen.append(event.node.seq)):
        y.backward()
    assert seen == sorted(seen, reverse=True)
    a = 9.0
    expected = (2 * (1 - np.tanh(a) ** 2) * a + 2 * np.tanh(a) + 1) * 6
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.item(), expected, rtol=1e-6)


def test_what_arrives_at_an_op_of_many_outputs_is_gathered_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first two cotangents make a new dictionary: copied for each output it would take quadratic time."""
    copies = []
    merged = Slots.__add__
    monkeypatch.setattr(Slots, "__add__", lambda a, b: copies.append(1) or merged(a, b))
    x = mg.ones(300, 2, requires_grad=True)
    total = mg.zeros(2)
    for k, part in enumerate(x.unbind()):
        total = total + part * (k + 1.0)
    total.sum().backward()
    assert x.grad is not None
    assert x.grad[:, 0].tolist() == [k + 1.0 for k in range(300)]
    assert len(copies) == 1
