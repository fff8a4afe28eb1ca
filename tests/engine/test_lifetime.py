"""What lives how long: nothing waits for the garbage collector, and backward frees as it goes."""

from __future__ import annotations

import gc
import re
import tracemalloc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GraphError, ShapeError


def plain() -> None:
    x, w = mg.ones(3, requires_grad=True), mg.ones(3, requires_grad=True)
    (x * w + w).tanh().sum().backward()


def never_differentiated() -> None:
    x = mg.ones(3, requires_grad=True)
    (x * x).tanh().sum()


def several_outputs() -> None:
    x = mg.ones(4, requires_grad=True)
    a, _ = x.split(2)
    (a * 2.0).sum().backward()
    x.sort()[0].sum().backward()


def joint_rule() -> None:
    x = mg.ones(3, requires_grad=True)
    y = mg.concat([x, x, mg.ones(2)]).sum()
    y.backward(retain_graph=True)
    y.backward()


def hooks() -> None:
    x = mg.ones(3, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * 2.0)
    x.register_hook(lambda g: None)
    y.retain_grad()
    y.sum().backward()


def retained() -> None:
    x = mg.ones(3, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()


def create_graph() -> None:
    x = mg.ones(3, requires_grad=True)
    (g,) = mg.grad((x * x * x).sum(), x, create_graph=True)
    mg.grad(g.sum(), x)


def create_graph_through_several_outputs() -> None:
    x = mg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    a, b = (x * x).split(2)
    (g,) = mg.grad((a * b).sum(), x, create_graph=True)
    mg.grad(g.sum(), x)


def exception_in_a_forward() -> None:
    x = mg.ones(3, requires_grad=True)
    with pytest.raises(ShapeError):
        (x * 2.0) + mg.ones(4)


def exception_in_a_hook() -> None:
    x = mg.ones(3, requires_grad=True)
    y = x * x

    def refuse(g: mg.Tensor) -> None:
        raise ValueError("no")

    y.register_hook(refuse)
    with pytest.raises(ValueError, match="no"):
        y.sum().backward()


def backward_twice() -> None:
    x = mg.ones(3, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphError):
        y.backward()


def names_and_scopes() -> None:
    with mg.scope("model", step=1):
        x = mg.ones(3, requires_grad=True)
        x.name = "x"
        y = x * mg.ones(3)
    y.sum().backward()


@pytest.mark.parametrize(
    "run",
    [
        plain, never_differentiated, several_outputs, joint_rule, hooks, retained, create_graph,
        create_graph_through_several_outputs, exception_in_a_forward, exception_in_a_hook, backward_twice,
        names_and_scopes,
    ],
)  # fmt: skip
def test_nothing_is_left_for_the_garbage_collector(run: Callable[[], None]) -> None:
    run()
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        for _ in range(100):
            run()
        assert gc.collect() == 0
    finally:
        gc.unfreeze()
        gc.enable()


def test_memory_is_flat_over_a_thousand_steps() -> None:
    w = mg.ones(50, requires_grad=True)

    def step() -> None:
        h = mg.zeros(50)
        for _ in range(5):
            h = (h * w + w).tanh()
        h.sum().backward()
        w.data -= 0.01 * w.grad.data  # type: ignore[union-attr]
        w.grad = None

    for _ in range(10):
        step()
    tracemalloc.start()
    step()
    gc.collect()  # empties the interpreter's free lists, which count as in use
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(1_000):
        step()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000  # one object left per step would be at least twice that


def test_backward_frees_what_the_rules_kept_as_it_goes() -> None:
    x = mg.ones(3, requires_grad=True)
    kept = mg.tensor([1.0, 2.0, 3.0])
    later = weakref.ref(kept.data)
    y = x.tanh()
    z = (y.exp() * kept).sum()
    del kept
    assert later() is not None
    gone = []
    y.register_hook(lambda g: gone.append(later() is None))  # runs when the multiplication has been passed
    z.backward()
    assert gone == [True]


def test_retain_graph_keeps_it() -> None:
    x, kept = mg.ones(3, requires_grad=True), mg.tensor([1.0, 2.0, 3.0])
    array = weakref.ref(kept.data)
    z = (x * kept).sum()
    del kept
    z.backward(retain_graph=True)
    assert array() is not None
    z.backward()
    assert array() is None
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_a_rule_keeps_only_what_it_names() -> None:
    """Addition keeps neither input, tanh keeps its output and not its input."""
    x = mg.ones(3, requires_grad=True)
    y = x * 2.0
    middle = weakref.ref(y.data)
    z = (y + 1.0).tanh()
    del y
    assert middle() is None
    z.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 2 * (1 - np.tanh(3.0) ** 2) * np.ones(3), rtol=1e-4)


def test_a_result_does_not_keep_frames_or_locals_alive() -> None:
    class Witness:
        pass

    def run() -> tuple[mg.Tensor, weakref.ref[Witness]]:
        witness = Witness()
        return mg.ones(1, requires_grad=True) * 2.0, weakref.ref(witness)

    y, witness = run()
    assert witness() is None
    assert y.requires_grad


def test_second_backward_names_both_lines_and_both_remedies() -> None:
    x = mg.ones(3, requires_grad=True)
    y = x * x
    z = y.sum()
    z.backward()  # first
    with pytest.raises(GraphError) as info:
        z.backward()
    text = str(info.value)
    here = [int(n) for n in re.findall(r"test_lifetime\.py:(\d+)", text)]
    first_line = test_second_backward_names_both_lines_and_both_remedies.__code__.co_firstlineno
    assert [n - first_line for n in here] == [3, 4]
    assert "sum" in text
    assert "retain_graph=True" in text
    assert "h = h.detach()" in text


def test_second_backward_through_a_shared_part_names_that_part() -> None:
    x = mg.ones(3, requires_grad=True)
    h = x.tanh()
    (h * 2.0).sum().backward()
    with pytest.raises(GraphError, match="a second time to tanh"):
        (h * 3.0).sum().backward()
    with pytest.raises(GraphError, match="a second time to tanh"):
        mg.grad((h * 3.0).sum(), x, create_graph=True)


def test_second_backward_over_a_joint_rule_with_create_graph() -> None:
    x = mg.ones(3, requires_grad=True)
    y = mg.concat([x, x]).sum()
    y.backward()
    with pytest.raises(GraphError, match="a second time to"):
        mg.grad(y, x, create_graph=True)


def test_backward_of_several_elements_asks_for_a_gradient() -> None:
    x = mg.ones(3, requires_grad=True)
    with pytest.raises(GraphError) as info:
        (x * 2.0).backward()
    assert "shape (3,)" in str(info.value)
    assert "y.sum().backward()" in str(info.value)
    assert "y.backward(gradient=...)" in str(info.value)
    with pytest.raises(GraphError, match="needs a gradient"):
        mg.grad(x * 2.0, x)


def test_backward_of_one_element_of_any_shape_needs_none() -> None:
    x = mg.ones(1, 1, requires_grad=True)
    (x * 2.0).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0]]


def test_gradient_of_another_shape_is_refused_and_another_dtype_cast() -> None:
    x = mg.ones(3, requires_grad=True)
    with pytest.raises(ShapeError, match=r"shape \(2,\), the tensor \(3,\)"):
        (x * 2.0).backward(mg.ones(2))
    (x * 2.0).backward([1, 2, 3])
    (x * 2.0).backward(mg.ones(3, dtype=mg.float64))
    (x * 2.0).backward(mg.ones(3, dtype=mg.float64), create_graph=True)
    assert x.grad is not None
    assert x.grad.dtype == mg.float32
    assert x.grad.tolist() == [6.0, 8.0, 10.0]


def test_backward_from_what_was_not_recorded() -> None:
    with pytest.raises(GraphError, match="does not require a gradient"):
        mg.ones(1).backward()
    with pytest.raises(GraphError, match=r"after detach\(\)"):
        (mg.ones(1, requires_grad=True) * 2.0).detach().backward()


def test_handles_die_with_their_last_name() -> None:
    x = mg.ones(3, requires_grad=True)
    y = x * x
    handle, node = weakref.ref(y), y.node
    del y
    assert handle() is None
    assert node is not None
    assert node.inputs == (x.node, x.node)
