"""Perplexity, bits and surprise: over real characters and words only, each once."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad_rnn.language import (
    LanguageModel,
    Windows,
    bits_per_character,
    cross_entropy,
    perplexity,
    surprise,
)


def text(length, size=6):
    return np.random.default_rng(1).integers(0, size, length)


def model(size=6, **options):
    mg.manual_seed(0)
    return LanguageModel(size, 4, 5, **options).double()


def slowly(net, numbers):
    """-ln p of each number but the first, one step at a time."""
    state, nats = None, []
    with mg.no_grad():
        for before, after in itertools.pairwise(numbers):
            logits, state = net(mg.tensor([[int(before)]]), state)
            scores = logits[0, 0].numpy()
            nats.append(math.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[after])
    return np.array(nats)


def test_perplexity_against_one_step_at_a_time():
    net, numbers = model(), text(50)
    nats = slowly(net, numbers)
    assert perplexity(net, numbers, streams=1, steps=7) == pytest.approx(math.exp(nats.mean()), rel=1e-12)
    assert bits_per_character(net, numbers, streams=1) == pytest.approx(nats.mean() / math.log(2), rel=1e-12)
    np.testing.assert_allclose(surprise(net, numbers, steps=9), nats / math.log(2), rtol=1e-10)


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 20))
def test_every_number_counts_once_whatever_is_left_over(length, streams, steps):
    net, numbers = model(), text(length)
    total, count = cross_entropy(net, numbers, streams, steps)
    assert count == length - 1
    stream = -(-(length - 1) // min(streams, length - 1))
    pieces = [numbers[i : i + stream + 1] for i in range(0, length - 1, stream)]
    assert total == pytest.approx(sum(slowly(net, piece).sum() for piece in pieces), rel=1e-9)


def test_perplexity_excludes_padding():
    net, numbers = model(), text(11)
    lines = [numbers[:5], numbers[5:7], numbers[7:8], numbers[:0], numbers[2:]]
    total, count = cross_entropy(net, lines, streams=3)
    assert count == 4 + 1 + 0 + 0 + 8
    assert total == pytest.approx(sum(slowly(net, line).sum() for line in lines), rel=1e-9)
    assert cross_entropy(net, [mg.tensor(line) for line in lines]) == pytest.approx((total, count))


def test_separate_texts_do_not_carry_their_state_on():
    net, numbers = model(), text(20)
    forwards, backwards = (cross_entropy(net, lines, streams=1)[0] for lines in ([numbers, numbers], [numbers]))
    assert forwards == pytest.approx(2 * backwards, rel=1e-12)


def test_a_model_that_knows_nothing_hesitates_between_all():
    net = model(8)
    for p in net.head.parameters():
        p.data = np.zeros(p.shape)
    assert perplexity(net, text(30, 8)) == pytest.approx(8)
    assert bits_per_character(net, text(30, 8)) == pytest.approx(3)


def test_a_perplexity_too_large_for_a_number_is_infinite():
    net = model()
    net.head.bias.data = np.array([0.0] * 5 + [1e4])
    assert perplexity(net, np.zeros(5, np.int64)) == math.inf


def test_figures_are_taken_in_evaluation_and_record_nothing():
    net, numbers = model(dropout=0.5), text(40)
    assert perplexity(net, numbers) == perplexity(net, numbers)
    assert net.training
    net.eval()
    np.testing.assert_array_equal(surprise(net, numbers), surprise(net.train(), numbers))


@pytest.mark.parametrize("nothing", [np.array([], np.int64), np.array([1]), [], [np.array([1])]])
def test_nothing_to_predict(nothing):
    with pytest.raises(mg.MinigradError, match="nothing to predict"):
        perplexity(model(), nothing)


# ---- state between windows -------------------------------------------------------------------------------------------


def test_windows_with_the_state_carried_are_the_text_in_one_piece():
    net, numbers = model(), text(41)
    streams = Windows(numbers, 4, 10)
    whole, _ = net(mg.concat([w.inputs for w in streams]))
    state, pieces = None, []
    for inputs, _ in Windows(numbers, 4, 3):
        logits, state = net(inputs, state)
        pieces.append(logits.numpy())
    np.testing.assert_allclose(np.concatenate(pieces), whole.numpy(), atol=1e-13)


def test_the_second_round_over_the_text_is_the_first_again():
    windows = Windows(text(23), 3, 4)
    first, second = list(windows), list(windows)
    for a, b in zip(first, second, strict=True):
        assert (a.inputs == b.inputs).all()
        assert (a.targets == b.targets).all()


def test_the_last_window_is_shorter_and_the_state_fits_it():
    net = model()
    windows = list(Windows(text(24), 3, 4))
    assert [w.inputs.shape for w in windows] == [(4, 3), (3, 3)]
    _, state = net(windows[0].inputs)
    assert net(windows[1].inputs, state)[0].shape == (3, 3, 6)


def test_what_does_not_fill_a_step_of_all_streams_is_kept_where_it_must_be():
    windows = Windows(np.arange(12), 4, 10, keep_all=True)
    ((inputs, targets),) = windows
    assert targets.T.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, -100]]
    assert inputs.T.tolist()[-1] == [9, 10, 0]


@pytest.mark.parametrize(("streams", "steps"), [(0, 1), (1, 0), (12, 1)])
def test_windows_that_cannot_be_cut(streams, steps):
    with pytest.raises(mg.MinigradError):
        Windows(np.arange(12), streams, steps)
