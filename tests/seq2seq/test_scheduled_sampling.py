"""Scheduled sampling: the schedules, the coins, and the two ends, teacher forcing and free running."""

from __future__ import annotations

import math

import numpy as np
import pytest
from plain_seq2seq import below, decode, encode
from seq2seq_cases import FORMS, arrays, batch_of, model_of, same

import minigrad as mg
from minigrad_rnn.seq2seq import ScheduledSampling, greedy_decode, scheduled

READING = [form for form, options in FORMS.items() if options.get("mode") != "autonomous"]


def after(schedule, steps):
    schedule.iteration = steps
    return schedule.probability


def test_the_schedules_are_those_of_the_paper():
    linear = ScheduledSampling("linear", k=0.9, c=0.1, floor=0.25)
    assert [round(after(linear, i), 6) for i in (0, 3, 6, 7, 100)] == [0.9, 0.6, 0.3, 0.25, 0.25]
    exponential = ScheduledSampling("exponential", k=0.5)
    assert [after(exponential, i) for i in (0, 1, 3)] == [1.0, 0.5, 0.125]
    sigmoid = ScheduledSampling("inverse_sigmoid", k=10)
    for i in (0, 5, 23, 60):
        assert after(sigmoid, i) == pytest.approx(10 / (10 + math.exp(i / 10)), rel=1e-12)
    assert after(sigmoid, 10**7) == pytest.approx(0.0, abs=1e-12)


def test_a_schedule_counts_and_resumes():
    first, second = (ScheduledSampling("linear", c=0.01) for _ in range(2))
    for _ in range(30):
        first.step()
    second.load_state_dict(first.state_dict())
    assert second.probability == first.probability == pytest.approx(0.7)
    assert repr(first) == "ScheduledSampling('linear', k=1.0, c=0.01, floor=0.0, choice='likeliest')"


@pytest.mark.parametrize("form", READING)
def test_probability_one_is_teacher_forcing(form):
    model = model_of(form)
    source, target = batch_of([5, 2], [4, 3])
    forced = model(source, target, [5, 2], [4, 3])
    for sampling in (1.0, ScheduledSampling("linear", c=0.1)):
        assert (model(source, target, [5, 2], [4, 3], sampling=sampling).numpy() == forced.numpy()).all()


@pytest.mark.parametrize("form", FORMS)
def test_probability_zero_is_free_running(form):
    """The target but for its length is never looked at, and the answers are those of greedy decoding."""
    model = model_of(form)
    source, target = batch_of([4], [5])
    scores = model(source, target, sampling=0.0)
    same(model(source, target * 0 + 3, sampling=0.0), scores)
    p, inputs = arrays(model), source.numpy()[:, 0]
    memory, (last,) = encode("LSTM", below(p, "encoder."), inputs, False)
    tokens = [1, *[0] * 5]
    wanted, _ = decode("LSTM", below(p, "decoder."), tokens, [last], FORMS[form], memory, last[0], np.argmax)
    same(scores[:, 0], wanted)
    greedy = greedy_decode(model.steps(source), 6)[0]
    answers = scores.numpy()[:, 0].argmax(-1).tolist()
    assert answers[: len(greedy.tokens)] == greedy.tokens


def test_a_coin_is_tossed_for_each_token():
    """Not for each sequence or step: right tokens and own answers are mixed within both, in the wanted share."""
    mg.manual_seed(0)
    right = scheduled.coins(0.3, (200, 200), "cpu").numpy()
    assert right.mean() == pytest.approx(0.3, abs=0.01)
    assert right.mean(0).std() < 0.05
    assert right.mean(1).std() < 0.05
    flips = (right[1:] != right[:-1]).mean(), (right[:, 1:] != right[:, :-1]).mean()
    assert flips == pytest.approx((0.42, 0.42), abs=0.01)


@pytest.mark.parametrize("form", ["state", "general", "input feeding"])
def test_what_is_read_is_what_the_coins_say(form, monkeypatch):
    model = model_of(form)
    source, target = batch_of([4, 4], [5, 5])
    right = np.random.default_rng(3).integers(0, 2, (6, 2)).astype(bool)
    monkeypatch.setattr("minigrad_rnn.seq2seq.decoder.coins", lambda *_: mg.tensor(right))
    read = []
    monkeypatch.setattr(model.decoder.embedding, "forward", lambda x: read.append(x) or model_table(model, x))
    scores = model(source, target, sampling=0.5)
    answers = scores.numpy().argmax(-1)
    for t in range(1, 6):
        assert read[t].tolist() == np.where(right[t], target.numpy()[t - 1], answers[t - 1]).tolist()
    assert read[0].tolist() == [1, 1]


def model_table(model, tokens):
    return mg.embedding(tokens, model.decoder.embedding.weight)


def test_no_gradient_flows_through_an_answer():
    model = model_of("state")
    source, target = batch_of([4, 4], [5, 5])
    free = model(source, target, sampling=0.0)
    answers = mg.tensor(free.numpy().argmax(-1)[:-1])
    weight = mg.randn(*free.shape, dtype=mg.float64)
    (free * weight).sum().backward()
    through = {name: p.grad.numpy() for name, p in model.named_parameters()}
    model.zero_grad()
    (model(source, answers) * weight).sum().backward()
    for name, p in model.named_parameters():
        same(p.grad, through[name], 1e-11)


def test_drawn_answers_follow_the_distribution():
    mg.manual_seed(0)
    p = np.array([0.5, 0.3, 0.15, 0.05])
    scores = mg.tensor(np.log(np.tile(p, (40_000, 1))))
    drawn = scheduled.own_answer(scores, "drawn").numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / len(drawn), p, atol=0.01)
    assert (scheduled.own_answer(scores, "likeliest").numpy() == 0).all()
    half = scheduled.own_answer(scores.to(mg.float16), "drawn").numpy()
    np.testing.assert_allclose(np.bincount(half, minlength=4) / len(half), p, atol=0.02)


def test_a_schedule_says_whether_answers_are_drawn():
    model = model_of("state")
    source, target = batch_of([4] * 20, [5] * 20)
    schedule = ScheduledSampling("linear", k=0.0, choice="drawn")
    assert (model(source, target, sampling=schedule).numpy() != model(source, target, sampling=schedule).numpy()).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "cosine"}, "the kind is one of linear, exponential, inverse_sigmoid"),
        ({"kind": "linear", "k": 1.5}, "k of 'linear' must be from 0 to 1, not 1.5"),
        ({"kind": "exponential"}, "k of 'exponential' must be between 0 and 1, not None"),
        ({"kind": "exponential", "k": 1.0}, "must be between 0 and 1"),
        ({"kind": "inverse_sigmoid", "k": 0.5}, "must be at least 1"),
        ({"kind": "linear", "c": -0.1}, "c=-0.1 must not be negative"),
        ({"kind": "linear", "floor": 2}, "floor=2 is from 0 to 1"),
        ({"kind": "linear", "choice": "best"}, 'the choice is "likeliest" or "drawn"'),
    ],
)
def test_constants_outside_of_their_range(arguments, message):
    with pytest.raises(mg.MinigradError, match=message):
        ScheduledSampling(**arguments)
