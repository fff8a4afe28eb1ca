"""Sums of many numbers: float16 leaves its range, and float32 added row by row its digits."""

import numpy as np
import pytest

import minigrad as mg


def leaf(shape, value, dtype):
    return mg.full(shape, value, dtype=dtype, requires_grad=True)


# ---- float16 -----------------------------------------------------------------------------------------------------


def test_the_gradient_of_a_mean_over_more_than_float16_can_count():
    x = leaf(70_000, 1.0, mg.float16)
    x.mean().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / 70_000, rtol=5e-3)
    for function in (mg.var, mg.std):
        values = np.tile(np.array([-1, 1], np.float16), 50_000)
        y = mg.tensor(values, requires_grad=True)
        (function(y) * 1000).backward()
        factor = 2 if function is mg.var else 1
        np.testing.assert_allclose(y.grad.numpy(), factor * values / 100, rtol=5e-3)


@pytest.mark.parametrize(
    "spread_out",
    [
        lambda x: mg.zeros(5000, 2, dtype=mg.float16) + x,
        lambda x: x.expand(5000, 2),
        lambda x: x.reshape(1, 2).expand(5000, -1),
        lambda x: x.reshape(1, 2)[np.zeros(5000, int)],
        lambda x: mg.embedding(np.zeros(5000, int), x.reshape(1, 2)),
        lambda x: x.reshape(1, 2).gather(0, np.zeros((5000, 2), int)),
        lambda x: x.repeat(5000, 1),
        lambda x: mg.einsum("j,i->ij", x, mg.ones(5000, dtype=mg.float16)),
    ],
)
def test_what_is_used_5000_times_gets_the_whole_gradient_in_float16(spread_out):
    x = leaf(2, 1.0, mg.float16)
    y = spread_out(x)
    y.backward(mg.full(y.shape, 0.1, dtype=mg.float16))
    assert x.grad.dtype == mg.float16
    np.testing.assert_allclose(x.grad.numpy(), 500, rtol=2e-3)


def test_writing_5000_times_to_one_place_in_float16():
    x = mg.zeros(2, dtype=mg.float16).at[np.zeros(5000, int)].add(mg.full(5000, 0.1, dtype=mg.float16))
    assert x.dtype == mg.float16
    np.testing.assert_allclose(x.numpy(), [500, 0], rtol=2e-3)


def test_exponentials_of_70000_numbers_in_float16():
    x = leaf((70_000, 1), 0.0, mg.float16)
    assert x.logsumexp(0).item() == pytest.approx(np.log(70_000), rel=1e-3)
    np.testing.assert_allclose(x.log_softmax(0).numpy(), -np.log(70_000), rtol=1e-3)
    np.testing.assert_allclose(x.softmax(0).numpy(), 1 / 70_000, rtol=5e-3)


# ---- long sums in float32 ----------------------------------------------------------------------------------------

MANY = 300_000


@pytest.mark.parametrize(
    ("shape", "dim"),
    [((MANY + 7, 2), 0), ((2, MANY + 7), 1), ((2000, 500, 2), (0, 1)), ((2, 2000, 500), (-2, -1)),
     ((5000, 2, 100), (0, 2)), ((MANY, 2), None), ((3, MANY), None)],
)  # fmt: skip
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("keepdim", [False, True])
def test_long_sums_agree_with_float64(shape, dim, order, keepdim):
    exact = np.asarray(np.random.default_rng(0).random(shape), order=order)
    x = mg.tensor(exact.astype(np.float32))
    found, expected = x.sum(dim, keepdim), exact.sum(dim, keepdims=keepdim)
    assert (found.shape, found.dtype) == (expected.shape, mg.float32)
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-6)
    np.testing.assert_allclose(x.mean(dim, keepdim).numpy(), exact.mean(dim, keepdims=keepdim), rtol=2e-6)
    np.testing.assert_allclose(x.var(dim, keepdim=keepdim).numpy(), exact.var(dim, keepdims=keepdim), rtol=2e-5)


def test_a_long_sum_of_every_other_element():
    x = mg.full((MANY, 4), 0.1)
    np.testing.assert_allclose(x[:, :2].sum().item(), MANY * 0.2, rtol=2e-5)
    np.testing.assert_allclose(x[::2].sum(0).numpy(), MANY * 0.05, rtol=2e-5)


def test_the_gradient_of_a_bias_over_many_rows():
    bias = leaf(2, 0.0, mg.float32)
    y = mg.zeros(MANY, 2) + bias
    y.backward(mg.full(y.shape, 0.1))
    np.testing.assert_allclose(bias.grad.numpy(), MANY * 0.1, rtol=2e-5)


def test_long_sums_still_name_a_dim_that_is_not_there():
    with pytest.raises(mg.ShapeError):
        mg.ones(5000, 2).sum(2)
    with pytest.raises(mg.ShapeError):
        mg.ones(5000, 2).sum((0, 0))


def test_long_sums_on_a_device(cuda):
    x = mg.full((5000, 2), 0.1, device="cuda", requires_grad=True)
    bias = mg.zeros(2, dtype=mg.float16, device="cuda", requires_grad=True)
    np.testing.assert_allclose(x.sum(0).cpu().numpy(), 500, rtol=1e-5)
    y = mg.zeros(5000, 2, dtype=mg.float16, device="cuda") + bias
    y.backward(mg.full_like(y, 0.1))
    np.testing.assert_allclose(bias.grad.cpu().numpy(), 500, rtol=2e-3)
    rows = mg.ones(1, 2, dtype=mg.float16, device="cuda", requires_grad=True)
    rows[mg.zeros(5000, dtype=mg.int64, device="cuda")].sum().backward()
    assert rows.grad.tolist() == [[5000.0, 5000.0]]
    assert [i.tolist() for i in mg.where(rows > 0)] == [[0, 0], [0, 1]]


def test_rows_that_fill_their_blocks_to_the_last():
    rows = np.random.default_rng(0).standard_normal((8192, 3)).astype("f4")
    np.testing.assert_allclose(mg.tensor(rows).sum(0).numpy(), rows.astype("f8").sum(0), rtol=1e-5, atol=1e-4)
