"""What may be written to and what may not, and what happens when it is written to all the same."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError


def test_results_are_read_only() -> None:
    x = mg.ones(2, requires_grad=True)
    for y in (x * 2.0, x.exp(), x + x, x.sum(), x.reshape(1, 2), x[0], mg.concat([x, x]), *x.split(1), x.detach() * 2):
        with pytest.raises(ValueError, match="read-only"):
            y.data[...] = 5.0


def test_a_view_of_a_leaf_is_read_only_and_the_leaf_is_not() -> None:
    array = np.ones((2, 3), np.float32)
    x = mg.from_numpy(array)
    x.requires_grad = True
    for y in (x.reshape(6), x.T, x[0], x.unsqueeze(0)):
        assert not y.data.flags.writeable
    assert array.flags.writeable
    array[0, 0] = 5.0
    assert x.data[0, 0] == 5.0


def test_arrays_of_the_user_are_never_marked_or_changed() -> None:
    a, b, g = (np.random.default_rng(i).normal(size=3) for i in range(3))
    copies = [v.copy() for v in (a, b, g)]
    x, y = mg.from_numpy(a).requires_grad_(), mg.from_numpy(b).requires_grad_()
    z = x * y + x
    z.backward(g)
    mg.grad((x * y).sum(), (x, y), create_graph=True)
    for v, copy in zip((a, b, g), copies, strict=True):
        assert v.flags.writeable
        np.testing.assert_array_equal(v, copy)


def test_numpy_operands_stay_writable() -> None:
    a = np.ones(2, np.float32)
    y = mg.ones(2, requires_grad=True) * a
    assert a.flags.writeable
    assert y.requires_grad


def test_changing_a_leaf_that_a_rule_needs_is_refused_and_names_the_line() -> None:
    w, x = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    w.name = "weight"
    y = (w * x).sum()
    w.data = w.data * 2.0  # this line
    with pytest.raises(GraphError) as info:
        y.backward()
    line = test_changing_a_leaf_that_a_rule_needs_is_refused_and_names_the_line.__code__.co_firstlineno + 4
    assert f'the leaf "weight" (2,) was changed at test_in_place.py:{line} after mul used it' in str(info.value)
    assert "run backward before the update" in str(info.value)


def test_an_update_in_place_counts_as_a_change() -> None:
    w, x = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    y = (w * x).sum()
    w.data -= 0.5
    with pytest.raises(GraphError, match=r"the leaf \(2,\) was changed"):
        y.backward()
    y = (w * x).sum()
    w.data -= 0.5
    with pytest.raises(GraphError, match="was changed"):
        mg.grad(y, x, create_graph=True)


def test_changing_a_leaf_that_no_rule_needs_is_allowed() -> None:
    w, x = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    y = (w + x).sum()
    w.data = w.data * 2.0
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]


def test_changing_a_leaf_before_it_is_used_is_allowed() -> None:
    w = mg.ones(2, requires_grad=True)
    w.data = w.data * 2.0
    (w * w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [4.0, 4.0]


def test_changing_a_constant_that_a_rule_needs_is_refused_too() -> None:
    x, c = mg.ones(2, requires_grad=True), mg.ones(2)
    y = (x * c).sum()
    c.data = np.full(2, 5.0, np.float32)
    with pytest.raises(GraphError, match="was changed"):
        y.backward()


def test_changing_a_tensor_that_is_in_no_graph_is_free() -> None:
    x = mg.ones(2)
    x.data = [3.0, 4.0]
    x.data += 1.0
    x.data = mg.ones(2)
    assert x.tolist() == [1.0, 1.0]
    assert x.dtype == mg.float32


def test_training_loop_updates_between_graphs() -> None:
    w = mg.ones(2, requires_grad=True)
    for _ in range(3):
        (w * w).sum().backward()
        assert w.grad is not None
        w.data -= 0.25 * w.grad.data
        w.grad = None
    assert w.tolist() == [0.125, 0.125]


def test_data_of_a_result_cannot_be_replaced() -> None:
    y = mg.ones(2, requires_grad=True) * 2.0
    with pytest.raises(GraphError, match=r"of mul, made at test_in_place.py:\d+\) cannot be replaced"):
        y.data = np.zeros(2)


def test_setitem_explains_what_to_do_instead() -> None:
    x = mg.ones(3)
    with pytest.raises(GraphError, match=r"x\.at\[index\]\.set\(value\)"):
        x[0] = 5.0


def test_in_place_operators_make_new_tensors() -> None:
    x = mg.ones(2, requires_grad=True)
    before = x
    x += 1.0
    assert x is not before
    assert before.tolist() == [1.0, 1.0]
    x.sum().backward()
    assert before.grad is not None


def test_detach_shares_the_array() -> None:
    x = mg.ones(2, requires_grad=True)
    assert x.detach().data is x.data
    assert not x.detach().requires_grad


def test_gradients_may_be_written_to() -> None:
    x = mg.ones(2, requires_grad=True)
    for _ in range(2):
        (x * 3.0).sum().backward()
    assert x.grad is not None
    x.grad.data *= 0.5
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_hook_that_returns_a_tensor_of_its_own_keeps_it() -> None:
    x, mine = mg.ones(2, requires_grad=True), mg.full((2,), 5.0)
    x.register_hook(lambda g: mine)
    for _ in range(2):
        (x * 3.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [10.0, 10.0]
    assert mine.tolist() == [5.0, 5.0]


def test_a_gradient_that_a_hook_kept_does_not_change() -> None:
    x, kept = mg.ones(2, requires_grad=True), []
    x.register_hook(lambda g: kept.append(g))
    for _ in range(2):
        (x * 3.0 + x * 4.0).sum().backward()
    assert [g.tolist() for g in kept] == [[7.0, 7.0], [7.0, 7.0]]


def test_results_of_grad_do_not_share_what_a_hook_kept() -> None:
    x, kept = mg.ones(2, requires_grad=True), []
    h = x * 1.0
    h.register_hook(lambda g: kept.append(g))
    gh, gx = mg.grad((h * 3.0 + h * 4.0).sum(), (h, x))
    gh.data[...] = 0.0
    assert kept[0].tolist() == gx.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("tracked", [False, True])
def test_recorded_gradients_do_not_share_the_cotangent(tracked: bool) -> None:
    x, g = mg.ones(2, requires_grad=True), mg.full((2,), 5.0, requires_grad=tracked)
    (gx,) = mg.grad(x, x, g, create_graph=True)
    again, more = mg.grad(x, (x, x), g, create_graph=True)
    assert gx is not g
    assert again is not more
    assert gx.data is not g.data
    assert gx.requires_grad == tracked
    if tracked:
        assert mg.grad(gx.sum(), g)[0].tolist() == [1.0, 1.0]


def test_recorded_gradient_crosses_a_change_of_dtype_of_the_cotangent() -> None:
    x, g = mg.ones(2, requires_grad=True), mg.full((2,), 5.0, dtype=mg.float64, requires_grad=True)
    (gx,) = mg.grad(x * 2.0, x, g, create_graph=True)
    assert gx.dtype == mg.float32
    (gg,) = mg.grad(gx.sum(), g)
    assert gg.dtype == mg.float64
    assert gg.tolist() == [2.0, 2.0]


def test_outputs_of_one_op_can_be_differentiated_after_something_else_was_changed() -> None:
    x, other = mg.ones(2, 4, requires_grad=True), mg.ones(3, requires_grad=True)
    a, b = x.chunk(2, dim=1)
    y = (a * b).sum()
    other.data = mg.zeros(3)
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0] * 4] * 2
