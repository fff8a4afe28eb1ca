"""Every form of the decoder and of attention against plain NumPy, one sequence and one step at a time."""

from __future__ import annotations

import numpy as np
import pytest
from plain_seq2seq import below, decode, encode
from seq2seq_cases import BACKWARD, FORMS, TARGETS, UNITS, arrays, batch_of, filled, model_of, same

import minigrad as mg
import minigrad_rnn as rnn
from minigrad.check import check_module
from minigrad_rnn.seq2seq import AdditiveAttention, Decoder, DotAttention, Encoded, Encoder, Seq2Seq

LENGTHS = ([5, 2, 4], [3, 4, 0])


def expected(model, form, kind, source, target, directions=1, answers=None):
    """The scores and weights of one pair, from NumPy."""
    p = arrays(model)
    memory, lasts = encode(kind, below(p, "encoder."), source, directions == 2)
    state = tuple(np.concatenate(parts) for parts in zip(*lasts, strict=True))
    options, end = FORMS[form], model.decoder.end
    tokens = [model.decoder.start, *target] if end is not None else [model.decoder.start, *target][:-1]
    return decode(kind, below(p, "decoder."), tokens, [state], options, memory, state[0], answers)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("form", FORMS)
def test_against_one_sequence_at_a_time(form, kind, directions):
    model = model_of(form, kind, directions=directions)
    source, target = batch_of(*LENGTHS)
    scores, weights = model(source, target, *LENGTHS, return_weights=True)
    assert scores.shape == (5, 3, TARGETS)
    for n, (s, t) in enumerate(zip(*LENGTHS, strict=True)):
        wanted, alpha = expected(model, form, kind, source.numpy()[:s, n], target.numpy()[:t, n], directions)
        same(scores[: t + 1, n], wanted)
        if weights is None:
            assert alpha.size == 0
        else:
            same(weights[: t + 1, n, :s], alpha)
            assert (weights[:, n, s:].numpy() == 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_unrolled_is_the_same(form):
    model = model_of(form)
    source, target = batch_of(*LENGTHS)
    quick = model(source, target, *LENGTHS, return_weights=True)
    with rnn.unrolled():
        slow = model(source, target, *LENGTHS, return_weights=True)
    same(quick[0], slow[0])
    assert (quick[1] is None) == (slow[1] is None)
    if quick[1] is not None:
        same(quick[1], slow[1])


@pytest.mark.parametrize("form", FORMS)
def test_one_step_at_a_time_is_the_same(form):
    model = model_of(form)
    source, target = batch_of([5, 5], [3, 3])
    scores = model(source, target)
    steps = model.steps(source)
    state, read = steps.state, np.concatenate([[[1, 1]], target.numpy()])
    for t, tokens in enumerate(read):
        after, state = steps.step(mg.tensor(tokens), state)
        same(after, scores[t])


@pytest.mark.parametrize("form", FORMS)
def test_gradients(form):
    model = model_of(form, "GRU", units=2)
    source, target = batch_of([3, 1], [2, 1])
    source, target = mg.tensor(np.maximum(source.numpy(), 0)), mg.tensor(np.maximum(target.numpy(), 0))
    assert check_module(model, source, target, [3, 1], [2, 1], directional=True)


@pytest.mark.parametrize("form", FORMS)
def test_padding_changes_neither_values_nor_gradients(form):
    """A padded batch is its sequences one by one: the sum of their losses and of their gradients."""
    model = model_of(form)
    source, target = batch_of(*LENGTHS)
    tokens = sum(LENGTHS[1]) + 3
    (model.loss(source, target, *LENGTHS) * tokens).backward()
    together = {name: p.grad.numpy() for name, p in model.named_parameters()}
    model.zero_grad()
    for n, (s, t) in enumerate(zip(*LENGTHS, strict=True)):
        (model.loss(source[:s, n : n + 1], target[:t, n : n + 1]) * (t + 1)).backward()
    for name, p in model.named_parameters():
        same(p.grad, together[name], 1e-11)


def test_the_decoder_has_three_modes():
    """The notes print three incompatible forms; each is told from the others by what its scores depend on."""
    source, other = mg.tensor([[3], [4], [5]]), mg.tensor([[8], [7], [6]])
    target, changed = mg.tensor([[3], [4]]), mg.tensor([[5], [4]])
    zeros = {mode: model_of(mode, bridge="zeros") for mode in ("state", "peeky", "autonomous")}
    models = {mode: model_of(mode) for mode in ("state", "peeky", "autonomous")}

    def differ(model, *pairs):
        a, b = (model(*pair).numpy() for pair in pairs)
        return bool((a[1] != b[1]).any())

    # what was written before is read in all but the autonomous one
    assert [differ(m, (source, target), (source, changed)) for m in models.values()] == [True, True, False]
    # the source reaches all of them by the state; without that, only the peeky one still sees it
    assert [differ(m, (source, target), (other, target)) for m in models.values()] == [True, True, True]
    assert [differ(m, (source, target), (other, target)) for m in zeros.values()] == [False, True, False]


def test_a_peeky_decoder_sees_the_context_at_every_step():
    decoder = filled(Decoder(TARGETS, rnn.RNN(3 + 2, UNITS), "peeky", context_size=2))
    with mg.no_grad():
        decoder.layer.weight_hh_l0.data = np.zeros((UNITS, UNITS))  # no memory
    contexts = [mg.tensor(np.full((1, 2), value)) for value in (0.0, 1.0)]
    first, second = (decoder([[1], [3], [4]], encoded=Encoded(context=c)).scores.numpy() for c in contexts)
    assert (first != second).all()


def test_an_autonomous_decoder_has_no_input():
    model = model_of("autonomous", "RNN")
    source, target = batch_of([3], [4])
    model.loss(source, target).backward()
    layer = model.decoder.layer
    assert (layer.weight_ih_l0.grad.numpy() == 0).all()
    assert (layer.weight_hh_l0.grad.numpy() != 0).all()
    assert not hasattr(model.decoder, "embedding")


def test_an_autonomous_decoder_of_a_cell_without_inputs():
    class Free(mg.nn.Module):
        def __init__(self):
            self.hidden_size, self.map = UNITS, mg.nn.Linear(UNITS, UNITS)

        def forward(self, x, h):
            return self.map(h).tanh()

    model = Seq2Seq(Encoder(9, rnn.RNN(3, UNITS)), Decoder(TARGETS, rnn.RecurrentLayer(Free()), "autonomous"))
    model.loss(*batch_of([3, 3], [4, 4])).backward()
    assert model.decoder.layer.cells[0].map.weight.grad is not None


@pytest.mark.parametrize("form", FORMS)
def test_any_cell_as_a_layer(form):
    """RecurrentLayer of our cell gives what the layer of the same weights gives."""
    model = model_of(form)
    other = model_of(form)
    for part in (other.encoder, other.decoder):
        layer = part.layer
        cell = rnn.LSTMCell(layer.input_size, layer.hidden_size).double()
        cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
        part.layer = rnn.RecurrentLayer(cell)
    source, target = batch_of(*LENGTHS)
    rebuilt = Seq2Seq(other.encoder, other.decoder)
    same(rebuilt(source, target, *LENGTHS), model(source, target, *LENGTHS))


@pytest.mark.parametrize("form", ["state", "general", *BACKWARD])
def test_batch_first_layers_are_the_same(form):
    model, turned = model_of(form), model_of(form)
    turned.encoder.layer.batch_first = turned.decoder.layer.batch_first = True
    source, target = batch_of(*LENGTHS)
    same(turned(source, target, *LENGTHS), model(source, target, *LENGTHS))
    mask = mg.tensor([[True, False], [False, True]])
    same(turned.encoder([[3, 4], [5, 6]], mask=mask).outputs, model.encoder([[3, 4], [5, 6]], mask=mask).outputs)


def test_two_layers_in_the_decoder():
    model = model_of("general before", layers=2)
    source, target = batch_of([4], [3])
    p = arrays(model)
    memory, (last,) = encode("LSTM", below(p, "encoder."), source.numpy()[:, 0], False)
    wanted, _ = decode(
        "LSTM", below(p, "decoder."), [1, *target.numpy()[:, 0]], [last, last], FORMS["general before"], memory
    )
    same(model(source, target)[:, 0], wanted)


@pytest.mark.parametrize("form", ["state", "general", "input feeding"])
def test_without_end_there_is_one_step_less(form):
    model = model_of(form, end=None)
    source, target = batch_of([3], [4])
    scores = model(source, target)
    assert scores.shape == (4, 1, TARGETS)
    wanted, _ = expected(model, form, "LSTM", source.numpy()[:, 0], target.numpy()[:, 0])
    same(scores[:, 0], wanted)


@pytest.mark.parametrize("form", FORMS)
def test_going_on_from_a_state(form):
    """Two calls in a row, the second from where the first ended, are one call."""
    model = model_of(form)
    source, target = batch_of([4, 4], [5, 5])
    encoded = model.encoder(source)
    state = model.bridge(encoded.state, 2)
    whole = model.decoder(target, state, encoded)
    first = model.decoder(target[:2], state, encoded)
    second = model.decoder(target[2:], first.state)
    same(mg.concat([first.scores, second.scores]), whole.scores)
    if whole.weights is not None:
        same(second.state.weights, whole.weights[-1])


@pytest.mark.parametrize("form", ["state", "additive before", "input feeding"])
def test_no_steps_and_no_sequences(form):
    model = model_of(form)
    source, target = batch_of([2, 2], [0, 0], steps=2)
    assert model(source, target[:0]).shape == (1, 2, TARGETS)
    assert model(source[:, :0], target[:, :0]).shape == (3, 0, TARGETS)
    assert model.decoder(target[:0], None, model.encoder(source)).scores.shape == (0, 2, TARGETS)


def test_dropout_only_in_training():
    model = model_of("general", dropout=0.5)
    source, target = batch_of([4], [5])
    assert (model(source, target).numpy() != model(source, target).numpy()).any()
    model.eval()
    same(model(source, target), model_of("general")(source, target))


def test_the_learned_initial_state_is_where_it_begins():
    layer = rnn.GRU(3 + UNITS, UNITS, learn_initial_state=True)
    model = filled(
        Seq2Seq(
            Encoder(9, rnn.GRU(3, UNITS)),
            Decoder(TARGETS, layer, attention=DotAttention(UNITS, UNITS), attend="before"),
            "zeros",
        )
    )
    source, target = batch_of([3, 2], [2, 2])
    model.loss(source, target, [3, 2]).backward()
    assert (layer.initial_h_l0.grad.numpy() != 0).all()


@pytest.mark.parametrize("option", [{"variational": 0.2}, {"weight_dropout": 0.2}, {"batch_norm": 5}])
def test_what_is_for_whole_sequences_is_not_trained_step_by_step(option):
    layer = rnn.LSTM(3 + UNITS, UNITS, **option)
    attention = AdditiveAttention(UNITS, UNITS, 5)
    model = Seq2Seq(Encoder(9, rnn.LSTM(3, UNITS)), Decoder(TARGETS, layer, attention=attention, attend="before"))
    with pytest.raises(mg.MinigradError, match=f"{next(iter(option))} of the layer is for a sequence as a whole"):
        model.loss(*batch_of([3], [2]))
    if "batch_norm" not in option:
        assert model.eval()(*batch_of([3], [2])).shape == (3, 1, TARGETS)


def test_variational_dropout_trains_where_steps_run_at_once():
    layer = rnn.LSTM(3, UNITS, variational=0.5)
    model = Seq2Seq(Encoder(9, rnn.LSTM(3, UNITS)), Decoder(TARGETS, layer, attention=DotAttention(UNITS, UNITS)))
    model.loss(*batch_of([3], [2])).backward()


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (rnn.LSTM(3, 4), {"mode": "peek"}, 'the mode is "state", "peeky" or "autonomous", not'),
        (rnn.LSTM(3, 4), {"end": 8}, "START or END is 8, and there are 8 tokens"),
        (rnn.LSTM(3, 4), {"start": -1}, "START or END is -1"),
        (rnn.LSTM(3, 4), {"attend": "during"}, 'attend is "after" or "before"'),
        (rnn.LSTM(3, 4, bidirectional=True), {}, "cannot have two directions"),
        (rnn.LSTM(3, 4), {"mode": "peeky"}, "a peeky one has a context_size"),
        (rnn.LSTM(3, 4), {"context_size": 2}, "the others have none: 2"),
        (rnn.LSTM(3, 4), {"input_feeding": True}, "need an attention"),
        (rnn.LSTM(3, 4), {"attend": "before"}, "need an attention"),
        (rnn.LSTM(3, 4), {"attention": DotAttention(5, 5)}, "queries of the attention have 4 features, not 5"),
        (rnn.LSTM(3, 4), {"attention": DotAttention(4, 4), "input_feeding": True}, "make its input_size 4 "),
        (
            rnn.LSTM(8, 4),
            {"attention": DotAttention(4, 4), "mode": "autonomous", "attend": "before"},
            "an autonomous one reads nothing",
        ),
        (mg.nn.Linear(3, 4), {}, "the layer must be RNN, LSTM, GRU"),
    ],
)
def test_options_that_do_not_go_together(layer, options, message):
    with pytest.raises(mg.MinigradError, match=message):
        Decoder(TARGETS, layer, **options)


def test_what_a_decoder_is_not_given():
    peeky = Decoder(TARGETS, rnn.GRU(5, 4), "peeky", context_size=2)
    with pytest.raises(mg.ShapeError, match=r"sees a context of shape \(1, 2\); there is none"):
        peeky([[1]])
    with pytest.raises(mg.ShapeError, match=r"sees a context of shape \(1, 2\); it is \(1, 3\)"):
        peeky([[1]], encoded=Encoded(context=mg.zeros(1, 3)))
    with pytest.raises(mg.MinigradError, match="to attend it needs the encoder's outputs"):
        Decoder(TARGETS, rnn.GRU(3, 4), attention=DotAttention(4, 4))([[1]])
    with pytest.raises(mg.ShapeError, match=r"the inputs must be tokens \(steps, batch\)"):
        Decoder(TARGETS, rnn.GRU(3, 4))([1])


def test_a_decoder_alone_writes_from_a_vector():
    """One to many: a vector, such as that of an image, becomes the state, and nothing else is known."""
    decoder = Decoder(TARGETS, rnn.GRU(3, 4))
    scores = decoder([[1, 1], [3, 4]], mg.randn(1, 2, 4)).scores
    assert scores.shape == (2, 2, TARGETS)


def test_an_embedding_can_be_shared():
    table = mg.nn.Embedding(TARGETS, 3)
    model = Seq2Seq(Encoder(table, rnn.GRU(3, 4)), Decoder(TARGETS, rnn.GRU(3, 4), embedding=table))
    assert model.decoder.embedding is model.encoder.embedding
    assert sum(name.endswith("embedding.weight") for name, _ in model.named_parameters()) == 1


def test_repr_tells_what_is_not_as_by_default():
    assert repr(model_of("peeky").decoder).startswith("Decoder(8, mode='peeky', context_size=4")
