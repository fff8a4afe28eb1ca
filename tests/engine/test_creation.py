"""Making tensors."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, mg.int64, ()),
        (1.5, mg.float32, ()),
        (True, np.dtype(bool), ()),
        ([1, 2], mg.int64, (2,)),
        ([1, 2.5], mg.float32, (2,)),
        ([[True], [False]], np.dtype(bool), (2, 1)),
        ([], mg.float32, (0,)),
        (np.float64(1.5), mg.float64, ()),
        (np.int32(1), mg.int32, ()),
        (np.zeros(2), mg.float64, (2,)),
        (np.zeros(2, np.uint8), mg.uint8, (2,)),
        ((1.0, 2.0), mg.float32, (2,)),
        (range(3), mg.int64, (3,)),
    ],
)
def test_tensor_takes_the_dtype_of_its_data(data: object, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    x = mg.tensor(data)
    assert (x.dtype, x.shape) == (dtype, shape)
    assert mg.tensor(data, dtype=mg.float64).dtype == mg.float64


def test_tensor_copies() -> None:
    array = np.ones(2)
    x = mg.tensor(array)
    y = mg.tensor(x)
    array[0] = 5.0
    x.data[1] = 7.0
    assert x.tolist() == [1.0, 7.0]
    assert y.tolist() == [1.0, 1.0]


def test_tensor_of_nested_tensors() -> None:
    x = mg.tensor([mg.tensor([1.0, 2.0]), [3.0, mg.tensor(4.0, requires_grad=True)]])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert x.dtype == mg.float32


@pytest.mark.parametrize("data", [[[1, 2], [3]], ["a"], "text", None, [None], {1: 2}, [1 + 2j]])
def test_data_that_makes_no_tensor(data: object) -> None:
    with pytest.raises(DtypeError):
        mg.tensor(data)


def test_from_numpy_shares() -> None:
    array = np.ones(2)
    x = mg.from_numpy(array)
    array[0] = 5.0
    assert x.tolist() == [5.0, 1.0]
    assert x.data is array
    with pytest.raises(DtypeError, match="takes a NumPy array, not list"):
        mg.from_numpy([1.0])  # type: ignore[arg-type]


def test_filled() -> None:
    assert mg.zeros(2, 3).shape == mg.zeros((2, 3)).shape == mg.zeros([2, 3]).shape == (2, 3)
    assert mg.zeros(2).dtype == mg.float32
    assert mg.ones().shape == ()
    assert mg.ones(np.int64(2)).tolist() == [1.0, 1.0]
    assert mg.full((2,), 7).dtype == mg.int64
    assert mg.full((2,), 7.0).dtype == mg.float32
    assert mg.full((2,), True).dtype == bool
    assert mg.full(2, 7, dtype=mg.float64).tolist() == [7.0, 7.0]
    assert mg.ones(2, dtype=mg.int64).dtype == mg.int64
    assert mg.zeros(2, requires_grad=True).requires_grad
    assert mg.zeros(2).data.flags.writeable


def test_spaced() -> None:
    assert mg.arange(3).tolist() == [0, 1, 2]
    assert mg.arange(1, 4).tolist() == [1, 2, 3]
    assert mg.arange(4, 0, -2).tolist() == [4, 2]
    assert mg.arange(3).dtype == mg.int64
    assert mg.arange(0.0, 1.0, 0.5).tolist() == [0.0, 0.5]
    assert mg.arange(3.0).dtype == mg.float32
    assert mg.arange(3, dtype=mg.float64, requires_grad=True).requires_grad
    assert mg.linspace(0.0, 1.0, 3).tolist() == [0.0, 0.5, 1.0]
    assert mg.linspace(0.0, 1.0, 3).dtype == mg.float32
    assert mg.linspace(0, 1, 1, dtype=mg.float64).tolist() == [0.0]
    assert mg.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert mg.eye(2, 3, dtype=mg.int64).shape == (2, 3)


def test_random_numbers() -> None:
    assert mg.rand(2, 3).dtype == mg.randn(2).dtype == mg.float32
    x = mg.rand(1000)
    assert x.min().item() >= 0
    assert x.max().item() < 1
    assert 0.4 < x.mean().item() < 0.6
    assert abs(mg.randn(1000).mean().item()) < 0.2
    n = mg.randint(2, 5, (1000,))
    assert n.dtype == mg.int64
    assert set(n.tolist()) == {2, 3, 4}
    assert sorted(mg.randperm(10).tolist()) == list(range(10))
    assert mg.randperm(3).dtype == mg.int64
    assert mg.rand(2, dtype=mg.float16).dtype == mg.float16
    assert mg.randn(2, requires_grad=True).requires_grad


def test_seeds_and_states() -> None:
    mg.manual_seed(3)
    first = mg.rand(3).tolist()
    state = mg.get_rng_state()
    second = mg.randn(3).tolist()
    mg.set_rng_state(state)
    assert mg.randn(3).tolist() == second
    mg.manual_seed(3)
    assert mg.rand(3).tolist() == first
    mg.manual_seed(4)
    assert mg.rand(3).tolist() != first


def test_like_another() -> None:
    x = mg.ones(2, 3, dtype=mg.float64)
    for made in (mg.zeros_like(x), mg.ones_like(x), mg.full_like(x, 7), mg.rand_like(x), mg.randn_like(x)):
        assert (made.shape, made.dtype, made.device) == (x.shape, x.dtype, x.device)
        assert not made.requires_grad
    assert mg.zeros_like(x, dtype=mg.int64).dtype == mg.int64
    assert mg.ones_like(x, requires_grad=True).requires_grad
    assert mg.zeros_like(np.ones(3, np.float32)).dtype == mg.float32


def test_device_argument() -> None:
    assert mg.zeros(2, device="cpu").device == "cpu"
    assert mg.tensor([1.0], device=mg.device("cpu")).device == "cpu"
    assert mg.tensor(np.ones(2), device="cpu").device == "cpu"


# ---- as PyTorch's users write it ---------------------------------------------------------------------------------


def test_sizes_by_keyword() -> None:
    for function in (mg.zeros, mg.ones, mg.rand, mg.randn):
        assert function(size=(2, 3)).shape == function(2, 3).shape == function((2, 3)).shape == (2, 3)
        assert function(size=2).shape == (2,)
    assert mg.arange(end=3).tolist() == [0, 1, 2]


def test_like_takes_a_device() -> None:
    x = mg.ones(2)
    for function in (mg.zeros_like, mg.ones_like, mg.rand_like, mg.randn_like):
        assert function(x, device="cpu").shape == (2,)
    assert mg.full_like(x, 3.0, device="cpu").tolist() == [3.0, 3.0]


def test_randint_takes_what_pytorchs_takes() -> None:
    for x in (mg.randint(5, (9,)), mg.randint(0, 5, (9,)), mg.randint(5, size=(9,)), mg.randint(high=5, size=(9,))):
        assert (x.shape, x.dtype) == ((9,), mg.int64)
        assert 0 <= x.numpy().min() <= x.numpy().max() < 5
    assert mg.randint(-3, -2, size=(2,)).tolist() == [-3, -3]
    for wrong in ((5,), (5, 2, (3,)), (0, (3,))):
        with pytest.raises(mg.ShapeError, match="randint"):
            mg.randint(*wrong)


@pytest.mark.parametrize("size", [(-1,), ((2, -1),), (1.5,), ("a",)])
def test_what_is_no_shape(size: tuple[object, ...]) -> None:
    with pytest.raises(mg.ShapeError, match="shape"):
        mg.zeros(*size)


@pytest.mark.parametrize("seed", [-1, "a", 1.5, None])
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(mg.MinigradError, match="manual_seed"):
        mg.manual_seed(seed)  # type: ignore[arg-type]


def test_a_negative_zero_keeps_its_sign():
    assert np.signbit(mg.full((2,), -0.0).numpy()).all()
    assert np.signbit(mg.full_like(mg.ones(2), -0.0).numpy()).all()
