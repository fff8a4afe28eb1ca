"""The checks find what they are for, and say where."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import xp
from minigrad.check import CheckError, GradcheckError, check_module, check_op, contract, gradcheck, gradgradcheck
from minigrad.errors import DtypeError

pytestmark = pytest.mark.usefixtures("scratch_ops")


def draw(*shape: int, seed: int = 0) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(seed).uniform(0.2, 0.9, shape), requires_grad=True)


def op(forward, *, broadcasts=False, **rules):
    """An op of a forward, for one test."""
    function = mg.primitive(broadcasts=broadcasts)(forward)
    mg.defvjp(function, **rules)
    return function


def squared(x, /):
    """x squared"""
    return x * x


# ---- gradcheck ---------------------------------------------------------------------------------------------------


def test_gradcheck_passes_what_is_right() -> None:
    x, y = draw(2, 3), draw(3, seed=1)
    assert gradcheck(lambda x, y: x * y / (x + y), x, y, order=3) is True
    assert gradgradcheck(lambda x, y: x * y / (x + y), x, y) is True
    assert gradcheck(lambda x: (x.exp(), x.sum(), x.argmax(), 3), x, order=2)
    assert gradcheck(lambda x, n, flag: x * n if flag else x, x, 2, True)
    assert mg.gradcheck is gradcheck


def test_gradcheck_names_the_worst_element_its_input_and_both_numbers() -> None:
    def forward(x, y, /):
        """x y"""
        return x * y

    spoil = np.ones((2, 3))
    spoil[1, 2] = 1.5
    wrong = op(forward, x=lambda g, y: g * y, y=lambda g, x: g * x * (spoil if g.shape == (2, 3) else 1.0))
    x, y = draw(2, 3), draw(2, 3, seed=1)
    with pytest.raises(GradcheckError) as info:
        gradcheck(wrong, x, y)
    text = str(info.value)
    assert "the gradient of input 1 is wrong at [1, 2]" in text
    assert "1 of 6 elements are wrong" in text
    numbers = re.search(r"analytic (\S+), numeric (\S+), differing by (\S+) where (\S+) is allowed", text)
    assert numbers is not None
    analytic, numeric, error, allowed = map(float, numbers.groups())
    assert analytic == pytest.approx(1.5 * numeric)
    assert error == pytest.approx(abs(analytic - numeric), rel=0.05)
    assert allowed == pytest.approx(1e-6 + 1e-4 * abs(numeric), rel=0.05)
    assert re.search(r"output 0: \(2, 3\) float64  from forward at test_check\.py:\d+", text)
    assert isinstance(info.value, AssertionError)
    assert isinstance(info.value, mg.MinigradError)


def test_gradcheck_along_a_direction() -> None:
    wrong, right = op(squared, x=lambda g, x: g * x), lambda x: x * x
    x = draw(20, 20)
    assert gradcheck(right, x, directional=True, order=2)
    with pytest.raises(GradcheckError, match="wrong along a random direction"):
        gradcheck(wrong, x, directional=True)


def test_gradcheck_of_a_gradient_that_is_missing() -> None:
    with pytest.raises(GradcheckError, match=r"analytic 0 \(none was recorded\), numeric"):
        gradcheck(lambda x, y: x * y.detach(), draw(2), draw(2))


def test_gradcheck_of_a_gradient_that_is_not_finite() -> None:
    nan = op(squared, x=lambda g, x: g * x * float("nan"))
    with pytest.raises(GradcheckError, match="analytic nan"):
        gradcheck(nan, draw(2))


def test_gradcheck_wants_float64_and_something_to_check() -> None:
    with pytest.raises(DtypeError, match=r"input 1 is float32.*\n.*x\.double\(\)"):
        gradcheck(lambda x, y: x, draw(2), mg.ones(2, requires_grad=True))
    with pytest.raises(GradcheckError, match="no input requires a gradient"):
        gradcheck(lambda x: x, mg.ones(2))
    with pytest.raises(GradcheckError, match=r"gradcheck of <lambda>: no output depends on the inputs"):
        gradcheck(lambda x: x.detach(), draw(2))


def test_gradcheck_of_a_function_that_draws_random_numbers() -> None:
    with pytest.raises(GradcheckError, match="two runs of the function gave different results"):
        gradcheck(lambda x: x * mg.rand(2, dtype=mg.float64), draw(2))
    sizes = iter([2, 1])
    with pytest.raises(GradcheckError, match=r"shapes \(2,\) and \(1,\)"):
        gradcheck(lambda x: x[: next(sizes)] * 2.0, draw(2))


def test_gradcheck_leaves_the_inputs_as_they_were() -> None:
    x = draw(2)
    data, values = x.data, x.tolist()
    gradcheck(lambda x: x * x, x, order=2)
    assert x.data is data
    assert x.tolist() == values
    assert x.grad is None

    calls = []

    def fails_later(x: mg.Tensor) -> mg.Tensor:
        calls.append(1)
        if len(calls) > 3:
            raise KeyError
        return x * x

    with pytest.raises(KeyError):
        gradcheck(fails_later, x)
    assert x.data is data


def test_gradcheck_works_under_no_grad_and_for_captured_tensors() -> None:
    w, x = draw(2), draw(2, seed=1)
    with mg.no_grad():
        assert gradcheck(lambda x, _: x * w, x, w)


def test_gradgradcheck_finds_a_rule_that_is_right_to_first_order_only() -> None:
    half = op(squared, x=lambda g, x: 2 * g * (x.data if isinstance(x, mg.Tensor) else x))
    assert gradcheck(half, draw(2))
    with pytest.raises(GradcheckError, match="the gradient of the gradient of input 0 is wrong at"):
        gradgradcheck(half, draw(2))
    with pytest.raises(GradcheckError, match="gradient of the gradient"):
        gradcheck(half, draw(2), order=2)


def test_gradgradcheck_finds_a_cotangent_that_is_lost() -> None:
    lost = op(squared, x=lambda g, x: 2 * x * (g.detach() if isinstance(g, mg.Tensor) else g))
    with pytest.raises(GradcheckError, match="of the cotangent of output 0 is wrong"):
        gradgradcheck(lost, draw(2))


def test_gradgradcheck_finds_two_readings_of_one_rule_that_differ() -> None:
    two = op(squared, x=lambda g, x: 2 * g * x if isinstance(x, mg.Tensor) else 3 * g * x)
    with pytest.raises(GradcheckError, match="one gradient on arrays and another on tensors"):
        gradgradcheck(two, draw(2))


def test_gradcheck_of_empty_and_0d_inputs() -> None:
    assert gradcheck(lambda x: x * x, mg.zeros(0, dtype=mg.float64, requires_grad=True), order=2)
    assert gradcheck(lambda x: x * x, mg.tensor(2.0, dtype=mg.float64, requires_grad=True), order=2)


# ---- check_op: one broken op for each clause ---------------------------------------------------------------------


def broken(forward, clause: str, *arrays, message: str = "", reference=None, broadcasts=False, rule=None, **rules):
    """Checks that an op fails at a clause."""
    if not rules:
        rules = {"x": rule or (lambda g, x: 2 * g * x)}
    with pytest.raises(CheckError, match=f"(?s)clause '{clause}': .*{message}"):
        check_op(op(forward, broadcasts=broadcasts, **rules), *arrays, reference=reference)


def test_check_op_passes_a_right_op_with_inputs_of_its_own() -> None:
    assert check_op(op(squared, x=lambda g, x: 2 * g * x), reference=np.square)
    assert mg.check.check_op is check_op


def test_check_op_of_a_plain_function() -> None:
    assert check_op(lambda x, y: x @ y, np.ones((2, 3)), np.ones((3, 2)), reference=np.matmul)
    with pytest.raises(CheckError, match="is not an op, so its inputs must be given"):
        check_op(lambda x: x)


def test_check_op_takes_numbers_indices_and_flags_as_they_are() -> None:
    assert check_op(lambda x, n: x * n, np.ones(3), 2)
    assert check_op(mg.Tensor.index_select, np.ones((2, 3)), 0, np.array([1, 0, 1]))
    assert check_op(mg.add, np.ones(3), np.float64(2.0))


def test_check_op_of_an_op_that_is_not_differentiable() -> None:
    assert check_op(mg.floor, np.array([0.3, 1.7]), reference=np.floor, differentiable=False)
    assert check_op(mg.Tensor.argmax, np.array([0.3, 1.7]), differentiable=False)


def test_clause_values() -> None:
    broken(squared, "values", np.array([1.0, 2.0]), reference=lambda x: x**3, message=r"4.0 and 8.0 at \[1\]")
    broken(squared, "values", np.array([1.0]), reference=lambda x: x[None], message=r"shapes \(1,\) and \(1, 1\)")
    broken(squared, "values", np.array([1.0]), reference=lambda x: (x, x), message="1 results where")


def test_clause_bare_arrays() -> None:
    def forward(x, /, seen=[]):  # noqa: B006
        """differs from call to call"""
        seen.append(1)
        return x * len(seen)

    broken(forward, "bare arrays", np.ones(2), rule=lambda g: g)


def test_clause_dtypes() -> None:
    def widening(x, /, dtype=None):
        """always float64"""
        return xp(x).asarray(x, dtype=np.float64) * 2.0

    broken(widening, "dtypes", np.ones(2), rule=lambda g: 2 * g, message="output 0 float64 instead of float32")

    def coarse(x, /):
        """bad in float32"""
        return (x + 1e6) - 1e6

    broken(coarse, "dtypes", np.array([0.01, 0.02]), rule=lambda g: g + 0, message="differs from float64")


def test_clause_inputs_left_alone() -> None:
    def writing(x, /):
        """changes its input"""
        x *= 1.0 + 1e-5
        return x * x

    broken(writing, "inputs left alone", np.ones(2), message="input 0 was changed")


def test_an_op_that_hands_its_input_back_gives_a_view() -> None:
    def same(x, /):
        """hands its input back"""
        return x

    assert check_op(op(same, x=lambda g: g + 0), np.ones(2))


def test_clause_gradient_and_second_order() -> None:
    broken(squared, "gradient", rule=lambda g, x: g * x)
    broken(squared, "gradient of the gradient", rule=lambda g, x: 2 * g * (x.data if isinstance(x, mg.Tensor) else x))


def test_clause_garbage() -> None:
    def circular(x, /):
        """leaves a list that holds itself"""
        loop: list[object] = []
        loop.append(loop)
        return x * x

    broken(circular, "garbage", message="left to the garbage collector")


def test_clause_strides() -> None:
    def flat(x, /):
        """reads memory, not elements"""
        return xp(x).ravel(x, order="K").reshape(x.shape) * 1.0

    broken(flat, "strides", np.arange(6.0).reshape(2, 3), rule=lambda g: g + 0, message="column-major")


def test_clause_broadcasting() -> None:
    def forward(x, y, /):
        """x y, wrongly where y is small"""
        return x * y if x.shape == y.shape else x * y + 1.0

    rules = {"x": lambda g, y: g * y, "y": lambda g, x: g * x}
    broken(forward, "broadcasting", broadcasts=True, message="repeated by hand", **rules)


def test_clause_broadcasting_is_skipped_where_shapes_differ_already() -> None:
    assert check_op(mg.mul, np.ones((2, 3)), np.ones(3), reference=np.multiply)
    assert check_op(mg.mul, np.array(2.0), np.array(3.0), reference=np.multiply)


def test_clause_0d_and_empty() -> None:
    def forward(x, /):
        """fails for nothing"""
        if not x.size:
            raise IndexError("nothing there")
        return x * x

    def oddly(x, /):
        """crashes for nothing"""
        if not x.size:
            raise ZeroDivisionError
        return x * x

    assert check_op(op(forward, x=lambda g, x: 2 * g * x))  # refused with a clear error
    broken(oddly, r"0-d and empty", message="ZeroDivisionError")

    def wrong(x, /):
        """one more for 0-d"""
        return x * x + (x.ndim == 0)

    broken(wrong, r"0-d and empty", reference=np.square, message="for 0-d inputs")


def test_a_reference_may_refuse_unusual_inputs_and_give_no_second_output() -> None:
    def reference(x):
        if x.shape != (2,):
            raise KeyError
        return x * x, None

    assert check_op(lambda x: (x * x, None), np.ones(2), reference=reference)


def test_clause_inputs_left_alone_for_plain_functions() -> None:
    with pytest.raises(CheckError, match="an output is the very array of input 0"):
        check_op(lambda x: x, np.ones(2))

    def unlocked(x):
        y = x * 2.0
        y.data.setflags(write=True)
        return y

    with pytest.raises(CheckError, match="output 0 can be written to"):
        check_op(unlocked, np.ones(2))
    fixed = np.ones(2)
    fixed.setflags(write=False)
    assert check_op(mg.exp, fixed, reference=np.exp)  # read-only before


@pytest.mark.parametrize("clause", ["dtypes", "0-d and empty"])
def test_clauses_about_the_shapes_of_gradients(clause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine sees to these for every op; the clauses would find an engine that does not."""
    real = contract.grad

    def wrong(outputs, inputs, *args, **kwargs):
        small = clause == "dtypes" or inputs[0].ndim == 0
        return tuple(mg.zeros(7) if small and g is not None else g for g in real(outputs, inputs, *args, **kwargs))

    monkeypatch.setattr(contract, "grad", wrong)
    with pytest.raises(CheckError, match=rf"clause '{clause}': .*gradient of an input \(.*\).* is \(7,\)"):
        check_op(mg.exp, reference=np.exp)


def test_check_op_with_the_garbage_collector_off() -> None:
    gc.disable()
    try:
        assert check_op(mg.exp)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_check_op_of_a_broadcasting_op_without_gradients() -> None:
    assert check_op(mg.gt, np.ones((2, 3)), np.zeros((2, 3)), reference=np.greater, differentiable=False)


def test_an_op_that_raises_is_reported_under_a_clause() -> None:
    def failing(x, /):
        """never works"""
        raise OSError("disk")

    broken(failing, "inputs left alone", np.ones(2), message="OSError: disk")


# ---- check_module ------------------------------------------------------------------------------------------------


class Scale(mg.nn.Module):
    def __init__(self) -> None:
        self.factor = mg.nn.Parameter(mg.full((3,), 2.0))

    def forward(self, x):
        return x * self.factor


def test_check_module_passes_what_is_right() -> None:
    model = mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.Dropout(0.5), Scale4(), mg.nn.Linear(4, 2))
    before = {name: p.tolist() for name, p in model.named_parameters()}
    assert check_module(model, mg.randn(2, 3)) is True
    assert {name: p.tolist() for name, p in model.named_parameters()} == before
    assert model.training
    assert {p.dtype for p in model.parameters()} == {mg.float32}
    assert check_module(model, mg.randn(2, 3), directional=True)
    assert check_module(mg.nn.Embedding(5, 2), mg.tensor([1, 3]))
    assert mg.check.check_module is check_module


class Scale4(mg.nn.Module):
    def forward(self, x):
        return x.tanh()


def test_check_module_with_nothing_to_differentiate() -> None:
    class Parity(mg.nn.Module):
        def forward(self, n):
            return n % 2

    assert check_module(Parity(), mg.tensor([1, 2]))


def test_check_module_takes_nested_outputs() -> None:
    class Nested(Scale):
        def forward(self, x):
            return x * self.factor, (x.sum(), [self.factor * 2.0])

    assert check_module(Nested(), mg.randn(2, 3))


def test_check_module_names_parameters_without_a_gradient() -> None:
    class Forgetful(Scale):
        def __init__(self) -> None:
            super().__init__()
            self.spare = mg.nn.Linear(2, 2)

    with pytest.raises(CheckError, match=r"Forgetful, clause 'every .* a gradient'.*spare\.weight, spare\.bias"):
        check_module(Forgetful(), mg.randn(2, 3))


def test_check_module_names_the_parameter_whose_gradient_is_wrong() -> None:
    wrong = op(squared, x=lambda g, x: g * x)

    class Wrong(Scale):
        def forward(self, x):
            return x * wrong(self.factor)

    with pytest.raises(GradcheckError, match=r"(?s)clause 'gradients'.*input 1 is wrong.*1 is factor"):
        check_module(Wrong(), mg.randn(2, 3))

    class WrongInput(mg.nn.Module):
        def forward(self, x):
            return wrong(x)

    with pytest.raises(GradcheckError, match="clause 'gradients'"):
        check_module(WrongInput(), mg.randn(2))


def test_check_module_finds_state_that_is_not_saved() -> None:
    class Hidden(Scale):
        def __init__(self) -> None:
            super().__init__()
            self.cache = {}

        def forward(self, x):
            return x * self.factor

        def load_state_dict(self, state, strict=True):
            return None

    with pytest.raises(CheckError, match=r"clause 'state': a copy .* loaded gives another output 0"):
        check_module(Hidden(), mg.ones(2, 3))


def test_check_module_finds_randomness_in_evaluation() -> None:
    class Noisy(mg.nn.Module):
        def forward(self, n):
            return n + mg.randint(0, 1000, (50,))

    with pytest.raises(CheckError, match=r"clause '(state|evaluation)'"):
        check_module(Noisy(), mg.zeros(50, dtype=mg.int64))


def test_check_module_finds_parts_that_train_does_not_reach() -> None:
    class Stubborn(Scale):
        def train(self, mode=True):
            return self

    with pytest.raises(CheckError, match=r"clause 'train and eval': train\(False\) does not reach the module itself"):
        check_module(Stubborn(), mg.ones(2, 3))


def test_check_module_reports_a_module_that_raises() -> None:
    with pytest.raises(CheckError, match="clause 'every parameter gets a gradient': ShapeError"):
        check_module(mg.nn.Linear(3, 2), mg.ones(2, 5))
