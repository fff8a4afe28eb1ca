"""Who owns a gradient's array, and what is added where."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.engine import propagate
from minigrad.errors import GraphError, MinigradError


def test_two_leaves_never_share_a_gradient() -> None:
    a, b = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    (a + b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    a.grad.data[...] = 7.0
    assert b.grad.tolist() == [1.0, 1.0]


def test_a_leaf_does_not_share_the_gradient_that_was_passed() -> None:
    a, g = mg.ones(2, requires_grad=True), np.full(2, 3.0, np.float32)
    tensor = mg.from_numpy(g)
    for gradient in (g, tensor):
        a.grad = None
        a.clone().backward(gradient)
        assert a.grad is not None
        a.grad.data[...] = 7.0
        assert g.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_leaf_that_is_the_output_owns_its_gradient(create_graph: bool) -> None:
    a, g = mg.ones(2, requires_grad=True), mg.full((2,), 3.0)
    a.backward(g, create_graph=create_graph)
    assert a.grad is not None
    a.grad.data[...] = 7.0
    assert g.tolist() == [3.0, 3.0]


def test_results_of_grad_are_nobody_elses() -> None:
    a, b, g = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True), mg.ones(2)
    ga, gb = mg.grad(a + b, (a, b), g)
    ga.data[...] = 7.0
    assert gb.tolist() == g.tolist() == [1.0, 1.0]


def test_gradients_accumulate_in_place_from_call_to_call() -> None:
    a = mg.ones(2, requires_grad=True)
    (a * 2.0).sum().backward()
    first = a.grad
    assert first is not None
    array = first.data
    (a * 3.0).sum().backward()
    assert a.grad is first
    assert first.data is array
    assert array.tolist() == [5.0, 5.0]


def test_a_shared_weight_accumulates_in_place_over_the_steps() -> None:
    """The first two contributions make one array, and the rest are added to it."""
    w, seen = mg.ones(3, requires_grad=True), []
    h = mg.ones(3)
    for _ in range(20):
        h = h * w
    assert h.node is not None
    grads, owned = propagate({h.node: np.ones(3, np.float32)}, retain_graph=True)
    assert owned == {w.node}
    with mg.observe(lambda event: seen.append(event.phase)):
        h.backward(mg.ones(3))
    assert "forward" not in seen  # adding up is no op: nothing runs but the rules
    assert w.grad is not None
    assert w.grad.tolist() == [20.0] * 3 == grads[w.node].tolist()


def test_accumulation_changes_no_array_that_a_hook_or_an_observer_was_shown() -> None:
    w = mg.ones(2, requires_grad=True)
    seen = []
    y = w * 2.0
    y.register_hook(lambda g: seen.append(g))
    (y + y + y).sum().backward()
    assert seen[0].tolist() == [3.0, 3.0]
    assert w.grad is not None
    assert w.grad.tolist() == [6.0, 6.0]


def test_read_only_gradient_that_was_assigned_is_replaced_not_written() -> None:
    a = mg.ones(2, requires_grad=True)
    a.grad = mg.ones(2) * 5.0  # a result: its array is read-only
    (a * 1.0).sum().backward()
    assert a.grad.tolist() == [6.0, 6.0]


def test_assigned_gradient_must_fit() -> None:
    a = mg.ones(2, requires_grad=True)
    with pytest.raises(MinigradError, match=r"\(2,\) float32 like its tensor, not \(3,\) float32"):
        a.grad = mg.ones(3)
    with pytest.raises(MinigradError, match=r"not \(2,\) float64"):
        a.grad = mg.ones(2, dtype=mg.float64)
    with pytest.raises(GraphError, match="cannot hold one"):
        mg.ones(2).grad = mg.ones(2)
    a.grad = None
    assert a.grad is None
    assert mg.ones(2).grad is None


def test_several_live_losses_over_shared_parts() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    one, two = x * x, x * x * x
    one.backward()
    two.backward()
    assert x.grad is not None
    assert x.grad.item() == 6.0 + 27.0


def test_several_losses_over_a_shared_hidden_tensor_keep_the_graph() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    h = x * x
    (h * 2.0).backward(retain_graph=True)
    (h * 3.0).backward()
    assert x.grad is not None
    assert x.grad.item() == 5 * 6.0


def test_mg_grad_of_several_outputs_adds_them_up() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    (g,) = mg.grad((h, h, h * x), x, (mg.ones(2), mg.ones(2), mg.ones(2)))
    assert g.tolist() == [2 * 2.0 + 3.0, 2 * 4.0 + 12.0]
    (g,) = mg.grad((x.sum(), x.prod()), x)
    assert g.tolist() == [3.0, 2.0]


def test_gradients_have_shape_and_dtype_of_their_tensor() -> None:
    x, w = mg.ones(4, 3, requires_grad=True), mg.ones(3, requires_grad=True)
    b = mg.ones(1, 1, dtype=mg.float32, requires_grad=True)
    ((x * w + b) * np.float64(2.0)).sum().backward()
    for t in (x, w, b):
        assert t.grad is not None
        assert (t.grad.shape, t.grad.dtype) == (t.shape, t.dtype)
    assert w.grad is not None
    assert w.grad.tolist() == [8.0] * 3


def test_gradient_crosses_a_change_of_dtype() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x.double() * mg.ones(2, dtype=mg.float64)
    assert y.dtype == mg.float64
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == mg.float32


def test_accumulating_recorded_gradients_keeps_the_record() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    (x**2).backward(create_graph=True)
    first = x.grad
    assert first is not None
    assert first.requires_grad
    (h,) = mg.grad(first, x)
    assert h.item() == 18.0 + 2.0
    x.grad = None  # breaks the cycle leaf -> gradient -> leaf


def test_a_gradient_recorded_earlier_is_not_written_to_by_a_plain_backward() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    recorded = x.grad
    assert recorded is not None
    (x**2).backward()
    assert recorded.item() == 27.0
    assert x.grad is not None
    assert x.grad.item() == 33.0
    x.grad = recorded = None


def test_the_same_cotangent_changed_between_two_passes() -> None:
    """An op with one rule for all inputs must not remember what it computed for the same array before."""
    a, b = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    y, g = mg.concat([a, b]), mg.ones(4)
    y.backward(g, retain_graph=True)
    a.grad = None
    g.data[...] = 10.0
    y.backward(g)
    assert a.grad is not None
    assert a.grad.tolist() == [10.0, 10.0]
