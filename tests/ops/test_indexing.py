"""Reading and writing by index: what the catalogue of cases does not say."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad import backend


def leaf(*shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)


def pullback(y, x, g):
    return mg.grad(y, x, mg.tensor(np.broadcast_to(g, y.shape).astype(y.dtype)))[0].numpy()


# ---- any index ---------------------------------------------------------------------------------------------------

SHAPE = (3, 4, 2)


@st.composite
def indices(draw):
    """Basic and advanced indices of an array of shape SHAPE, out of one part for each of some of its dims."""
    parts = []
    count = draw(st.integers(0, len(SHAPE)))
    length = draw(st.integers(0, 3))  # of all integer arrays, so that they broadcast
    for size in SHAPE[:count]:
        bound = st.one_of(st.none(), st.integers(-size - 1, size + 1))
        number = st.integers(-size, size - 1)
        parts.append(
            draw(
                st.one_of(
                    number,
                    st.builds(slice, bound, bound, st.sampled_from([None, 1, 2, -1, -2])),
                    st.lists(number, min_size=length, max_size=length).map(lambda v: np.array(v, dtype=int)),
                )
            )
        )
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(...)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@given(indices())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_index_reads_as_numpy_does_and_scatters_its_gradient_back(index):
    x = leaf(*SHAPE)
    y = x[index]
    expected = x.numpy()[index]
    np.testing.assert_array_equal(y.numpy(), expected)
    g = np.random.default_rng(1).normal(size=expected.shape)
    dense = np.zeros(SHAPE)
    np.add.at(dense, index, g)
    np.testing.assert_allclose(pullback(y, x, g), dense, atol=1e-14)


@given(indices())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_reading_and_placing_into_zeros_are_transposes_of_each_other(index):
    """So each is the other's rule: the second derivative through both orders is the identity on what was read."""
    x = leaf(*SHAPE)
    y = x[index]
    g = mg.tensor(np.random.default_rng(1).normal(size=y.shape), requires_grad=True)
    (dx,) = mg.grad(y, x, g, create_graph=True)
    weights = np.random.default_rng(2).normal(size=SHAPE)
    np.testing.assert_allclose(pullback(dx, g, weights), weights[index])


@pytest.mark.parametrize(
    "mask",
    [
        np.array([True, False, True]),
        np.array([False, False, False]),
        np.arange(12).reshape(3, 4) % 3 == 0,
        mg.tensor([True, True, False]),
    ],
)
def test_masks(mask):
    x = leaf(3, 4)
    picked = mask.numpy() if isinstance(mask, mg.Tensor) else mask
    y = x[mask]
    np.testing.assert_array_equal(y.numpy(), x.numpy()[picked])
    expected = np.zeros((3, 4))
    expected[picked] = 2.0
    np.testing.assert_array_equal(pullback(y, x, 2.0), expected)


@pytest.mark.parametrize(
    "index",
    [mg.tensor([2, 0, 2]), (mg.tensor(1), mg.tensor([0, 0])), (slice(None), mg.tensor([[1], [1]])), mg.tensor(-1)],
)
def test_tensors_index_like_their_arrays(index):
    x = leaf(3, 4)
    parts = index if isinstance(index, tuple) else (index,)
    plain = tuple(part.numpy() if isinstance(part, mg.Tensor) else part for part in parts)
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), x.numpy()[plain])
    expected = np.zeros((3, 4))
    np.add.at(expected, plain, 1.0)
    np.testing.assert_array_equal(pullback(y, x, 1.0), expected)


def test_repeated_indices_add_up():
    x = leaf(3, 2)
    np.testing.assert_array_equal(pullback(x[[1, 1, 1, 0]], x, 1.0), [[1, 1], [3, 3], [0, 0]])


def test_an_element_is_a_tensor_without_dims():
    x = leaf(3)
    for y in (x[1], x[np.int64(1)], x[(1,)], x[1, ...], x.reshape(1, 3)[0, 1]):
        assert isinstance(y, mg.Tensor)
        assert isinstance(y.data, np.ndarray)
        assert y.shape == ()
        assert y.item() == x.numpy()[1]


def test_indexing_what_has_no_dims():
    x = leaf()
    assert x[None].shape == (1,)
    assert x[...].shape == x[()].shape == ()
    np.testing.assert_array_equal(pullback(x[None, None], x, 3.0), 3.0)


def test_changing_the_index_afterwards_changes_nothing():
    x = leaf(3)
    index = np.array([0, 0])
    y = x[index]
    index[:] = 2
    np.testing.assert_array_equal(pullback(y, x, 1.0), [2, 0, 0])
    assert index.flags.writeable


def test_indices_of_small_integer_types_do_not_overflow():
    x = leaf(200, 300)
    index = np.array([199, 3, 199], dtype=np.uint8)
    assert pullback(x[index], x, 1.0)[199].tolist() == [2.0] * 300


# ---- adding rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3), (5, 0)])
@pytest.mark.parametrize("index", [[0, 4, 0, -1, -5], [[1, 1], [2, 1]], []])
@pytest.mark.parametrize("transposed", [False, True])
def test_scatter_add_counts_every_occurrence(shape, index, transposed):
    rng = np.random.default_rng(0)
    index = np.array(index, dtype=int)
    target = rng.normal(size=shape[::-1]).T if transposed else rng.normal(size=shape)
    values = rng.normal(size=(*index.shape, *shape[1:]))
    expected = target.copy()
    np.add.at(expected, index, values)
    backend.on("cpu").scatter_add(target, index, values)
    np.testing.assert_allclose(target, expected)


def test_scatter_add_keeps_the_dtype():
    target = np.zeros((3, 2), dtype=np.float32)
    backend.on("cpu").scatter_add(target, np.array([1, 1]), np.float32(1.5))
    assert target.dtype == np.float32
    assert target.tolist() == [[0, 0], [3, 3], [0, 0]]


# ---- writing -----------------------------------------------------------------------------------------------------


def test_writing_leaves_the_tensor_as_it_was():
    x = leaf(3)
    before = x.numpy().copy()
    y, z = x.at[1].set(9.0), x.at[[0, 0]].add(1.0)
    np.testing.assert_array_equal(x.numpy(), before)
    assert y.tolist() == [before[0], 9.0, before[2]]
    np.testing.assert_allclose(z.numpy(), [before[0] + 2.0, before[1], before[2]])
    with pytest.raises(mg.GraphError, match=r"at\[index\]\.set"):
        x[0] = 1.0


def test_what_was_overwritten_gets_no_gradient():
    x, v = leaf(2, 3), leaf(2, 1)
    y = x.at[:, 1:].set(v)
    np.testing.assert_array_equal(pullback(y, x, 2.0), [[2, 0, 0], [2, 0, 0]])
    np.testing.assert_array_equal(pullback(x.at[:, 1:].set(v), v, 2.0), [[4], [4]])


def test_what_was_added_to_keeps_its_gradient():
    x, v = leaf(3), leaf(2)
    np.testing.assert_array_equal(pullback(x.at[[2, 2]].add(v), x, np.arange(3.0)), [0, 1, 2])
    np.testing.assert_array_equal(pullback(x.at[[2, 2]].add(v), v, np.arange(3.0)), [2, 2])


def test_of_values_written_to_one_place_only_the_last_gets_a_gradient():
    x, v = leaf(3), leaf(3)
    y = x.at[[1, 0, 1]].set(v)
    assert y.tolist() == [v.numpy()[1], v.numpy()[2], x.numpy()[2]]
    np.testing.assert_array_equal(pullback(y, v, 1.0), [0, 1, 1])


def test_nan_that_is_overwritten_does_not_come_back():
    x = mg.tensor([np.nan, 1.0, 2.0], dtype=mg.float64, requires_grad=True)
    y = x.at[np.isnan(x.numpy())].set(0.0)
    np.testing.assert_array_equal(pullback(y * y, x, 1.0), [0, 2, 4])


def test_second_order_through_writing():
    x, v = leaf(3), leaf(2)
    y = x.at[:2].set(v * x[1:])
    (g,) = mg.grad(y * y, x, mg.ones(3, dtype=mg.float64), create_graph=True)
    expected = np.array([0, 2 * v.numpy()[0] ** 2, 2 * v.numpy()[1] ** 2 + 2])
    np.testing.assert_allclose(pullback(g, x, 1.0), expected)


# ---- gather, scatter, embedding ----------------------------------------------------------------------------------


def test_scatter_undoes_gather():
    x = leaf(3, 4)
    order = np.argsort(x.numpy(), axis=1)
    y = mg.zeros(3, 4, dtype=mg.float64).scatter(1, order, x.gather(1, order))
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    np.testing.assert_array_equal(pullback(y, x, np.arange(12.0).reshape(3, 4)), np.arange(12.0).reshape(3, 4))


def test_index_add_in_place_of_a_loop():
    x, source = leaf(2, 2), leaf(3, 2)
    y = x.index_add(0, mg.tensor([1, 1, 0]), source, alpha=2.0)
    s = source.numpy()
    np.testing.assert_allclose(y.numpy(), x.numpy() + 2 * np.stack([s[2], s[0] + s[1]]))


@pytest.mark.parametrize("padding_idx", [1, -2])
def test_the_padding_row_of_an_embedding_gets_no_gradient(padding_idx):
    weight = leaf(3, 2)
    y = mg.embedding(np.array([[0, 1], [1, 2]]), weight, padding_idx=padding_idx)
    np.testing.assert_array_equal(y.numpy(), weight.numpy()[[[0, 1], [1, 2]]])
    cotangent = np.ones((2, 2, 2))
    cotangent[0, 1] = np.nan  # whatever stands at a padded place
    np.testing.assert_array_equal(pullback(y, weight, cotangent), [[1, 1], [0, 0], [1, 1]])


def test_an_embedding_of_nothing():
    weight = leaf(3, 2)
    y = mg.embedding(np.zeros((0, 4), dtype=int), weight)
    assert y.shape == (0, 4, 2)
    np.testing.assert_array_equal(pullback(y, weight, 1.0), np.zeros((3, 2)))


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: x[3], r"(?s)index 3 is out of bounds.*\(3, 4\).*index=3"),
        (lambda x: x[0, 4], r"index 4 is out of bounds"),
        (lambda x: x[0, 0, 0], "too many indices"),
        (lambda x: x[[0, 3]], r"index 3 is out of bounds"),
        (lambda x: x[[0, 1], [0, 1, 2]], "broadcast"),
        (lambda x: x[[0.5]], "integer"),
        (lambda x: x[np.array([True, False])], "boolean"),
        (lambda x: x["a"], "indices"),
        (lambda x: x.at[3].set(1.0), "index 3 is out of bounds"),
        (lambda x: x.at[[0, -4]].add(1.0), "index -4 is out of bounds for axis 0 with size 3"),
        (lambda x: x.at[0].set(x), "broadcast"),
        (lambda x: x.at[[0, 1]].add(x), "broadcast"),
        (lambda x: x.gather(0, [0, 1]), "needs as many dims"),
        (lambda x: x.gather(2, [[0]]), "no dim 2"),
        (lambda x: x.gather(1, [[4]]), "no index 4"),
        (lambda x: x.scatter(1, [[0, 1]], x[:, :1]), "at least as large"),
        (lambda x: x.index_select(1, [4]), "no index 4"),
        (lambda x: x.masked_select([True, False]), "does not broadcast"),
        (lambda x: mg.embedding([0, 3], x), r"(?s)index 3 names no row: the table has 3 rows, 0 to 2.*\(3, 4\)"),
        (lambda x: mg.embedding([0, -1], x), "index -1 names no row"),
    ],
)
def test_errors_name_the_index_and_the_shape(call, says):
    with pytest.raises(mg.ShapeError, match=says):
        call(leaf(3, 4))


@pytest.mark.parametrize(
    "read",
    [
        lambda x, i: x[i],
        lambda x, i: x[(i,)],
        lambda x, i: x[i[:2]],
        lambda x, i: x.index_select(0, i),
        lambda x, i: mg.embedding(i, x),
        lambda x, i: x.gather(0, i.reshape(-1, 1).expand(-1, 3)),
        lambda x, i: x.take_along_dim(i.reshape(-1, 1), 0),
    ],
)
def test_an_index_tensor_changed_after_the_call_does_not_redirect_the_gradient(read):
    x, i = leaf(4, 3), mg.tensor([0, 1])
    y = read(x, i).sum()
    i.data += 2
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy().sum(1), [3, 3, 0, 0])


def test_scatter_takes_a_value_by_keyword():
    assert mg.zeros(3).scatter(0, [1], value=2.0).tolist() == [0.0, 2.0, 0.0]
    with pytest.raises(mg.DtypeError, match="src"):
        mg.zeros(3).scatter(0, [1])


INTO = {
    "gather": lambda x, i: x.gather(1, i),
    "take_along_dim": lambda x, i: x.take_along_dim(i, 1),
    "scatter": lambda x, i: x.scatter(1, i, 1.0),
    "scatter_add": lambda x, i: x.scatter_add(1, i, mg.ones(*np.shape(i))),
    "index_select": lambda x, i: x.index_select(1, np.ravel(i)),
    "index_add": lambda x, i: x.index_add(1, np.ravel(i), mg.ones(2, np.size(i))),
}


@pytest.mark.parametrize("name", INTO)
def test_an_index_that_is_not_there_is_named_and_so_is_the_function(name):
    with pytest.raises(mg.ShapeError, match=f"{name}: there is no index 7: dim 1") as caught:
        INTO[name](mg.ones(2, 3), np.array([[0] * 99 + [7], [0] * 100]))
    assert len(str(caught.value)) < 150
    with pytest.raises(mg.DtypeError, match=f"{name}: .*integers"):
        INTO[name](mg.ones(2, 3), np.array([[0.5], [0.0]]))


def test_an_index_larger_than_the_tensor():
    with pytest.raises(mg.ShapeError, match=r"gather: the index \(3, 1\) is larger"):
        mg.ones(2, 3).gather(1, np.zeros((3, 1), int))


def test_an_error_that_is_not_the_indexs_fault_comes_out_as_it_is():
    with pytest.raises(mg.DtypeError, match="float32 and float64"):
        mg.zeros(3).scatter(0, mg.tensor([0]), mg.ones(1, dtype=mg.float64))
