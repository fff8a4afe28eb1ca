"""What compiled layers compute with: matrix products cut into pieces, and nonlinearities of single precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

pytest.importorskip("numba")

import numba
from make_tanh import error, fitted

from minigrad_rnn.compiled import activations
from minigrad_rnn.compiled.activations import sigmoid, tanh
from minigrad_rnn.compiled.products import Hoisted, Product, gradient

pytestmark = pytest.mark.usefixtures("small_are_quick")
DTYPES = ["f4", "f8"]
SHAPES = [  # N, inner, columns: left whole, cut into pieces, the sums too, with odd sizes
    (1, 1, 1),
    (3, 5, 12),
    (1, 256, 1024),
    (20, 64, 256),
    (64, 128, 512),
    (64, 512, 128),
    (32, 1024, 48),
    (33, 120, 480),
    (64, 768, 192),
    (33, 1500, 132),
    (16, 2048, 160),
    (200, 72, 216),
    (64, 127, 508),
    (100, 384, 33),
]


def drawn(dtype, *shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def near(value, expected, length):
    """Whether sums of ``length`` products of normal numbers are the same up to rounding."""
    tolerance = 16 * np.finfo(value.dtype).eps * max(1.0, length**0.5) * 4
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance)


def exact(*factors):
    """Their product in double precision."""
    first, second = (factor.astype("f8") for factor in factors)
    return first @ second


@st.composite
def small(draw):
    return tuple(draw(st.integers(0 if i == 0 else 1, 12)) for i in range(3))


@st.composite
def large(draw):
    """Shapes beyond a million multiplications."""
    size, inner = draw(st.integers(16, 70)), draw(st.sampled_from([48, 128, 200, 512, 900]))
    fewest = 1_000_000 // (size * inner) + 1
    return size, inner, draw(st.integers(fewest, fewest + 300))


# ---- products ----------------------------------------------------------------------------------------------------


def check_product(shape, dtype, masks, turned):
    size, inner, columns = shape
    weight = drawn(dtype, columns, inner).T if turned else drawn(dtype, inner, columns)
    before = drawn(dtype, size, inner, seed=1) if masks in ("before", "both") else None
    after = drawn(dtype, size, columns, seed=2) if masks in ("after", "both") else None
    kept, product = weight.copy(), Product(weight, size, before=before, after=after)
    for seed in (3, 4):
        h = drawn(dtype, size, inner, seed=seed)
        h.flags.writeable = False
        expected = exact(h if before is None else h.astype("f8") * before, weight)
        result = product(h)
        assert result is product.result
        near(result, expected if after is None else expected * after, inner * (1 if after is None else 16))
    assert np.array_equal(weight, kept)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_of_a_step(dtype, shape):
    check_product(shape, dtype, masks="both", turned=True)
    check_product(shape, dtype, masks="none", turned=False)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    small() | large(),
    st.sampled_from(DTYPES),
    st.sampled_from(["none", "before", "after", "both"]),
    st.booleans(),
)
def test_a_product_of_any_shape(shape, dtype, masks, turned):
    check_product(shape, dtype, masks, turned)


def test_shapes_above_are_treated_in_every_way():
    ways = set()
    for size, inner, columns in SHAPES:
        made = vars(Product(np.zeros((inner, columns), "f4"), size))
        ways.add((made["_pieces"] is not None, made["_terms"] is not None))
    assert ways == {(False, False), (True, False), (True, True)}


def check_hoisted(steps, shape, dtype, turned):
    size, inner, columns = shape
    weight = drawn(dtype, columns, inner).T if turned else drawn(dtype, inner, columns)
    for x in (drawn(dtype, steps, size, inner, seed=1), drawn(dtype, steps, size, inner, seed=2)[::-1]):
        wide = np.full((steps + 2, size, columns + 3), np.nan, dtype)  # as where the gates stand beside other things
        Hoisted(weight, size)(x, wide[1:-1, :, :columns])
        near(wide[1:-1, :, :columns], exact(x, weight), inner)
        assert np.isnan(wide[[0, -1]]).all()
        assert np.isnan(wide[:, :, columns:]).all()


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products_of_many_steps(dtype, shape, turned):
    check_hoisted(3, shape, dtype, turned)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 4), small() | large(), st.sampled_from(DTYPES), st.booleans())
def test_products_of_many_steps_of_any_shape(steps, shape, dtype, turned):
    check_hoisted(steps, shape, dtype, turned)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    count=st.integers(0, 40) | st.sampled_from([719, 720, 721, 1441, 2160, 3001]),
    height=st.sampled_from([1, 3, 32, 64, 96, 100, 160, 512]),
    width=st.sampled_from([1, 5, 32, 40, 64, 80, 120, 128]),
)
def test_the_gradient_of_a_weight(dtype, count, height, width):
    gates, others = drawn(dtype, count, height), drawn(dtype, count, width, seed=1)
    near(gradient(gates, others), exact(gates.T, others), count)


@pytest.mark.parametrize("shape", [(3001, 512, 64), (1500, 1024, 256), (1500, 1056, 256)])
def test_the_gradient_of_a_large_weight(shape):
    count, height, width = shape
    gates, others = drawn("f4", count, height), drawn("f4", count, width, seed=1)
    near(gradient(gates, others), exact(gates.T, others), count)


# ---- nonlinearities ----------------------------------------------------------------------------------------------

OPTIONS = {"fastmath": {"contract", "reassoc"}, "error_model": "numpy"}  # as where they are used


def mapped(function):
    """A compiled loop that applies it to every number."""

    @numba.njit(**OPTIONS)
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def apply(x):
        out = np.empty_like(x)
        loop(x, out)
        return out

    return apply


@pytest.fixture(scope="module")
def functions():
    return {"tanh": mapped(tanh), "sigmoid": mapped(sigmoid)}


@pytest.fixture(scope="module")
def numbers():
    """Positive numbers of single precision up to 16, evenly by their place in the order of such numbers."""
    return np.arange(1, np.float32(16).view("i4"), 1009, dtype="i4").view("f4")


def test_tanh_is_within_seven_units_in_the_last_place(functions, numbers):
    expected = np.tanh(numbers.astype("f8"))
    off = np.abs(functions["tanh"](numbers) - expected) / np.spacing(expected.astype("f4"))
    assert off.max() < 7  # of all numbers: 5.51 where product and sum are one instruction, else 6.40
    assert off[numbers < 1e-4].max() < 1.01
    assert off.mean() < 0.5


def test_tanh_is_odd_and_never_beyond_one(functions, numbers):
    values = functions["tanh"](numbers)
    assert np.array_equal(functions["tanh"](-numbers), -values)
    assert values.max() == 1
    assert (values[numbers >= 9.1] == 1).all()
    assert (values > 0).all()


def test_the_sigmoid_is_within_some_units_of_a_half(functions, numbers):
    x = np.concatenate([-numbers[::-1], numbers])
    values = functions["sigmoid"](x)
    assert np.abs(values - 1 / (1 + np.exp(-x.astype("f8")))).max() < 4 * 2.0**-24  # 3.04 of all
    assert values.min() >= 0
    assert values.max() == 1
    np.testing.assert_allclose(values + values[::-1], 1, rtol=0, atol=2.0**-24)


def test_special_numbers_single(functions):
    least, largest = np.finfo("f4").smallest_subnormal, np.finfo("f4").max
    x = np.array([0.0, -0.0, least, -least, 1e-40, np.inf, -np.inf, largest, -largest, np.nan], "f4")
    values = functions["tanh"](x)
    expected = np.array([0.0, -0.0, least, -least, 1e-40, 1, -1, 1, -1, np.nan], "f4")
    assert np.array_equal(values, expected, equal_nan=True)
    assert np.array_equal(np.signbit(values[:-1]), np.signbit(expected[:-1]))
    expected = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 1, 0, 1, 0, np.nan], "f4")
    assert np.array_equal(functions["sigmoid"](x), expected, equal_nan=True)


def test_double_precision_is_the_c_librarys(functions):
    x = np.concatenate([np.linspace(-12, 12, 1001), [np.inf, -np.inf, np.nan]])
    np.testing.assert_allclose(functions["tanh"](x), np.tanh(x), rtol=1e-15, atol=0)
    np.testing.assert_allclose(functions["sigmoid"](x), np.tanh(x / 2) / 2 + 0.5, rtol=1e-15, atol=1e-16)


def test_outside_of_compiled_code_they_are_the_same_functions():
    assert tanh(0.3) == pytest.approx(np.tanh(0.3), rel=1e-15)
    assert sigmoid(0.3) == pytest.approx(1 / (1 + np.exp(-0.3)), rel=1e-15)


def test_the_coefficients_are_as_good_as_weighted_least_squares_finds():
    above, below = (np.array(row, "f8") for row in (activations.ABOVE, activations.BELOW))
    assert error(*fitted()) < 2.2e-8
    assert error(above, below) < 6.5e-8  # rounded to single precision
    for rounded, found in zip((above, below), fitted(), strict=True):
        np.testing.assert_allclose(rounded, found, rtol=5e-3)
