"""Shape, joining, tiling and diagonals: what the catalogue of cases does not say."""

import numpy as np
import pytest

import minigrad as mg


def leaf(*shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)


def pullback(y, x, g):
    return mg.grad(y, x, mg.tensor(np.broadcast_to(g, y.shape).astype(y.dtype)))[0].numpy()


# ---- views and copies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.reshape(2, 3),
        lambda x: x.view(3, 2),
        lambda x: x.flatten(),
        lambda x: x.squeeze(),
        lambda x: x.unsqueeze(0),
        lambda x: x.transpose(0, 1),
        lambda x: x.permute(0, 1),
        lambda x: x.expand(2, 3),
        lambda x: x.expand(4, 2, 3),
        lambda x: x.flip(0),
        lambda x: x.diagonal(),
        lambda x: x.split(1)[1],
        lambda x: x.unbind(1)[2],
        lambda x: x[...],
        lambda x: x[1, ::2],
    ],
)
def test_a_view_is_another_array_object_on_the_same_memory(view):
    x = leaf(2, 3)
    y = view(x)
    assert y is not x
    assert y.data is not x.data
    assert np.shares_memory(y.data, x.data)
    assert not y.data.flags.writeable
    assert x.data.flags.writeable


def test_reshape_copies_what_cannot_be_viewed():
    x = leaf(2, 3)
    y = x.T.reshape(6)
    assert not np.shares_memory(y.data, x.data)
    assert y.tolist() == x.numpy().T.reshape(6).tolist()


@pytest.mark.parametrize(
    "same",
    [
        lambda x: x.pad((0, 0)),
        lambda x: x.repeat(1, 1),
        lambda x: x.tile(()),
        lambda x: x.roll(0),
        lambda x: mg.concat([x]),
        lambda x: x.tril(5),
        lambda x: x.repeat_interleave(1, 0),
        lambda x: x.expand_as(x),
        lambda x: x.split(9)[0],
    ],
)
def test_doing_nothing_still_gives_a_new_tensor(same):
    x = leaf(2, 3)
    y = same(x)
    assert y.data is not x.data
    assert x.data.flags.writeable
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    np.testing.assert_array_equal(pullback(y, x, 2.0), np.full((2, 3), 2.0))


def test_the_gradient_of_a_view_is_no_view_of_the_cotangent():
    x, g = leaf(2, 3), mg.ones(6, dtype=mg.float64)
    x.reshape(6).backward(g)
    assert x.grad is not None
    assert not np.shares_memory(x.grad.data, g.data)


# ---- dims --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", range(-3, 3))
def test_every_op_counts_dims_from_the_back_too(dim):
    x = leaf(2, 3, 4)
    positive = dim % 3
    for function in (
        lambda d: x.transpose(d, 0),
        lambda d: x.movedim(0, d),
        lambda d: x.flatten(0, d),
        lambda d: x.split(2, d)[0],
        lambda d: x.chunk(2, d)[-1],
        lambda d: x.unbind(d)[-1],
        lambda d: mg.concat([x, x], d),
        x.flip,
        lambda d: x.roll(1, d),
        lambda d: x.repeat_interleave(2, d),
        lambda d: x.index_select(d, [1, 0]),
        lambda d: x.unflatten(d, (1, -1)),
    ):
        y, z = function(dim), function(positive)
        assert y.shape == z.shape
        np.testing.assert_array_equal(y.numpy(), z.numpy())
        np.testing.assert_array_equal(pullback(y, x, 1.5), pullback(z, x, 1.5))


def test_new_dims_may_stand_at_the_very_end():
    x = leaf(2)
    assert [x.unsqueeze(d).shape for d in (-2, -1, 0, 1)] == [(1, 2), (2, 1), (1, 2), (2, 1)]
    assert [mg.stack([x, x, x], d).shape for d in (-2, -1, 0, 1)] == [(3, 2), (2, 3), (3, 2), (2, 3)]


def test_squeeze_leaves_other_sizes_alone():
    assert leaf(2, 1).squeeze(0).shape == (2, 1)
    assert leaf(2, 1).squeeze((0, 1)).shape == (2,)


# ---- joining and splitting ---------------------------------------------------------------------------------------


def test_unused_pieces_get_no_gradient():
    x = leaf(6)
    _, second, _ = x.split(2)
    np.testing.assert_array_equal(pullback(second * 3.0, x, 1.0), [0, 0, 3, 3, 0, 0])


def test_a_piece_dropped_before_backward_counts_as_unused():
    """The others still arrive in their own places."""
    x = leaf(4, 2)
    pieces = list(x.unbind())
    del pieces[1], pieces[0]
    y = mg.stack(pieces)
    del pieces
    np.testing.assert_array_equal(pullback(y, x, 1.0), [[0, 0], [0, 0], [1, 1], [1, 1]])


def test_a_piece_used_twice_gets_both_gradients():
    x = leaf(4)
    a, b = x.chunk(2)
    np.testing.assert_array_equal(pullback(a * 2.0 + a + b, x, 1.0), [3, 3, 1, 1])


def test_second_order_through_unused_pieces():
    x = leaf(6)
    a, _, c = x.split(2)
    (g,) = mg.grad(mg.concat([a * a * a, c * c]), x, mg.ones(4, dtype=mg.float64), create_graph=True)
    expected = np.zeros(6)
    expected[:2], expected[4:] = 6 * x.numpy()[:2], 2.0
    np.testing.assert_allclose(pullback(g, x, 1.0), expected)


def test_one_tensor_joined_to_itself_gets_the_sum():
    x = leaf(2)
    np.testing.assert_array_equal(pullback(mg.concat([x, x, x]), x, np.arange(6.0)), [6, 9])
    np.testing.assert_array_equal(pullback(mg.stack([x, x], 1), x, np.array([[1.0, 2.0], [3.0, 4.0]])), [3, 7])


def test_joining_with_what_needs_no_gradient():
    x, constant = leaf(2), mg.ones(2, dtype=mg.float64)
    np.testing.assert_array_equal(pullback(mg.concat([constant, x]), x, np.arange(4.0)), [2, 3])
    np.testing.assert_array_equal(pullback(mg.stack([np.ones(2), x]), x, np.array([[1.0, 2.0], [3.0, 4.0]])), [3, 4])


def test_joining_a_generator():
    x = leaf(3, 2)
    assert mg.concat(row for row in x).shape == (6,)
    assert mg.stack(row for row in x).shape == (3, 2)


def test_iterating_runs_over_slices_that_gradients_flow_through():
    x = leaf(3, 2)
    total = sum(row * (i + 1.0) for i, row in enumerate(x))
    np.testing.assert_array_equal(pullback(total, x, 1.0), [[1, 1], [2, 2], [3, 3]])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_splitting_what_is_empty(shape):
    x = leaf(*shape)
    assert [y.shape for y in x.split(2)] == [x[:2].shape, x[2:].shape][: 1 + (shape[0] > 2)]
    assert mg.concat(x.unbind(1) if shape[1] else [x]).requires_grad


# ---- padding and repeating ---------------------------------------------------------------------------------------


def test_the_rim_of_a_padded_tensor_takes_its_gradient_with_it():
    x = leaf(2)
    np.testing.assert_array_equal(pullback(x.pad((1, 2), value=7.0), x, np.arange(5.0)), [1, 2])


def test_padding_keeps_integers():
    assert mg.arange(2).pad((1, 0), value=9).dtype == mg.int64


def test_repeats_of_a_tensor():
    x = leaf(3)
    y = x.repeat_interleave(mg.tensor([0, 2, 1]))
    assert y.tolist() == x.numpy()[[1, 1, 2]].tolist()
    np.testing.assert_array_equal(pullback(y, x, np.array([1.0, 2.0, 4.0])), [0, 3, 4])


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: x.reshape(5), r"\(2, 3\) has 6 elements.*\(5,\) takes 5 elements"),
        (lambda x: x.reshape(4, -1), r"\(2, 3\) has 6 elements.*\(4, -1\) takes a multiple of 4"),
        (lambda x: x.flatten(1, 0), "start_dim 1 lies behind end_dim 0"),
        (lambda x: x.flatten(2), r"no dim 2.*\(2, 3\) has dims -2 to 1"),
        (lambda x: x.unflatten(1, (2, -1)), "has 6 elements"),
        (lambda x: x.squeeze(2), "no dim 2"),
        (lambda x: x.unsqueeze(4), "no dim 4"),
        (lambda x: x.unsqueeze(-4), "no dim -4"),
        (lambda x: x.transpose(0, 2), "no dim 2"),
        (lambda x: x.permute(0, 0), "repeated"),
        (lambda x: x.permute(0), "axes"),
        (lambda x: x.movedim((0, 0), (0, 1)), "a place of its own"),
        (lambda x: x.expand(2, 4), "expand|broadcast"),
        (lambda x: x.expand(-1, 2, 3), "does not have"),
        (lambda x: mg.concat([]), "nothing to join"),
        (lambda x: mg.stack([]), "nothing to join"),
        (lambda x: mg.concat([x, x, x[:, :2]]), "tensor 2 has size 2 in dim 1, tensor 0 has 3; only dim 0 may differ"),
        (lambda x: mg.concat([x, x[0]]), r"tensor 1 has 1 dims \(3,\)"),
        (lambda x: mg.concat([x, x], 2), "no dim 2"),
        (lambda x: mg.concat([x[0, 0], x[0, 0]]), "stack makes a new dim"),
        (lambda x: mg.stack([x, x.T.reshape(3, 2)]), r"tensor 1 has shape \(3, 2\), tensor 0 has \(2, 3\)"),
        (lambda x: mg.stack([x.reshape(-1)[:2], x.reshape(-1)[:1], x.reshape(-1)[:3]]), "must be equal"),
        (lambda x: x.split([1, 1], 1), r"add up to 2, but dim 1 of \(2, 3\) is 3"),
        (lambda x: x.split([4, -1], 1), r"\(4, -1\)"),
        (lambda x: x.split(0), "must be positive"),
        (lambda x: x.chunk(0), "cut into 0 pieces"),
        (lambda x: x.unbind(2), "no dim 2"),
        (lambda x: x.repeat(2), "fewer numbers"),
        (lambda x: x.repeat_interleave([1, 2], 1), "2 repeats for the 3 slices"),
        (lambda x: x.pad((1,)), "pairs"),
        (lambda x: x.pad((0, 0) * 3), "at most one for each dim"),
        (lambda x: x.pad((-2, -2)), "more off dim 1"),
        (lambda x: x.pad((3, 0), "reflect"), "no rim"),
        (lambda x: x.pad((1, 0), "mirror"), "no mode 'mirror'"),
        (lambda x: x[0].tril(), "a matrix is needed"),
        (lambda x: x.unsqueeze(0).diag(), "a vector or a matrix"),
    ],
)
def test_errors_say_what_does_not_fit(call, says):
    with pytest.raises(mg.ShapeError, match=says):
        call(leaf(2, 3))


# ---- as PyTorch's users write it ---------------------------------------------------------------------------------


def test_sizes_and_dims_by_keyword():
    x = mg.arange(6).reshape(shape=(2, 3))
    assert x.shape == (2, 3)
    assert x.permute(dims=(1, 0)).shape == (3, 2)
    assert x.flip(dims=(0,)).tolist() == x.flip(dims=[0]).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert x.tile(dims=(2, 1)).shape == x.repeat(repeats=(2, 1)).shape == (4, 3)
    assert x.expand(size=(2, -1, 3)).shape == (2, 2, 3)
    assert x.reshape(shape=-1).shape == (6,)
    with pytest.raises(TypeError, match="twice"):
        x.reshape(6, shape=(6,))


def test_a_missing_dim_of_flip_is_named():
    with pytest.raises(mg.ShapeError, match="no dim 4"):
        mg.ones(2, 3).flip(4)


@pytest.mark.parametrize(
    ("function", "number"), [(lambda x: mg.cat([x, 3]), 1), (lambda x: mg.stack([[1, 2], x]), 0),
                             (lambda x: mg.stack([[1, 2]]), 0), (lambda x: mg.cat([3, x]), 0),
                             (lambda x: mg.cat([x, [1.0]]), 1)]
)  # fmt: skip
def test_what_is_no_tensor_cannot_be_joined(function, number):
    with pytest.raises(mg.DtypeError, match=f"number {number} .*\n.*mg.tensor"):
        function(mg.ones(2))


@pytest.mark.parametrize("repeats", [-1, [-1, 1], [0.5, 1.0]])
def test_repeating_a_negative_or_broken_number_of_times(repeats):
    with pytest.raises(mg.ShapeError, match="repeat_interleave"):
        mg.ones(2).repeat_interleave(repeats)


def test_functional_pad():
    assert mg.nn.functional.pad(mg.ones(1), (1, 0)).tolist() == [0.0, 1.0]
