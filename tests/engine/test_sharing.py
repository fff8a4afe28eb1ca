"""What shares memory, a leaf or a mode is noticed: views, detached tensors, frozen leaves, threads."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import minigrad as mg


def changed_after(use) -> None:
    """``use(w)`` keeps an array of ``w``; then ``w`` changes, and backward must refuse."""
    w = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = mg.ones(2, 2, requires_grad=True)
    loss = use(x, w).sum()
    w.data -= 1.0
    with pytest.raises(mg.GraphError, match=r"was changed at test_sharing.py:\d+"):
        loss.backward()


@pytest.mark.parametrize(
    "use",
    [
        lambda x, w: x * w,
        lambda x, w: x @ w.T,
        lambda x, w: x * w.reshape(2, 2),
        lambda x, w: x * w[:, :],
        lambda x, w: x[0] * w.unbind()[1],
        lambda x, w: x * w.unsqueeze(0).squeeze(0).permute(1, 0),
        lambda x, w: x * w.split(1)[0],
        lambda x, w: x[0] * w.diagonal().flip(0),
        lambda x, w: x * w.expand(3, 2, 2),
        lambda x, w: mg.einsum("ij,jk->ik", x, w),
    ],
)
def test_a_change_is_seen_through_views(use):
    changed_after(use)


def test_a_change_does_not_matter_to_what_was_computed_or_copied_from_the_leaf():
    w = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = mg.ones(2, 2, requires_grad=True)
    loss = (x * (w * 2.0).T).sum() + (x * w[[1, 0]]).sum()
    w.data -= 1.0
    loss.backward()
    assert x.grad.tolist() == [[2 + 3, 6 + 4], [4 + 1, 8 + 2]]


def test_a_change_does_not_matter_where_no_recorded_rule_kept_the_leaf():
    w = mg.ones(2, 2, requires_grad=True)
    loss = (mg.ones(2, 2) @ w).sum()  # only the other factor is kept
    w.data -= 1.0
    loss.backward()
    assert w.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_a_freed_graph_says_so_also_after_a_change():
    w = mg.ones(2, requires_grad=True)
    y = (w * w).sum()
    y.backward()
    w.data -= 1.0
    with pytest.raises(mg.GraphError, match="came a second time"):
        y.backward()


def test_a_detached_tensor_shares_memory_and_changes_with_it():
    p = mg.tensor([1.0, 2.0], requires_grad=True)
    loss = (p * p).sum()
    d = p.detach()
    d.data -= 1.0
    with pytest.raises(mg.GraphError, match="was changed"):
        loss.backward()
    c = mg.tensor([1.0, 2.0])
    x = mg.ones(2, requires_grad=True)
    loss = (x * c.detach()).sum()
    assert loss.requires_grad
    y = (x * p.detach()).sum()
    p.data -= 1.0
    with pytest.raises(mg.GraphError, match="was changed"):
        y.backward()


def test_freezing_and_thawing_keeps_the_leaf_its_gradient_and_its_hooks():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    w.name = "w"
    seen = []
    w.register_hook(lambda g: seen.append(g.tolist()))
    y = (w * 2.0).sum()
    w.requires_grad = False
    assert not (w * 2.0).requires_grad
    w.requires_grad = True
    y.backward()
    assert w.grad.tolist() == [2.0, 2.0]
    w.requires_grad = False
    w.requires_grad = True
    assert w.grad.tolist() == [2.0, 2.0]
    assert w.name == "w"
    assert seen == [[2.0, 2.0]]


def test_removing_a_hook_twice_removes_no_other():
    x, seen = mg.ones(2, requires_grad=True), []
    remove = x.register_hook(lambda g: None)
    remove()
    x.register_hook(lambda g: seen.append(1))
    remove()
    x.sum().backward()
    assert seen == [1]


def test_gradients_of_numbers_are_arrays_that_keep_their_dtype():
    x = mg.tensor(0.1, dtype=mg.float64, requires_grad=True)
    (g,) = mg.grad(x * x * x, x)
    assert isinstance(g.data, np.ndarray)
    assert (g * 2).dtype == mg.float64
    with pytest.raises(mg.DtypeError):
        g * mg.ones(2)
    x.register_hook(lambda g: g * 2)
    (x * x * x).backward()
    (x * x * x).backward()
    assert x.grad.item() == pytest.approx(4 * 3 * 0.01, rel=1e-15)
    x.grad.data[...] = 0
    assert np.from_dlpack(x.grad).item() == 0
    w = mg.tensor(0.5, dtype=mg.float64, requires_grad=True)
    for _ in range(3):
        (g,) = mg.grad(w * w, w)
        w = (w - g * 1 * 0.1).detach().requires_grad_()
    assert w.dtype == mg.float64


def test_plain_inputs_of_any_kind_do_not_trouble_grad():
    x = mg.ones(2, requires_grad=True)
    y = x * np.array(2.0, np.float32)
    assert mg.grad((y * y).sum(), y)[0].tolist() == [4.0, 4.0]


def test_a_retained_gradient_adds_up():
    x = mg.ones(2, requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    z = y.sum()
    z.backward(retain_graph=True)
    z.backward()
    assert y.grad.tolist() == [2.0, 2.0]


def test_replaced_data_can_be_changed():
    p = mg.ones(2, requires_grad=True)
    with mg.no_grad():
        p.data = p * 0.5
    p.data -= 0.25
    assert p.tolist() == [0.25, 0.25]


def test_what_does_not_belong_is_refused_at_the_door():
    x = mg.ones(2, requires_grad=True)
    with pytest.raises(mg.MinigradError, match="not ndarray"):
        x.grad = np.ones(2, np.float32)
    with pytest.raises(TypeError, match="not int"):
        x.register_hook(3)
    with pytest.raises(TypeError, match="a string, not int"):
        x.name = 5
    with pytest.raises(mg.DtypeError, match="floating"):
        x.data = np.arange(2)


def test_threads_may_run_backward_into_the_same_leaf():
    w = mg.zeros(50_000, requires_grad=True)

    def run():
        for _ in range(20):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad.data.min() == w.grad.data.max() == 80


def test_a_decorated_function_may_run_in_several_threads_at_once():
    inside, failed = threading.Barrier(2, timeout=10), []

    @mg.no_grad()
    def enabled() -> bool:
        inside.wait()
        return mg.is_grad_enabled()

    def run():
        try:
            assert not enabled()
            assert mg.is_grad_enabled()
        except (AssertionError, ValueError) as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_decorated_generators_and_coroutines_run_under_the_mode_at_every_step():
    @mg.no_grad()
    def steps():
        got = yield mg.is_grad_enabled()
        yield got, mg.is_grad_enabled()
        return "end"

    generator = steps()
    assert next(generator) is False
    assert mg.is_grad_enabled()
    assert generator.send("sent") == ("sent", False)
    with pytest.raises(StopIteration, match="end"):
        next(generator)

    @mg.no_grad()
    async def later() -> bool:
        await asyncio.sleep(0)
        return mg.is_grad_enabled()

    assert asyncio.run(later()) is False


def test_the_cause_of_an_error_in_a_forward_of_ones_own_is_shown(scratch_ops):
    @mg.primitive
    def mistaken(x, /):
        """has a mistake"""
        return x + np.ones(3)

    with pytest.raises(mg.ShapeError) as caught:
        mistaken(mg.ones(2))
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(mg.ShapeError) as caught:
        mg.ones(2) + mg.ones(3)
    assert caught.value.__cause__ is None


def test_an_op_without_arrays_is_told_of_the_slash(scratch_ops):
    with pytest.raises(ValueError, match=r"before a slash, def squared\(x, /"):

        @mg.primitive
        def squared(x):
            """forgot the slash"""
            return x * x


def test_a_dim_that_is_not_there_is_told_in_dims():
    with pytest.raises(mg.ShapeError, match="sum: there is no dim 5: dims go from -2 to 1"):
        mg.ones(2, 3).sum(5)
    with pytest.raises(mg.ShapeError, match="a number has no dim 1"):
        mg.tensor(1.0).sum(1)


def test_complex_numbers_are_refused():
    with pytest.raises(mg.DtypeError, match="mul: complex"):
        mg.ones(2) * 1j
