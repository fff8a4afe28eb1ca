"""Sequences of different length: packed, padded, masked, reversed, and their state."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, defaultdict, namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad.check import check_op
from minigrad_rnn import LSTM
from minigrad_rnn.sequences import (
    PackedSequence,
    StatefulRNN,
    detach_state,
    last_output,
    lengths_to_mask,
    mask_to_lengths,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    reverse_by_length,
    unpack_sequence,
    unpad_sequence,
)
from minigrad_rnn.sequences.places import _put_places, _take_places

AWKWARD = [[], [0], [0, 0, 0], [3], [2, 0, 3, 0, 3, 1]]  # no rows, no steps, empty rows among others


@pytest.fixture(scope="module")
def expected():
    with np.load(Path(__file__).with_name("sequences.npz")) as arrays:
        return dict(arrays)


def part(arrays, prefix):
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def batch(lengths, extra=1, width=2, batch_first=False, padding=np.nan, requires_grad=True):
    """A padded batch of distinct numbers, with ``padding`` after every sequence."""
    steps, rows = max(lengths, default=0) + extra, len(lengths)
    x = 1.0 + np.arange(steps * rows * width, dtype=np.float64).reshape(steps, rows, width)
    for n, length in enumerate(lengths):
        x[length:, n] = padding
    return mg.tensor(x.swapaxes(0, 1) if batch_first else x, requires_grad=requires_grad)


def rows_of(x, lengths, batch_first=False):
    """The sequences of a padded batch, by slicing."""
    array = x.numpy() if batch_first else x.numpy().swapaxes(0, 1)
    return [array[n, :length] for n, length in enumerate(lengths)]


def seen(lengths, x, batch_first=False):
    """Ones where there are values, zeros in padding: the gradient of the sum of all values."""
    mask = np.arange(x.shape[1 if batch_first else 0])[:, None] < np.array(lengths, int)
    return np.broadcast_to((mask.T if batch_first else mask)[..., None], x.shape).astype(float)


any_lengths = st.lists(st.integers(0, 5), max_size=6)
some_lengths = st.lists(st.integers(0, 5), min_size=1, max_size=6)


# ---- the same as PyTorch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "batch_first"),
    [("sorted", False), ("unsorted", True), ("ties", False), ("ties", True), ("equal", False)],
)
class TestAgainstPyTorch:
    def test_pack_pad_and_their_gradients(self, expected, name, batch_first):
        values = part(expected, f"{name}.{batch_first}.")
        x, lengths = mg.tensor(values["x"], requires_grad=True), values["lengths"]
        packed = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=name == "sorted")
        for field in ("data", "batch_sizes", "sorted_indices", "unsorted_indices"):
            result = getattr(packed, field)
            assert (result is None) == (field not in values)
            if result is not None:
                np.testing.assert_array_equal(result.numpy(), values[field], err_msg=field)
        padded, back = pad_packed_sequence(packed, batch_first, -7.0, values["padded"].shape[1 if batch_first else 0])
        np.testing.assert_array_equal(padded.numpy(), values["padded"])
        np.testing.assert_array_equal(back.numpy(), lengths)
        assert back.dtype == mg.int64
        cotangents = [mg.tensor(values["cotangent_data"]), mg.tensor(values["cotangent_padded"])]
        (gradient,) = mg.grad([packed.data, padded], [x], cotangents)
        np.testing.assert_allclose(gradient.numpy(), values["grad"], rtol=1e-15)

    def test_lists_of_sequences(self, expected, name, batch_first):
        values = part(expected, f"{name}.{batch_first}.")
        rows = rows_of(mg.tensor(values["x"]), values["lengths"], batch_first)
        np.testing.assert_array_equal(pack_sequence(rows).data.numpy(), values["pack_sequence"])
        for side in ("right", "left"):
            padded = pad_sequence(rows, batch_first, -7.0, side)
            np.testing.assert_array_equal(padded.numpy(), values[side])


# ---- round trips -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(any_lengths, st.integers(0, 3), st.booleans(), st.integers(0, 2), st.data())
def test_padded_packed_padded(lengths, extra, batch_first, trailing, data):
    """Random lengths, zero to three dims beyond step and batch, and padding that is NaN from end to end."""
    x = batch(lengths, extra, 2, batch_first)
    x = mg.tensor(x.numpy().reshape(*x.shape[:2], *[(), (2,), (1, 2)][trailing]) if trailing else x.numpy()[..., 0])
    total = data.draw(st.one_of(st.none(), st.integers(max(lengths, default=0), 9)))
    packed = pack_padded_sequence(x, lengths, batch_first)
    assert packed.batch_size == len(lengths)
    assert packed.lengths.tolist() == lengths
    padded, back = pad_packed_sequence(packed, batch_first, 0.5, total)
    steps = max(lengths, default=0) if total is None else total
    assert padded.shape == ((len(lengths), steps) if batch_first else (steps, len(lengths))) + x.shape[2:]
    assert back.tolist() == lengths
    for result, row in zip(rows_of(padded, lengths, batch_first), rows_of(x, lengths, batch_first), strict=True):
        np.testing.assert_array_equal(result, row)
    assert np.count_nonzero(padded.numpy() == 0.5) == padded.numel() - packed.data.numel()


@settings(max_examples=40, deadline=None)
@given(some_lengths, st.booleans(), st.sampled_from(["right", "left"]))
def test_lists_of_sequences_come_back(lengths, batch_first, side):
    rows = [mg.tensor(row) for row in rows_of(batch(lengths), lengths)]
    padded = pad_sequence(rows, batch_first, np.nan, side)
    for back in (
        unpack_sequence(pack_sequence(rows)),
        unpad_sequence(padded, lengths, batch_first, padding_side=side),
        unpack_sequence(pack_padded_sequence(pad_sequence(rows), lengths)),
    ):
        assert [x.tolist() for x in back] == [x.tolist() for x in rows]
        assert [x.shape for x in back] == [x.shape for x in rows]


@settings(max_examples=40, deadline=None)
@given(any_lengths, st.integers(0, 2), st.booleans())
def test_masks_and_reversals(lengths, extra, batch_first):
    x = batch(lengths, extra, 2, batch_first)
    mask = lengths_to_mask(lengths, max(lengths, default=0) + extra, batch_first)
    np.testing.assert_array_equal(np.broadcast_to(mask.numpy()[..., None], x.shape), seen(lengths, x, batch_first))
    assert mask_to_lengths(mask, batch_first).tolist() == lengths
    turned = reverse_by_length(x, lengths, batch_first)
    for result, row in zip(rows_of(turned, lengths, batch_first), rows_of(x, lengths, batch_first), strict=True):
        np.testing.assert_array_equal(result, row[::-1])
    again = reverse_by_length(turned, lengths, batch_first)
    np.testing.assert_array_equal(again.numpy(), np.nan_to_num(x.numpy()))
    last = last_output(x, lengths, batch_first).numpy()
    for result, row in zip(last, rows_of(x, lengths, batch_first), strict=True):
        np.testing.assert_array_equal(result, row[-1] if len(row) else np.zeros(2))


# ---- gradients ---------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "pack": lambda x, lengths: pack_padded_sequence(x, lengths).data,
    "pack and pad": lambda x, lengths: pad_packed_sequence(pack_padded_sequence(x, lengths), padding_value=2.0)[0],
    "unpack": lambda x, lengths: tuple(unpack_sequence(pack_padded_sequence(x, lengths))),
    "unpad": lambda x, lengths: tuple(unpad_sequence(x, lengths)),
    "unpad and pad": lambda x, lengths: pad_sequence(unpad_sequence(x, lengths), padding_side="left"),
    "reverse": reverse_by_length,
    "last": last_output,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name):
    lengths = [2, 0, 3, 1, 3]
    x = batch(lengths, padding=0.0)
    function = FUNCTIONS[name]
    assert mg.gradcheck(lambda x: function(x, lengths), x)
    squared = lambda x: tuple(y**2 for y in outputs(function(x, lengths)))
    assert mg.gradgradcheck(squared, x)


def outputs(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize(
    ("name", "lengths"),
    [(name, lengths) for name in FUNCTIONS for lengths in AWKWARD if lengths or name != "unpad and pad"],
    ids=str,
)
def test_padding_reaches_no_result_and_no_gradient(name, lengths):
    """NaN in padding, and NaN in what comes back to padding."""
    x = batch(lengths)
    results = outputs(FUNCTIONS[name](x, lengths))
    if name != "last":
        results = tuple(y for y in results if y.requires_grad)
    assert not any(np.isnan(y.numpy()).any() for y in results)
    cotangents = [mg.ones(*y.shape, dtype=mg.float64) for y in results]
    if name == "unpad and pad":
        side = np.arange(max(lengths))[:, None] >= max(lengths) - np.array(lengths)
        cotangents = [mg.tensor(np.where(np.broadcast_to(side[..., None], results[0].shape), 1.0, np.nan))]
    elif name in ("pack and pad", "reverse"):
        cotangents = [mg.tensor(np.where(seen(lengths, y), 1.0, np.nan)) for y in results]
    elif name == "last":
        cotangents = [mg.tensor(np.where(np.array(lengths, int)[:, None], np.ones((len(lengths), 2)), np.nan))]
    (gradient,) = mg.grad(results, [x], cotangents) if results else (mg.zeros_like(x),)
    wanted = seen(lengths, x)
    if name == "last":
        wanted -= seen([max(0, n - 1) for n in lengths], x)
    np.testing.assert_array_equal(gradient.numpy(), wanted)


def test_on_another_device(cuda):
    """Lengths and orders stay on the host: nothing waits for the device."""
    lengths = [2, 0, 3]
    x = mg.tensor(batch(lengths, padding=0.0).numpy(), device="cuda", requires_grad=True)
    with cuda.waits(0):
        packed = pack_padded_sequence(x, lengths)
        padded, _ = pad_packed_sequence(packed)
        results = [padded, reverse_by_length(x, lengths), last_output(x, lengths), *unpad_sequence(x, lengths)]
        results += unpack_sequence(packed)
        (gradient,) = mg.grad(results, [x], [mg.ones_like(y) for y in results])
        mask = lengths_to_mask(mg.tensor(lengths, device="cuda"), 4)
    assert {str(y.device) for y in [*results, gradient, mask, packed.data]} == {"cuda:0"}
    assert str(packed.batch_sizes.device) == str(padded.cpu().device) == "cpu"
    wanted = 4 * seen(lengths, x)
    wanted[[1, 2], [0, 2]] += 1
    np.testing.assert_array_equal(gradient.numpy(), wanted)
    stateful = StatefulRNN(lambda x, state: (x, x.sum(0)), batch_dim=0)
    stateful(x)
    stateful.reset([0])
    assert not stateful.state.numpy()[0].any()


def test_the_two_ops_keep_the_contract():
    places = (np.array([2, 0, 1]), np.array([1, 1, 0]))
    x, values = np.arange(12.0).reshape(3, 2, 2), np.arange(6.0).reshape(3, 2)
    assert check_op(lambda x: _take_places(x, places), x, reference=lambda x: x[places])
    assert check_op(lambda v: _put_places(v, places, (3, 2, 2), 5.0), values)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bool"])
def test_dtypes_stay(dtype):
    rows = [mg.tensor(np.ones((n, 2), dtype)) for n in (1, 3)]
    packed = pack_sequence(rows)
    results = [packed.data, *unpack_sequence(packed), pad_sequence(rows), pad_packed_sequence(packed)[0]]
    results += [reverse_by_length(results[-1], [1, 3]), last_output(results[-1], [1, 3])]
    assert {str(result.dtype) for result in results} == {dtype}


# ---- the packed sequence itself ----------------------------------------------------------------------------------


def test_the_default_accepts_any_order_and_sorted_order_can_be_insisted_on():
    x = batch([2, 3])
    with pytest.raises(mg.ShapeError, match=r"not sorted by falling length: \[2, 3\]\n.*enforce_sorted=False"):
        pack_padded_sequence(x, [2, 3], enforce_sorted=True)
    packed = pack_padded_sequence(x, [3, 3], enforce_sorted=True)
    assert packed.sorted_indices is None
    assert packed.unsorted_indices is None


def test_empty_sequences_are_remembered_when_sorted_order_is_insisted_on():
    packed = pack_padded_sequence(batch([2, 1, 0]), [2, 1, 0], enforce_sorted=True)
    assert packed.sorted_indices.tolist() == [0, 1, 2]
    assert packed.lengths.tolist() == [2, 1, 0]


def test_a_packed_sequence_of_ones_own():
    packed = PackedSequence(mg.arange(5), [2, 2, 1], [1, 0])
    assert packed.unsorted_indices.tolist() == [1, 0]
    assert [x.tolist() for x in unpack_sequence(packed)] == [[1, 3], [0, 2, 4]]
    assert PackedSequence(mg.arange(3), mg.tensor([2, 1])).lengths.tolist() == [2, 1]
    doubled = packed._replace(data=packed.data * 2)
    assert [x.tolist() for x in unpack_sequence(doubled)] == [[2, 6], [0, 4, 8]]
    assert packed.to(mg.float64).data.dtype == mg.float64
    back = pickle.loads(pickle.dumps(packed))  # noqa: S301 - our own bytes
    assert type(back) is PackedSequence
    assert [x.tolist() for x in unpack_sequence(back)] == [[1, 3], [0, 2, 4]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2],), r"must never rise and must add up to the 3 rows of the data; they are \[1, 2\], 3 in all"),
        (([2, 2],), r"they are \[2, 2\], 4 in all"),
        (([2, 1], [0, 0]), r"sorted_indices \[0, 0\] must name every sequence once"),
        (([2, 1], [0, 2]), "must name every sequence once"),
        (([2, 1], [1, 0], [0, 1]), r"unsorted_indices \[0, 1\] must be their inverse"),
    ],
)
def test_packed_sequences_that_are_none(arguments, message):
    with pytest.raises(mg.ShapeError, match=message):
        PackedSequence(mg.zeros(3), *arguments)


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [pack_padded_sequence, reverse_by_length, last_output, unpad_sequence])
@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2, 3], mg.ShapeError, "3 lengths for 2 sequences"),
        ([1, -1], mg.ShapeError, "sequence 1 cannot have length -1; there are 4 steps"),
        ([5, 1], mg.ShapeError, "sequence 0 cannot have length 5; there are 4 steps"),
        ([1.0, 2.0], mg.DtypeError, "must be integers, not float32"),
        ([True, False], mg.DtypeError, "must be integers, not bool"),
        ([[1, 2]], mg.ShapeError, r"not of shape \(1, 2\)"),
        (3, mg.ShapeError, r"not of shape \(\)"),
    ],
)
def test_lengths_that_do_not_fit(function, lengths, error, message):
    with pytest.raises(error, match=message):
        function(mg.zeros(4, 2, 3), lengths)


def test_other_mistakes():
    with pytest.raises(mg.ShapeError, match=r"last_output: .* shape \(batch, steps, ...\), not \(3,\)"):
        last_output(mg.zeros(3), [1], batch_first=True)
    for function in (pad_sequence, pack_sequence):
        with pytest.raises(mg.ShapeError, match="there are no sequences"):
            function([])
        with pytest.raises(mg.ShapeError, match=r"sequence 1 has shape \(2, 4\), sequence 0 has \(2, 3\)"):
            function([mg.zeros(2, 3), mg.zeros(2, 4)])
        with pytest.raises(mg.ShapeError, match=r"sequence 0 has shape \(\)"):
            function([mg.tensor(1.0)])
    with pytest.raises(mg.ShapeError, match='padding_side is "right" or "left", not \'top\''):
        pad_sequence([mg.zeros(1)], padding_side="top")
    with pytest.raises(mg.ShapeError, match="total_length 1 is less than the longest sequence, 2"):
        pad_packed_sequence(pack_sequence([mg.zeros(2)]), total_length=1)
    with pytest.raises(mg.ShapeError, match="row 1 has values after padding"):
        mask_to_lengths([[True, True], [True, False], [False, True]])
    with pytest.raises(mg.ShapeError, match="row 0 has values after padding"):
        mask_to_lengths([[False, True, True]], batch_first=True)
    with pytest.raises(mg.ShapeError, match="two dims"):
        mask_to_lengths([True])


def test_lengths_in_any_form():
    for lengths in ([2, 0], (2, 0), np.array([2, 0], np.uint8), mg.tensor([2, 0]), [mg.tensor(2), mg.tensor(0)]):
        assert lengths_to_mask(lengths).tolist() == [[True, False], [True, False]]
        assert last_output(mg.ones(2, 2, 1), lengths).tolist() == [[1.0], [0.0]]
    assert lengths_to_mask([3, 1], 2).tolist() == [[True, True], [True, False]]


# ---- beside the layers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[4, 0, 2, 5], [5, 5, 5, 5]], ids=str)
def test_layers_agree_about_where_sequences_end(lengths):
    """The backward direction is a layer on the reversed batch; the last output is the last state."""
    both, backward = LSTM(2, 3, bidirectional=True), LSTM(2, 3)
    state = {name: value for name, value in both.state_dict().items() if name.endswith("_reverse")}
    backward.load_state_dict({name.removesuffix("_reverse"): value for name, value in state.items()})
    x = batch(lengths, 5 - max(lengths), requires_grad=False).float() / 30
    output, (h, _) = both(x, lengths=lengths)
    turned, _ = backward(reverse_by_length(x, lengths), lengths=lengths)
    np.testing.assert_allclose(output.numpy()[..., 3:], reverse_by_length(turned, lengths).numpy(), rtol=1e-5)
    np.testing.assert_allclose(last_output(output, lengths).numpy()[:, :3], h.numpy()[0], rtol=1e-6)
    stateful = StatefulRNN(backward)
    stateful(x, lengths=lengths)
    stateful(x, lengths=[0, 0, 0, 0])
    np.testing.assert_allclose(stateful.state[0].numpy(), backward(x, lengths=lengths)[1][0].numpy(), rtol=1e-6)


# ---- state -------------------------------------------------------------------------------------------------------


def test_detach_state_keeps_the_nesting():
    Pair = namedtuple("Pair", "h c")
    h = mg.ones(2, requires_grad=True) * 2
    array = np.ones(1)
    state = {"a": (h, [h, None]), "b": Pair(h, 3), "c": OrderedDict(x=h), "d": defaultdict(list, y=array)}
    result = detach_state(state)
    tensors = [result["a"][0], result["a"][1][0], result["b"].h, result["c"]["x"]]
    assert not any(t.requires_grad for t in tensors)
    assert [type(value) for value in result.values()] == [type(value) for value in state.values()]
    assert result["a"][1][1] is None
    assert result["b"].c == 3
    assert result["d"]["y"] is array
    assert result["d"]["new"] == []
    assert h.requires_grad
    with pytest.raises(mg.DtypeError, match="Holder cannot be looked into"):
        detach_state((h, type("Holder", (), {})()))


def test_gradient_stops_exactly_at_the_detached_state():
    lstm, x = LSTM(2, 3), mg.randn(4, 1, 2, requires_grad=True)
    _, state = lstm(x[:2])
    output, _ = lstm(x[2:], detach_state(state))
    (gradient,) = mg.grad(output.sum(), [x])
    assert not gradient.numpy()[:2].any()
    assert gradient.numpy()[2:].all()


def test_stateful_calls_go_on_where_the_last_one_ended():
    lstm, x = LSTM(2, 3, 2), mg.randn(6, 2, 2)
    stateful = StatefulRNN(lstm)
    assert stateful.state is None
    whole, (h, c) = lstm(x)
    parts = [stateful(piece) for piece in x.split(2)]
    assert parts[-1][1][0].requires_grad  # the state returned belongs to this call's graph; the one kept does not
    assert not any(tensor.requires_grad for tensor in stateful.state)
    np.testing.assert_allclose(mg.concat([output for output, _ in parts]).numpy(), whole.numpy(), rtol=1e-5)
    for carried, last in zip(stateful.state, (h, c), strict=True):
        np.testing.assert_allclose(carried.numpy(), last.numpy(), rtol=1e-5)
    parts[-1][0].sum().backward()
    parts[-2][0].sum().backward()  # no call is part of another's graph


def test_a_reset_starts_anew_whole_or_by_rows():
    lstm, x = LSTM(2, 3), mg.randn(4, 3, 2)
    stateful = StatefulRNN(lstm)
    fresh, _ = stateful(x)
    stateful.reset()
    assert stateful.state is None
    assert stateful(x)[0].tolist() == fresh.tolist()
    kept = [tensor.numpy().copy() for tensor in stateful.state]
    for rows in ([0, 2], np.array([0, 2]), mg.tensor([True, False, True])):
        stateful.state = tuple(mg.tensor(tensor) for tensor in kept)
        stateful.reset(rows)
        for tensor, before in zip(stateful.state, kept, strict=True):
            assert not tensor.numpy()[:, [0, 2]].any()
            np.testing.assert_array_equal(tensor.numpy()[:, 1], before[:, 1])
    output, _ = stateful(x)
    np.testing.assert_allclose(output.numpy()[:, [0, 2]], fresh.numpy()[:, [0, 2]], rtol=1e-6)
    assert not np.allclose(output.numpy()[:, 1], fresh.numpy()[:, 1])
    stateful.reset([])
    stateful.reset()
    stateful.reset([1])  # nothing to reset


def test_resets_that_do_not_fit():
    stateful = StatefulRNN(LSTM(2, 3))
    stateful(mg.randn(1, 2, 2))
    for rows in ([2], [True, False, True], [0.5]):
        with pytest.raises(mg.ShapeError, match=r"reset\(.*\) does not fit a state of 2 sequences"):
            stateful.reset(rows)
    far = StatefulRNN(lambda x, state: (x, x.sum(0)), batch_dim=3)
    far(mg.ones(1, 2, 2))
    with pytest.raises(mg.ShapeError, match="the state has no dim 3"):
        far.reset([0])


def test_another_number_of_sequences_is_an_error_and_changes_nothing():
    stateful = StatefulRNN(LSTM(2, 3))
    stateful(mg.randn(4, 3, 2))
    before = [tensor.tolist() for tensor in stateful.state]
    with pytest.raises(mg.ShapeError, match=r"2 sequences, the state carried from the last one is for 3\n.*reset\(\)"):
        stateful(mg.randn(4, 2, 2))
    with pytest.raises(mg.ShapeError):
        stateful(mg.randn(4, 3, 7))  # refused by the layer
    assert [tensor.tolist() for tensor in stateful.state] == before
    stateful.reset([1])
    with pytest.raises(mg.ShapeError, match="2 sequences"):
        stateful(mg.randn(4, 2, 2))
    stateful(mg.randn(9, 3, 2))  # another number of steps is none
    stateful.reset()
    stateful(mg.randn(4, 2, 2))


def test_batches_of_every_kind_are_counted():
    seen = []

    def layer(x, state, mark):
        seen.append((state, mark))
        return x, [{"h": mg.zeros(1, 1)}]

    stateful = StatefulRNN(layer)
    stateful([mg.ones(1, 2), mg.ones(2, 2)], mark=1)
    with pytest.raises(mg.ShapeError, match="3 sequences"):
        stateful(pack_sequence([mg.ones(1), mg.ones(0), mg.ones(2)]), mark=2)
    stateful(mg.ones(5, 7), mark=3)  # tokens (steps, batch), or one sequence: the shape does not tell
    assert [mark for _, mark in seen] == [1, 3]
    assert seen[0][0] is None
    assert seen[1][0][0]["h"].shape == (1, 1)
    layer.batch_first = True
    stateful.reset()
    stateful(mg.ones(2, 5, 3), mark=4)
    with pytest.raises(mg.ShapeError, match="5 sequences"):
        stateful(mg.ones(5, 2, 3), mark=5)


def test_the_state_is_part_of_the_state_dict_and_moves_with_the_module():
    stateful = StatefulRNN(LSTM(2, 3))
    assert not [name for name in stateful.state_dict() if name.startswith("state")]
    assert repr(stateful).startswith("StatefulRNN(no state")
    stateful(mg.randn(4, 2, 2))
    assert repr(stateful).startswith("StatefulRNN(with a state")
    saved = stateful.state_dict()
    assert saved["state_0"].shape == saved["state_1"].shape == (1, 2, 3)
    other = StatefulRNN(LSTM(2, 3))
    with pytest.raises(mg.StateError, match="unexpected  state_0"):
        other.load_state_dict(saved)
    other.state = (mg.zeros(1, 2, 3), mg.zeros(1, 2, 3))
    other.load_state_dict(saved)
    x = mg.randn(3, 2, 2)
    assert other(x)[0].tolist() == stateful(x)[0].tolist()
    twin = copy.deepcopy(other)
    assert twin(x)[0].tolist() == other(x)[0].tolist()
    assert all(tensor.dtype == mg.float64 for tensor in other.double().state)
    other.state = mg.zeros(1)
    assert [name for name in other.state_dict() if name.startswith("state")] == ["state_0"]
