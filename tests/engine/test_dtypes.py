"""float32 unless asked otherwise, weak Python scalars, and no silent widening."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError


@pytest.mark.parametrize("dtype", [mg.float16, mg.float32, mg.float64])
def test_python_and_numpy_scalars_are_weak(dtype: np.dtype) -> None:
    x = mg.ones(2, dtype=dtype, requires_grad=True)
    for scalar in (2, 2.0, True, np.float32(2), np.float64(2), np.int64(2), np.bool_(True)):
        for y in (x * scalar, scalar * x, x + scalar, x - scalar, scalar - x, x / scalar, x**scalar):
            assert y.dtype == dtype, type(scalar)
            y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [mg.float16, mg.float32, mg.float64])
def test_integers_and_booleans_take_the_floating_dtype_they_meet(dtype: np.dtype) -> None:
    x = mg.full((2,), 3.0, dtype=dtype, requires_grad=True)
    for other in (mg.tensor([1, 2]), mg.tensor([True, False]), np.array([1, 2]), mg.tensor(2)):
        for y in (x * other, other * x, mg.maximum(x, other)):
            assert y.dtype == dtype
            y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == dtype


def test_integer_arithmetic_stays_integer() -> None:
    n = mg.tensor([1, 2])
    for m in (n + 1, n * n, n - 3, -n, n // 2, n % 2):
        assert m.dtype == mg.int64
    assert (n / 2).dtype == mg.float32
    assert (n + 0.5).dtype == mg.float32
    assert (n * np.float64(0.5)).dtype == mg.float32
    assert n.double().dtype == mg.float64
    assert (mg.tensor([True]) + mg.tensor([2])).dtype == mg.int64


def test_division_of_integers_with_another_default_dtype() -> None:
    mg.set_default_dtype(mg.float64)
    try:
        assert (mg.tensor([1, 2]) / 2).dtype == mg.float64
        assert mg.tensor(0.5).dtype == mg.float64
    finally:
        mg.set_default_dtype(mg.float32)
    assert mg.tensor(0.5).dtype == mg.float32


@pytest.mark.parametrize("dtype", ["int32", bool])
def test_the_default_dtype_is_floating(dtype: object) -> None:
    with pytest.raises(DtypeError, match="must be floating"):
        mg.set_default_dtype(dtype)


def test_two_floating_dtypes_do_not_mix() -> None:
    x, y = mg.ones(2), mg.ones(2, dtype=mg.float64)
    wide = np.ones(2)
    for mix in (lambda: x + y, lambda: y * x, lambda: mg.concat([x, y]), lambda: x * wide, lambda: wide * x):
        with pytest.raises(DtypeError, match="do not mix silently"):
            mix()
    assert (x.to(y.dtype) + y).dtype == mg.float64


def test_zero_dimensional_arrays_are_arrays_and_not_weak() -> None:
    with pytest.raises(DtypeError):
        mg.ones(2) * np.array(2.0)
    assert (mg.ones(2) * np.array(2)).dtype == mg.float32


def test_numpy_operands_of_the_same_dtype_on_either_side() -> None:
    x, a = mg.ones(3, requires_grad=True), np.arange(3, dtype=np.float32)
    for y in (x + a, a + x, x * a, a * x, x - a, a - x, a @ x, x @ a, a / (x + 1), a**x, a // x, a % x):
        assert isinstance(y, mg.Tensor)
        assert y.dtype == mg.float32
    assert isinstance(a < x, mg.Tensor)
    assert isinstance(a == x, mg.Tensor)


def test_sum_of_a_list_of_tensors_keeps_the_dtype() -> None:
    total = sum([mg.ones(2), mg.ones(2)])
    assert isinstance(total, mg.Tensor)
    assert total.dtype == mg.float32


@pytest.mark.parametrize("dtype", [mg.float16, mg.float32, mg.float64])
def test_reductions_keep_the_dtype(dtype: np.dtype) -> None:
    x = mg.ones(2, 3, dtype=dtype)
    for y in (x.sum(), x.mean(), x.var(), x.std(), x.prod(), x.max(), x.norm(), x.logsumexp(1), x.softmax(1)):
        assert y.dtype == dtype


def test_conversions() -> None:
    x = mg.ones(2, requires_grad=True)
    assert x.double().dtype == mg.float64
    assert x.double().float().dtype == mg.float32
    assert x.long().dtype == mg.int64
    assert x.bool().dtype == bool
    assert x.to("float16").dtype == mg.float16
    assert x.to(mg.float32) is x
    assert x.to(mg.ones(1, dtype=mg.float64)).dtype == mg.float64
    assert x.to("cpu", mg.float64).dtype == mg.float64
    assert x.to(dtype=mg.float64, device="cpu").dtype == mg.float64
    assert x.cpu() is x
    assert mg.tensor([1, 2]).double().tolist() == [1.0, 2.0]
    assert not x.long().requires_grad
