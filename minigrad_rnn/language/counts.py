"""Models that only count: the baselines that a network has to beat."""

from __future__ import annotations

import numpy

from .vocabulary import Numbers


class CountModel:
    r"""Predicts a character from how often it followed the last ``order`` characters.

    .. math:: p(x_t \mid x_{t-1}) = \frac{n(x_{t-1}, x_t) + \alpha}{n(x_{t-1}) + \alpha V}

    with additive smoothing :math:`\alpha` over a vocabulary of :math:`V`.

    Args:
        numbers: the text to count in, int64.
        size: size of the vocabulary :math:`V`.
        order: 0 for single characters (unigram), 1 for pairs (bigram).
        smoothing: :math:`\alpha`.

    >>> text = numpy.array([1, 2] * 500)
    >>> round(CountModel(text, size=3, order=0).bits_per_character(text), 2)
    1.0
    >>> round(CountModel(text, size=3, order=1).bits_per_character(text), 2)
    0.01
    """

    def __init__(self, numbers: Numbers, size: int, order: int, smoothing: float = 1.0) -> None:
        if order not in (0, 1):
            raise ValueError(f"order must be 0 or 1, not {order}")
        self._size = size if order else 1
        counts = numpy.full((self._size, size), smoothing)
        numpy.add.at(counts, (self._context(numbers[:-1]), numbers[1:]), 1)
        self._bits = -numpy.log2(counts / counts.sum(axis=1, keepdims=True))

    def _context(self, numbers: Numbers) -> Numbers:
        return numbers % self._size  # a unigram has one context for all

    def bits_per_character(self, numbers: Numbers) -> float:
        r"""Mean of :math:`-\log_2 p` over a text, its first character left out."""
        return float(self._bits[self._context(numbers[:-1]), numbers[1:]].mean())
