"""Vocabulary, corpus, counting models, a model of characters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

import minigrad as mg
from minigrad_rnn.language import (
    Corpus,
    CountModel,
    LanguageModel,
    TextError,
    Vocabulary,
    Windows,
    bits_per_character,
    builtin_text,
    generate,
    read_text,
)


@given(st.text(alphabet=st.characters(exclude_characters="\N{REPLACEMENT CHARACTER}")))
def test_what_is_encoded_is_decoded(text):
    vocabulary = Vocabulary(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_unknown_characters_are_number_0():
    vocabulary = Vocabulary("abc")
    assert vocabulary.encode("axb").tolist() == [1, 0, 2]
    assert vocabulary.decode([0]) == "\N{REPLACEMENT CHARACTER}"


@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 7))
def test_windows_follow_on_from_one_another(length, streams, steps):
    numbers = mg.arange(length)
    whole = (length - 1) // streams
    if not whole:
        with pytest.raises(mg.MinigradError, match="too few"):
            Windows(numbers, streams, steps)
        return
    windows = Windows(numbers, streams, steps)
    pieces = list(windows)
    assert len(windows) == len(pieces) == len(list(windows))
    inputs = np.concatenate([w.inputs.numpy() for w in pieces])
    targets = np.concatenate([w.targets.numpy() for w in pieces])
    assert inputs.T.ravel().tolist() == list(range(whole * streams))
    assert (targets == inputs + 1).all()
    assert all(len(w.inputs) == steps for w in pieces[:-1])


def test_the_held_out_part_is_the_end_and_its_own_characters_are_unknown():
    corpus = Corpus("ab" * 500 + "z" * 100)
    assert (len(corpus.train), len(corpus.held_out)) == (990, 110)
    assert corpus.vocabulary.symbols == ["\N{REPLACEMENT CHARACTER}", "a", "b"]
    assert corpus.held_out[-1] == 0


@pytest.mark.parametrize("text", ["", "short"])
def test_texts_too_short_to_learn_from(text):
    with pytest.raises(TextError, match=f"{len(text)} characters"):
        Corpus(text)


def test_the_builtin_text_is_english_and_long():
    text = builtin_text()
    assert len(text) > 300_000
    assert text.count(" the ") > 1000


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(mg.FileError, match="No such file"):
        read_text(tmp_path / "missing.txt")
    with pytest.raises(mg.FileError, match="cannot read"):
        read_text(tmp_path)
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"caf\xe9")
    with pytest.raises(mg.FileError, match="line 1: byte 0xe9"):
        read_text(latin)


def test_counting_models_against_a_count_by_hand():
    text = np.array([1, 1, 2, 1, 1, 2])
    # after the first character come 1, 2, 1, 1, 2; with 1 added to each of 3 symbols: 1, 4, 3 of 8
    unigram = CountModel(text, size=3, order=0)
    assert unigram.bits_per_character(np.array([0, 1, 2])) == pytest.approx((-math.log2(4 / 8) - math.log2(3 / 8)) / 2)
    # after 1: 1 twice, 2 twice; after 2: 1 once
    bigram = CountModel(text, size=3, order=1)
    assert bigram.bits_per_character(np.array([1, 2, 1])) == pytest.approx((-math.log2(3 / 7) - math.log2(2 / 4)) / 2)


def test_probabilities_of_a_counting_model_sum_to_one():
    numbers = np.random.default_rng(0).integers(0, 4, 50)
    for order in (0, 1):
        model = CountModel(numbers, 4, order)
        for context in range(4):
            total = sum(2 ** -model.bits_per_character(np.array([context, x])) for x in range(4))
            assert total == pytest.approx(1)
    with pytest.raises(ValueError, match="order"):
        CountModel(numbers, 4, 2)


def test_an_untrained_model_knows_nothing():
    mg.manual_seed(0)
    model = LanguageModel(16, 4, 8)
    numbers = mg.tensor(np.random.default_rng(0).integers(0, 16, 1000))
    assert bits_per_character(model, numbers) == pytest.approx(4, abs=0.2)


def test_bits_do_not_depend_on_how_the_text_is_cut():
    mg.manual_seed(0)
    model = LanguageModel(5, 3, 4)
    numbers = mg.tensor(np.random.default_rng(0).integers(0, 5, 41))
    short, long = (bits_per_character(model, numbers, 2, steps) for steps in (3, 20))
    assert short == pytest.approx(long, rel=1e-5)


def test_a_model_learns_what_has_a_pattern():
    mg.manual_seed(0)
    model = LanguageModel(3, 4, 8)
    numbers = mg.tensor([0, 1, 2] * 30)
    optimizer = mg.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(40):
        logits, _ = model(numbers[:30].unsqueeze(1))
        loss = mg.nn.functional.cross_entropy(logits, numbers[1:31].unsqueeze(1), dim=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert bits_per_character(model, numbers, streams=1) < 0.1
    assert list(generate(model, mg.tensor([0]), 5, temperature=0)) == [1, 2, 0, 1, 2]


def test_sampling_follows_the_seed_and_the_temperature():
    mg.manual_seed(0)
    model = LanguageModel(6, 3, 4)
    mg.manual_seed(1)
    first = list(generate(model, mg.tensor([1]), 20))
    mg.manual_seed(1)
    assert list(generate(model, mg.tensor([1]), 20)) == first
    likeliest = list(generate(model, mg.tensor([1]), 20, temperature=0))
    assert list(generate(model, mg.tensor([1]), 20, temperature=1e-6)) == likeliest
