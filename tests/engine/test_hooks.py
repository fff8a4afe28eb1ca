"""Hooks on tensors and retained gradients."""

from __future__ import annotations

import pytest

import minigrad as mg
from minigrad.errors import GraphError, ShapeError


def test_hook_on_a_result_changes_what_flows_on() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g * 10.0)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [30.0, 30.0]


def test_hook_on_a_leaf_changes_what_is_stored() -> None:
    x = mg.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 10.0)
    (x * 3.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [30.0, 30.0]


def test_hook_on_a_leaf_sees_the_whole_gradient_of_a_pass_once() -> None:
    x, seen = mg.ones(2, requires_grad=True), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 3.0 + x * 4.0).sum().backward()
    assert seen == [[7.0, 7.0]]


def test_hook_that_returns_nothing_observes() -> None:
    x, seen = mg.ones(2, requires_grad=True), []
    y = x * 3.0
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert seen == [[1.0, 1.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 3.0]


def test_hooks_run_in_order_and_can_be_removed() -> None:
    x, seen = mg.ones(1, requires_grad=True), []
    y = x * 3.0
    remove_first = y.register_hook(lambda g: seen.append("first"))
    y.register_hook(lambda g: seen.append("second"))
    y.backward(retain_graph=True)
    remove_first()
    remove_first()  # a second time does nothing
    y.register_hook(lambda g: seen.append("third"))
    y.backward()
    assert seen == ["first", "second", "second", "third"]


def test_hook_must_return_a_tensor() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g.numpy() * 2.0)  # type: ignore[arg-type,return-value]
    with pytest.raises(GraphError, match="a hook returns a tensor or None, not ndarray"):
        y.sum().backward()


def test_hook_of_another_shape_is_refused() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"returned shape \(\) for a gradient of \(2,\)"):
        y.sum().backward()


def test_hook_whose_result_has_another_dtype() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g.double())
    x.register_hook(lambda g: g.double())
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == mg.float32


def test_an_exception_in_a_hook_comes_out_as_it_is() -> None:
    y = mg.ones(2, requires_grad=True) * 3.0

    def refuse(g: mg.Tensor) -> None:
        raise KeyError("gone")

    y.register_hook(refuse)
    with pytest.raises(KeyError, match="gone"):
        y.sum().backward()


def test_hook_where_no_gradient_flows() -> None:
    with pytest.raises(GraphError, match="would never run"):
        mg.ones(2).register_hook(lambda g: g)


def test_hooks_see_gradients_that_can_be_differentiated_with_create_graph() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = mg.grad(y * 1.0, x, create_graph=True)  # 2 x * x
    assert g.item() == 8.0
    assert mg.grad(g, x)[0].item() == 8.0


def test_hook_on_one_output_of_several() -> None:
    x = mg.ones(4, requires_grad=True)
    a, b = x.split(2)
    a.register_hook(lambda g: g * 5.0)
    (a + b).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [5.0, 5.0, 1.0, 1.0]


def test_hooks_run_for_mg_grad_too() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g * 10.0)
    gy, gx = mg.grad(y.sum(), (y, x))
    assert gy.tolist() == [10.0, 10.0]
    assert gx.tolist() == [30.0, 30.0]


def test_leaf_hooks_run_for_mg_grad_too_and_once() -> None:
    x = mg.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 10.0)
    for g in mg.grad((x * 3.0).sum(), (x, x)):
        assert g.tolist() == [30.0, 30.0]


def test_retained_gradient_of_a_result() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    z = y * y
    z.sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [6.0, 6.0]
    assert z.grad is None
    y.grad.data[...] = 0.0
    assert x.grad is not None
    assert x.grad.tolist() == [18.0, 18.0]


def test_retained_gradient_is_that_after_the_hooks() -> None:
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.register_hook(lambda g: g * 2.0)
    y.retain_grad()
    y.sum().backward(create_graph=True)
    assert y.grad is not None
    assert y.grad.tolist() == [2.0, 2.0]
    y.grad = None
    x.grad = None


def test_retain_grad_of_a_leaf_changes_nothing_and_of_a_constant_is_refused() -> None:
    x = mg.ones(2, requires_grad=True)
    x.retain_grad()
    (x * 2.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(GraphError, match="none to retain"):
        mg.ones(2).retain_grad()
