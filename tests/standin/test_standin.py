"""The stand-in refuses what CuPy refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from standin.arrays import Device, traffic
from standin.module import cupy, cupyx


def x() -> Any:
    return cupy.asarray(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: b + a,
        cupy.maximum,
        lambda a, b: cupy.concatenate([a, b]),
        lambda a, b: cupy.where(a > 0, a, b),
        lambda a, b: np.maximum(b, a),
        lambda a, b: np.concatenate([b, a]),
        lambda a, b: np.sum(a),
        lambda a, b: a.__setitem__(0, b[0]),
        lambda a, b: cupy.add(a, [1.0, 2.0, 3.0]),
        lambda a, b: cupy.sum(b),
    ],
)
def test_it_does_not_mix_with_numpy(mix: Any) -> None:
    with pytest.raises(TypeError):
        mix(x(), np.ones((2, 3)))


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda a: np.float64(1.0) + np.asarray(a)])
def test_it_is_not_converted_unasked(convert: Any) -> None:
    with pytest.raises(TypeError, match="Implicit conversion"):
        convert(x())
    assert not isinstance(x(), np.ndarray)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: cupy.sum(a, where=a > 0),
        lambda a: a.max(initial=0),
        lambda a: cupy.clip(a, min=0),
        lambda a: cupy.exp(a, where=a > 0),
        lambda a: cupy.argsort(a, stable=True),
        lambda a: cupy.sort(a, kind="quicksort"),
        lambda a: a.sum().argsort(),
        lambda a: cupy.concatenate([a, [[1.0, 2.0, 3.0]]]),
        lambda a: range(a.sum()),
        lambda a: a.astype(object),
    ],
)
def test_arguments_that_cupy_lacks(call: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        call(x())


def test_names_that_cupy_lacks() -> None:
    for name in ("vecdot", "frompyfunc", "errstate", "isnat", "nan_to_zero"):
        assert not hasattr(cupy, name)
    for name in ("setflags", "__array_wrap__", "__index__", "__contains__", "__imatmul__", "ctypes"):
        assert not hasattr(x(), name)


def test_results_without_dimensions_are_arrays() -> None:
    for y in (x().sum(), x()[0, 1], cupy.sum(x()), cupy.allclose(x(), x()), x().any()):
        assert isinstance(y, cupy.ndarray)
        assert y.shape == ()
    y = x().sum()
    y += 1
    assert isinstance(y, cupy.ndarray)
    with pytest.raises(AttributeError):
        _ = y.flags.writeable


@pytest.mark.parametrize(
    ("use", "times"),
    [
        (lambda a: a + a.sum(), 0),
        (lambda a: cupy.where(a > 0, a, 0.0), 0),
        (lambda a: a[a > 0], 1),
        (lambda a: a.__setitem__(a > 0, 1.0), 1),
        (cupy.nonzero, 1),
        (cupy.where, 1),
        (cupy.unique, 1),
        (lambda a: a.sum().item(), 1),
        (lambda a: float(a.sum()), 1),
        (lambda a: int(a.sum()), 1),
        (lambda a: complex(a.sum()), 1),
        (lambda a: bool(a.any()), 1),
        (lambda a: a.tolist(), 1),
        (cupy.asnumpy, 1),
        (repr, 1),
        (lambda a: cupy.repeat(a, cupy.asarray([1, 2]), axis=0), 1),
    ],
)
def test_waiting_is_counted(use: Any, times: int) -> None:
    a = x()
    with traffic.counted() as count:
        use(a)
    assert count.syncs == times


def test_uploads_are_counted() -> None:
    a = x()
    with traffic.counted() as count:
        cupy.asarray(np.ones(3))
        _ = a[[0, 1]]
        _ = a[np.array([0, 1])]
        cupy.asarray(a)
        cupy.zeros(3)
    assert count.uploads == 3


def test_what_is_uploaded_is_a_copy() -> None:
    host = np.zeros(3)
    a = cupy.asarray(host)
    a += 1
    assert host.tolist() == [0, 0, 0]
    assert a.get().tolist() == [1, 1, 1]
    assert cupy.asarray(a) is a
    assert cupy.asarray(a, dtype=np.float32).dtype == np.float32


def test_what_is_computed_lives_on_the_current_device() -> None:
    with Device(1):
        there = x()
        assert (there + 1).device.id == 1
    assert repr(there.device) == "<CUDA Device 1>"
    assert there.T.device.id == 1
    for use in (lambda: there + 1, lambda: there + x(), lambda: there[0], there.sum):
        with pytest.raises(ValueError, match="current device"):
            use()
    with pytest.raises(RuntimeError, match="invalid device"):
        Device(2)


def test_operators() -> None:
    a, host = x() + 1, np.arange(6.0).reshape(2, 3) + 1
    assert (2.0 - a).get().tolist() == (2.0 - host).tolist()
    assert (7 // a).get().tolist() == (7 // host).tolist()
    assert divmod(a, 2.0)[1].get().tolist() == (host % 2).tolist()
    assert (np.float64(2) * a).get().tolist() == (2 * host).tolist()
    assert (a.T @ a).shape == (3, 3)
    assert (1 << cupy.arange(3)).get().tolist() == [1, 2, 4]
    assert [row.get().tolist() for row in a] == host.tolist()
    assert len(a) == 2
    with pytest.raises(TypeError, match="0-d"):
        iter(a.sum())


def test_scatter_add_takes_what_the_hardware_adds() -> None:
    a = cupy.zeros(3, dtype=np.float32)
    cupyx.scatter_add(a, cupy.asarray([0, 0, 2]), 1.0)
    assert a.get().tolist() == [2, 0, 1]
    with pytest.raises(TypeError, match="scatter_add only supports"):
        cupyx.scatter_add(cupy.zeros(3, dtype=np.int64), cupy.asarray([0]), 1)


def test_a_kernel_of_ones_own_runs_its_text_and_counts_as_one_launch() -> None:
    kernel = cupy.ElementwiseKernel(
        "raw T a, T b, int32 n", "raw T both, T c", "T s = a[i] + a[i + n]; both[i] = s * b; c = tanh(s) * (T)0.5", "k"
    )
    a, b = cupy.asarray(np.arange(12.0).reshape(2, 6)), cupy.asarray(np.arange(6.0).reshape(2, 3))
    both, c = cupy.empty((2, 3)), cupy.empty((3, 2)).T
    with traffic.counted() as counted:
        kernel(a, b, 6, both, c)
    s = np.arange(6.0) + np.arange(6.0, 12.0)
    np.testing.assert_allclose(both.get(), (s * np.arange(6.0)).reshape(2, 3))
    np.testing.assert_allclose(c.get(), np.tanh(s).reshape(2, 3) * 0.5)
    assert (counted.launches, counted.syncs) == (1, 0)


def test_a_kernel_may_choose() -> None:
    kernel = cupy.ElementwiseKernel("T a, bool over", "T b", "T twice = a * (T)2; b = over ? a : twice", "k")
    a, b = cupy.asarray(np.arange(6.0).reshape(2, 3)), cupy.empty((2, 3))
    kernel(a, cupy.asarray([[True, False, False]]), b)
    assert b.tolist() == [[0.0, 2.0, 4.0], [3.0, 8.0, 10.0]]


def test_a_kernel_refuses_what_cupy_refuses_and_what_cannot_be_checked() -> None:
    kernel = cupy.ElementwiseKernel("T a", "T b", "b = a", "k")
    with pytest.raises(TypeError, match="Wrong number of arguments for 'k'"):
        kernel(x())
    with pytest.raises(TypeError, match="Type is mismatched"):
        kernel(x(), cupy.empty((2, 3), np.float32))
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel(np.ones(3), x())
    with pytest.raises(SyntaxError, match="assignments of arithmetic only"):
        cupy.ElementwiseKernel("T a", "T b", "b = a > 0 if a else 1", "k")


def test_launches_are_counted() -> None:
    a = x()
    with traffic.counted() as counted:
        cupy.add(a, a, out=a)
        a @ a.T
        cupy.matmul(a, a.T)
        cupy.reshape(a, (3, 2))
    assert counted.launches == 3
