"""Defects found in other engines, each with a test that shows it is not here.

What concerns drawing is tested with the drawings, and what concerns recurrent layers with these.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest

import minigrad as mg
import minigrad_rnn
from minigrad.errors import GraphError, MinigradError, ShapeError, StateError


def leaf(*values: float) -> mg.Tensor:
    return mg.tensor(list(values), requires_grad=True)


def gradient(x: mg.Tensor) -> list[float]:
    assert x.grad is not None
    result: list[float] = x.grad.tolist()
    return result


def printed(program: str, **environment: str) -> str:
    """What a program prints in a Python of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    return run.stdout.strip()


# ---- DeZero ------------------------------------------------------------------------------------------------------


def test_dezero_gradient_aliasing() -> None:
    """a + b gave both one gradient object, so an update of the gradients in place was applied twice: 16, not 13."""
    a, b = leaf(1.0), leaf(1.0)
    (a + b).sum().backward()
    for x in (a, b):
        assert x.grad is not None
        x.grad.data *= 3.0
        x.grad.data += 10.0
    assert gradient(a) == gradient(b) == [13.0]


def test_dezero_dropped_output_of_several() -> None:
    """An op with one of its outputs dropped crashed in backward, on a dead weak reference."""
    x = leaf(1.0, 2.0, 3.0, 4.0)
    first = x.split(2)[0]
    gc.collect()
    (first * first).sum().backward()
    assert gradient(x) == [2.0, 4.0, 0.0, 0.0]


def test_dezero_unused_output_of_several() -> None:
    """An op with one of its outputs unused multiplied None by a number."""
    x = leaf(1.0, 2.0, 3.0, 4.0)
    _first, second = x.split(2)
    (second * second).sum().backward()
    assert gradient(x) == [0.0, 0.0, 6.0, 8.0]


def test_dezero_rnn_whose_input_is_not_as_wide_as_its_state():
    """The weights from state to state were built with the input's size."""
    for kind in (minigrad_rnn.RNN, minigrad_rnn.GRU, minigrad_rnn.LSTM):
        layer = kind(3, 5)
        output, _ = layer(mg.ones(2, 1, 3))
        output.sum().backward()
        assert output.shape == (2, 1, 5)
        assert layer.weight_hh_l0.grad.shape[1] == 5


def test_dezero_python_scalar_widens() -> None:
    """float32 times 2.0 became float64."""
    x = leaf(1.0)
    for y in (x * 2.0, 2.0 * x, x + 1, 1 / x, x**2.0, x - np.float64(2.0)):
        assert y.dtype == mg.float32
        y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == mg.float32


def test_dezero_max_with_ties() -> None:
    """max gave every tied element the whole gradient: a sum of 2, which no subgradient has."""
    x = leaf(5.0, 5.0, 1.0)
    x.max().backward()
    assert gradient(x) == [0.5, 0.5, 0.0]


def test_dezero_non_scalar_backward() -> None:
    """backward of several elements summed them without a word."""
    with pytest.raises(GraphError, match="reduce to a number first"):
        (leaf(1.0, 2.0) * 2.0).backward()


def test_dezero_backward_twice_accumulates() -> None:
    """A second backward over one graph added up without a word, and nothing was freed."""
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphError, match="second time"):
        y.backward()
    assert gradient(x) == [6.0]


def test_dezero_order_of_parameters() -> None:
    """Parameters were a set of names, so their order depended on the hash seed of the process."""
    program = (
        "import minigrad as mg\n"
        "class Model(mg.nn.Module):\n"
        "    def __init__(self):\n"
        "        for name in 'zeta alpha mid beta'.split():\n"
        "            setattr(self, name, mg.nn.Parameter(mg.zeros(1)))\n"
        "print([name for name, _ in Model().named_parameters()])\n"
    )
    for seed in ("1", "2"):
        assert printed(program, PYTHONHASHSEED=seed) == "['zeta', 'alpha', 'mid', 'beta']"


def test_dezero_lists_of_layers_are_invisible() -> None:
    """A list of layers in an attribute had no parameters."""

    class Model(mg.nn.Module):
        def __init__(self) -> None:
            self.layers = [mg.nn.Linear(2, 2), mg.nn.Linear(2, 1)]

    names = [name for name, _ in Model().named_parameters()]
    assert names == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]


def test_dezero_wrong_shapes_are_loaded() -> None:
    """Weights of another shape were loaded without a word."""
    model = mg.nn.Linear(3, 2)
    state = model.state_dict()
    with pytest.raises(StateError, match="weight"):
        model.load_state_dict({**state, "weight": mg.zeros(2, 4)})


def test_dezero_batched_matmul() -> None:
    """matmul was NumPy's dot, so a batch crashed in backward, and there was no @."""
    x = mg.tensor(np.random.default_rng(0).normal(size=(2, 3, 4)), requires_grad=True)
    w = mg.tensor(np.random.default_rng(1).normal(size=(4, 2)), requires_grad=True)
    assert mg.gradcheck(lambda x, w: x @ w, x, w, order=2)


def test_dezero_matmul_error_names_nothing() -> None:
    """Shapes that do not fit gave NumPy's message, without the op or the tensors."""
    with pytest.raises(ShapeError, match=r"(?s)matmul.*\(2, 3\).*\(2, 3\)"):
        mg.ones(2, 3) @ mg.ones(2, 3)


def test_dezero_repeated_index() -> None:
    """The gradient of indexing needed a function that CuPy had removed; here repeated indices are counted."""
    x = leaf(1.0, 2.0, 3.0)
    x[[0, 0, 2]].sum().backward()
    assert gradient(x) == [2.0, 0.0, 1.0]


def test_dezero_gradient_checks_that_cannot_fail() -> None:
    """Tests called the gradient check and threw its answer away; here it raises."""
    with pytest.raises(AssertionError):
        mg.gradcheck(lambda x: x * x.detach(), mg.tensor([2.0], dtype=mg.float64, requires_grad=True))


def test_dezero_import_needs_matplotlib() -> None:
    """Importing the library imported matplotlib; here nothing heavy is loaded."""
    program = (
        "import sys, minigrad\n"
        "heavy = {'matplotlib', 'cupy', 'scipy', 'pandas', 'requests', 'IPython', 'torch', 'graphviz', 'pygraphviz'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert printed(program) == "[]"


# ---- micrograd ---------------------------------------------------------------------------------------------------


def test_micrograd_loses_an_edge() -> None:
    """a + a kept one parent, because parents were a set."""
    a = leaf(1.0)
    y = a + a
    assert y.node is not None
    assert y.node.inputs == (a.node, a.node)


def test_micrograd_recursion() -> None:
    """A chain of 1,200 ops overran the stack."""
    x = leaf(1.0)
    y = x
    for _ in range(5_000):
        y = y + 1.0
    y.sum().backward()
    assert gradient(x) == [1.0]


def test_micrograd_leaves_garbage() -> None:
    """A thousand small graphs left 27,000 objects to the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(1_000):
            x = leaf(2.0)
            ((x * x + x) * x).sum().backward()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_micrograd_stale_inner_gradients() -> None:
    """With the leaf's gradient zeroed, a second backward counted what inner nodes still held: 64, not 32."""
    x = leaf(2.0)
    y = (x**4).sum()
    y.backward(retain_graph=True)
    x.grad = None
    y.backward()
    assert gradient(x) == [32.0]


# ---- joelgrus, eduardo, geohot -----------------------------------------------------------------------------------


def test_joelgrus_paths_are_enumerated() -> None:
    """Without a topological order a diamond of depth 40 took more than 20 seconds."""
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y + y
    y.sum().backward()  # over 2^40 paths this would take years
    assert gradient(x) == [2.0**40]


def test_joelgrus_slice() -> None:
    """The gradient of a slice had the wrong shape."""
    x = mg.ones(4, 3, requires_grad=True)
    x[1:3, ::2].sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0] * 3, [1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0] * 3]


def test_tinygrad_2021_relu_at_zero() -> None:
    """relu had gradient 1 at 0; the convention here is 0."""
    x = leaf(0.0, -1.0, 1.0)
    mg.relu(x).sum().backward()
    assert gradient(x) == [0.0, 0.0, 1.0]


# ---- MyGrad ------------------------------------------------------------------------------------------------------


def test_mygrad_two_losses_over_one_leaf() -> None:
    """Two live losses over one leaf or one hidden tensor were refused as cleared."""
    x = leaf(3.0)
    h = x * 2.0
    one, two = (h * h).sum(), (h * x).sum()
    one.backward(retain_graph=True)
    two.backward()
    assert gradient(x) == [8 * 3.0 + 4 * 3.0]


def test_mygrad_locks_the_users_arrays() -> None:
    """The user's own arrays became read-only while a graph lived."""
    a = np.ones(2, np.float32)
    x = mg.from_numpy(a).requires_grad_()
    y = (x * a).reshape(2, 1)
    a[0] = 5.0
    assert a.flags.writeable
    assert y.requires_grad


def test_mygrad_diamond_is_drawn_path_by_path() -> None:
    """A diamond of depth 16 gave 393,211 lines of text, for want of a set of visited nodes."""
    y = leaf(1.0)
    for _ in range(40):
        y = y + y
    assert len(list(mg.graph(y).nodes)) == 41


# ---- autograd ----------------------------------------------------------------------------------------------------


def test_autograd_array_changed_under_the_graph() -> None:
    """An array changed in place after it was used gave a wrong gradient, 101 instead of 1, without a word."""
    w, x = leaf(1.0), leaf(1.0)
    y = (w * x).sum()
    w.data += 100.0
    with pytest.raises(GraphError, match="was changed"):
        y.backward()


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        (mg.Tensor.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
        (mg.Tensor.norm, [0.0, 0.0], [0.0, 0.0]),
        (mg.Tensor.std, [1.0, 1.0], [0.0, 0.0]),
        (lambda x: x.tanh().sum(), [1000.0, -1000.0], [0.0, 0.0]),
        (lambda x: x.sigmoid().sum(), [1000.0, -1000.0], [0.0, 0.0]),
        (lambda x: x.abs().sum(), [0.0, -1.0], [0.0, -1.0]),
    ],
    ids=["prod at a zero", "norm at 0", "std of equals", "tanh far out", "sigmoid far out", "abs at 0"],
)
def test_autograd_kinks(function: Callable[[mg.Tensor], mg.Tensor], values: list[float], expected: list[float]) -> None:
    """prod at a zero, norm and std at 0 gave nan or inf; tanh at 1000 overflowed."""
    x = mg.tensor(values, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        function(x).backward()
    assert gradient(x) == expected


def test_autograd_where_with_a_bad_branch() -> None:
    """where(x > 0, log x, 0) at 0 gave nan: the branch not taken must be made harmless before, not after."""
    x = leaf(0.0, 1.0)
    positive = x > 0
    safe = mg.where(positive, x, 1.0)
    mg.where(positive, safe.log(), 0.0).sum().backward()
    assert gradient(x) == [0.0, 1.0]


# ---- needle ------------------------------------------------------------------------------------------------------


def test_needle_broadcast_bias() -> None:
    """(4, 3) + (3,) gave the bias a gradient of shape (4, 3), without a word."""
    x, b = mg.ones(4, 3, requires_grad=True), mg.ones(3, requires_grad=True)
    (x + b).sum().backward()
    assert gradient(b) == [4.0, 4.0, 4.0]


def test_needle_gradients_hold_graphs() -> None:
    """x.grad required a gradient itself and held a graph, so x, x.grad and x made a cycle."""
    x = leaf(2.0)
    (x * x).sum().backward()
    assert x.grad is not None
    assert not x.grad.requires_grad
    assert x.grad.node is None


def test_needle_loose_tolerance() -> None:
    """Gradients were tested to 0.42; here an error of a thousandth is found."""
    x = mg.tensor([0.5], dtype=mg.float64, requires_grad=True)
    with pytest.raises(mg.GradcheckError):
        mg.gradcheck(lambda x: x * x + (x.detach() - x) * 1e-3, x)


def test_every_error_is_ours() -> None:
    """Whatever a user does wrong above is one kind of error to catch."""
    for kind in (GraphError, ShapeError, StateError, mg.GradcheckError):
        assert issubclass(kind, MinigradError)
