"""Tensors in a Python session: they print, iterate, compare, convert, copy and pickle."""

from __future__ import annotations

import copy
import io
import pickle
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.errors import DeviceError, DtypeError, GraphError, MinigradError


def leaf() -> mg.Tensor:
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    x.name = "weight"
    return x


# ---- printing ----------------------------------------------------------------------------------------------------


def test_repr_tells_shape_dtype_device_name_and_op() -> None:
    assert repr(mg.tensor([1.0, 2.0])) == "tensor([1., 2.], shape=(2,), dtype=float32, device=cpu)"
    assert repr(leaf()).endswith("dtype=float32, device=cpu, name='weight', requires_grad=True)")
    assert repr(leaf() * 2.0) == "tensor([2., 4.], shape=(2,), dtype=float32, device=cpu, op=mul)"
    assert repr(mg.tensor(3)).startswith("tensor(3")
    lines = repr(mg.eye(2)).splitlines()
    assert lines[0] == "tensor([[1., 0.],"
    assert lines[1] == "        [0., 1.]],"


def test_repr_of_a_large_tensor_is_short() -> None:
    assert len(repr(mg.zeros(1000, 1000))) < 600
    assert "..." in repr(mg.zeros(1000))


def test_str_and_format() -> None:
    assert str(mg.tensor([1.0])) == repr(mg.tensor([1.0]))


# ---- as a container ----------------------------------------------------------------------------------------------


def test_iteration_gives_tensors_that_gradients_flow_through() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    (first * second).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert [v.item() for v in mg.arange(3)] == [0, 1, 2]
    assert list(mg.zeros(0)) == []


def test_len_and_no_length() -> None:
    assert len(mg.zeros(3, 2)) == 3
    assert len(mg.zeros(0, 2)) == 0
    with pytest.raises(TypeError, match="0-d"):
        len(mg.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(mg.tensor(1.0))


def test_membership() -> None:
    x = mg.tensor([1.0, 2.0])
    assert 2.0 in x
    assert mg.tensor(2.0) in x
    assert 3.0 not in x


def test_sizes() -> None:
    x = mg.zeros(2, 3)
    assert (x.shape, x.size(), x.size(1), x.size(-1)) == ((2, 3), (2, 3), 3, 3)
    assert (x.ndim, x.dim(), x.numel(), len(x)) == (2, 2, 6, 2)
    assert isinstance(x.numel(), int)


# ---- as a number -------------------------------------------------------------------------------------------------


def test_one_element_is_a_number() -> None:
    x = mg.tensor([[2.5]])
    assert (float(x), int(x), bool(x), x.item()) == (2.5, 2, True, 2.5)
    assert not bool(mg.tensor(0))
    assert isinstance(x.item(), float)
    assert [10, 20, 30][mg.tensor(1)] == 20
    assert list(range(mg.tensor(2))) == [0, 1]


def test_several_elements_are_not() -> None:
    x = mg.zeros(2)
    with pytest.raises(MinigradError, match=r"use \.any\(\) or \.all\(\)"):
        bool(x)
    for convert in (float, int, lambda t: t.item()):
        with pytest.raises(MinigradError, match="one element"):
            convert(x)
    with pytest.raises(MinigradError):
        bool(mg.zeros(0))


def test_a_float_is_no_index() -> None:
    with pytest.raises(TypeError, match="only integer tensors"):
        [1, 2][mg.tensor(1.0)]


def test_hash_is_identity_and_equality_elementwise() -> None:
    x, y = mg.ones(2), mg.ones(2)
    assert (x == y).tolist() == [True, True]
    assert (x != y).tolist() == [False, False]
    assert len({x, y, x}) == 2
    assert {x: "x"}[x] == "x"
    assert hash(x) != hash(y)


def test_comparison_with_none_and_text() -> None:
    x = mg.ones(2)
    assert x is not None
    assert [t is x for t in (x, None)] == [True, False]


# ---- conversions -------------------------------------------------------------------------------------------------


def test_numpy_shares_and_results_are_read_only() -> None:
    x = mg.tensor([1.0, 2.0])
    assert x.numpy() is x.data
    assert x.numpy().flags.writeable
    assert not (x * 2.0).numpy().flags.writeable


def test_array_protocol() -> None:
    x = leaf()
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.array(x) is not x.data
    copied = np.array(x, copy=True)
    copied[0] = 9.0
    assert x.tolist() == [1.0, 2.0]
    assert np.allclose(x, [1.0, 2.0])
    assert np.stack([x, x]).shape == (2, 2)
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.float64, copy=False)


def test_a_result_converted_without_a_copy_stays_read_only() -> None:
    y = leaf() * 2.0
    assert not np.asarray(y).flags.writeable
    assert np.array(y).flags.writeable


def test_dlpack() -> None:
    x = mg.tensor([1.0, 2.0])
    shared = np.from_dlpack(x)
    assert np.shares_memory(shared, x.data)
    assert np.from_dlpack(x * 2.0).tolist() == [2.0, 4.0]
    assert x.__dlpack_device__()[0] == 1


def test_tolist() -> None:
    assert mg.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert mg.tensor(2.5).tolist() == 2.5


# ---- copying -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_of_a_leaf(protocol: int) -> None:
    x = leaf()
    y = pickle.loads(pickle.dumps(x, protocol))  # noqa: S301
    assert (y.tolist(), y.dtype, y.requires_grad, y.name) == ([1.0, 2.0], mg.float32, True, "weight")
    (y * y).sum().backward()
    assert y.grad.tolist() == [2.0, 4.0]


def test_pickle_of_a_constant_and_of_a_detached_result() -> None:
    for x in (mg.tensor([1, 2]), (leaf() * 2.0).detach()):
        y = pickle.loads(pickle.dumps(x))  # noqa: S301
        assert y.tolist() == x.tolist()
        assert not y.requires_grad
        assert y.name is None


def test_copies() -> None:
    x = leaf()
    (x * 3.0).sum().backward()
    shallow, deep = copy.copy(x), copy.deepcopy(x)
    assert shallow.data is x.data
    assert shallow.requires_grad
    assert shallow.grad is None
    assert deep.data is not x.data
    assert (deep.name, deep.requires_grad, deep.grad.tolist()) == ("weight", True, [3.0, 3.0])
    assert deep.grad is not x.grad
    assert shallow.node is not x.node
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    assert copy.deepcopy(mg.tensor([1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
def test_results_are_not_copied_by_accident(make: object) -> None:
    with pytest.raises(GraphError, match=r"use clone\(\) inside a graph or detach\(\) outside it"):
        make(leaf() * 2.0)  # type: ignore[operator]


def test_clone_is_a_copy_that_gradients_flow_through() -> None:
    x = leaf()
    y = x.clone()
    assert y.data is not x.data
    y.sum().backward()
    assert x.grad is not None


def test_numpy_save_of_a_tensor() -> None:
    file = io.BytesIO()
    np.save(file, leaf())
    file.seek(0)
    assert np.load(file).tolist() == [1.0, 2.0]


# ---- leaves ------------------------------------------------------------------------------------------------------


def test_requires_grad_can_be_switched_on_leaves() -> None:
    x = mg.ones(2)
    assert x.is_leaf
    assert not x.requires_grad
    x.requires_grad = True
    node = x.node
    x.requires_grad = True
    assert x.node is node
    x.requires_grad = False
    assert x.node is None
    assert x.requires_grad_() is x
    with pytest.raises(GraphError, match="use detach"):
        (x * 2.0).requires_grad = False
    with pytest.raises(DtypeError, match="only floating tensors"):
        mg.tensor([1, 2]).requires_grad = True
    with pytest.raises(DtypeError, match="only floating tensors"):
        mg.tensor([1, 2], requires_grad=True)


def test_name_survives_switching() -> None:
    x = mg.ones(2)
    assert x.name is None
    x.name = "x"
    assert x.name == "x"
    x.requires_grad = True
    assert x.name == "x"
    x.requires_grad = False
    assert x.name == "x"
    x.name = None
    assert x.name is None


def test_result_of_an_op_on_constants_is_a_leaf() -> None:
    assert (mg.ones(2) * 2.0).is_leaf
    assert not (leaf() * 2.0).is_leaf


def test_result_that_takes_part_as_a_constant_is_one_node() -> None:
    x, c = leaf(), mg.ones(2)
    y = x * c + c
    assert y.node is not None
    product, constant = y.node.inputs
    assert product.inputs[1] is constant
    assert not constant.requires_grad
    assert "constant" in repr(constant)
    assert "mul" in repr(product)


def test_numbers_and_arrays_among_the_inputs_of_a_node() -> None:
    x = leaf()
    y = x * 2.0
    assert y.node is not None
    assert y.node.inputs == (x.node, 2.0)
    z = x * np.float32([1.0, 2.0])
    assert z.node is not None
    assert z.node.inputs[1].shape == (2,)


# ---- devices -----------------------------------------------------------------------------------------------------


def test_device_of_a_tensor() -> None:
    x = mg.ones(2)
    assert x.device == "cpu"
    assert x.device == mg.device("cpu")
    assert repr(x.device) == "device('cpu')"
    assert x.to("cpu") is x


def test_unknown_devices() -> None:
    for name in ("gpu", "cpu:1", "cuda:x", "tpu:0"):
        with pytest.raises(DeviceError, match="there is no device"):
            mg.device(name)
    with pytest.raises((DeviceError, TypeError)):
        mg.ones(2).to("nowhere")


def test_device_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(backend._by_kind, "cuda", raising=False)
    for move in (lambda: mg.ones(2).cuda(), lambda: mg.ones(2, device="cuda"), lambda: mg.tensor(1.0).to("cuda:1")):
        with pytest.raises(DeviceError) as info:
            move()
        assert "needs CuPy, which is not installed" in str(info.value)
        assert 'pip install "minigrad[cuda12]"' in str(info.value)
    with pytest.raises(DeviceError), mg.default_device("cuda"):
        mg.ones(2)


def test_operators_with_a_tensor_on_the_right() -> None:
    x = mg.tensor([1.0, 2.0], dtype=mg.float64, requires_grad=True)
    y = mg.tensor([5, 6])
    assert (3.0 + x).tolist() == [4.0, 5.0]
    assert (3.0 - x).tolist() == [2.0, 1.0]
    assert (3.0 * x).tolist() == [3.0, 6.0]
    assert (3.0 / x).tolist() == [3.0, 1.5]
    assert (3.0**x).tolist() == [3.0, 9.0]
    assert (3.0 // x).tolist() == [3.0, 1.0]
    assert (3.0 % x).tolist() == [0.0, 1.0]
    assert (np.eye(2) @ x).tolist() == [1.0, 2.0]
    assert (4 & y).tolist() == [4, 4]
    assert (8 | y).tolist() == [13, 14]
    assert (1 ^ y).tolist() == [4, 7]
    assert mg.gradcheck(lambda x: (2.0 - x) / (1.0 / x) + 2.0**x, x, order=2)


def test_transposed_views() -> None:
    x = mg.arange(24).reshape(2, 3, 4)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    assert x.T.data.base is not None


def test_where_method_and_at() -> None:
    x = leaf()
    assert x.where(mg.tensor([True, False]), 0.0).tolist() == [1.0, 0.0]
    assert x.at[0].set(5.0).tolist() == [5.0, 2.0]
    assert x.at[0].add(5.0).tolist() == [6.0, 2.0]
