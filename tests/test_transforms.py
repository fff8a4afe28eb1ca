"""Derivatives as values, and recomputation."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError, ShapeError


def draw(*shape: int, tracked: bool = False, seed: int = 0) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=tracked)


def close(found: mg.Tensor, expected: object) -> None:
    np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-9, atol=1e-12)


# ---- value_and_grad ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [lambda x: (x.sum(), x.sum()), lambda x: ()])
def test_value_and_grad_wants_one_output(f: Any) -> None:
    with pytest.raises(GraphError, match=r"value_and_grad: the function has to return one tensor, not [20]\n.*vjp"):
        mg.value_and_grad(f)(draw(3))


def test_value_and_grad_leaves_nothing_behind() -> None:
    x, y = draw(3), draw(3, seed=1)
    value, g = mg.value_and_grad(lambda x, y: (x * x * y).sum())(x, y)
    close(value, (x.numpy() ** 2 * y.numpy()).sum())
    close(g, 2 * x.numpy() * y.numpy())
    assert not value.requires_grad
    assert not g.requires_grad
    assert not x.requires_grad


def test_value_and_grad_of_several_arguments_and_of_plain_numbers() -> None:
    value, (gy, gx) = mg.value_and_grad(lambda x, y: x * x * y, argnums=(1, 0))(3.0, 2.0)
    assert (value.item(), gx.item(), gy.item()) == (18.0, 12.0, 9.0)


def test_one_tensor_in_two_places_is_two_arguments() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    with mg.no_grad():
        _, g = mg.value_and_grad(lambda a, b: a * b * b)(x, x)
    assert g.item() == 9.0
    assert x.grad is None


def test_gradient_of_a_constant_function_is_zero() -> None:
    value, g = mg.value_and_grad(lambda x: mg.tensor(1.0))(mg.ones(2))
    assert value.item() == 1.0
    assert g.tolist() == [0.0, 0.0]


def test_value_and_grad_wants_one_number() -> None:
    with pytest.raises(GraphError, match="reduce to a number"):
        mg.value_and_grad(lambda x: x * x)(mg.ones(2))


def test_transforms_nest() -> None:
    third = mg.value_and_grad(lambda x: mg.value_and_grad(lambda x: mg.value_and_grad(lambda x: x**4)(x)[1])(x)[1])
    assert third(mg.tensor(2.0))[1].item() == 48.0


def test_result_is_recorded_when_a_captured_tensor_requires_a_gradient() -> None:
    w, x = mg.tensor(2.0, requires_grad=True), mg.tensor(3.0)
    _, g = mg.value_and_grad(lambda x: w * w * x * x)(x)
    g.backward()  # d/dw of 2 w^2 x
    assert w.grad is not None
    assert w.grad.item() == 24.0
    with mg.no_grad():
        value, g = mg.value_and_grad(lambda x: w * w * x * x)(x)
    assert not g.requires_grad
    assert not value.requires_grad


def test_result_is_recorded_when_an_input_requires_a_gradient() -> None:
    x = mg.tensor(3.0, requires_grad=True)
    value, g = mg.value_and_grad(lambda x: x * x * x)(x)
    (value * g).backward()  # d/dx of 3 x^5
    assert x.grad is not None
    assert x.grad.item() == 15 * 81.0


# ---- vjp and jvp -------------------------------------------------------------------------------------------------


def test_vjp_pulls_back_any_number_of_times() -> None:
    x, w = draw(3), draw(2, 3, seed=1)
    y, pullback = mg.vjp(lambda x, w: (w * x).sum(1), x, w)
    close(y, w.numpy() @ x.numpy())
    for seed in (3, 4):
        g = draw(2, seed=seed)
        gx, gw = pullback(g)
        close(gx, g.numpy() @ w.numpy())
        close(gw, np.outer(g.numpy(), x.numpy()))


def test_vjp_of_several_outputs_and_unused_inputs() -> None:
    (a, b), pullback = mg.vjp(lambda x, unused: (x * 2.0, x * x), draw(3), draw(2))
    gx, gu = pullback(mg.ones_like(a), mg.ones_like(b))
    close(gx, 2 + 2 * draw(3).numpy())
    assert gu.tolist() == [0.0, 0.0]
    with pytest.raises(GraphError, match="2 outputs, not 1"):
        pullback(a)


def test_vjp_is_differentiable_in_its_cotangent() -> None:
    _, pullback = mg.vjp(lambda x: x * x, draw(3))
    g = draw(3, tracked=True)
    (gx,) = pullback(g)
    gx.sum().backward()
    assert g.grad is not None
    close(g.grad, 2 * draw(3).numpy())


def test_jvp_agrees_with_the_jacobian() -> None:
    x, w, v, u = draw(3), draw(2, 3, seed=1), draw(3, seed=2), draw(2, 3, seed=3)

    def f(x: mg.Tensor, w: mg.Tensor) -> mg.Tensor:
        return (w * x).tanh().sum(1)

    y, tangent = mg.jvp(f, (x, w), (v, u))
    jx, jw = mg.jacobian(f, x, w)
    close(y, f(x, w).numpy())
    close(tangent, jx.numpy() @ v.numpy() + np.einsum("ijk,jk->i", jw.numpy(), u.numpy()))
    assert not tangent.requires_grad


def test_jvp_of_several_outputs_some_of_them_constant() -> None:
    (a, b, c), (da, db, dc) = mg.jvp(lambda x: (x * x, x.detach() * 3.0, 2.0 * x), draw(3), mg.ones(3).double())
    close(a, draw(3).numpy() ** 2)
    close(b, 3 * draw(3).numpy())
    close(c, 2 * draw(3).numpy())
    close(da, 2 * draw(3).numpy())
    assert db.tolist() == [0.0, 0.0, 0.0]
    assert dc.tolist() == [2.0, 2.0, 2.0]


def test_jvp_of_a_constant_is_zero() -> None:
    _, tangent = mg.jvp(lambda x: mg.ones(2), draw(3), draw(3))
    assert tangent.tolist() == [0.0, 0.0]


def test_jvp_is_recorded_like_an_op() -> None:
    x, v = mg.tensor(3.0, requires_grad=True), mg.tensor(2.0, requires_grad=True)
    _, tangent = mg.jvp(lambda x: x**3, x, v)  # 3 x^2 v
    gx, gv = mg.grad(tangent, (x, v))
    assert (gx.item(), gv.item()) == (36.0, 27.0)
    _, tangent = mg.jvp(lambda x: x**3, x.detach(), v)
    assert mg.grad(tangent, v)[0].item() == 27.0


def test_jvp_names_what_does_not_fit() -> None:
    with pytest.raises(GraphError, match="1 inputs but 2 directions"):
        mg.jvp(lambda x: x, mg.ones(2), (mg.ones(2), mg.ones(2)))
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        mg.jvp(lambda x: x * x, mg.ones(2), mg.ones(3))


# ---- jacobian, hessian, hvp --------------------------------------------------------------------------------------


def test_jacobian_shapes() -> None:
    x, w = draw(2, 3), draw(3, seed=1)
    j = mg.jacobian(lambda x: x.sum(1), x)
    assert j.shape == (2, 2, 3)
    close(j, np.einsum("ij,k->ijk", np.eye(2), np.ones(3)))
    blocks = mg.jacobian(lambda x, w: (x * w, w * w), x, w)
    assert [[b.shape for b in row] for row in blocks] == [[(2, 3, 2, 3), (2, 3, 3)], [(3, 2, 3), (3, 3)]]
    close(blocks[1][0], np.zeros((3, 2, 3)))
    close(blocks[1][1], np.diag(2 * w.numpy()))
    assert mg.jacobian(lambda x: x * x, mg.tensor(3.0)).tolist() == 6.0


def test_jacobian_of_nothing_is_empty() -> None:
    j = mg.jacobian(lambda x: x * x, mg.zeros(0, dtype=mg.float64))
    assert (j.shape, j.dtype) == ((0, 0), mg.float64)
    assert mg.jacobian(lambda x: x[:0], mg.ones(2)).shape == (0, 2)


def test_hessian_and_hvp_agree() -> None:
    x, v = draw(4), draw(4, seed=1)

    def f(x: mg.Tensor) -> mg.Tensor:
        return (x.tanh() * x * x.sum()).sum()

    h = mg.hessian(f, x)
    close(h, h.numpy().T)
    close(mg.hvp(f, x, v), h.numpy() @ v.numpy())
    _, along = mg.jvp(lambda x: mg.value_and_grad(f)(x)[1], x, v)
    close(along, h.numpy() @ v.numpy())


def test_hessian_of_several_inputs_has_blocks() -> None:
    x, y = draw(2), draw(3, seed=1)
    (xx, xy), (yx, yy) = mg.hessian(lambda x, y: (x * x).sum() * (y * y).sum(), x, y)
    close(xx, 2 * np.eye(2) * (y.numpy() ** 2).sum())
    close(yy, 2 * np.eye(3) * (x.numpy() ** 2).sum())
    close(xy, 4 * np.outer(x.numpy(), y.numpy()))
    close(yx, xy.numpy().T)
    hx, hy = mg.hvp(lambda x, y: (x * x).sum() * (y * y).sum(), (x, y), (mg.ones_like(x), mg.zeros_like(y)))
    close(hx, xx.numpy().sum(1))
    close(hy, yx.numpy().sum(1))


def test_hessian_of_a_linear_function_is_zero() -> None:
    assert mg.hessian(lambda x: (x * 2.0).sum(), mg.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_transforms_keep_float32() -> None:
    x = mg.ones(2)
    f = lambda x: (x * x).sum()
    results = [*mg.value_and_grad(f)(x), *mg.jvp(f, x, x), mg.jacobian(f, x), mg.hessian(f, x), mg.hvp(f, x, x)]
    assert {r.dtype for r in results} == {mg.float32}


# ---- checkpoint --------------------------------------------------------------------------------------------------


def gradients_with_and_without(f: object, *args: mg.Tensor, wanted: tuple[mg.Tensor, ...]) -> None:
    """A checkpoint changes neither the value nor any gradient."""
    plain = f(*args)  # type: ignore[operator]
    kept = mg.checkpoint(f, *args)
    close(kept, plain.numpy())
    g = draw(*plain.shape, seed=9)
    for a, b in zip(*(mg.grad(y, wanted, g, retain_graph=True) for y in (kept, plain)), strict=True):
        close(a, b.numpy())


def test_checkpoint_reaches_inputs_and_captured_tensors() -> None:
    x, w, b = draw(2, 3, tracked=True), draw(3, tracked=True, seed=1), draw(3, tracked=True, seed=2)
    h = (w * b).tanh()  # a captured result, whose own sources are captured as well
    gradients_with_and_without(lambda x: (x * w + h).tanh() * b, x, wanted=(x, w, b))


def test_checkpoint_of_an_input_that_is_captured_too() -> None:
    w = draw(3, tracked=True)
    gradients_with_and_without(lambda x: x * x * w, w, wanted=(w,))


def test_checkpoint_of_parameters_alone() -> None:
    w = draw(3, tracked=True)
    y = mg.checkpoint(lambda x: (x * w).sum(), draw(3))
    y.backward()
    assert w.grad is not None
    close(w.grad, draw(3).numpy())


def test_checkpoint_takes_arrays_and_anything_else() -> None:
    w = draw(3, tracked=True)
    y = mg.checkpoint(lambda a, b, n, words, x: w * a * b[0] * n * len(words) + x, np.ones(3), [2.0], 3, {"k": 1}, w)
    y.sum().backward()
    close(w.grad, np.full(3, 7.0))


def test_checkpoint_keeps_nothing_of_the_inside() -> None:
    x = draw(3, tracked=True)
    seen: list[str] = []
    y = mg.checkpoint(lambda x: x.tanh().tanh().tanh(), x)
    assert y.node is not None
    assert y.node.op is not None
    assert y.node.op.name == "checkpoint"
    assert y.node.inputs == (x.node,)
    with mg.observe(lambda event: seen.append(f"{event.phase} {event.op.name}") if event.phase != "rule" else None):
        y.sum().backward()
    assert seen == ["forward sum", "backward sum", "backward checkpoint", *["forward tanh"] * 3, *["backward tanh"] * 3]


def test_checkpoints_nest() -> None:
    x, w = draw(3, tracked=True), draw(3, tracked=True, seed=1)

    def inner(x: mg.Tensor) -> mg.Tensor:
        return (x * w).tanh()

    gradients_with_and_without(lambda x: mg.checkpoint(inner, mg.checkpoint(inner, x)) * w, x, wanted=(x, w))


def test_checkpoint_with_several_outputs() -> None:
    x, w = draw(3, tracked=True), draw(3, tracked=True, seed=1)
    a, b, count, same = mg.checkpoint(lambda x: (x * w, w.tanh(), 3, x.detach()), x)
    assert count == 3
    assert not same.requires_grad
    gx, gw = mg.grad((a * b).sum(), (x, w))
    close(gx, (w * w.tanh()).numpy())
    close(gw, (x * w.tanh() + x * w * (1 - w.tanh() ** 2)).numpy())
    a, b, *_ = mg.checkpoint(lambda x: (x * w, w.tanh(), 3, x.detach()), x)
    close(mg.grad(a.sum(), x)[0], w.numpy())  # one output is not used


def test_checkpoint_of_the_identity() -> None:
    x = draw(3, tracked=True)
    y, z = mg.checkpoint(lambda x: (x, x), x)
    close(mg.grad((y + 2.0 * z).sum(), x)[0], [3.0, 3.0, 3.0])


def test_checkpoint_at_second_order() -> None:
    x, w = draw(3, tracked=True), draw(3, tracked=True, seed=1)
    h = x * w

    def f(x: mg.Tensor) -> mg.Tensor:
        return (x * w * h).tanh()

    assert mg.gradcheck(lambda x, w: mg.checkpoint(lambda x: (x * w).tanh() * w, x), x, w, order=3)
    assert mg.gradcheck(lambda x, w: mg.checkpoint(lambda x: ((x * w).tanh(), x * x), x), x, w, order=2)
    found = []
    for run in (f, lambda x: mg.checkpoint(f, x)):
        gx, gw = mg.grad(run(x).sum(), (x, w), create_graph=True)
        found.append(mg.grad((gx * gw).sum(), (x, w), retain_graph=True))
    for a, b in zip(*found, strict=True):
        close(a, b.numpy())


def test_checkpoint_draws_the_same_random_numbers_again() -> None:
    x = mg.ones(100, dtype=mg.float64, requires_grad=True)
    mg.manual_seed(3)
    plain, after = mg.dropout(x, 0.5) * x, mg.rand(1)
    mg.manual_seed(3)
    y = mg.checkpoint(lambda x: mg.dropout(x, 0.5) * x, x)
    assert mg.rand(1).item() == after.item()
    close(y, plain.numpy())
    following = mg.get_rng_state()
    (g,) = mg.grad(y.sum(), x)
    assert mg.get_rng_state() == following
    close(g, 2 * y.numpy())


def test_checkpoint_without_gradients_just_runs() -> None:
    with mg.no_grad():
        assert mg.checkpoint(lambda x: x * 2.0, mg.ones(2, requires_grad=True)).node is None
    assert mg.checkpoint(lambda x: x * 2.0, mg.ones(2)).tolist() == [2.0, 2.0]


def test_checkpoint_replays_scope_and_device() -> None:
    x, scopes = mg.ones(2, requires_grad=True), []

    def f(x: mg.Tensor) -> mg.Tensor:
        scopes.append(str(mg.ones(1, requires_grad=True).tanh().node.scope))  # type: ignore[union-attr]
        return x * x

    with mg.scope("layer"):
        y = mg.checkpoint(f, x)
    y.sum().backward()
    assert scopes == ["layer", "layer"]


def test_checkpoint_notices_a_changed_parameter() -> None:
    w, x = draw(3, tracked=True), draw(3, tracked=True, seed=1)
    y = mg.checkpoint(lambda x: x + w, x).sum()
    w.data = w.data + 1.0
    with pytest.raises(GraphError, match=r"was changed at test_transforms\.py"):
        y.backward()


def test_checkpoint_notices_a_function_that_changes() -> None:
    x, sizes = draw(3, tracked=True), iter([3, 2])
    y = mg.checkpoint(lambda x: x[: next(sizes)] * 2.0, x).sum()
    with pytest.raises(GraphError, match=r"\[\(3,\)\] and then, run again, \[\(2,\)\]"):
        y.backward()


def test_checkpoint_notices_a_replaced_input() -> None:
    x, w = mg.ones(2), mg.ones(2, requires_grad=True)
    y = mg.checkpoint(lambda x: (x * w).sum(), x)
    x.data = np.full(2, 5.0, np.float32)
    with pytest.raises(GraphError, match=r"was changed at test_transforms\.py"):
        y.backward()


def test_transforms_leave_no_garbage() -> None:
    x, w = draw(3), draw(3, tracked=True, seed=1)
    gc.collect()
    for _ in range(10):
        mg.hessian(lambda x: (x * x * w).sum(), x)
        mg.jvp(lambda x: x * w, x, x)
        mg.checkpoint(lambda x: mg.checkpoint(mg.Tensor.tanh, x) * w, x).sum().backward()
    assert gc.collect() == 0


def test_checkpoint_on_a_device_draws_the_same_numbers_again(cuda: object) -> None:
    x = mg.ones(100, device="cuda", requires_grad=True)
    found = []
    for _ in range(2):
        mg.manual_seed(3)
        y = mg.checkpoint(lambda x: mg.dropout(x, 0.5) * x, x)
        following = mg.rand(1, device="cuda").numpy().item()
        (g,) = mg.grad(y.sum(), x)
        np.testing.assert_array_equal(g.numpy(), 2 * y.numpy())
        assert mg.rand(1, device="cuda").numpy().item() != following
        found.append((y.tolist(), following))
    assert found[0] == found[1]


def test_transforms_on_a_device(cuda: object) -> None:
    x = mg.tensor([1.0, 2.0, 3.0], device="cuda")
    f = lambda x: (x * x * x).sum()
    value, g = mg.value_and_grad(f)(x)
    _, tangent = mg.jvp(f, x, mg.ones_like(x))
    h = mg.hessian(f, x)
    v = mg.hvp(f, x, mg.ones_like(x))
    assert {str(t.device) for t in (value, g, tangent, h, v)} == {"cuda:0"}
    assert h.tolist() == [[6.0, 0.0, 0.0], [0.0, 12.0, 0.0], [0.0, 0.0, 18.0]]
    assert v.tolist() == [6.0, 12.0, 18.0]


def test_checks_on_a_device(cuda: object) -> None:
    x = mg.tensor([1.0, 2.0], dtype=mg.float64, device="cuda", requires_grad=True)
    assert mg.gradcheck(lambda x: x.exp() * x, x, order=2)
    with mg.default_device("cuda"):
        assert mg.check.check_op(mg.mul, reference=np.multiply)
        assert mg.check.check_op(mg.Tensor.sum, np.ones((2, 3)), reference=np.sum)
