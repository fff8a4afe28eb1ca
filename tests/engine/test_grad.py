"""``mg.grad``: returned gradients, walked only where they are wanted."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import engine
from minigrad.errors import GraphError


def rules_run(function: object) -> list[str]:
    """The ops whose rules run while a function is called."""
    seen: list[str] = []
    with mg.observe(lambda event: seen.append(event.op.name) if event.phase == "backward" else None):
        function()  # type: ignore[operator]
    return seen


def test_ops_off_the_paths_never_run_their_rules() -> None:
    x, w = mg.ones(3, requires_grad=True), mg.ones(3, requires_grad=True)
    expensive = w.exp().sin().cos()  # leads to w only
    y = (x.tanh() * expensive).sum()
    assert rules_run(lambda: mg.grad(y, x)) == ["sum", "mul", "tanh"]
    assert w.grad is None
    assert x.grad is None


def test_the_walk_stops_at_an_inner_target() -> None:
    h = mg.ones(3, requires_grad=True).exp()
    y = h.tanh().sum()
    assert rules_run(lambda: mg.grad(y, h)) == ["sum", "tanh"]


def test_a_target_may_have_been_freed_before() -> None:
    """What lies below a target is not needed, so it does not matter that an earlier backward freed it."""
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    h.sum().backward()
    assert mg.grad((h * h).sum(), h)[0].tolist() == [2.0, 8.0]


def test_gradients_of_inner_tensors_and_leaves_together() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    y = (h * h).sum()
    gy, gh, gx = mg.grad(y, (y, h, x))
    assert gy.item() == 1.0
    assert gh.tolist() == [2.0, 8.0]
    assert gx.tolist() == [4.0, 32.0]


def test_gradient_of_an_inner_tensor_leaves_the_rest_of_the_graph_alone() -> None:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    mg.grad((h * 3.0).sum(), h)
    (h * 2.0).sum().backward()  # what lies below h was not walked, so it was not freed
    assert x.grad is not None
    assert x.grad.tolist() == [4.0, 8.0]


def test_a_target_that_another_target_depends_on() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    h = x * x
    k = h * x
    gh, gk, gx = mg.grad(k * h, (h, k, x))
    assert gk.item() == 4.0  # h
    assert gh.item() == 8.0 + 4.0 * 2.0  # k + h dk/dh
    assert gx.item() == 5 * 2.0**4


def test_allow_unused() -> None:
    x, w = mg.ones(3, requires_grad=True), mg.ones(2, requires_grad=True)
    w.name = "weight"
    y = (x * 2.0).sum()
    with pytest.raises(GraphError) as info:
        mg.grad(y, (x, w))
    assert 'input 1 "weight" (2,)' in str(info.value)
    assert "allow_unused=True" in str(info.value)
    y = (x * 2.0).sum()
    gx, gw = mg.grad(y, (x, w), allow_unused=True)
    assert gx.tolist() == [2.0] * 3
    assert gw is None


def test_an_input_made_after_the_output_is_unused() -> None:
    x = mg.ones(3, requires_grad=True)
    y = (x * 2.0).sum()
    assert mg.grad(y, x * 3.0, allow_unused=True) == (None,)


def test_an_input_that_requires_no_gradient() -> None:
    x = mg.ones(3, requires_grad=True)
    with pytest.raises(GraphError, match="input 1 does not require a gradient"):
        mg.grad((x * 2.0).sum(), (x, mg.ones(1)))
    assert mg.grad((x * 2.0).sum(), mg.ones(1), allow_unused=True) == (None,)


def test_arguments_that_are_no_tensors() -> None:
    x = mg.ones(3, requires_grad=True)
    with pytest.raises(GraphError, match="inputs must be tensors, got float"):
        mg.grad((x * 2.0).sum(), (x, 2.0))
    with pytest.raises(GraphError, match="outputs must be tensors, got ndarray"):
        mg.grad((np.ones(2),), x)
    with pytest.raises(GraphError, match="1 outputs but 2 grad_outputs"):
        mg.grad((x * 2.0).sum(), x, (mg.tensor(1.0), mg.tensor(1.0)))
    with pytest.raises(GraphError, match="does not require a gradient"):
        mg.grad(mg.ones(1), x)


def test_backward_of_what_is_no_tensor() -> None:
    with pytest.raises(GraphError, match="starts from a tensor, not from float"):
        engine.backward(3.0)  # type: ignore[arg-type]


def test_one_output_given_alone_takes_an_array_or_a_tensor_as_cotangent() -> None:
    x = mg.ones(3, requires_grad=True)
    for g in (mg.tensor([1.0, 2.0, 3.0]), [np.array([1, 2, 3], np.float32)], [[1.0, 2.0, 3.0]]):
        assert mg.grad(x * 2.0, x, g)[0].tolist() == [2.0, 4.0, 6.0]


def test_input_that_is_the_output() -> None:
    x = mg.ones(3, requires_grad=True)
    assert mg.grad(x, x, mg.ones(3))[0].tolist() == [1.0] * 3


def test_results_are_recorded_with_create_graph_only() -> None:
    x = mg.tensor(2.0, requires_grad=True)
    assert not mg.grad(x**3, x)[0].requires_grad
    assert mg.grad(x**3, x, create_graph=True)[0].requires_grad
    with mg.no_grad():
        y = mg.grad(_cube(x), x, create_graph=True)[0]
    assert y.requires_grad


def _cube(x: mg.Tensor) -> mg.Tensor:
    with mg.enable_grad():
        return x**3


def test_any_order() -> None:
    x = mg.tensor(2.0, dtype=mg.float64, requires_grad=True)
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        (y,) = mg.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_create_graph_with_a_cotangent_that_requires_a_gradient() -> None:
    x, g = mg.ones(3, requires_grad=True), mg.ones(3, requires_grad=True)
    (gx,) = mg.grad(x.exp(), x, g, create_graph=True)
    (gg,) = mg.grad(gx.sum(), g)
    np.testing.assert_allclose(gg.numpy(), np.exp(np.ones(3)), rtol=1e-6)


def test_create_graph_of_a_repeated_output() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    y = x * x
    (g,) = mg.grad((y, y), x, create_graph=True)
    assert g.item() == 12.0
    assert mg.grad(g, x)[0].item() == 4.0


def test_gradient_penalty_trains() -> None:
    """The gradient of a norm of a gradient, into .grad."""
    w, x = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([3.0, 4.0], requires_grad=True)
    (gx,) = mg.grad((w * x * x).sum(), x, create_graph=True)  # 2 w x
    (gx * gx).sum().backward()  # d/dw 4 w^2 x^2
    assert w.grad is not None
    assert x.grad is not None
    assert w.grad.tolist() == [8 * 9.0, 8 * 2 * 16.0]
    assert x.grad.tolist() == [8 * 3.0, 8 * 4 * 4.0]


def test_create_graph_through_several_outputs_of_which_one_is_unused() -> None:
    x = mg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    a, _ = (x * x).split(2)
    (g,) = mg.grad((a * a).sum(), x, create_graph=True)
    assert g.tolist() == [4.0, 32.0, 0.0, 0.0]
    assert mg.grad(g.sum(), x)[0].tolist() == [12.0, 48.0, 0.0, 0.0]
