"""Classifiers and taggers: what is padding changes nothing, and poolings are what their formulas say."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad import nn
from minigrad_rnn import GRU, LSTM, RNN, RecurrentLayer, RNNCell
from minigrad_rnn.patterns import POOLINGS, Classifier, Pooling, Tagger

LAYERS = {
    "lstm": lambda: LSTM(3, 4),
    "gru in two directions": lambda: GRU(3, 4, bidirectional=True),
    "rnn of summed directions": lambda: RNN(3, 4, num_layers=2, bidirectional=True, merge_mode="sum"),
    "any cell": lambda: RecurrentLayer(RNNCell(3, 4)),
}


def plain(kind, outputs, score=None):
    """One vector of the outputs ``(steps, features)`` of a single sequence of one direction."""
    if not len(outputs):
        return np.zeros(outputs.shape[1])
    if kind == "attention":
        hidden, _, last = score
        numbers = np.tanh(outputs @ hidden.weight.numpy().T + hidden.bias.numpy()) @ last.weight.numpy().T
        weights = np.exp(numbers - numbers.max())
        return (weights / weights.sum() * outputs).sum(0)
    return {"last": outputs[-1], "mean": outputs.mean(0), "max": outputs.max(0)}[kind]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POOLINGS), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 9))
def test_pooling_is_its_formula_over_what_is_real(kind, lengths, seed):
    mg.manual_seed(seed)
    pooling = Pooling(3, kind).double()
    x = mg.randn(5, len(lengths), 3, dtype=mg.float64).numpy().copy()
    for n, length in enumerate(lengths):
        x[length:, n] = np.nan
    pooled = pooling(mg.tensor(x), lengths).numpy()
    score = getattr(pooling, "score", None)
    wanted = [plain(kind, x[:length, n], score) for n, length in enumerate(lengths)]
    np.testing.assert_allclose(pooled, wanted, atol=1e-12)


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_has_the_right_gradient_even_of_an_empty_sequence(kind):
    mg.manual_seed(0)
    pooling = Pooling(2, kind).double()
    x = mg.randn(3, 3, 2, dtype=mg.float64, requires_grad=True)
    assert mg.gradcheck(lambda x: pooling(x, [3, 0, 1]), x)
    assert pooling(mg.zeros(0, 2, 2, dtype=mg.float64), [0, 0]).tolist() == [[0, 0], [0, 0]]


def test_the_last_state_of_the_direction_from_the_end_is_that_at_the_first_step():
    layer = GRU(3, 4, bidirectional=True)
    x = mg.randn(5, 2, 3)
    outputs, h = layer(x, lengths=[5, 2])
    pooled = Pooling(8, "last", bidirectional=True)(outputs, [5, 2])
    np.testing.assert_array_equal(pooled.numpy(), np.concatenate([h.numpy()[0], h.numpy()[1]], axis=1))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_padded_batch_is_classified_like_each_sequence_alone(name, pooling):
    mg.manual_seed(1)
    model = Classifier(LAYERS[name](), 3, pooling=pooling).double().eval()
    sequences = [mg.randn(n, 1, 3, dtype=mg.float64) for n in (4, 1, 6)]
    batch = np.full((6, 3, 3), np.nan)
    for n, sequence in enumerate(sequences):
        batch[: len(sequence), n] = sequence.numpy()[:, 0]
    together = model(mg.tensor(batch), [4, 1, 6]).numpy()
    alone = [model(sequence).numpy()[0] for sequence in sequences]
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_a_padded_batch_is_tagged_like_each_sequence_alone(name):
    mg.manual_seed(2)
    model = Tagger(LAYERS[name](), 5, embedding=nn.Embedding(7, 3)).double().eval()
    words = [[1, 2, 3], [4], [5, 6, 0, 1]]
    batch = np.zeros((4, 3), int)
    for n, sentence in enumerate(words):
        batch[: len(sentence), n] = sentence
    together = model(mg.tensor(batch), [3, 1, 4]).numpy()
    assert np.isfinite(together).all()
    for n, sentence in enumerate(words):
        alone = model(mg.tensor(np.array(sentence)[:, None])).numpy()[:, 0]
        np.testing.assert_allclose(together[: len(sentence), n], alone, atol=1e-12)


@pytest.mark.parametrize("model", [Classifier, Tagger])
def test_dropout_acts_in_training_only(model):
    mg.manual_seed(3)
    made = model(RNN(3, 4), 2, dropout=0.5)
    x = mg.randn(4, 2, 3)
    assert not np.array_equal(made(x).numpy(), made(x).numpy())
    made.eval()
    np.testing.assert_array_equal(made(x).numpy(), made(x).numpy())


def test_what_cannot_be_read_is_refused():
    with pytest.raises(mg.MinigradError, match=r"Pooling: kind is one of 'last', .*'attention', not 'first'"):
        Pooling(3, "first")
    with pytest.raises(mg.MinigradError, match="LSTM: batch_first=False is expected"):
        Classifier(LSTM(3, 4, batch_first=True), 2)
    with pytest.raises(mg.MinigradError, match="outputs of the two directions must be put together"):
        Tagger(LSTM(3, 4, bidirectional=True, merge_mode="none"), 2)


def test_a_state_dict_goes_round():
    model, other = (Classifier(LSTM(3, 4), 2, pooling="attention") for _ in range(2))
    other.load_state_dict(model.state_dict())
    x = mg.randn(4, 2, 3)
    np.testing.assert_array_equal(model(x).numpy(), other(x).numpy())


def test_the_numbers_of_features_of_outputs_are_known():
    assert [make().output_size for make in LAYERS.values()] == [4, 8, 4, 4]
    assert LSTM(3, 5, proj_size=2, bidirectional=True).output_size == 4
    assert LSTM(3, [5, 6]).output_size == 6
