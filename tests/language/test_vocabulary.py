"""Vocabularies of words: what is kept, how they are saved, what is refused. Words and corpora of words."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

import minigrad as mg
from minigrad_rnn.language import Corpus, TextError, Vocabulary, spaced, split

WORDS = st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=60)


def test_words_are_numbered_by_how_often_they_come_then_by_the_alphabet():
    vocabulary = Vocabulary("b a c b a d b", kind="words")
    assert vocabulary.symbols == ["<unk>", "b", "a", "c", "d"]
    assert vocabulary["b"] == 1
    assert vocabulary["nobody"] == 0
    assert "b" in vocabulary
    assert "nobody" not in vocabulary


@given(WORDS, st.integers(1, 4), st.integers(2, 8))
def test_rare_words_and_words_beyond_the_size_are_unknown(words, min_count, max_size):
    vocabulary = Vocabulary(words, kind="words", min_count=min_count, max_size=max_size)
    assert len(vocabulary) <= max_size
    kept = vocabulary.symbols[1:]
    assert all(words.count(word) >= min_count for word in kept)
    left_out = [word for word in words if word not in kept and words.count(word) >= min_count]
    if left_out:
        assert len(vocabulary) == max_size
        assert min(map(words.count, kept)) >= max(map(words.count, left_out))
    assert vocabulary.encode(words).tolist() == [kept.index(w) + 1 if w in kept else 0 for w in words]


def test_a_text_that_has_the_unknown_already_has_it_once():
    vocabulary = Vocabulary("the <unk> of <unk>", kind="words")
    assert vocabulary.symbols == ["<unk>", "of", "the"]
    assert vocabulary.encode("<unk> of nothing").tolist() == [0, 1, 0]


def test_a_line_break_is_a_word():
    text = "to be\nor not\n"
    assert split(text, "words") == ["to", "be", "<eos>", "or", "not", "<eos>"]
    vocabulary = Vocabulary(text, kind="words")
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert split("", "words") == []


def test_words_can_be_told_apart_from_punctuation():
    assert spaced("Oh, no!  It isn't\nhere (yet) ...", lower=True) == "oh , no ! it isn't\nhere ( yet ) ..."


@pytest.mark.parametrize("suffix", [".json", ".txt"])
@given(words=WORDS)
def test_what_is_saved_is_loaded(words, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / f"words{suffix}"
    vocabulary = Vocabulary(words, kind="words")
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary


def test_characters_are_saved_as_json_only(tmp_path):
    vocabulary = Vocabulary("a\n\"é\u2028")
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary
    assert repr(vocabulary) == "Vocabulary(6 characters)"
    assert vocabulary != "something else"
    with pytest.raises(mg.FileError, match=r"save as \.json"):
        vocabulary.save(tmp_path / "v.txt")
    with pytest.raises(mg.FileError, match=r"'a\\u2028b' needs more than a line"):
        Vocabulary(["a\u2028b"], kind="words").save(tmp_path / "v.txt")
    assert not (tmp_path / "v.txt").exists()


BAD = {
    "a.json": "[]",
    "b.json": '{"kind": "words"}',
    "c.json": '{"kind": "words", "symbols": ["a", "a"]}',
    "d.json": '{"kind": "words", "symbols": [1]}',
    "e.json": '{"kind": "lines", "symbols": ["a"]}',
    "f.json": "{",
    "g.txt": "the\nof\nthe\n",
    "h.txt": "",
    "i.txt": "<unk>\n\nof\n",
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_no_vocabularies(name, tmp_path):
    path = tmp_path / name
    path.write_text(BAD[name], encoding="utf-8")
    with pytest.raises(mg.FileError, match="is no vocabulary"):
        Vocabulary.load(path)
    with pytest.raises(mg.FileError, match="No such file"):
        Vocabulary.load(tmp_path / "missing")


@pytest.mark.parametrize("options", [{"kind": "letters"}, {"min_count": 0}, {"max_size": 1}])
def test_vocabularies_that_make_no_sense(options):
    with pytest.raises(mg.MinigradError):
        Vocabulary("a", **options)


def test_a_corpus_of_words_with_a_text_held_out():
    text = "the cat sat .\n" * 300
    corpus = Corpus(text, "the dog sat .\n", kind="words", max_size=5)
    assert corpus.vocabulary.symbols == ["<unk>", ".", "<eos>", "cat", "sat"]
    assert len(corpus.train) == 1500
    assert corpus.held_out.tolist() == [0, 0, 4, 1, 2]
    share = Corpus(text, 0.2, kind="words", vocabulary=corpus.vocabulary)
    assert (len(share.train), len(share.held_out)) == (1200, 300)
    with pytest.raises(TextError, match="the text has 5 words"):
        Corpus("the cat sat .\n", kind="words")
