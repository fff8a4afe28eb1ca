"""Encoder and bridge: every mix of layers, directions and kinds of state."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seq2seq_cases import filled, same

import minigrad as mg
import minigrad_rnn as rnn
from minigrad_rnn.seq2seq import Bridge, Decoder, Encoder, Seq2Seq

KINDS = {"RNN": rnn.RNN, "GRU": rnn.GRU, "LSTM": rnn.LSTM}


def state_of(layer, batch=2, seed=0):
    """A state in which every number is different."""
    rng = np.random.default_rng(seed)
    _, like = layer(mg.zeros(1, batch, layer.input_size))
    parts = [mg.tensor(rng.normal(size=part.shape).astype(np.float32)) for part in parts_of(like)]
    return tuple(parts) if isinstance(like, tuple) else parts[0]


def parts_of(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("layers", list(itertools.product([1, 2, 3], [1, 2, 3])))
@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, KINDS)))
def test_copy_matches_layers_from_the_top(kinds, layers):
    source, target = KINDS[kinds[0]](3, 4, layers[0]), KINDS[kinds[1]](3, 4, layers[1])
    state = state_of(source)
    made = Bridge("copy", source, target)(state, 2)
    h, given_h = parts_of(made)[0].numpy(), parts_of(state)[0].numpy()
    for layer in range(layers[1]):
        from_top = layers[1] - 1 - layer if layers[0] >= layers[1] else max(layers[0] - 1 - layer, 0)
        same(h[layer], given_h[layers[0] - 1 - from_top])
    if kinds[1] == "LSTM":
        c = made[1].numpy()
        if kinds[0] == "LSTM":
            same(c[-1], state[1][-1])
        else:
            assert (c == 0).all()
    target(mg.zeros(1, 2, 3), made)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_copy_merges_two_directions(merge):
    source = rnn.LSTM(3, 4, 2, bidirectional=True)
    target = rnn.LSTM(3, 8 if merge == "concat" else 4, 2)
    h, c = state_of(source)
    made = Bridge("copy", source, target, merge)((h, c), 2)
    for part, given_part in zip(made, (h, c), strict=True):
        for layer in range(2):
            forward, backward = given_part.numpy()[2 * layer : 2 * layer + 2]
            wanted = {
                "concat": np.concatenate([forward, backward], -1),
                "sum": forward + backward,
                "mul": forward * backward,
                "ave": (forward + backward) / 2,
            }
            same(part[layer], wanted[merge], 1e-6)


@pytest.mark.parametrize("kind", ["linear", "tanh"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_linear_bridges_any_mix(kind, data):
    def drawn(directions):
        name = data.draw(st.sampled_from(sorted(KINDS)))
        sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        return KINDS[name](3, sizes, bidirectional=directions and data.draw(st.booleans()))

    source, target = drawn(True), drawn(False)
    bridge = Bridge(kind, source, target)
    _, state = source(mg.randn(2, 2, 3))
    output, _ = target(mg.zeros(1, 2, 3), bridge(state, 2))
    output.sum().backward()
    assert all(p.grad is not None for name, p in bridge.named_parameters())


def test_linear_is_a_map_of_all_parts_and_directions_of_the_layer():
    source, target = rnn.LSTM(3, 4, 2, bidirectional=True), rnn.LSTM(3, 5, 2)
    h, c = state_of(source)
    for kind in ("linear", "tanh"):
        bridge = filled(Bridge(kind, source, target)).float()
        made = bridge((h, c), 2)
        for layer, (part, name) in itertools.product(range(2), enumerate("hc")):
            seen = np.concatenate([x.numpy()[2 * layer + d] for d in range(2) for x in (h, c)], -1)
            weight, bias = (p.numpy() for p in bridge.maps[f"{name}_l{layer}"].parameters())
            wanted = seen @ weight.T + bias
            same(made[part][layer], np.tanh(wanted) if kind == "tanh" and name == "h" else wanted, 1e-5)


def test_zeros_hands_nothing_over():
    bridge = Bridge("zeros", rnn.GRU(3, 4), rnn.LSTM(3, 9, 5))
    assert bridge(mg.ones(1, 2, 4), 2) is None
    assert list(bridge.parameters()) == []


def test_layers_of_different_sizes_and_of_own_cells():
    source = rnn.Bidirectional(rnn.GRU(3, [4, 5]), rnn.LSTM(3, 6))
    target = rnn.RecurrentLayer([rnn.LSTMCell(3, 4), rnn.MGUCell(4, 7)])
    encoder = Encoder(9, source)
    encoded = encoder([[3, 4], [5, 6]])
    assert (encoder.memory_size, encoder.context_size) == (11, 11)
    same(encoded.context, mg.concat([encoded.state[0][1], encoded.state[1][0][0]], -1))
    bridge = Bridge("linear", source, target)
    target(mg.zeros(1, 2, 3), bridge(encoded.state, 2))
    assert bridge.maps["h_l0"].weight.shape == (4, 4)  # the lower layer has one direction, the upper two
    assert bridge.maps["h_l1"].weight.shape == (7, 5 + 12)


def test_parts_that_only_remember_begin_at_zero():
    """An encoder with skips across time remembers older states; a decoder's own past begins empty."""
    source, target = rnn.GRU(3, 4, time_skips=(2,)), rnn.GRU(3, 4, time_skips=(3,))
    encoded = Encoder(9, source)([[3], [4], [5]])
    for kind in ("copy", "linear"):
        h, past = Bridge(kind, source, target)(encoded.state, 1)
        assert past.shape == (1, 1, 8)
        assert (past.numpy() == 0).all()
    h, _ = Bridge("copy", source, target)(encoded.state, 1)
    same(h[0], encoded.outputs[-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bridge("tied", rnn.GRU(3, 4), rnn.GRU(3, 4)), "the kind is one of"),
        (lambda: Bridge("copy", rnn.GRU(3, 4), rnn.GRU(3, 4), "none"), "merge is one of"),
        (lambda: Bridge("copy", rnn.GRU(3, 4), rnn.GRU(3, 4, bidirectional=True)), "cannot have two directions"),
        (lambda: Bridge("copy", rnn.GRU(3, 4), rnn.GRU(3, 5)), "layer 0 of the decoder has 5 features of h, but"),
        (lambda: Bridge("copy", rnn.GRU(3, 4, bidirectional=True), rnn.GRU(3, 4)), 'merge="sum" or "ave" keeps'),
        (lambda: Bridge("copy", rnn.Bidirectional(rnn.GRU(3, 4), rnn.GRU(3, 5)), rnn.GRU(3, 5), "sum"), "4 and 5 are"),
    ],
)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(mg.MinigradError, match=message):
        call()


def test_the_names_of_states_survive_saving(tmp_path):
    def model():
        return Seq2Seq(Encoder(9, rnn.GRU(3, 4, bidirectional=True)), Decoder(8, rnn.LSTM(3, 5)), "tanh")

    first, second = model(), model()
    mg.save(first.state_dict(), tmp_path / "model.safetensors")
    second.load_state_dict(mg.load(tmp_path / "model.safetensors"))
    source, target = mg.tensor([[3, 4], [5, 6]]), mg.tensor([[3], [4]]).T
    assert (first(source, target).numpy() == second(source, target).numpy()).all()
    assert {name for name, _ in first.bridge.named_parameters()} >= {"maps.h_l0.weight", "maps.c_l0.bias"}


def test_an_encoder_of_features():
    """The source need not be tokens: frames, with a module that makes features of them, or as they are."""
    frames = mg.randn(4, 2, 5)
    encoded = Encoder(mg.nn.Linear(5, 3), rnn.GRU(3, 4))(frames, [4, 2])
    assert encoded.outputs.shape == (4, 2, 4)
    assert Encoder(None, rnn.GRU(5, 4))(frames).mask is None


@pytest.mark.parametrize("embedding", ["linear", "none"])
def test_nan_in_the_padding_of_features_reaches_no_gradient(embedding):
    frames = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    frames[2:, 1] = np.nan
    encoder = Encoder(mg.nn.Linear(3, 3) if embedding == "linear" else None, rnn.GRU(3, 4))
    encoder(mg.tensor(frames), [4, 2]).outputs.sum().backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in encoder.parameters())


def test_a_mask_with_gaps():
    encoder = Encoder(9, rnn.GRU(3, 4))
    mask = [[True, True], [False, True], [True, False]]
    encoded = encoder([[3, 4], [-1, 5], [6, 99]], mask=mask)
    same(encoded.context[:1], encoder([[3], [6]]).context, 1e-6)
    assert encoded.mask.tolist() == mask


def test_dropout_of_the_embedding_only_in_training():
    encoder = Encoder(9, rnn.GRU(3, 4), dropout=0.5)
    outputs = [encoder([[3, 4]]).outputs.numpy() for _ in range(4)]
    assert any((y != outputs[0]).any() for y in outputs[1:])
    encoder.eval()
    assert (encoder([[3, 4]]).outputs.numpy() == encoder([[3, 4]]).outputs.numpy()).all()
    assert "dropout=0.5" in repr(encoder)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Encoder(9, mg.nn.Linear(3, 4)), "the layer must be RNN, LSTM, GRU, RecurrentLayer"),
        (lambda: Encoder(9, rnn.GRU(3, 4, bidirectional=True, merge_mode="none")), "one sequence of outputs is needed"),
        (lambda: Encoder(9, rnn.Bidirectional(rnn.GRU(3, 4), rnn.GRU(3, 4), "none")), "one sequence of outputs"),
        (lambda: Encoder(9, rnn.GRU(3, 4))([1, 2]), r"must have shape \(steps, batch\) or more dims, not \(2,\)"),
        (lambda: Encoder(9, rnn.GRU(3, 4))([[1, 2]], [1]), r"are for \(1, 1\) steps and sequences"),
        (lambda: Encoder(9, rnn.GRU(3, 4))([[1, 2]], mask=[[True]]), r"the source has shape \(1, 2\)"),
    ],
)
def test_what_an_encoder_refuses(call, message):
    with pytest.raises(mg.MinigradError, match=message):
        call()


def test_a_cell_that_does_not_tell_its_input_size_needs_an_embedding():
    class Leaky(mg.nn.Module):
        def __init__(self):
            self.hidden_size, self.both = 4, mg.nn.Linear(7, 4)

        def forward(self, x, h):
            return self.both(mg.concat([x, h], -1)).tanh()

    with pytest.raises(mg.MinigradError, match="does not tell its input_size"):
        Encoder(9, rnn.RecurrentLayer(Leaky()))
    encoder = Encoder(mg.nn.Embedding(9, 3), rnn.RecurrentLayer(Leaky()))
    decoder = Decoder(8, rnn.RecurrentLayer(Leaky()), embedding=mg.nn.Embedding(8, 3))
    assert Seq2Seq(encoder, decoder)([[3], [4]], [[5]]).shape == (2, 1, 8)
