"""What reductions, extremes, order, norms and scans do at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad.check import gradcheck

INF = math.inf


def leaf(values, dtype=mg.float64):
    return mg.tensor(values, dtype=dtype, requires_grad=True)


def grad_of(function, values, gradient=None):
    x = leaf(values)
    y = function(x)
    y.backward(mg.ones_like(y) if gradient is None else mg.tensor(gradient, dtype=y.dtype))
    return x.grad.tolist()


# ---- dims --------------------------------------------------------------------------------------------------------

REDUCTIONS = {
    mg.sum: np.sum, mg.mean: np.mean, mg.prod: np.prod, mg.amax: np.max, mg.amin: np.min, mg.var: np.var,
    mg.std: np.std, mg.all: np.all, mg.any: np.any,
}  # fmt: skip


@st.composite
def arrays_and_dims(draw):
    x = draw(hnp.arrays(np.float64, hnp.array_shapes(max_dims=4, max_side=3), elements=st.floats(-4, 4, width=16)))
    dims = draw(st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim))
    dims = [d - x.ndim * draw(st.booleans()) for d in dims]
    return x, draw(st.sampled_from([None, tuple(dims) or None, dims[0] if dims else None]))


@given(arrays_and_dims(), st.booleans(), st.sampled_from(list(REDUCTIONS)))
def test_reductions_agree_with_numpy_over_any_dims(drawn, keepdim, function):
    x, dim = drawn
    more, ours = ({"ddof": 0}, {"correction": 0}) if function in (mg.var, mg.std) else ({}, {})
    expected = REDUCTIONS[function](x, axis=dim, keepdims=keepdim, **more)
    found = function(mg.tensor(x), dim=dim, keepdim=keepdim, **ours)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@given(arrays_and_dims(), st.booleans())
def test_the_gradient_of_a_sum_is_its_cotangent_repeated(drawn, keepdim):
    x, dim = leaf(drawn[0]), drawn[1]
    y = x.sum(dim, keepdim)
    g = np.random.default_rng(0).normal(size=y.shape)
    y.backward(mg.tensor(g))
    if not keepdim and dim is not None:
        g = np.expand_dims(g, dim)
    np.testing.assert_array_equal(x.grad.numpy(), np.broadcast_to(g, x.shape))


def test_an_empty_tuple_of_dims_means_all_and_lists_are_taken():
    x = mg.ones(2, 3)
    assert x.sum(()).shape == ()
    assert x.sum([0, 1]).shape == ()
    assert x.sum([1]).tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "function",
    [mg.sum, mg.mean, mg.amax, mg.var, mg.norm, mg.logsumexp, mg.prod, mg.cumsum, mg.cumprod, mg.argmax, mg.max,
     mg.sort, mg.diff, mg.argsort],
)  # fmt: skip
def test_a_dim_that_is_not_there_is_named(function):
    with pytest.raises(mg.ShapeError, match="4") as caught:
        function(mg.ones(2, 3), dim=4)
    assert "2" in str(caught.value)


def test_a_dim_named_twice_is_refused():
    with pytest.raises(mg.ShapeError, match="duplicate"):
        mg.ones(2, 3).sum((0, -2))


# ---- dtypes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int8", "bool"])
def test_sums_and_products_of_integers_are_int64_and_means_are_floating(dtype):
    x = mg.tensor(np.array([[1, 0], [1, 1]], dtype))
    for function in (mg.sum, mg.prod, lambda x: mg.cumsum(x, 0), lambda x: mg.cumprod(x, 0)):
        assert function(x).dtype == mg.int64
    for function in (mg.mean, mg.var, mg.std, mg.norm, lambda x: mg.logsumexp(x, 0)):
        assert function(x).dtype == mg.float32


def test_float16_is_added_up_in_float32():
    x = mg.ones(4096, 2, dtype=mg.float16) * 20.0
    assert x.mean().item() == 20.0  # the sum is beyond the range of float16
    assert mg.ones(4096, 2, dtype=mg.float16).sum(0).tolist() == [4096.0, 4096.0]  # beyond 2048, 1 more is lost
    assert x.norm(dim=0).dtype == mg.float16
    assert (x[:16, 0] * 20.0).norm().item() == 1600.0
    assert x.var().item() == 0.0


# ---- nothing at all ----------------------------------------------------------------------------------------------


def test_reducing_nothing():
    empty = mg.zeros(0, 3)
    assert empty.sum(0).tolist() == [0.0, 0.0, 0.0]
    assert empty.prod(0).tolist() == [1.0, 1.0, 1.0]
    assert empty.norm().item() == 0.0
    assert empty.all().item() is True
    assert empty.any().item() is False
    assert empty.logsumexp(0).tolist() == [-INF] * 3
    assert empty.amax(1).shape == (0,)
    for function in (mg.mean, mg.var, mg.std):
        assert np.isnan(function(empty, dim=0).numpy()).all()
    for function in (mg.amax, mg.amin, mg.max, mg.min, mg.argmax, mg.argmin):
        with pytest.raises(mg.ShapeError):
            function(empty, dim=0)


@pytest.mark.parametrize("function", [mg.sum, mg.mean, mg.prod, mg.norm, mg.var, lambda x: mg.cumprod(x, 0).sum()])
def test_gradients_of_nothing_are_empty(function):
    assert grad_of(function, np.zeros((0, 3))) == []


# ---- variance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.1, -3.3, 1e20, 0.0])
def test_equal_elements_have_no_deviation_and_no_gradient(value):
    for dtype in (mg.float32, mg.float64):
        x = leaf([value] * 7, dtype)
        y = x.std()
        y.backward()
        assert y.item() == 0.0
        assert x.var().item() == 0.0
        assert x.grad.tolist() == [0.0] * 7


def test_variance_of_large_numbers_close_together():
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32) + np.float32(10000)
    assert mg.tensor(x).var().item() == pytest.approx(x.astype(np.float64).var(ddof=1), rel=1e-5)


def test_without_degrees_of_freedom_there_is_no_variance():
    assert math.isnan(mg.tensor([1.0]).var().item())
    assert mg.tensor([1.0, 2.0]).var(correction=5).item() == INF
    assert mg.tensor([1.0, 2.0]).var(0, False).item() == 0.25  # PyTorch's older `unbiased`


def test_mixed_zero_and_other_deviations():
    x = leaf([[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]])
    x.std(dim=1).sum().backward()
    assert x.grad[0].tolist() == [0.0, 0.0, 0.0]
    assert gradcheck(lambda x: x.std(dim=1), leaf([[1.0, 2.0, 4.0]]), order=2)


# ---- logsumexp ---------------------------------------------------------------------------------------------------


def test_logsumexp_at_the_extremes():
    x = [[1000.0, 1000.0], [-1000.0, -1000.0], [-INF, 0.0], [-INF, -INF], [INF, 0.0], [INF, -INF]]
    values = [1000 + math.log(2), -1000 + math.log(2), 0, -INF, INF, INF]
    assert mg.tensor(x).logsumexp(1).tolist() == pytest.approx(values)
    expected = [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    np.testing.assert_allclose(grad_of(lambda x: x.logsumexp(1), x), expected)


def test_second_derivatives_of_logsumexp_of_minus_infinity_are_zero():
    x = leaf([[-INF, -INF], [0.0, -INF]])
    (first,) = mg.grad(x.logsumexp(1).sum(), x, create_graph=True)
    (second,) = mg.grad(first.sum(), x)
    assert second.tolist() == [[0.0, 0.0], [0.0, 0.0]]


# ---- extremes and order ------------------------------------------------------------------------------------------


def test_ties_share_the_gradient_of_amax_and_go_to_the_first_of_max():
    x = [[2.0, 5.0, 5.0], [1.0, 1.0, 1.0]]
    assert grad_of(lambda x: x.amax(1), x, [1.0, 3.0]) == [[0.0, 0.5, 0.5], [1.0, 1.0, 1.0]]
    assert grad_of(lambda x: x.amin(1), x, [1.0, 3.0]) == [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    assert grad_of(lambda x: x.max(1).values, x, [1.0, 3.0]) == [[0.0, 1.0, 0.0], [3.0, 0.0, 0.0]]
    assert grad_of(lambda x: x.min(1).values, x, [1.0, 3.0]) == [[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]]
    assert grad_of(mg.max, x) == [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]


def test_max_of_two_tensors_is_elementwise():
    assert mg.max(mg.tensor([1.0, 4.0]), mg.tensor([3.0, 2.0])).tolist() == [3.0, 4.0]
    assert mg.tensor([1.0, 4.0]).min(mg.tensor([3.0, 2.0])).tolist() == [1.0, 2.0]


def test_extremes_pass_nan_on():
    x = [1.0, math.nan, 3.0]
    assert math.isnan(mg.tensor(x).amax().item())
    assert mg.tensor(x).max(0).indices.item() == 1
    assert grad_of(lambda x: x.amax(), x) == [0.0, 1.0, 0.0]


def test_arguments_of_extremes():
    x = mg.tensor([[1.0, 7.0, 7.0], [7.0, 0.0, 0.0]])
    assert x.argmax().item() == 1
    assert x.argmin(1).tolist() == [0, 1]
    assert x.argmax(keepdim=True).shape == (1, 1)
    assert x.argmax(0, keepdim=True).tolist() == [[1, 0, 0]]
    assert x.argmax(1).dtype == mg.int64
    assert not x.requires_grad_().max(1).indices.requires_grad


def test_scalars_are_reduced_sorted_and_scanned_along_dim_0():
    x = mg.tensor(3.0)
    values, indices = x.max(0)
    assert (values.shape, values.item(), indices.item()) == ((), 3.0, 0)
    for y in (x.sum(0), x.cumsum(-1), x.cumprod(0), x.sort().values, x.topk(1).values, x.amin(-1), x.logsumexp(0)):
        assert (y.shape, y.item()) == ((), 3.0)
    assert x.argsort().item() == 0
    assert grad_of(lambda x: x.sort().values + x.max(0).values + x.cumprod(0) + x.prod(), 3.0) == 4.0


@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 3)), st.booleans())
def test_sorting_is_stable_both_ways(x, descending):
    _values, indices = mg.tensor(x).sort(1, descending)
    for row, order in zip(x.tolist(), indices.tolist(), strict=True):
        assert order == sorted(range(len(row)), key=row.__getitem__, reverse=descending)


def test_the_gradient_of_sort_and_topk_goes_back_to_its_places():
    x = [3.0, 1.0, 2.0]
    assert grad_of(lambda x: x.sort().values, x, [10.0, 20.0, 30.0]) == [30.0, 10.0, 20.0]
    assert grad_of(lambda x: x.topk(2).values, x, [10.0, 20.0]) == [10.0, 0.0, 20.0]
    assert grad_of(lambda x: x.topk(1, largest=False).values, x, [5.0]) == [0.0, 5.0, 0.0]
    assert mg.tensor(x).topk(0).values.shape == (0,)


def test_more_than_there_are_cannot_be_chosen():
    with pytest.raises(mg.ShapeError, match="4 elements"):
        mg.ones(2, 3).topk(4)


# ---- norms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, INF, -INF, -1])
def test_norms_at_zero_have_gradient_zero(p):
    x = leaf([0.0, 0.0, 0.0])
    y = x.norm(p)
    (first,) = mg.grad(y, x, create_graph=True)
    assert y.item() == 0.0
    assert first.tolist() == [0.0, 0.0, 0.0]
    if first.requires_grad:
        (second,) = mg.grad(first.sum(), x, allow_unused=True)
        assert second is None or second.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 3])
def test_a_single_zero_in_a_norm_has_gradient_zero(p):
    gradient = grad_of(lambda x: x.norm(p), [0.0, 3.0, -4.0])
    assert gradient[0] == 0.0
    assert all(map(math.isfinite, gradient))


@pytest.mark.parametrize(("p", "expected"), [(3, 2 ** (1 / 3)), (0.5, 4.0), (10, 2**0.1), (-2, 2**-0.5)])
def test_norms_neither_overflow_nor_vanish(p, expected):
    for size in (1e30, 1e-30):
        x = leaf([size, size], mg.float32)
        y = x.norm(p)
        y.backward()
        assert y.item() == pytest.approx(size * expected, rel=1e-5)
        assert x.grad[0].item() == pytest.approx(expected / 2, rel=1e-5)


def test_norms_by_other_names():
    x = [[3.0, -4.0], [0.0, 5.0]]
    assert mg.tensor(x).norm("fro", 1).tolist() == [5.0, 5.0]
    assert mg.tensor(x).norm(0).item() == 3.0
    assert mg.tensor(x).norm(-INF, dim=1).tolist() == [3.0, 0.0]
    assert grad_of(lambda x: x.norm(INF), [[-5.0, 1.0, 5.0]]) == [[-0.5, 0.0, 0.5]]
    assert mg.tensor([INF, 1.0]).norm(3).item() == INF
    assert mg.tensor([INF, INF]).norm(-1).item() == INF


# ---- products and scans ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "expected"),
    [([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]), ([2.0, 0.0, 4.0], [0.0, 8.0, 0.0]), ([0.0, 0.0, 4.0], [0.0, 0.0, 0.0]),
     ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]), ([0.0], [1.0])],
)  # fmt: skip
def test_products_with_zeros(x, expected):
    assert grad_of(mg.prod, x) == expected
    assert grad_of(lambda x: x.cumprod(0)[-1], x) == expected
    assert gradcheck(mg.prod, leaf(x), order=2)
    assert gradcheck(lambda x: x.cumprod(0), leaf(x), order=2)


def test_the_third_derivative_of_a_product_of_zeros():
    x = leaf([0.0, 0.0, 0.0])
    g = x.prod()
    for i in range(3):
        (g,) = mg.grad(g, x, create_graph=True)
        g = g[i]
    assert g.item() == 1.0


def test_products_over_several_dims_with_zeros():
    x = np.array([[[0.0, 2.0], [3.0, 4.0]], [[5.0, 0.0], [0.0, 1.0]]])
    for dim in (None, (0, 1), (0, 2), (-1, 0), (1,), (0, 1, 2)):
        assert gradcheck(lambda x, dim=dim: x.prod(dim), leaf(x), order=2)


def test_no_product_that_the_result_does_not_contain_overflows():
    x = leaf([0.0, 1e200, 1e200, 1e200, 1e200])
    (g,) = mg.grad(x.cumprod(0)[0], x)
    assert g.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-2, 2, width=16)), st.data())
def test_scans_agree_with_numpy(x, data):
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    np.testing.assert_allclose(mg.tensor(x).cumsum(dim).numpy(), np.cumsum(x, dim))
    np.testing.assert_allclose(mg.tensor(x).cumprod(dim).numpy(), np.cumprod(x, dim))
    backwards = np.flip(np.cumsum(np.flip(x, dim), dim), dim)
    np.testing.assert_allclose(mg.tensor(x).cumsum(dim, reverse=True).numpy(), backwards)
    n = data.draw(st.integers(0, 5))
    np.testing.assert_array_equal(mg.tensor(x).diff(n, dim).numpy(), np.diff(x, n, dim))


def test_truth_of_tensors():
    x = mg.tensor([[0.0, 2.0], [0.0, 0.0]])
    assert x.any(1).tolist() == [True, False]
    assert x.all(0, keepdim=True).tolist() == [[False, False]]
    assert x.count_nonzero().item() == 1
    assert x.count_nonzero(0).tolist() == [0, 1]
    assert (x == x).all().dtype == np.bool_


# ---- as PyTorch's users write it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", [mg.sum, mg.mean, mg.prod, lambda x, **how: x.cumsum(0, **how), lambda x, **how: x.cumprod(0, **how)]
)
def test_elements_can_be_made_another_dtype_first(function):
    assert function(mg.tensor([100, 100], dtype=mg.int8), dtype=mg.float64).dtype == mg.float64
    x = mg.tensor([2.5, 3.0], requires_grad=True)
    y = function(x, dtype=mg.float64)
    assert y.dtype == mg.float64
    y.sum().backward()
    assert x.grad.dtype == mg.float32
    assert mg.sum(x, dtype=mg.int64).item() == 5
    assert not mg.sum(x, dtype=mg.int64).requires_grad
    assert mg.sum(np.ones(2), dtype=np.float32).dtype == np.float32


def test_variance_is_told_whether_to_be_unbiased():
    x = mg.tensor([1.0, 2.0, 3.0])
    for function, power in ((mg.var, 1.0), (mg.std, 0.5)):
        assert function(x, unbiased=False).item() == pytest.approx((2 / 3) ** power)
        assert function(x, False).item() == pytest.approx((2 / 3) ** power)
        assert function(x, 0, False).item() == pytest.approx((2 / 3) ** power)
        assert function(x, 0, unbiased=True).item() == pytest.approx(1.0)


def test_sorting_is_stable_whatever_is_asked():
    x = mg.tensor([1.0, 0.0, 1.0, 0.0])
    assert x.sort(stable=True).indices.tolist() == x.sort(stable=False).indices.tolist() == [1, 3, 0, 2]
    assert x.argsort(stable=True).tolist() == [1, 3, 0, 2]


def test_differences_with_something_put_in_front_and_behind():
    x = mg.tensor([[1.0, 4.0]], requires_grad=True)
    ends = mg.zeros(1, 1)
    assert x.diff(prepend=ends).tolist() == [[1.0, 3.0]]
    assert x.diff(prepend=ends, append=ends).tolist() == np.diff(x.numpy(), prepend=0, append=0).tolist()


@pytest.mark.parametrize("name", ["max", "min", "sort"])
def test_a_missing_dim_is_not_blamed_on_an_op_that_was_not_called(name):
    with pytest.raises(mg.ShapeError, match="no dim 4") as caught:
        getattr(mg.ones(2, 3), name)(4)
    assert "arg" not in str(caught.value)
