"""Reading labels off the outputs of a CTC network, against all alignments one by one."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F  # noqa: N812
from minigrad_rnn.ctc import ctc_beam_search, ctc_greedy_decode

RNG = np.random.default_rng(0)


def log_probs(*shape: int, sharp: float = 1.0) -> mg.Tensor:
    return mg.tensor(sharp * RNG.standard_normal(shape)).log_softmax(-1)


def collapsed(alignment: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in groupby(alignment) if label != blank)


def all_sequences(scores: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """The probability of every sequence of labels: all alignments one by one, ``(T, C)``."""
    found: dict[tuple[int, ...], float] = {}
    for alignment in product(range(scores.shape[1]), repeat=len(scores)):
        labels = collapsed(alignment, blank)
        found[labels] = found.get(labels, 0.0) + np.exp(scores[range(len(scores)), list(alignment)].sum())
    return found


@pytest.mark.parametrize("blank", [0, 1, 2])
def test_a_wide_beam_finds_the_probability_of_every_sequence(blank: int) -> None:
    x, lengths = log_probs(5, 3, 3), [5, 4, 2]
    for n, found in enumerate(ctc_beam_search(x, lengths, blank, beam_width=200, n_best=200)):
        expected = all_sequences(x.numpy()[: lengths[n], n], blank)
        assert {tuple(h.labels): pytest.approx(np.exp(h.score)) for h in found} == expected
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_the_scores_are_those_of_the_loss() -> None:
    x = log_probs(6, 1, 3)
    for labels, score in ctc_beam_search(x, beam_width=500, n_best=20)[0]:
        assert -F.ctc_loss(x, [labels], [6], [len(labels)], reduction="sum").item() == pytest.approx(score)


def test_the_greedy_reader_takes_the_best_alignment() -> None:
    x, lengths = log_probs(7, 4, 3, sharp=3.0), [7, 0, 1, 5]
    for n, labels in enumerate(ctc_greedy_decode(x, mg.tensor(lengths), blank=1)):
        best = max(product(range(3), repeat=lengths[n]), key=lambda a: sum(x.numpy()[t, n, c] for t, c in enumerate(a)))
        assert tuple(labels) == collapsed(best, 1)


def test_a_repeated_label_needs_a_blank_between() -> None:
    certain = np.log(np.full((4, 3), 1e-3))
    certain[range(4), [1, 1, 0, 1]] = np.log(0.998)
    assert ctc_greedy_decode(certain) == [[1, 1]]
    assert ctc_beam_search(certain)[0][0].labels == [1, 1]
    certain[2] = certain[1]
    assert ctc_greedy_decode(certain) == [[1]]
    assert ctc_beam_search(certain)[0][0].labels == [1]


def test_a_prefix_that_left_the_beam_and_comes_back_is_the_same_prefix() -> None:
    """Narrow beams lose alignments but never count one twice, nor find a sequence twice."""
    for _ in range(30):
        x = log_probs(8, 1, 3)
        truth = all_sequences(x.numpy()[:, 0], 0)
        for width in (2, 3, 5):
            found = ctc_beam_search(x, beam_width=width, n_best=width)[0]
            sequences = [tuple(h.labels) for h in found]
            assert len(set(sequences)) == len(sequences)
            assert all(np.exp(h.score) <= truth[tuple(h.labels)] * (1 + 1e-9) for h in found)


def test_rows_of_a_batch_are_read_as_if_they_were_alone() -> None:
    x, lengths = log_probs(9, 5, 4), [9, 3, 0, 7, 1]
    together = ctc_beam_search(x, lengths, beam_width=4, n_best=3)
    for n, count in enumerate(lengths):
        (alone,) = ctc_beam_search(x[:count, n], beam_width=4, n_best=3)
        assert [h.labels for h in together[n]] == [h.labels for h in alone]
        assert [h.score for h in together[n]] == pytest.approx([h.score for h in alone])


def test_what_cannot_be_is_not_found() -> None:
    x = np.full((3, 2), -np.inf)
    x[:, 0] = 0.0
    assert ctc_beam_search(x, beam_width=4, n_best=4) == [[([], 0.0)]]
    assert ctc_beam_search(np.zeros((0, 1, 2))) == [[([], 0.0)]]
    assert ctc_greedy_decode(np.zeros((0, 1, 2))) == [[]]


def test_refusals() -> None:
    x = log_probs(3, 2, 3)
    for call, message in (
        (lambda: ctc_greedy_decode(x[0, 0]), r"log_probs are \(T, N, C\) or \(T, C\), not \(3,\)"),
        (lambda: ctc_greedy_decode(x, blank=3), "blank=3 is none of the 3 labels"),
        (lambda: ctc_beam_search(x, [3]), r"lengths are 2 numbers from 0 to 3, not \[3\]"),
        (lambda: ctc_beam_search(x, [3, 4]), "from 0 to 3"),
        (lambda: ctc_beam_search(x, beam_width=0), "beam_width=0"),
    ):
        with pytest.raises(mg.MinigradError, match=message):
            call()
