"""Sequences of different length in layers: padded, masked, packed, listed and one by one are the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad import nn
from minigrad_rnn import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    GRUCell,
    LSTMCell,
    PackedSequence,
    RecurrentLayer,
    StatefulRNN,
    last_state,
    lengths_to_mask,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    unpack_sequence,
)

FEATURES = 2
LAYERS = {
    "RNN": (RNN, {}),
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "relu": (RNN, {"nonlinearity": "relu"}),
    "projected": (LSTM, {"proj_size": 2}),
    "reset before": (GRU, {"reset_after": False, "update_gate": "new"}),
    "peephole": (LSTM, {"peephole": True, "coupled": True, "cell_clip": 0.3}),
    "normalised": (LSTM, {"layer_norm": "ba"}),
    "skips": (GRU, {"time_skips": (2, 3)}),
    "residual": (RNN, {"residual": True}),
    "highway": (GRU, {"highway": True}),
    "learned": (LSTM, {"learn_initial_state": True}),
    "sizes": (LSTM, {"hidden_size": (3, 2)}),
}
MERGES = ["concat", "sum", "mul", "ave", "none"]


@st.composite
def layers(draw, names=tuple(LAYERS)):
    """A layer of any kind in float64, its parameters drawn."""
    name = draw(st.sampled_from(names))
    kind, options = LAYERS[name]
    bidirectional = draw(st.booleans())
    merge = draw(st.sampled_from(MERGES if bidirectional else MERGES[:1]))
    layer = kind(
        FEATURES,
        options.get("hidden_size", 3),
        num_layers=2 if name in ("sizes", "residual", "highway") else draw(st.integers(1, 2)),
        bidirectional=bidirectional,
        batch_first=draw(st.booleans()),
        merge_mode=merge,
        **{key: value for key, value in options.items() if key != "hidden_size"},
    ).double()
    layer.fused = draw(st.booleans())
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


@st.composite
def masks(draw, steps=5, rows=4):
    """Where there is an element: anywhere, or only at the end of a row, or nowhere."""
    shape = draw(st.integers(0, steps)), draw(st.integers(0, rows))
    flat = draw(st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return np.array(flat, bool).reshape(shape)


def tensors(tree):
    """The tensors in a result of any form, in order."""
    if isinstance(tree, PackedSequence):
        return [tree.data]
    if isinstance(tree, (tuple, list)):
        return [tensor for part in tree for tensor in tensors(part)]
    return [tree]


def tensors_as_arrays(tree):
    return [tensor.numpy() for tensor in tensors(tree)]


def initial(layer, rng, batch):
    """A random state of a batch, as the user gives it."""
    _, state = layer(mg.zeros(*((batch, 1) if layer.batch_first else (1, batch)), FEATURES, dtype=mg.float64))
    return mapped(state, lambda part: mg.tensor(rng.normal(size=part.shape), requires_grad=True))


def mapped(state, function):
    return tuple(mapped(part, function) for part in state) if isinstance(state, tuple) else function(state)


def row_of(layer, state, n):
    """The state of one row, without a batch."""
    return mapped(state, lambda part: part[n] if part.ndim == 2 else part[:, n])


def gradients(results, cotangents, inputs):
    """The gradients of all inputs; zeros for what is not used."""
    pairs = [(y, g) for y, g in zip(results, cotangents, strict=True) if y.requires_grad]
    if not pairs:
        return [np.zeros(x.shape) for x in inputs]
    found = mg.grad([y for y, _ in pairs], inputs, [mg.tensor(g) for _, g in pairs], allow_unused=True)
    return [np.zeros(x.shape) if g is None else g.numpy() for g, x in zip(found, inputs, strict=True)]


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def all_same(results, expected):
    for a, b in zip(results, expected, strict=True):
        same(a, b)


def time_major(layer, array):
    return array.swapaxes(0, 1) if layer.batch_first else array


# ---- with a mask, and one by one -----------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(layers(), masks(), st.booleans(), st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e300]))
def test_a_masked_row_is_the_row_without_its_gaps(layer, mask, given_state, filler):
    """Values and gradients; what stands in the gaps, and what comes back to them, reaches nothing."""
    rng = np.random.default_rng(mask.size)
    steps, batch = mask.shape
    clean = rng.normal(size=(steps, batch, FEATURES))
    dirty = np.where(mask[..., None], clean, filler)
    x = mg.tensor(time_major(layer, dirty), requires_grad=True)
    state = initial(layer, rng, batch) if given_state else None
    leaves = [] if state is None else tensors(state)
    output, last = layer(x, state, mask=time_major(layer, mask))
    outputs, ends = tensors(output), tensors(last)
    with mg.no_grad():
        all_same(tensors_as_arrays(layer(x, state, mask=time_major(layer, mask))), tensors_as_arrays([output, last]))

    singles = [mg.tensor(clean[mask[:, n], n], requires_grad=True) for n in range(batch)]
    alone = [layer(single, None if state is None else row_of(layer, state, n)) for n, single in enumerate(singles)]
    cotangents = [rng.normal(size=time_major(layer, y.numpy()).shape) for y in outputs]
    end_cotangents = [rng.normal(size=part.shape) for part in ends]
    for n, (own_output, own_last) in enumerate(alone):
        for y, own in zip(outputs, tensors(own_output), strict=True):
            same(time_major(layer, y.numpy())[mask[:, n], n], own.numpy())
            assert not time_major(layer, y.numpy())[~mask[:, n], n].any()
        all_same([row_of(layer, part, n).numpy() for part in ends], [part.numpy() for part in tensors(own_last)])

    weights = [*layer.parameters(), *leaves]
    coming = [time_major(layer, np.where(mask[..., None], g, filler)) for g in cotangents]
    dx, *found = gradients([*outputs, *ends], [*coming, *end_cotangents], [x, *weights])
    results = [y for pair in alone for y in tensors(pair)]
    own_cotangents = [
        g
        for n in range(batch)
        for g in [*[g[mask[:, n], n] for g in cotangents], *[row_of(layer, g, n) for g in end_cotangents]]
    ]
    expected = gradients(results, own_cotangents, [*singles, *weights])
    for n in range(batch):
        same(time_major(layer, dx)[mask[:, n], n], expected[n])
        assert not time_major(layer, dx)[~mask[:, n], n].any()
    all_same(found, expected[batch:])


# ---- every way of saying the same ----------------------------------------------------------------------------------


def as_rows(result, layer, lengths):
    """The outputs of the sequences, each of its own length, from a result of any form."""
    if isinstance(result, tuple) and not isinstance(result, PackedSequence):
        return [rows for stream in result for rows in as_rows(stream, layer, lengths)]
    if isinstance(result, PackedSequence):
        return unpack_sequence(result)
    if isinstance(result, list):
        return result
    result = result.transpose(0, 1) if layer.batch_first else result
    return [result[:length, n] for n, length in enumerate(lengths)]


@settings(max_examples=80, deadline=None)
@given(layers(), st.lists(st.integers(0, 4), min_size=1, max_size=4), st.booleans())
def test_padded_masked_packed_and_listed_agree(layer, lengths, given_state):
    rng = np.random.default_rng(0)
    steps, batch = max(lengths), len(lengths)
    rows = [mg.tensor(rng.normal(size=(length, FEATURES)), requires_grad=True) for length in lengths]
    state = initial(layer, rng, batch) if given_state else None
    wanted = [*rows, *layer.parameters(), *([] if state is None else tensors(state))]
    turned = (lambda x: x.transpose(0, 1)) if layer.batch_first else (lambda x: x)
    right = lambda: mg.concat([mg.stack([padded(row, steps, 0) for row in rows], 1)])
    left = lambda: mg.concat([mg.stack([padded(row, steps, steps - len(row)) for row in rows], 1)])
    ends = np.arange(steps)[:, None] >= steps - np.array(lengths)
    ways = {
        "lengths": lambda: layer(turned(right()), state, lengths=lengths),
        "mask": lambda: layer(turned(right()), state, mask=turned(lengths_to_mask(lengths, steps))),
        "packed": lambda: layer(pack_padded_sequence(right(), lengths), state),
        "list": lambda: layer(rows, state),
        "left": lambda: layer(turned(left()), state, mask=turned(mg.tensor(ends))),
    }
    if lengths == sorted(lengths, reverse=True):
        ways["sorted"] = lambda: layer(pack_sequence(rows, enforce_sorted=True), state)
    results = {}
    for way, run in ways.items():
        output, last = run()
        if way == "left":
            output = mapped(output, lambda y: turned(mg.stack(shifted(turned(y), lengths), 1)))
        found = [*as_rows(output, layer, lengths), *tensors(last)]
        cotangents = [np.random.default_rng(1).normal(size=y.shape) for y in found]
        results[way] = [*[y.numpy() for y in found], *gradients(found, cotangents, wanted)]
    for result in results.values():
        all_same(result, results["lengths"])


def padded(row, steps, before):
    """NaN before and after a sequence."""
    nan = lambda count: mg.full((count, FEATURES), np.nan, dtype=mg.float64)
    return mg.concat([nan(before), row, nan(steps - before - len(row))])


def shifted(output, lengths):
    """Outputs padded on the left, with their elements first; what follows is not looked at."""
    steps = len(output)
    return [mg.concat([output[steps - length :, n], output[: steps - length, n]]) for n, length in enumerate(lengths)]


# ---- packed batches, as PyTorch's users know them ------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
def test_a_packed_batch_comes_back_packed_in_the_same_order(fused):
    """Output: order and batch sizes of the input. States, given and returned: order of the original batch."""
    lstm = LSTM(2, 3, bidirectional=True)
    lstm.fused = fused
    x, lengths = mg.randn(4, 3, 2), [2, 4, 0]
    state = mg.randn(2, 3, 3), mg.randn(2, 3, 3)
    packed = pack_padded_sequence(x, lengths)
    output, (h, c) = lstm(packed, state)
    assert type(output) is PackedSequence
    for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        assert getattr(output, name).tolist() == getattr(packed, name).tolist()
    padded_output, back = pad_packed_sequence(output, total_length=4)
    expected, (last_h, last_c) = lstm(x, state, lengths=lengths)
    assert back.tolist() == lengths
    assert padded_output.tolist() == expected.tolist()
    assert (h.tolist(), c.tolist()) == (last_h.tolist(), last_c.tolist())
    assert h[:, 2].tolist() == state[0][:, 2].tolist()  # a sequence without steps ends where it began


def test_a_packed_batch_without_orders():
    gru = GRU(2, 3)
    packed = PackedSequence(mg.randn(5, 2), [2, 2, 1])
    output, h = gru(packed, mg.randn(1, 2, 3))
    assert output.sorted_indices is output.unsorted_indices is None
    assert output.batch_sizes.tolist() == [2, 2, 1]
    assert output.data[4].tolist() == h[0, 0].tolist()
    assert output.data[3].tolist() == h[0, 1].tolist()
    nothing, h = gru(PackedSequence(mg.zeros(0, 2), []))
    assert (nothing.data.shape, h.shape) == ((0, 3), (1, 0, 3))


def test_directions_that_are_not_merged_are_two_packed_batches_or_lists():
    layer, rows = RNN(2, 3, bidirectional=True, merge_mode="none"), [mg.randn(2, 2), mg.randn(3, 2)]
    (forward, backward), _ = layer(pack_sequence(rows))
    assert forward.data.shape == backward.data.shape == (5, 3)
    (ahead, back), _ = layer(rows)
    assert [y.shape for y in ahead] == [y.shape for y in back] == [(2, 3), (3, 3)]
    np.testing.assert_allclose(unpack_sequence(backward)[0].numpy(), back[0].numpy(), rtol=1e-6)


def test_states_of_every_step_are_padded_tensors_whatever_came_in():
    lstm, rows = LSTM(2, 3, 2), [mg.randn(2, 2), mg.randn(0, 2), mg.randn(4, 2)]
    for sequences in (rows, tuple(rows), pack_sequence(rows)):
        output, (h, _), (all_h, all_c) = lstm(sequences, return_all_states=True)
        assert all_h.shape == all_c.shape == (2, 4, 3, 3)
        assert all_h[1, 3, 2].tolist() == h[1, 2].tolist()
        assert not all_h.numpy()[:, 2:, 0].any()
    assert unpack_sequence(output)[2].tolist() == all_h[1, :, 2].tolist()


# ---- what a mask and lengths may be --------------------------------------------------------------------------------


def test_masks_in_any_form(cuda):
    gru, x = GRU(2, 3, batch_first=True), mg.randn(2, 3, 2)
    rows = [[True, False, True], [False, False, False]]
    expected, last = gru(x, mask=rows)
    assert not expected.numpy()[[0, 1, 1, 1], [1, 0, 1, 2]].any()
    ints = [[1, 0, 1], [0, 0, 0]]
    on_device = mg.tensor(rows, device="cuda")
    for mask in (np.array(rows), mg.tensor(rows), ints, mg.tensor(ints), np.array(ints, np.uint8), on_device):
        output, state = gru(x, mask=mask)
        assert output.tolist() == expected.tolist()
        assert state.tolist() == last.tolist()
    everywhere, _ = gru(x, mask=mg.ones(2, 3))
    assert everywhere.tolist() == gru(x)[0].tolist()


def test_lengths_in_any_form(cuda):
    gru, x = GRU(2, 3), mg.randn(3, 2, 2)
    expected = gru(x, lengths=[3, 1])[0].tolist()
    ways = [(3, 1), np.array([3, 1], np.uint8), mg.tensor([3, 1]), mg.tensor([3, 1], device="cuda")]
    for lengths in [*ways, [mg.tensor(3), mg.tensor(1)]]:
        assert gru(x, lengths=lengths)[0].tolist() == expected


def test_a_mask_changed_after_the_call_changes_no_gradient():
    gru, x = GRU(2, 3), mg.randn(3, 2, 2, requires_grad=True)
    mask = np.array([[True, True], [True, False], [False, False]])
    (expected,) = mg.grad(gru(x, mask=mask)[0].sum(), [x])
    output, _ = gru(x, mask=mask)
    mask[:] = True
    assert mg.grad(output.sum(), [x])[0].tolist() == expected.tolist()


@pytest.mark.parametrize("batch_first", [False, True])
def test_one_sequence_without_a_batch_may_have_a_length_or_a_mask(batch_first):
    lstm, x = LSTM(2, 3, 2, bidirectional=True, batch_first=batch_first), mg.randn(4, 2)
    state = mg.randn(4, 3), mg.randn(4, 3)
    expected, (h, _) = lstm(x[:3], state)
    for told in ({"lengths": 3}, {"lengths": [3]}, {"mask": [1, 1, 1, 0]}, {"mask": mg.arange(4) < 3}):
        output, (last, _) = lstm(x, state, **told)
        np.testing.assert_allclose(output[:3].numpy(), expected.numpy(), rtol=1e-6)
        assert not output[3].numpy().any()
        np.testing.assert_allclose(last.numpy(), h.numpy(), rtol=1e-6)
    output, (last, _) = lstm(x, state, mask=[0, 0, 0, 0])
    assert not output.numpy().any()
    assert last.tolist() == state[0].tolist()


def test_tokens_are_embedded_and_their_padding_masked():
    embedding, lstm = nn.Embedding(5, 2, padding_idx=0), LSTM(2, 3)
    tokens = mg.tensor([[1, 2, 0, 3], [4, 0, 0, 0]]).T
    output, (h, _) = lstm(embedding(tokens), mask=tokens != 0)
    assert not output.numpy()[tokens.numpy() == 0].any()
    (gradient,) = mg.grad(output.sum(), [embedding.weight])
    assert not gradient[0].numpy().any()
    short, (h_short, _) = lstm(embedding(mg.tensor([1, 2, 3])))
    np.testing.assert_allclose(h[0, 0].numpy(), h_short[0].numpy(), rtol=1e-6)
    listed, _ = lstm([embedding(mg.tensor(row)) for row in ([1, 2, 3], [4])])
    np.testing.assert_allclose(listed[0].numpy(), short.numpy(), rtol=1e-6)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_on_another_device(cuda, kind, fused):
    """Lengths given on the host: nothing waits for the device."""
    layer = kind(2, 3, 2, bidirectional=True)
    x = mg.randn(4, 3, 2)
    expected, _ = layer(x, lengths=[4, 0, 2])
    layer.to("cuda").fused = fused
    there = mg.tensor(x.numpy(), device="cuda", requires_grad=True)
    with cuda.waits(0):
        output, last = layer(there, lengths=[4, 0, 2])
        (gradient,) = mg.grad(output.sum(), [there])
        packed, _ = layer(pack_padded_sequence(there, [4, 0, 2]))
    assert {str(y.device) for y in [output, gradient, packed.data, *tensors(last)]} == {"cuda:0"}
    np.testing.assert_allclose(output.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    assert not gradient.numpy()[[0, 3], [1, 2]].any()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_gradients_of_gradients_with_a_mask(kind, fused):
    layer = kind(2, 2, bidirectional=True).double()
    layer.fused = fused
    mask = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    x = mg.randn(3, 3, 2, dtype=mg.float64, requires_grad=True)
    function = lambda x: tuple(tensors(layer(x, mask=mask)))
    assert mg.gradcheck(function, x)
    assert mg.gradgradcheck(function, x)


# ---- nothing there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_no_steps_no_rows_and_no_elements(name, fused):
    """Outputs are zeros, or have no element; the last state is the first; every gradient is that of the state."""
    kind, options = LAYERS[name]
    options = dict(options)
    layer = kind(2, options.pop("hidden_size", 3), 2, bidirectional=True, **options)
    layer.fused = fused
    for steps, batch, told in [
        (0, 2, {}),
        (3, 0, {}),
        (0, 0, {}),
        (0, 2, {"lengths": [0, 0]}),
        (3, 0, {"lengths": []}),
        (3, 0, {"mask": np.ones((3, 0), bool)}),
        (3, 2, {"lengths": [0, 0]}),
        (3, 2, {"mask": np.zeros((3, 2), bool)}),
    ]:
        x = mg.full((steps, batch, 2), np.nan, requires_grad=True)
        state = initial(layer.double(), np.random.default_rng(0), batch)
        layer.float()
        state = mapped(state, lambda part: part.detach().float().requires_grad_())
        output, last = layer(x, state, **told)
        assert output.shape[:2] == (steps, batch)
        assert not output.numpy().any()
        assert [part.tolist() for part in tensors(last)] == [part.tolist() for part in tensors(state)]
        found = gradients([output, *tensors(last)], [np.ones(y.shape, "f4") for y in [output, *tensors(last)]],
                          [x, *tensors(state), *layer.parameters()])
        assert not found[0].any()
        assert all((g == 1).all() for g in found[1 : 1 + len(tensors(state))])
        assert not any(g.any() for g in found[1 + len(tensors(state)) :])


@pytest.mark.parametrize("filler", [np.nan, np.inf])
def test_noise_does_not_let_padding_through(filler):
    """Masks of dropout are factors: NaN times 0 is NaN, and so is infinity times 0."""
    gru = GRU(2, 3, 2, dropout=0.5, variational=0.5, zoneout=0.2, weight_dropout=0.2, bidirectional=True)
    mask = np.array([[1, 0], [0, 1], [1, 0]], bool)
    clean = np.random.default_rng(0).normal(size=(3, 2, 2)).astype("f4")
    results = []
    for value in (0.0, filler):
        mg.manual_seed(1)
        x = mg.tensor(np.where(mask[..., None], clean, np.float32(value)), requires_grad=True)
        output, h = gru(x, mask=mask)
        g = np.where(mask[..., None], np.float32(1), np.float32(value)) * np.ones(output.shape, "f4")
        results.append([output.numpy(), h.numpy(), *gradients([output], [g], [x, *gru.parameters()])])
    for a, b in zip(*results, strict=True):
        assert a.tolist() == b.tolist()


# ---- errors --------------------------------------------------------------------------------------------------------


def test_inputs_that_are_none_are_explained():
    gru, x = GRU(2, 3), mg.zeros(4, 2, 2)
    for call, message in [
        (lambda: gru([]), r"GRU: the list has no sequences; a batch of none is a tensor \(steps, 0, 2\)"),
        (lambda: gru([mg.zeros(3, 2), mg.zeros(3, 4)]), r"tensor \(steps, 2\); number 1 is \(3, 4\)"),
        (lambda: gru([mg.zeros(3)]), r"number 0 is \(3,\)"),
        (lambda: gru([[1.0, 2.0]]), "number 0 is a list"),
        (lambda: gru(pack_sequence([mg.zeros(3, 4)])), r"packed batch .* shape \(steps of all, 2\), not \(3, 4\)"),
        (lambda: gru(pack_sequence([mg.zeros(2), mg.zeros(2)])), r"not \(4,\)"),
        (lambda: gru(np.zeros((4, 2, 2))), "a tensor, a packed batch or a list of tensors, not a ndarray"),
        (lambda: gru(x, mask=[[1, 1]] * 3), r"without its features, \(4, 2\), not \(3, 2\)"),
        (lambda: gru(x, mask=mg.ones(4, 2, 1)), r"\(4, 2\), not \(4, 2, 1\)"),
        (lambda: gru(x, mask=mg.ones(2, 4)), r"\(4, 2\), not \(2, 4\)"),
        (lambda: GRU(2, 3, batch_first=True)(x, mask=mg.ones(2, 4)), r"\(4, 2\), not \(2, 4\)"),
        (lambda: gru(x[:, 0], mask=mg.ones(4, 1)), r"\(4,\), not \(4, 1\)"),
        (lambda: gru(x, lengths=4), r"a row of integers, one for each sequence, not of shape \(\)"),
        (lambda: gru(x[:, 0], lengths=[4, 4]), "2 lengths for 1 sequences"),
        (lambda: gru(x[:, 0], lengths=5), "cannot have length 5; there are 4 steps"),
        (lambda: gru([mg.zeros(3, 2)] * 2, mg.zeros(1, 3, 3)), r"state h must have shape \(1, 2, 3\), not \(1, 3, 3\)"),
    ]:
        with pytest.raises(mg.ShapeError, match=message):
            call()
    with pytest.raises(mg.ShapeError, match="the state is a tuple of 2, one for each layer and direction"):
        GRU(2, (3, 4), 2)(x, mg.zeros(2, 2, 3))
    with pytest.raises(mg.MinigradError, match="give lengths or a mask, not both"):
        gru(x, lengths=[4, 4], mask=mg.ones(4, 2))
    for own in ([mg.zeros(3, 2)], pack_sequence([mg.zeros(3, 2)])):
        for told in ({"lengths": [3]}, {"mask": [[1]] * 3}):
            with pytest.raises(mg.MinigradError, match="know their lengths; leave out lengths and mask"):
                gru(own, **told)


# ---- streams -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["lengths", "mask", "packed", "list"])
def test_a_stateful_layer_takes_sequences_of_every_form(form):
    """Two chunks of rows that end at different times; a row without steps keeps its state."""
    lstm, lengths = LSTM(2, 3, 2), [[3, 3, 1], [2, 0, 3]]
    x = mg.randn(2, 3, 3, 2)
    stateful, expected = StatefulRNN(lstm), None
    for chunk, ends in zip(x, lengths, strict=True):
        _, expected = lstm(chunk, expected, lengths=ends)
        rows = [chunk[:end, n] for n, end in enumerate(ends)]
        if form == "lengths":
            stateful(chunk, lengths=ends)
        elif form == "mask":
            stateful(chunk, mask=lengths_to_mask(ends, 3))
        else:
            stateful(rows if form == "list" else pack_sequence(rows))
    for carried, last in zip(stateful.state, expected, strict=True):
        np.testing.assert_allclose(carried.numpy(), last.numpy(), rtol=1e-6)


@pytest.mark.parametrize("layer", [GRU(2, 3, bidirectional=True), Bidirectional(GRU(2, 3), GRU(2, 3))], ids=str)
def test_a_stateful_layer_of_two_directions_warns_and_carries_both(layer):
    with pytest.warns(UserWarning, match="StatefulRNN: .* which the next chunk does not follow"):
        stateful = StatefulRNN(layer)
    first, second = mg.randn(2, 3, 2, 2)
    stateful(first)
    output, _ = stateful(second)
    np.testing.assert_array_equal(output.numpy(), layer(second, layer(first)[1])[0].numpy())


def test_a_stateful_layer_may_return_all_states():
    stateful = StatefulRNN(GRU(2, 3))
    _, h, states = stateful(mg.randn(4, 2, 2), return_all_states=True)
    assert states.shape == (1, 4, 2, 3)
    assert stateful.state.tolist() == h.tolist() == states[:, -1].tolist()


def test_a_reset_never_takes_features_for_sequences():
    stateful = StatefulRNN(LSTM(2, (3, 4), 2), batch_dim=1)
    stateful(mg.randn(4, 2, 2))
    with pytest.raises(mg.ShapeError, match=r"dim 1 .* 2 sequences.*\n.*batch_dim="):
        stateful.reset([0])
    stateful = StatefulRNN(LSTM(2, (3, 4), 2))  # which knows that its states have no dim of layers
    stateful(mg.randn(4, 2, 2))
    stateful.reset([0])
    assert not stateful.state[1][1].numpy()[0].any()
    assert stateful.state[1][1].numpy()[1].all()
    stateful = StatefulRNN(RecurrentLayer([LSTMCell(2, 3), GRUCell(3, 3)]))
    stateful(mg.randn(4, 3, 2))  # as many sequences as features
    stateful.reset([0])
    assert [row.all() for row in stateful.state[1].numpy()] == [False, True, True]
    alone = StatefulRNN(GRU(2, 3))
    alone(mg.randn(4, 2))
    with pytest.raises(mg.ShapeError, match=r"dim 1 .* 1 sequences"):
        alone.reset([0])
    alone.reset()
    alone(mg.randn(4, 2))


def test_steps_and_whole_sequences_share_a_state():
    lstm, x = LSTM(2, 3, 2, time_skips=(2,)), mg.randn(5, 2, 2)
    whole, last = lstm(x)
    _, state = lstm([x[:2, 0], x[:2, 1]])
    y, state = lstm.step(x[2], state)
    np.testing.assert_allclose(y.numpy(), whole[2].numpy(), rtol=1e-5, atol=1e-6)
    output, state = lstm(pack_sequence([x[3:, 0], x[3:, 1]]), state)
    for a, b in zip(state, last, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert output.batch_sizes.tolist() == [2, 2]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_the_last_state_can_be_read_off_the_outputs(kind, batch_first, bidirectional):
    mg.manual_seed(0)
    layer = kind(2, 3, 2, batch_first=batch_first, bidirectional=bidirectional).double()
    x = mg.tensor(np.random.default_rng(0).normal(size=(4, 5, 2) if batch_first else (5, 4, 2)))
    lengths = [3, 5, 0, 1]
    output, state = layer(x, lengths=lengths)
    h = (state[0] if kind is LSTM else state)[-2 if bidirectional else -1 :]
    last = last_state(output, lengths, batch_first, bidirectional=bidirectional)
    assert np.array_equal(last.numpy(), np.concatenate(h.numpy(), -1))


def test_the_last_state_of_two_directions_needs_two_halves():
    with pytest.raises(mg.ShapeError, match=r"last_state: .* \(steps, batch, 2 \* features\), not \(4, 2, 3\)"):
        last_state(mg.zeros(4, 2, 3), [1, 2], bidirectional=True)
