"""Language models: mistakes in what they are given are named."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn.language import Corpus, LanguageModel, Vocabulary, cross_entropy, perplexity


@pytest.mark.parametrize("numbers", [[1, -1], [0, 5], np.array([9])])
def test_a_number_that_is_no_symbol_is_not_decoded(numbers):
    with pytest.raises(mg.MinigradError, match=r"has numbers 0 to 4, not (-1|5|9)"):
        Vocabulary("abcd").decode(numbers)
    assert Vocabulary("abcd").decode([]) == ""


def test_one_text_in_a_list_is_told_from_a_list_of_texts():
    model = LanguageModel(5, 4, 4)
    with pytest.raises(mg.ShapeError, match=r"a text is numbers \(T,\).*not \(\)"):
        perplexity(model, [1, 2, 3])
    with pytest.raises(mg.MinigradError, match="streams=0"):
        cross_entropy(model, [np.array([1, 2, 3])], streams=0)


@pytest.mark.parametrize("share", [1.0, 1.5, -0.1])
def test_a_share_to_hold_out_lies_between_nothing_and_all(share):
    with pytest.raises(mg.MinigradError, match="held_out"):
        Corpus("abc " * 500, share)
