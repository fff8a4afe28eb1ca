"""Greedy decoding, sampling and beam search: on chains whose probabilities are known, and on models."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seq2seq_cases import FORMS, batch_of, model_of, same

import minigrad as mg
import minigrad_rnn as rnn
from minigrad_rnn.seq2seq import Steps, beam_search, greedy_decode, sample
from minigrad_rnn.seq2seq.beam import length_penalty
from minigrad_rnn.seq2seq.sampling import cut

END = 0


def history_model(size, batch=1, seed=0, spread=2.0, end=END):
    """A model whose distribution depends on all that was written: its state is a number for the history."""
    rng = np.random.default_rng(seed)
    table, salt = rng.normal(size=(997, size)) * spread, rng.integers(1, 997, batch)

    def step(tokens, state):
        state = (state * 31 + tokens.reshape(1, -1, 1) + 7) % 997
        return mg.tensor(table[state.numpy()[0, :, 0]]), state

    return Steps(step, mg.tensor(salt.reshape(1, batch, 1)), mg.tensor(np.ones(batch, np.int64)), end)


def log_probability_of(steps, n, tokens):
    """Of a whole sequence, by asking the model step by step."""
    state = steps.select(steps.state, mg.tensor([n]))
    last, total = steps.first[n : n + 1], 0.0
    for token in tokens:
        scores, state = steps.step(last, state)
        total += mg.log_softmax(scores, -1).numpy()[0, token]
        last = mg.tensor([token])
    return total


def enumerated(steps, n, size, longest, strength=0.0):
    """Every sequence up to a length with its score, best first: those with END before those without."""
    found = []
    words = [token for token in range(size) if token != END]
    for length in range(longest + 1):
        for tokens in map(list, itertools.product(words, repeat=length)):
            if length < longest:
                found.append((tokens, True, log_probability_of(steps, n, [*tokens, END]), length + 1))
            else:
                found.append((tokens, False, log_probability_of(steps, n, tokens), length))
    ranked = [(tokens, ended, p, p / ((5 + length) / 6) ** strength) for tokens, ended, p, length in found]
    return sorted(ranked, key=lambda each: (not each[1], -each[3]))


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.5])
@pytest.mark.parametrize(("size", "longest"), [(3, 4), (4, 3), (2, 5)])
def test_a_wide_enough_beam_finds_what_enumeration_finds(size, longest, strength):
    steps = history_model(size, batch=3)
    every = sum((size - 1) ** k for k in range(longest + 1)) + (size - 1) ** longest
    found = beam_search(steps, every, longest, length_penalty=strength, n_best=every)
    for n in range(3):
        wanted = enumerated(steps, n, size, longest, strength)
        assert len(found[n]) == len(wanted)
        for hypothesis, (tokens, ended, p, score) in zip(found[n], wanted, strict=True):
            assert (hypothesis.tokens, hypothesis.ended) == (tokens, ended)
            assert hypothesis.log_probability == pytest.approx(p, rel=1e-10)
            assert hypothesis.score == pytest.approx(score, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(2, 5), batch=st.integers(1, 4), longest=st.integers(1, 8), seed=st.integers(0, 10**6),
    strength=st.sampled_from([0.0, 0.7, 3.0]),
)  # fmt: skip
def test_a_beam_of_one_is_greedy(size, batch, longest, seed, strength):
    """Whatever the penalty: a first END closes the only place there is."""
    steps = history_model(size, batch, seed)
    greedy = greedy_decode(steps, longest)
    beams = beam_search(steps, 1, longest, length_penalty=strength)
    assert [h.tokens for h in greedy] == [h[0].tokens for h in beams]
    assert [h.ended for h in greedy] == [h[0].ended for h in beams]
    same([h.log_probability for h in greedy], [h[0].log_probability for h in beams])


@settings(max_examples=40, deadline=None)
@given(size=st.integers(2, 6), beam=st.integers(1, 7), longest=st.integers(1, 7), seed=st.integers(0, 10**6))
def test_a_beam_is_right_about_its_own_hypotheses(size, beam, longest, seed):
    steps = history_model(size, 2, seed)
    for n, found in enumerate(beam_search(steps, beam, longest, n_best=beam)):
        assert 0 < len(found) <= beam
        assert len({(tuple(h.tokens), h.ended) for h in found}) == len(found)
        for h in found:
            assert END not in h.tokens
            assert len(h.tokens) + h.ended <= longest
            tokens = [*h.tokens, END] if h.ended else h.tokens
            assert h.log_probability == pytest.approx(log_probability_of(steps, n, tokens), rel=1e-9, abs=1e-9)
        assert found == sorted(found, key=lambda h: (not h.ended, -h.score))


@pytest.mark.parametrize("search", [lambda s: beam_search(s, 3, 6, n_best=3), lambda s: greedy_decode(s, 6)])
def test_a_batch_is_its_sequences_one_by_one(search):
    whole, batch = history_model(4, batch=5), 5
    found = search(whole)
    for n in range(batch):
        rows = mg.tensor([n])
        alone = Steps(whole.step, whole.select(whole.state, rows), whole.first[n : n + 1], END)
        assert search(alone)[0] == found[n]


def chain(*rows, first=(0,), end=None):
    """The next token depends on the last one only, by these probabilities."""
    with np.errstate(divide="ignore"):
        table = np.log(np.array(rows, float))
    return Steps(lambda tokens, state: (mg.tensor(table[tokens.numpy()]), state), None, mg.tensor(list(first)), end)


def test_finished_hypotheses_are_frozen():
    """Once END came, nothing is written behind it, its probability stays, and no later beginning pushes it out."""
    # from 0: END (3) with 0.4, or 1 with 0.6, after which everything is nearly certain and never ends
    steps = chain([0, 0.6, 0, 0.4], [0, 0, 1, 0], [0, 0.5, 0.5, 0], [0.25] * 4, end=3)
    for longest in (1, 3, 8):
        best, other = beam_search(steps, 2, longest, n_best=2)[0]
        assert (best.tokens, best.ended) == ([], True)
        assert best.log_probability == pytest.approx(math.log(0.4))
        assert (len(other.tokens), other.ended) == (longest, False)


def test_a_sequence_that_ended_does_not_wait_in_the_batch():
    """The others go on, and what it would have written behind END is not there."""
    steps = chain([0, 1, 0], [0, 0.9, 0.1], [0, 1, 0], first=(2, 0), end=2)
    found = greedy_decode(chain([0, 0, 1], [0.9, 0.1, 0], [0, 1, 0], first=(0, 1), end=2), 3)
    assert [(h.tokens, h.ended) for h in found] == [([], True), ([0], True)]
    assert [h.tokens for h in greedy_decode(steps, 3)] == [[1, 1, 1], [1, 1, 1]]


def test_the_length_penalty_decides_between_short_and_long():
    """END at once with 0.5, or five certain steps after one of 0.4: the penalty of Wu et al. turns the order."""
    rows = [[0.0] * 7 for _ in range(7)]
    rows[0][6], rows[0][1], rows[0][2] = 0.5, 0.4, 0.1
    for k in range(1, 5):
        rows[k][k + 1] = 1.0
    rows[5][6] = rows[6][6] = 1.0
    steps = chain(*rows, end=6)
    short, long = math.log(0.5), math.log(0.4)
    for strength, best in ((0.0, []), (0.2, []), (1.0, [1, 2, 3, 4, 5])):
        assert (long / (11 / 6) ** strength > short) == (best != [])
        found = beam_search(steps, 2, 10, length_penalty=strength)[0][0]
        assert found.tokens == best
        assert found.score == pytest.approx(found.log_probability / length_penalty(len(best) + 1, strength))


def test_end_counts_as_a_token_of_the_length():
    assert [length_penalty(n, 1.0) for n in (1, 7)] == [1.0, 2.0]
    steps = chain([0.1, 0.9], end=1)
    (found,) = beam_search(steps, 1, 5, length_penalty=1.0)[0]
    assert found.score == found.log_probability == pytest.approx(math.log(0.9))


def test_equal_probabilities_go_by_the_number_of_the_token():
    steps = chain([0.25] * 4, end=None)
    assert greedy_decode(steps, 3)[0].tokens == [0, 0, 0]
    found = beam_search(steps, 4, 1, n_best=4)[0]
    assert [h.tokens for h in found] == [[0], [1], [2], [3]]


def test_impossible_sequences_are_not_hypotheses():
    steps = chain([0, 1, 0], [0, 0, 1], [0, 0, 1], end=2)
    assert [h.tokens for h in beam_search(steps, 5, 6, n_best=5)[0]] == [[1]]


def test_an_empty_batch():
    steps = Steps(lambda tokens, state: (mg.zeros(0, 3), state), None, mg.zeros(0, dtype=mg.int64), 2)
    assert greedy_decode(steps) == sample(steps) == beam_search(steps) == []


# ---- sampling --------------------------------------------------------------------------------------------------------

CHAIN = [[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.25, 0.25, 0.5]]


def drawn(rows, count=20_000, **options):
    """How often each token follows token 0."""
    mg.manual_seed(0)
    found = sample(chain(*rows, first=(0,) * count), 1, **options)
    return np.bincount([h.tokens[0] for h in found], minlength=len(rows[0])) / count


def test_samples_of_a_chain_follow_its_probabilities():
    mg.manual_seed(0)
    found = sample(chain(*CHAIN, first=(0,) * 5000), 5)
    pairs = np.zeros((3, 3))
    for h in found:
        for before, then in itertools.pairwise([0, *h.tokens]):
            pairs[before, then] += 1
        wanted = sum(math.log(CHAIN[a][b]) for a, b in itertools.pairwise([0, *h.tokens]))
        assert h.log_probability == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(pairs / pairs.sum(1, keepdims=True), CHAIN, atol=0.02)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_is_a_power(temperature):
    powered = np.array(CHAIN[0]) ** (1 / temperature)
    np.testing.assert_allclose(drawn(CHAIN, temperature=temperature), powered / powered.sum(), atol=0.015)


def test_temperature_zero_is_greedy():
    steps = history_model(5, 4)
    assert sample(steps, 6, temperature=0) == greedy_decode(steps, 6)


ROW = [0.05, 0.3, 0.15, 0.4, 0.1]


@pytest.mark.parametrize(
    ("k", "kept"), [(1, {3}), (2, {3, 1}), (4, {3, 1, 2, 4}), (5, {0, 1, 2, 3, 4}), (9, {0, 1, 2, 3, 4})]
)
def test_top_k_keeps_exactly_the_likeliest(k, kept):
    p = cut(np.log([ROW]), k, None)[0]
    assert set(np.flatnonzero(p)) == kept
    np.testing.assert_allclose(p[sorted(kept)], np.array(ROW)[sorted(kept)] / sum(ROW[i] for i in kept))


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(1e-9, {3}), (0.4, {3}), (0.41, {3, 1}), (0.7, {3, 1}), (0.71, {3, 1, 2}), (1.0, {0, 1, 2, 3, 4})],
)
def test_top_p_keeps_the_fewest_that_reach_it(limit, kept):
    p = cut(np.log([ROW]), None, limit)[0]
    assert set(np.flatnonzero(p)) == kept
    np.testing.assert_allclose(p.sum(), 1.0)


def test_top_p_is_of_what_top_k_left():
    # of 0.4 and 0.3, renormalised, the first alone has 0.57
    assert set(np.flatnonzero(cut(np.log([ROW]), 2, 0.5)[0])) == {3}
    assert set(np.flatnonzero(cut(np.log([ROW]), 2, 0.6)[0])) == {3, 1}


def test_equal_tokens_are_cut_by_their_numbers():
    assert cut(np.zeros((1, 4)), 2, None).tolist() == [[0.5, 0.5, 0.0, 0.0]]
    assert cut(np.zeros((1, 4)), None, 0.5).tolist() == [[0.5, 0.5, 0.0, 0.0]]


@pytest.mark.parametrize("options", [{"top_k": 2}, {"top_p": 0.5}])
def test_what_was_cut_is_never_drawn(options):
    shares = drawn([ROW] * 5, **options)
    assert set(np.flatnonzero(shares)) == {1, 3}
    np.testing.assert_allclose(shares[[1, 3]], [3 / 7, 4 / 7], atol=0.015)


def test_impossible_tokens_are_never_drawn():
    assert (drawn([[0.0, 1.0, 0.0]] * 3) == [0, 1, 0]).all()


def test_a_seed_gives_the_same_samples():
    steps, found = history_model(6, 3), []
    for _ in range(2):
        mg.manual_seed(7)
        found.append(sample(steps, 9, temperature=1.3, top_k=4, top_p=0.9))
    assert found[0] == found[1]


@settings(max_examples=50, deadline=None)
@given(
    scores=st.lists(st.floats(-8, 8), min_size=1, max_size=7),
    k=st.none() | st.integers(1, 8),
    limit=st.none() | st.floats(0.01, 1.0),
)
def test_cuts_keep_the_order_and_sum_to_one(scores, k, limit):
    before, after = np.exp(scores) / np.exp(scores).sum(), cut(np.array([scores]), k, limit)[0]
    kept = after > 0
    assert 1 <= kept.sum() <= (k or len(scores))
    assert after.sum() == pytest.approx(1)
    if not kept.all():
        assert before[kept].min() >= before[~kept].max()
    if limit is not None and k is None:
        assert before[kept].sum() >= limit - 1e-9
        assert before[kept].sum() - before[kept].min() < limit + 1e-9


# ---- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_model_decodes_a_batch_as_its_sources_one_by_one(form):
    model, lengths = model_of(form), [4, 2, 3]
    source, _ = batch_of(lengths, [1, 1, 1])
    attends = model.decoder.attention is not None
    steps = model.steps(source, lengths)
    greedy = greedy_decode(steps, 7, attention=attends)
    beams = beam_search(steps, 3, 7, n_best=3, attention=attends)
    for n, s in enumerate(lengths):
        alone = model.steps(source[:s, n : n + 1])
        (one,) = greedy_decode(alone, 7, attention=attends)
        assert (one.tokens, one.ended) == (greedy[n].tokens, greedy[n].ended)
        for found, wanted in zip(beams[n], beam_search(alone, 3, 7, n_best=3, attention=attends)[0], strict=True):
            assert (found.tokens, found.ended) == (wanted.tokens, wanted.ended)
            assert found.log_probability == pytest.approx(wanted.log_probability, rel=1e-10)
            if attends:
                same(found.attention[:, :s], wanted.attention)


@pytest.mark.parametrize("form", FORMS)
def test_what_decoding_says_is_what_the_model_says(form):
    """Log-probabilities and attention of what was decoded are those of the same target, teacher-forced."""
    model = model_of(form)
    source, _ = batch_of([4], [1])
    attends = model.decoder.attention is not None
    for h in beam_search(model.steps(source), 4, 6, n_best=4, attention=attends)[0]:
        target = mg.tensor(np.array(h.tokens, np.int64)[:, None])
        scores, weights = model(source, target, return_weights=True)
        wanted = [*h.tokens, model.decoder.end] if h.ended else h.tokens
        p = mg.log_softmax(scores, -1).numpy()[range(len(wanted)), 0, wanted]
        assert h.log_probability == pytest.approx(p.sum(), rel=1e-10)
        if attends:
            same(h.attention, weights[: len(wanted), 0])


def test_decoding_records_no_graph():
    model = model_of("general")
    source, _ = batch_of([4], [1])
    steps = model.steps(source)
    assert not steps.state.keys.values.requires_grad
    grown = []
    counted = Steps(
        lambda tokens, state: (steps.step(tokens, state)[0], grown.append(steps.step(tokens, state)[0]) or state),
        steps.state, steps.first, steps.end, steps.select,
    )  # fmt: skip
    for decode in (greedy_decode, sample, beam_search):
        decode(counted, max_length=2)
    assert grown
    assert not any(scores.requires_grad for scores in grown)


def test_no_end_goes_on_to_the_greatest_length():
    model = model_of("state", end=None)
    source, _ = batch_of([4], [1])
    (h,) = greedy_decode(model.steps(source), 5)
    assert (len(h.tokens), h.ended) == (5, False)
    assert all(not h.ended and len(h.tokens) == 5 for h in beam_search(model.steps(source), 3, 5, n_best=3)[0])


def test_layers_whose_states_differ_are_reordered_too():
    """Their state counts the sequences in dim 0, not 1."""
    model = model_of("state")
    model.decoder.layer = rnn.LSTM(3, [5, 4]).double()
    decoder = type(model.decoder)(8, model.decoder.layer).double()
    bridged = type(model)(model.encoder, decoder, "linear").double()
    source, _ = batch_of([4, 4], [1, 1])
    found = beam_search(bridged.steps(source), 3, 5, n_best=3)
    for n in range(2):
        assert [h.tokens for h in found[n]] == [
            h.tokens for h in beam_search(bridged.steps(source[:, n : n + 1]), 3, 5, n_best=3)[0]
        ]


def test_a_language_model_decodes_by_the_same_functions():
    mg.manual_seed(0)
    embedding, layer, head = mg.nn.Embedding(6, 3), rnn.LSTM(3, 4, 2), mg.nn.Linear(4, 6)

    def step(tokens, state):
        output, state = layer.step(embedding(tokens), state)
        return head(output), state

    prompt = mg.tensor([[1, 2], [3, 4]])
    with mg.no_grad():
        _, state = layer(embedding(prompt[:-1]))
    steps = Steps(step, state, prompt[-1], end=None)
    (first, *_), second = (h for h in beam_search(steps, 3, 4)), greedy_decode(steps, 4)
    assert first[0].log_probability >= second[0].log_probability
    assert len(sample(steps, 4)[1].tokens) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: greedy_decode(s, 0), "max_length must be a whole number from 1, not 0"),
        (lambda s: sample(s, True), "max_length must be a whole number"),
        (lambda s: beam_search(s, 0), "beam=0 must be at least 1"),
        (lambda s: beam_search(s, 2, n_best=3), "n_best=3 from 1 to beam"),
        (lambda s: greedy_decode(s, attention=True), "this model has no attention"),
        (lambda s: sample(s, temperature=-1), "must not be negative"),
        (lambda s: sample(s, top_k=0), "top_k must be at least 1"),
        (lambda s: sample(s, top_p=0.0), "top_p must be above 0"),
        (lambda s: sample(s, top_p=1.5), "top_p must be above 0"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(mg.MinigradError, match=message):
        call(history_model(3))
