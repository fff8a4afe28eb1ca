"""Elementwise ops at the values where they are easy to get wrong: kinks, ties, NaN, zeros, numbers of other types."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import minigrad as mg
from minigrad.check import gradcheck

INF, NAN = math.inf, math.nan


def slope(function, values, dtype=np.float64):
    """The derivative of an elementwise function at each of some values."""
    x = mg.tensor(np.asarray(values, dtype), requires_grad=True)
    (g,) = mg.grad(function(x), x, mg.ones_like(x))
    return g.tolist()


def slopes(function, x, y):
    x, y = (mg.tensor(np.asarray(v, np.float64), requires_grad=True) for v in (x, y))
    out = function(x, y)
    return [g.tolist() for g in mg.grad(out, [x, y], mg.ones_like(out))]


# ---- kinks and ties ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (mg.abs, 0.0, 0.0),
        (mg.sign, 0.0, 0.0),
        (mg.relu, 0.0, 0.0),
        (mg.floor, 2.0, 0.0),
        (mg.ceil, 2.0, 0.0),
        (mg.trunc, 2.0, 0.0),
        (mg.round, 2.5, 0.0),
        (mg.leaky_relu, 0.0, 0.01),
        (mg.elu, 0.0, 1.0),
        (mg.selu, 0.0, 1.0507009873554805 * 1.6732632423543772),
        (mg.softsign, 0.0, 1.0),
        (mg.hardtanh, 1.0, 0.0),
        (mg.hardtanh, -1.0, 0.0),
        (mg.hardsigmoid, 3.0, 0.0),
        (mg.hardsigmoid, -3.0, 0.0),
        (lambda x: x.clamp(-1.0, 1.0), 1.0, 1.0),
        (lambda x: x.clamp(-1.0, 1.0), -1.0, 1.0),
        (lambda x: x.clamp(min=0.0), 0.0, 1.0),
        (lambda x: x.maximum(0.0), 0.0, 0.5),
        (lambda x: x.remainder(2.0), 4.0, 1.0),
        (lambda x: x.fmod(2.0), 4.0, 1.0),
        (lambda x: x // 2.0, 4.0, 0.0),
    ],
)
def test_slope_at_a_kink(function, at, expected):
    assert slope(function, [at]) == pytest.approx([expected])


def test_ties_share_the_gradient_and_nan_keeps_it():
    x, y = [1.0, 1.0, 1.0, NAN], [0.0, 1.0, 2.0, 1.0]
    assert slopes(mg.maximum, x, y) == [[1.0, 0.5, 0.0, 1.0], [0.0, 0.5, 1.0, 1.0]]
    assert slopes(mg.minimum, x, y) == [[0.0, 0.5, 1.0, 1.0], [1.0, 0.5, 0.0, 1.0]]


def test_nan_propagates_through_maximum_minimum_clamp_and_relu():
    x = mg.tensor([NAN, 1.0])
    for y in (x.maximum(0.0), x.minimum(0.0), mg.maximum(0.0, x), x.clamp(0.0, 2.0), x.relu()):
        assert y.isnan().tolist() == [True, False]


def test_clamp_gives_the_gradient_to_the_bound_that_is_returned():
    x = mg.tensor([-2.0, 0.5, 2.0, 0.5], requires_grad=True)
    low = mg.tensor([-1.0, 0.0, 0.0, 1.0], requires_grad=True)
    high = mg.tensor([1.0, 1.0, 1.0, 0.0], requires_grad=True)
    y = x.clamp(low, high)
    assert y.tolist() == [-1.0, 0.5, 1.0, 0.0]
    gradients = [g.tolist() for g in mg.grad(y, [x, low, high], mg.ones(4))]
    assert gradients == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]]


def test_gradients_at_the_origin_are_zero():
    assert slopes(mg.hypot, [0.0], [0.0]) == [[0.0], [0.0]]
    assert slopes(mg.atan2, [0.0], [0.0]) == [[0.0], [0.0]]


def test_logaddexp_of_infinities():
    assert slopes(mg.logaddexp, [-INF, -INF, INF, 1.0], [-INF, 2.0, 2.0, -INF]) == [[0, 0, 1, 1], [0, 1, 0, 0]]


def test_nan_to_num():
    x = mg.tensor([NAN, INF, -INF, 2.0], requires_grad=True)
    y = x.nan_to_num(nan=1.0, posinf=5.0)
    assert y.tolist() == [1.0, 5.0, float(np.finfo(np.float32).min), 2.0]
    assert mg.grad(y, x, mg.ones(4))[0].tolist() == [0.0, 0.0, 0.0, 1.0]


# ---- where -------------------------------------------------------------------------------------------------------


def test_the_branch_not_taken_gets_exactly_zero():
    x, y = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    gx, gy = mg.grad(mg.where(mg.tensor([True, False]), x, y), [x, y], [mg.tensor([NAN, INF])])
    assert np.isnan(gx.tolist()[0])
    assert gx.tolist()[1] == 0.0
    assert gy.tolist() == [0.0, INF]


def test_choosing_twice_avoids_the_pole():
    def safe_log(x):
        positive = x > 0
        return mg.where(positive, mg.log(mg.where(positive, x, 1.0)), 0.0)

    assert slope(safe_log, [0.0, 2.0]) == [0.0, 0.5]
    with pytest.warns(RuntimeWarning):
        once = slope(lambda x: mg.where(x > 0, mg.log(x), 0.0), [0.0])
    assert np.isnan(once[0])


def test_where_is_a_method_of_the_first_branch():
    x = mg.tensor([1.0, -1.0])
    assert x.where(x > 0, 0.0).tolist() == [1.0, 0.0]


def test_where_of_integers_and_of_numbers_alone():
    c = mg.tensor([True, False])
    assert mg.where(c, mg.tensor([1, 2]), mg.tensor([3, 4])).dtype == mg.int64
    assert mg.where(c, 1.0, 0.0).dtype == mg.float32
    assert mg.where(c, mg.tensor([1, 2]), mg.tensor([0.5, 0.5])).tolist() == [1.0, 0.5]
    assert mg.tensor([1, 2]).masked_fill(c, 7).tolist() == [7, 2]


# ---- powers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero", [0, 0.0, mg.tensor([0.0, 0.0], dtype=mg.float64)])
def test_to_the_power_of_zero(zero):
    assert (mg.zeros(2, dtype=mg.float64) ** zero).tolist() == [1.0, 1.0]
    assert slope(lambda x: x**zero, [0.0, 3.0]) == [0.0, 0.0]


@pytest.mark.parametrize("exponent", [1, 2, 3, 2.0])
def test_powers_and_their_second_derivatives_at_zero(exponent):
    x = mg.tensor([0.0], dtype=mg.float64, requires_grad=True)
    (first,) = mg.grad(x**exponent, x, create_graph=True)
    (second,) = mg.grad(first, x)
    assert first.tolist() == [1.0 if exponent == 1 else 0.0]
    assert second.tolist() == [2.0 if exponent == 2 else 0.0]


def test_slope_of_the_exponent():
    x, y = [0.0, 0.0, 2.0], [0.0, 2.0, 3.0]
    assert slopes(mg.pow, x, y)[1] == pytest.approx([0.0, 0.0, 8 * math.log(2)])
    assert slope(lambda y: 0.0**y, [0.0, 2.0]) == [0.0, 0.0]
    assert slope(lambda y: 2**y, [3.0]) == pytest.approx([8 * math.log(2)])
    assert np.isnan(slope(lambda y: (-2.0) ** y, [2.0])[0])


def test_zero_to_a_negative_power_is_infinite_and_falls():
    with np.errstate(divide="ignore"):
        assert (0.0 ** mg.tensor([-1.0])).tolist() == [INF]
        assert slope(lambda y: 0.0**y, [-1.0]) == [-INF]


def test_mixed_second_derivative_of_a_power_at_exponent_zero():
    x, y = (mg.tensor(v, dtype=mg.float64, requires_grad=True) for v in (4.0, 0.0))
    (gx,) = mg.grad(x**y, x, create_graph=True)
    assert mg.grad(gx, y)[0].item() == pytest.approx(1 / 4)  # d/dy of y x^(y-1)


def test_a_bare_array_of_no_dimensions_as_base_or_exponent():
    for function in (lambda x: np.array(2.0) ** x, lambda x: x ** np.array(2.0)):
        assert gradcheck(function, mg.tensor([0.5, 1.5], dtype=mg.float64, requires_grad=True), order=2)


def test_integer_powers():
    x = mg.tensor([2, 3])
    assert (x**2).dtype == mg.int64
    assert (x**0.5).dtype == mg.float32
    with pytest.raises(mg.DtypeError, match="make the base floating"):
        x**-1
    with pytest.raises(mg.ShapeError):
        mg.ones(2) ** mg.ones(3)


# ---- division with a remainder -----------------------------------------------------------------------------------


def test_signs_of_remainder_and_fmod():
    x, y = np.array([7.0, -7.0, 7.0, -7.0]), np.array([3.0, 3.0, -3.0, -3.0])
    assert (mg.tensor(x) // mg.tensor(y)).tolist() == [2.0, -3.0, -3.0, 2.0]
    assert (mg.tensor(x) % mg.tensor(y)).tolist() == [1.0, 2.0, -2.0, -1.0]
    assert mg.tensor(x).fmod(mg.tensor(y)).tolist() == [1.0, -1.0, 1.0, -1.0]
    assert slopes(mg.remainder, x, y) == [[1.0] * 4, [-2.0, 3.0, 3.0, -2.0]]
    assert slopes(mg.fmod, x, y) == [[1.0] * 4, [-2.0, 2.0, 2.0, -2.0]]
    assert (mg.tensor([7, -7]) // 3).tolist() == [2, -3]


# ---- far from zero -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "values", "derivatives"),
    [
        (mg.sigmoid, [0.0, 1.0], [0.0, 0.0]),
        (mg.tanh, [-1.0, 1.0], [0.0, 0.0]),
        (mg.relu, [0.0, 1000.0], [0.0, 1.0]),
        (mg.silu, [0.0, 1000.0], [0.0, 1.0]),
        (mg.elu, [-1.0, 1000.0], [0.0, 1.0]),
        (mg.softplus, [0.0, 1000.0], [0.0, 1.0]),
        (mg.logsigmoid, [-1000.0, 0.0], [1.0, 0.0]),
        (mg.gelu, [0.0, 1000.0], [0.0, 1.0]),
        (mg.hardsigmoid, [0.0, 1.0], [0.0, 0.0]),
    ],
)
def test_nothing_overflows(function, values, derivatives):
    x = mg.tensor([-1000.0, 1000.0])
    assert (abs(function(x).numpy() - np.array(values, np.float32)) < 1e-6).all()
    assert slope(function, [-1000.0, 1000.0], np.float32) == pytest.approx(derivatives)


def test_softmax_and_logaddexp_do_not_overflow():
    x = mg.tensor([1000.0, 0.0, -1000.0])
    assert x.softmax(dim=0).tolist() == [1.0, 0.0, 0.0]
    assert x.log_softmax(dim=0).tolist() == [0.0, -1000.0, -2000.0]
    assert mg.logaddexp(x, x).tolist() == pytest.approx([1000 + math.log(2), math.log(2), -1000 + math.log(2)])


def test_small_slopes_keep_their_digits():
    assert slope(mg.logsigmoid, [50.0])[0] == pytest.approx(math.exp(-50), rel=1e-12)
    assert slope(mg.softplus, [-50.0])[0] == pytest.approx(math.exp(-50), rel=1e-12)
    assert slope(mg.atan, [1e200]) == [0.0]
    assert slope(mg.asinh, [1e200])[0] == pytest.approx(1e-200)


def test_softmax_of_a_number_and_of_nothing():
    assert mg.tensor(3.0).softmax(dim=0).item() == 1.0
    assert mg.tensor(3.0).log_softmax(dim=-1).item() == 0.0
    assert mg.zeros(3, 0).softmax(dim=1).shape == (3, 0)
    assert mg.zeros(3, 0).log_softmax(dim=1).shape == (3, 0)
    assert mg.tensor([1, 1]).softmax(dim=0).tolist() == [0.5, 0.5]
    assert mg.tensor([1, 1]).log_softmax(dim=0).dtype == mg.float32
    for shape in [(), (3,), (0, 3)]:
        for function in (mg.softmax, mg.log_softmax):
            with pytest.raises(mg.ShapeError):
                function(mg.zeros(shape), dim=2)


# ---- dtypes, numbers, arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, bool])
@pytest.mark.parametrize(
    "function", [mg.sqrt, mg.exp, mg.log1p, mg.sin, mg.atan, mg.tanh, mg.sigmoid, mg.erf, mg.softplus, mg.logsigmoid]
)
def test_functions_of_integers_are_float32(function, dtype):
    x = np.array([0, 1], dtype)
    y = function(mg.tensor(x))
    assert y.dtype == mg.float32
    assert y.tolist() == function(mg.tensor(x.astype(np.float32))).tolist()


def test_division_of_integers_is_float32():
    a, b = mg.tensor([7, 8]), mg.tensor([2, 2])
    assert (a / b).dtype == (a / 2).dtype == (1 / a).dtype == a.reciprocal().dtype == mg.float32
    assert mg.hypot(a, b).dtype == mg.atan2(a, b).dtype == mg.logaddexp(a, 1).dtype == mg.float32
    assert (a + b).dtype == (a // b).dtype == (a % b).dtype == a.floor().dtype == a.round().dtype == mg.int64


def test_rounding():
    x = mg.tensor([-2.5, -1.5, 0.5, 1.25])
    assert x.round().tolist() == [-2.0, -2.0, 0.0, 1.0]
    assert round(x, 1).tolist() == pytest.approx([-2.5, -1.5, 0.5, 1.2])
    assert (x.floor().tolist(), x.ceil().tolist()) == ([-3, -2, 0, 1], [-2, -1, 1, 2])
    assert x.trunc().tolist() == [-2, -1, 0, 1]


@pytest.mark.parametrize("number", [2, 2.5, True, np.float32(2), np.float64(2), np.int64(2)])
@pytest.mark.parametrize("dtype", [mg.float32, mg.float64])
def test_numbers_on_both_sides_are_weak(number, dtype):
    x = mg.tensor([1.5, 3.0], dtype=dtype, requires_grad=True)
    a = np.asarray(x.data)
    n = float(number)
    pairs = [
        (x + number, a + n),
        (number + x, n + a),
        (x - number, a - n),
        (number - x, n - a),
        (x * number, a * n),
        (number * x, n * a),
        (x / number, a / n),
        (number / x, n / a),
        (x // number, a // n),
        (number // x, n // a),
        (x % number, a % n),
        (number % x, n % a),
        (x**number, a**n),
        (number**x, n**a),
        (x.maximum(number), np.maximum(a, n)),
        (mg.maximum(number, x), np.maximum(a, n)),
        (mg.hypot(x, number), np.hypot(a, n)),
        (mg.where(x > number, x, number), np.where(a > n, a, n)),
    ]
    for ours, expected in pairs:
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-6)
        (g,) = mg.grad(ours, x, [mg.ones_like(ours)])
        assert g.dtype == dtype
    for ours, expected in [(x < number, a < n), (number < x, n < a), (x == number, a == n), (number >= x, n >= a)]:
        assert ours.tolist() == expected.tolist()


def test_arrays_on_the_left():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a = np.full(3, 2, "f4")
    for y, expected in [(a * x, [2, 4, 6]), (a - x, [1, 0, -1]), (a / x, [2, 1, 2 / 3]), (a**x, [2, 4, 8])]:
        assert isinstance(y, mg.Tensor)
        assert y.requires_grad
        assert y.tolist() == pytest.approx(expected)
    assert (a < x).tolist() == [False, False, True]
    assert (np.array([True, False, True]) & (x > 1)).tolist() == [False, False, True]


def test_sum_of_a_list_of_tensors_keeps_the_dtype():
    xs = [mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(3)]
    total = sum(xs)
    assert total.dtype == mg.float32
    assert total.tolist() == [3.0, 6.0]
    assert [g.tolist() for g in mg.grad(total, xs, mg.ones(2))] == [[1.0, 1.0]] * 3


def test_float_dtypes_do_not_mix():
    x, y = mg.ones(2), mg.ones(2, dtype=mg.float64)
    for function in (mg.add, mg.pow, mg.maximum, mg.hypot, mg.remainder, lambda x, y: mg.where(x > 0, x, y)):
        with pytest.raises(mg.DtypeError, match="do not mix"):
            function(x, y)
    with pytest.raises(mg.DtypeError):
        -mg.tensor([True])


# ---- comparisons -------------------------------------------------------------------------------------------------


def test_comparisons_give_booleans_and_tensors_stay_hashable():
    x, y = mg.tensor([1.0, 2.0, NAN], requires_grad=True), mg.tensor([1.0, 3.0, NAN])
    table = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}
    assert {name: c.tolist() for name, c in table.items()} == {
        "eq": [True, False, False],
        "ne": [False, True, True],
        "lt": [False, True, False],
        "le": [True, True, False],
        "gt": [False, False, False],
        "ge": [True, False, False],
    }
    assert all(c.dtype == bool and not c.requires_grad for c in table.values())
    assert len({x, y, x}) == 2
    assert {x: "here"}[x] == "here"


def test_logic():
    a, b = mg.tensor([True, True, False, False]), mg.tensor([True, False, True, False])
    assert (a & b).tolist() == mg.logical_and(a, b).tolist() == [True, False, False, False]
    assert (a | b).tolist() == mg.logical_or(a, b).tolist() == [True, True, True, False]
    assert (a ^ b).tolist() == mg.logical_xor(a, b).tolist() == [False, True, True, False]
    assert (~a).tolist() == a.logical_not().tolist() == [False, False, True, True]
    assert [(True & b).tolist()[1], (False | b).tolist()[0], (True ^ b).tolist()[0]] == [False, True, False]
    assert (~mg.tensor([5])).tolist() == [-6]
    x = mg.tensor([NAN, INF, -INF, 0.0])
    assert x.isnan().tolist() == [True, False, False, False]
    assert x.isinf().tolist() == [False, True, True, False]
    assert x.isfinite().tolist() == [False, False, False, True]


# ---- dropout and the rest ------------------------------------------------------------------------------------------


def test_dropout():
    mg.manual_seed(0)
    x = mg.ones(1000, requires_grad=True)
    y = mg.dropout(x, p=0.25)
    assert y.dtype == mg.float32
    assert set(y.tolist()) == {0.0, np.float32(4 / 3).item()}
    assert 700 < np.count_nonzero(y.numpy()) < 800
    assert mg.grad(y, x, mg.ones(1000))[0].tolist() == y.tolist()
    mg.manual_seed(0)
    assert mg.dropout(np.ones(1000, "f4"), p=0.25).tolist() == y.tolist()


def test_dropout_at_its_ends():
    x = mg.ones(3)
    assert mg.dropout(x, p=0.0) is x
    assert mg.dropout(x, training=False) is x
    assert mg.dropout(x, p=1.0).tolist() == [0.0] * 3
    assert mg.dropout(mg.tensor([1, 2]), p=1.0).dtype == mg.float32
    assert mg.dropout(mg.tensor(1.0), p=1.0).shape == ()
    for p in (-0.1, 1.1, NAN):
        with pytest.raises(mg.MinigradError, match="probability"):
            mg.dropout(x, p=p)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dropout_multiplies_by_a_dropout_mask(dtype):
    x = mg.ones(20, 3, dtype=dtype)
    mg.manual_seed(0)
    dropped = mg.dropout(x, p=0.3)
    mg.manual_seed(0)
    mask = mg.dropout_mask(20, 3, p=0.3, dtype=dtype)
    assert mask.dtype == dropped.dtype == dtype
    assert mask.tolist() == dropped.tolist()
    assert mg.dropout_mask(size=(2,), p=1).tolist() == [0.0] * 2
    assert mg.dropout_mask((0, 3), p=0).shape == (0, 3)
    with pytest.raises(mg.MinigradError, match="dropout_mask: p is a probability"):
        mg.dropout_mask(3, p=1.5)
    with pytest.raises(mg.DtypeError, match="int64 has no fractions"):
        mg.dropout_mask(3, dtype=mg.int64)


def test_gelu_knows_two_forms():
    with pytest.raises(mg.MinigradError, match="approximate"):
        mg.gelu(mg.ones(1), approximate="sigmoid")


def test_positive_is_the_tensor_itself():
    x = mg.ones(2)
    assert +x is x


def test_numbers_pass_through_the_forward():
    assert mg.exp(0.0) == mg.cos(0) == mg.sigmoid(0.0) * 2 == mg.floor(1.5) == mg.maximum(0, 1) == 1


# ---- any shapes ----------------------------------------------------------------------------------------------------

BINARY = [mg.add, mg.sub, mg.mul, mg.div, mg.pow, mg.maximum, mg.minimum, mg.hypot, mg.atan2, mg.logaddexp]
SHAPES = mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shapes=SHAPES, which=st.sampled_from(BINARY))
def test_binary_gradients_over_any_shapes(shapes, which):
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.6, 1.9, shape) for shape in shapes.input_shapes]
    x, y = (mg.tensor(np.asarray(a), requires_grad=True) for a in arrays)
    out = which(x, y)
    assert out.shape == shapes.result_shape
    for tensor, g in zip((x, y), mg.grad(out, [x, y], mg.ones_like(out)), strict=True):
        assert g.shape == tensor.shape
        assert g.dtype == tensor.dtype
    assert gradcheck(which, x, y)


# ---- the logarithm of two exponentials ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logaddexp_of_large_equal_numbers_shares_the_gradient(dtype):
    x, y = (mg.tensor(np.array([1e8, -1e8, INF], dtype), requires_grad=True) for _ in range(2))
    out = mg.logaddexp(x, y)
    dx, dy = mg.grad(out, [x, y], mg.ones_like(out), create_graph=True)
    assert dx.tolist() == pytest.approx([0.5] * 3)
    assert dy.tolist() == pytest.approx([0.5] * 3)
    assert dx.dtype == dtype
    (second,) = mg.grad(dx[:2].sum(), x)
    assert second.tolist() == pytest.approx([0.25, 0.25, 0.0])


def test_logaddexp_of_numbers_far_apart():
    dx, dy = slopes(mg.logaddexp, [0.0, 700.0, -INF], [800.0, 0.0, 3.0])
    assert (dx[0], dx[1], dx[2]) == (0.0, 1.0, 0.0)
    assert (dy[0], dy[2]) == (1.0, 1.0)
    assert dy[1] == pytest.approx(math.exp(-700.0), rel=1e-9)


# ---- as PyTorch's users write it ---------------------------------------------------------------------------------


def test_add_and_sub_take_a_factor():
    x, y = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    assert mg.add(x, y, alpha=2).tolist() == x.add(y, alpha=2).tolist() == [3.0, 6.0]
    out = x.sub(y, alpha=3)
    assert out.tolist() == [-2.0, -4.0]
    out.sum().backward()
    assert y.grad.tolist() == [-3.0, -3.0]
    assert mg.add(x, 1, alpha=2).tolist() == [3.0, 4.0]
    assert mg.Tensor.__add__ is not mg.add  # the operator is the bare op


def test_div_rounds_on_request():
    x, y = mg.tensor([-7.0, 7.0]), 2.0
    assert mg.div(x, y, rounding_mode="floor").tolist() == [-4.0, 3.0]
    assert mg.div(x, y, rounding_mode="trunc").tolist() == [-3.0, 3.0]
    whole = mg.tensor([-7, 7, -8]).div(mg.tensor([2, -2, 2]), rounding_mode="trunc")
    assert (whole.tolist(), whole.dtype) == ([-3, -3, -4], mg.int64)
    with pytest.raises(mg.MinigradError, match="rounding_mode"):
        mg.div(x, y, rounding_mode="up")


def test_where_with_one_argument_gives_places():
    x = mg.tensor([[0.0, 3.0], [4.0, 0.0]])
    rows, columns = mg.where(x > 0)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])
    assert x[mg.where(x > 0)].tolist() == [3.0, 4.0]
    assert [i.tolist() for i in mg.where(mg.tensor(True))] == [[0]]
    with pytest.raises(mg.DtypeError, match="both"):
        mg.where(x > 0, x)


def test_softmax_takes_a_dtype():
    x = mg.tensor([1, 2])
    for function in (mg.softmax, mg.log_softmax):
        assert function(x, dim=0, dtype=mg.float64).dtype == mg.float64
        y = mg.ones(2, requires_grad=True)
        function(y, 0, dtype=mg.float64)[0].backward()
        assert y.grad.dtype == mg.float32
