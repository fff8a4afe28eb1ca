"""The model as a whole: START and END, the loss, saving, scopes, and what a mistake says."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seq2seq_cases import FORMS, SOURCES, TARGETS, UNITS, batch_of, model_of, same

import minigrad as mg
import minigrad_rnn as rnn
from minigrad_rnn.seq2seq import Bridge, Decoder, DotAttention, Encoded, Encoder, Seq2Seq, greedy_decode
from minigrad_rnn.seq2seq.symbols import IGNORED, framed

LENGTHS = ([5, 2, 4], [3, 4, 0])


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4), end=st.sampled_from([2, None]))
def test_start_and_end_are_put_around_each_target(lengths, end):
    steps, rng = max(lengths), np.random.default_rng(0)
    target = rng.integers(3, 9, (steps, len(lengths)))
    inputs, wanted = (x.numpy() for x in framed(mg.tensor(target), lengths, 1, end))
    assert inputs.shape == wanted.shape == (steps + (end is not None), len(lengths))
    for n, length in enumerate(lengths):
        row = target[:length, n].tolist()
        if end is None:
            assert inputs[:length, n].tolist() == [1, *row][:length]
            assert wanted[:, n].tolist() == row + [IGNORED] * (steps - length)
        else:
            assert inputs[: length + 1, n].tolist() == [1, *row]
            assert wanted[:, n].tolist() == [*row, 2] + [IGNORED] * (steps - length)
    if min(lengths) == steps:
        for one, other in zip(framed(mg.tensor(target), None, 1, end), (inputs, wanted), strict=True):
            assert (one.numpy() == other).all()


def test_the_loss_is_the_mean_over_real_tokens():
    """Neither the length of the longest target nor padding changes what a token is worth."""
    model = model_of("state")
    source, target = batch_of(*LENGTHS)
    scores = mg.log_softmax(model(source, target, *LENGTHS), -1).numpy()
    surprises = []
    for n, t in enumerate(LENGTHS[1]):
        wanted = [*target.numpy()[:t, n], model.decoder.end]
        surprises += [-scores[k, n, token] for k, token in enumerate(wanted)]
    assert len(surprises) == 3 + 4 + 0 + 3
    assert model.loss(source, target, *LENGTHS).item() == pytest.approx(np.mean(surprises), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("padding", [-100, 0, 7])
def test_what_stands_in_padding_is_never_read(form, padding):
    model = model_of(form)
    source, target = batch_of(*LENGTHS)
    other = [mg.tensor(np.where(x.numpy() < 0, padding, x.numpy())) for x in (source, target)]
    longer = [mg.concat([x, mg.full((2, 3), padding, dtype=x.dtype)]) for x in other]
    one = model.loss(source, target, *LENGTHS).item()
    assert model.loss(*other, *LENGTHS).item() == one
    assert model.loss(*longer, *LENGTHS).item() == pytest.approx(one, rel=1e-14)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_lengths_are_as_one_by_one(data):
    form = data.draw(st.sampled_from(sorted(FORMS)))
    kind = data.draw(st.sampled_from(["RNN", "GRU", "LSTM"]))
    rows = data.draw(st.integers(1, 4))
    lengths = [data.draw(st.lists(st.integers(k, 5), min_size=rows, max_size=rows)) for k in (1, 0)]
    model = model_of(form, kind, directions=data.draw(st.sampled_from([1, 2])))
    source, target = batch_of(*lengths, steps=6)
    scores = model(source, target, *lengths)
    for n, (s, t) in enumerate(zip(*lengths, strict=True)):
        alone = model(source[:s, n : n + 1], target[:t, n : n + 1])
        same(scores[: t + 1, n], alone[:, 0])


def test_an_empty_source_is_a_source():
    model = model_of("general")
    source, target = batch_of([3, 0], [2, 2])
    scores, weights = model(source, target, [3, 0], return_weights=True)
    assert np.isfinite(scores.numpy()).all()
    assert (weights.numpy()[:, 1] == 0).all()
    loss = model.loss(source, target, [3, 0])
    loss.backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.parameters())


@pytest.mark.parametrize("form", FORMS)
def test_saved_and_loaded_it_answers_alike(form, tmp_path):
    first, second = model_of(form, directions=2, bridge="linear"), model_of(form, directions=2, bridge="linear")
    for p in second.parameters():
        p.data = p.data + 1
    mg.save(first.state_dict(), tmp_path / "model.safetensors")
    second.load_state_dict(mg.load(tmp_path / "model.safetensors"))
    source, target = batch_of(*LENGTHS)
    for model in (second, copy.deepcopy(first)):
        assert (model(source, target, *LENGTHS).numpy() == first(source, target, *LENGTHS).numpy()).all()


@pytest.mark.parametrize("form", ["general", "additive before", "input feeding"])
def test_every_step_has_its_attention_weights_in_its_scope(form):
    """What a drawing looks for: one op for each decoder step whose output is the weights."""
    model = model_of(form)
    source, target = batch_of([4, 4], [2, 2])
    with rnn.unrolled():
        scores = model(source, target)
    found = {}
    for node in mg.graph(scores):
        if node.op and str(node.scope).endswith("/attention/weights"):
            found.setdefault(str(node.scope), []).append(node)
    assert list(found) == [f"seq2seq.decoder/t={t}/attention/weights" for t in range(3)]
    assert [[node.shape for node in nodes] for nodes in found.values()] == [[(2, 1, 4)]] * 3


def test_scopes_tell_encoder_and_decoder():
    model = model_of("general", bridge="linear")
    source, target = batch_of([4, 4], [2, 2])
    with rnn.unrolled():
        scopes = {str(node.scope) for node in mg.graph(model(source, target))}
    for scope in (
        "seq2seq.encoder.embedding",
        "seq2seq.encoder.layer.layer0/t=3/forget_gate",
        "seq2seq.bridge.maps.h_l0",
        "seq2seq.decoder.attention.keys",
        "seq2seq.decoder.layer.layer0/t=2/forget_gate",
        "seq2seq.decoder/t=2/attention/scores",
        "seq2seq.decoder/t=2/combine",
        "seq2seq.decoder.output",
    ):
        assert any(found.startswith(scope) for found in scopes), (scope, sorted(scopes))


def test_with_nothing_between_the_steps_all_run_in_a_few_ops():
    """Attention after the step without input feeding needs no loop in Python: the graph does not grow with T."""
    model = model_of("general")
    counts = [
        len(list(mg.graph(model.loss(*batch_of([4, 4], [steps, steps]))))) for steps in (3, 7)
    ]
    assert counts[0] == counts[1] < 60


def test_encoder_and_decoder_learn_jointly():
    mg.manual_seed(0)
    model = Seq2Seq(
        Encoder(SOURCES, rnn.GRU(8, 16)), Decoder(SOURCES, rnn.GRU(8, 16), attention=DotAttention(16, 16)), "copy"
    )
    optimizer, rng = mg.optim.Adam(model.parameters(), lr=0.02), np.random.default_rng(0)
    for _ in range(150):
        source = mg.tensor(rng.integers(3, SOURCES, (4, 32)))
        loss = model.loss(source, source.flip(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source = mg.tensor(rng.integers(3, SOURCES, (4, 50)))
    found = greedy_decode(model.eval().steps(source), 10)
    right = [h.tokens == row[::-1] for h, row in zip(found, source.T.tolist(), strict=True)]
    assert np.mean(right) > 0.9


def test_a_bridge_and_an_encoder_of_ones_own():
    class Picture(mg.nn.Module):
        def __init__(self):
            self.map = mg.nn.Linear(6, UNITS)

        def forward(self, image, lengths=None):
            vector = self.map(image)
            return Encoded(state=vector.unsqueeze(0), context=vector)

    class Same(mg.nn.Module):
        def forward(self, state, batch):
            return state

    model = Seq2Seq(Picture(), Decoder(TARGETS, rnn.GRU(3 + UNITS, UNITS), "peeky", context_size=UNITS), Same())
    image = mg.randn(2, 6)
    assert model.loss(image, [[3, 4], [5, 6]]).item() > 0
    assert len(greedy_decode(model.steps(image), 3)) == 2
    model.encoder.forward = lambda image, lengths=None: Encoded(state=image)
    with pytest.raises(mg.MinigradError, match="neither outputs nor a context"):
        model.steps(image)


def test_float32_stays_float32():
    model = model_of("additive before").float()
    source, target = batch_of(*LENGTHS)
    loss = model.loss(source, target, *LENGTHS)
    loss.backward()
    assert loss.dtype == mg.float32
    assert all(p.grad.dtype == mg.float32 for p in model.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Seq2Seq(Encoder(9, rnn.GRU(3, 5)), Decoder(8, rnn.GRU(3, 4), attention=DotAttention(4, 4))),
            "the encoder's outputs have 5 features, the attention is for 4",
        ),
        (
            lambda: Seq2Seq(Encoder(9, rnn.GRU(3, 5)), Decoder(8, rnn.GRU(7, 4), "peeky", context_size=4), "linear"),
            "the encoder's context has 5 features, the decoder is for 4",
        ),
        (
            lambda: Seq2Seq(Encoder(9, rnn.GRU(3, 5)), Decoder(8, rnn.GRU(3, 4))),
            r'has 4 features of h, but 5 are to be copied .*\n.*Bridge\("linear"',
        ),
        (lambda: model_of("state")([[3]], [[3.5]]), "the target must be tokens"),
        (lambda: model_of("state")([[3]], [3]), "the target must be tokens"),
        (lambda: model_of("state")([[3, 4]], [[3, 4]], None, [1]), "1 lengths for 2 targets"),
    ],
)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(mg.MinigradError, match=message):
        call()


def test_a_bridge_may_be_given():
    encoder, decoder = Encoder(9, rnn.GRU(3, 4, bidirectional=True)), Decoder(8, rnn.GRU(3, 4))
    model = Seq2Seq(encoder, decoder, Bridge("copy", encoder.layer, decoder.layer, merge="ave"))
    assert model([[3], [4]], [[5]]).shape == (2, 1, 8)
    assert repr(model.bridge) == "Bridge('copy', merge_mode='ave')"
