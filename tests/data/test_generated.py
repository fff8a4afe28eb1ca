"""Tasks that are generated: exactly what they claim to be, and the same at every run."""

import keyword

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn.data import drawn_digits, labelled_pieces, reviews, standard_library, token_kinds
from minigrad_rnn.data.digits import glyphs
from minigrad_rnn.data.reviews import BAD, GOOD, TURNS


def test_the_last_statement_of_a_review_decides_and_every_turn_turns_it():
    for text, label in reviews(300, seed=3):
        last = text.rpartition(" but ")[2].split()
        praises = last[-1] in GOOD
        assert praises or last[-1] in BAD
        turned = sum(word in TURNS for word in last) % 2
        assert label == ("good" if praises != bool(turned) else "bad")


def test_reviews_are_balanced_and_seeded():
    made = reviews(2000, seed=1)
    assert made == reviews(2000, seed=1) != reviews(2000, seed=2)
    assert 0.45 < sum(review.label == "good" for review in made) / 2000 < 0.55


def test_who_counts_words_cannot_tell_reviews_apart():
    """A linear model of word counts, fitted by least squares, stays far from what order tells."""
    made = reviews(3000, seed=0)
    words = sorted({word for review in made for word in review.text.split()})
    counts = np.array([[review.text.split().count(word) for word in words] for review in made], float)
    good = np.array([review.label == "good" for review in made]) * 2.0 - 1
    fitted = np.linalg.lstsq(counts[:2000], good[:2000], rcond=None)[0]
    assert (np.sign(counts[2000:] @ fitted) == good[2000:]).mean() < 0.75


def test_digits_lie_on_their_glyphs():
    pictures, digits = drawn_digits(200, seed=5)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert set(digits.tolist()) == set(range(10))
    font, found = glyphs(), []
    for picture in pictures.reshape(-1, 8, 8):
        views = [picture[y : y + 7, x : x + 5] for y in range(2) for x in range(4)]
        found.append(max(range(10), key=lambda k: max(((font[k] * 2 - 1) * view).sum() for view in views)))
    assert (np.array(found) == digits).mean() > 0.97, "the glyph that fits best is the digit's own"


@pytest.mark.parametrize("source", ["", "x = 'a\\n' + f'{y:>{n}}!'\n", "def f():\n\treturn 1 if None else 2.5e3j\n\n"])
def test_every_character_has_a_kind(source):
    assert len(token_kinds(source)) == len(source)


def test_kinds_are_those_of_the_tokenizer():
    source = "while index < 10:  # in\n    s = '''a\nb''' or None\n"
    kinds = token_kinds(source)

    def kind_of(piece):
        (kind,) = set(kinds[source.index(piece) : source.index(piece) + len(piece)])
        return kind

    pieces = {"while": "keyword", "index": "name", "<": "operator", "10": "number", "# in": "comment"}
    pieces |= {"'''a\nb'''": "string", "or": "keyword", "    ": "space", "None": "keyword"}
    assert {piece: kind_of(piece) for piece in pieces} == pieces


def test_what_is_no_python_is_told():
    with pytest.raises(mg.FileError, match="no Python"):
        token_kinds("x = '''never closed")


def test_the_standard_library_can_be_labelled():
    pieces = labelled_pieces(standard_library(2), length=80)
    assert all(len(piece) <= 80 for piece in pieces)
    text = "".join(character for piece in pieces for character, _ in piece)
    kinds = [kind for piece in pieces for _, kind in piece]
    words = "".join(c if kind == "keyword" else " " for c, kind in zip(text, kinds, strict=True)).split()
    assert set(words) <= set(keyword.kwlist)
    assert {"def", "return", "if"} <= set(words)
