"""Labels read off the outputs of a network that was trained with :class:`minigrad.nn.CTCLoss`.

Both readers look for labels that are likely at the outputs. The greedy one takes the likeliest *alignment*: the best
label at each step, repeats merged, blanks left out. One sequence of labels has many alignments, though, and the
likeliest sequence need not have the likeliest alignment; the beam search adds up those of each sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

import minigrad as mg

Array = numpy.ndarray[Any, numpy.dtype[Any]]

NONE = -1  # in the place of a label, or of a prefix, where there is none


class Hypothesis(NamedTuple):
    r"""A sequence of labels, and the :math:`\ln p` of what was found of its alignments."""

    labels: list[int]
    score: float


def ctc_greedy_decode(log_probs: Any, lengths: Any = None, blank: int = 0) -> list[list[int]]:
    """The labels of the likeliest alignment of each row: best path decoding (Graves et al. 2006, section 3.2).

    Args:
        log_probs: scores of all labels at each step, ``(T, N, C)``, or ``(T, C)`` for a batch of one.
        lengths: how many steps each row has; all ``T`` if left out.
        blank: the label that stands for none.

    Returns:
        For each row its labels.

    Raises:
        ShapeError: ``log_probs`` of another number of dimensions, lengths that do not fit, or no such blank.

    >>> ctc_greedy_decode(mg.tensor([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]).log())
    [[1, 1]]
    """
    scores, counts = _read("ctc_greedy_decode", log_probs, lengths, blank)
    best = scores.argmax(axis=2)
    fresh = best != blank
    fresh[1:] &= best[1:] != best[:-1]
    return [best[:count, n][fresh[:count, n]].tolist() for n, count in enumerate(counts)]


def ctc_beam_search(
    log_probs: Any, lengths: Any = None, blank: int = 0, beam_width: int = 16, n_best: int = 1
) -> list[list[Hypothesis]]:
    r"""The likeliest sequences of labels of each row, by prefix beam search (Graves 2012, 7.5.3; Hannun et al. 2014).

    Each step keeps the ``beam_width`` likeliest prefixes. The alignments of a prefix are added up in two sums, those
    that end in a blank and those that end in its last label, because only behind a blank may the same label follow as
    a new one. A beam as wide as there are prefixes finds the exact probabilities.

    Args:
        log_probs: log-probabilities of all labels at each step, ``(T, N, C)``, or ``(T, C)`` for a batch of one.
        lengths: how many steps each row has; all ``T`` if left out.
        blank: the label that stands for none.
        beam_width: how many prefixes are kept.
        n_best: how many are returned; fewer where there are not as many.

    Returns:
        For each row its hypotheses, the likeliest first.

    Raises:
        ShapeError: ``log_probs`` of another number of dimensions, lengths that do not fit, or no such blank.
        MinigradError: a ``beam_width`` or ``n_best`` below 1.

    >>> log_probs = mg.tensor([[0.6, 0.4], [0.6, 0.4]]).log()
    >>> ctc_greedy_decode(log_probs)  # two blanks are the likeliest alignment, 0.36
    [[]]
    >>> ((labels, score),) = ctc_beam_search(log_probs)[0]
    >>> labels, round(numpy.exp(score).item(), 2)
    ([1], 0.64)
    """
    if min(beam_width, n_best) < 1:
        raise mg.MinigradError(f"ctc_beam_search: beam_width={beam_width} and n_best={n_best} are at least 1")
    scores, counts = _read("ctc_beam_search", log_probs, lengths, blank)
    beams = _Beams(scores.shape[1], beam_width, blank)
    for t, step in enumerate(scores):
        beams.advance(step, counts > t)
    return beams.best(n_best)


class _Beams:
    """The prefixes that are kept, ``(N, K)`` of everything; prefixes are numbers, given out by one tree for each row.

    ``in_blank`` and ``in_label`` are the logarithms of the two sums, ``last`` the last label of a prefix, ``parent``
    the prefix without it.
    """

    def __init__(self, rows: int, width: int, blank: int) -> None:
        self.blank, self.width = blank, width
        self.rows = numpy.arange(rows)[:, None]
        self.in_blank, self.in_label = numpy.full((2, rows, width), -numpy.inf)
        self.in_blank[:, 0] = 0.0
        self.last = numpy.full((rows, width), NONE)
        self.parent = numpy.full((rows, width), NONE)
        self.prefix = numpy.full((rows, width), NONE - 1)  # the parent of none
        self.prefix[:, 0] = 0
        self.trees = [_Prefixes() for _ in range(rows)]

    def advance(self, log_probs: Array, active: Array) -> None:
        """One step, ``(N, C)``, for the rows that still go on."""
        in_blank, in_label, grown = self._followed(log_probs)
        rows, width, classes = grown.shape
        candidates = numpy.concatenate([numpy.logaddexp(in_blank, in_label), grown.reshape(rows, -1)], axis=1)
        chosen = numpy.argsort(-candidates, axis=1, kind="stable")[:, : self.width]
        value = numpy.take_along_axis(candidates, chosen, 1)
        kept = chosen < width
        beam, label = numpy.divmod(chosen - width, classes)
        beam = numpy.where(kept, chosen, beam)
        old = self.prefix[self.rows, beam]
        for n, k in zip(*numpy.nonzero(~kept & (value > -numpy.inf) & active[:, None]), strict=True):
            old[n, k] = self.trees[n].child(int(old[n, k]), int(label[n, k]))
        self._update(
            active,
            in_blank=numpy.where(kept, in_blank[self.rows, beam], -numpy.inf),
            in_label=numpy.where(kept, in_label[self.rows, beam], value),
            last=numpy.where(kept, self.last[self.rows, beam], label),
            parent=numpy.where(kept, self.parent[self.rows, beam], self.prefix[self.rows, beam]),
            prefix=numpy.where(value > -numpy.inf, old, NONE - 1),
        )

    def _update(self, active: Array, **values: Array) -> None:
        for name, value in values.items():
            setattr(self, name, numpy.where(active[:, None], value, getattr(self, name)))

    def _followed(self, log_probs: Array) -> tuple[Array, Array, Array]:
        """Each prefix as it is after one more step: ending in a blank, in its label, and with each label added."""
        total = numpy.logaddexp(self.in_blank, self.in_label)
        in_blank = total + log_probs[:, self.blank, None]
        again = numpy.where(self.last == NONE, -numpy.inf, log_probs[self.rows, self.last])
        in_label = self.in_label + again
        grown = total[:, :, None] + log_probs[:, None, :]
        n, k = numpy.nonzero(self.last != NONE)
        grown[n, k, self.last[n, k]] = (self.in_blank + again)[n, k]
        grown[:, :, self.blank] = -numpy.inf
        n, child, k = numpy.nonzero(self.parent[:, :, None] == self.prefix[:, None, :])  # grows into one there is
        label = self.last[n, child]
        in_label[n, child] = numpy.logaddexp(in_label[n, child], grown[n, k, label])
        grown[n, k, label] = -numpy.inf
        return in_blank, in_label, grown

    def best(self, count: int) -> list[list[Hypothesis]]:
        """The likeliest prefixes of each row, the likeliest first."""
        total = numpy.logaddexp(self.in_blank, self.in_label)
        order = numpy.argsort(-total, axis=1, kind="stable")[:, :count]
        return [
            [Hypothesis(tree.labels(self.prefix[n, k]), float(total[n, k])) for k in ks if total[n, k] > -numpy.inf]
            for n, (tree, ks) in enumerate(zip(self.trees, order, strict=True))
        ]


class _Prefixes:
    """Prefixes by number; the same labels have the same number however often they come up."""

    def __init__(self) -> None:
        self._children: dict[tuple[int, int], int] = {}
        self._made_of: list[tuple[int, int]] = [(NONE, NONE)]

    def child(self, prefix: int, label: int) -> int:
        """A prefix with one label more."""
        number = self._children.setdefault((prefix, label), len(self._made_of))
        if number == len(self._made_of):
            self._made_of.append((prefix, label))
        return number

    def labels(self, prefix: int) -> list[int]:
        """The labels of a prefix, from the first to the last."""
        labels = []
        while prefix:
            prefix, label = self._made_of[prefix]
            labels.append(label)
        return labels[::-1]


def _read(name: str, log_probs: Any, lengths: Any, blank: int) -> tuple[Array, Array]:
    """Log-probabilities ``(T, N, C)`` and lengths ``(N,)``, as arrays on the host."""
    scores = log_probs.detach().numpy() if isinstance(log_probs, mg.Tensor) else numpy.asarray(log_probs)
    scores = scores[:, None] if scores.ndim == 2 else scores
    if scores.ndim != 3:
        raise mg.ShapeError(f"{name}: log_probs are (T, N, C) or (T, C), not {scores.shape}")
    steps, rows, classes = scores.shape
    if not 0 <= blank < classes:
        raise mg.ShapeError(f"{name}: blank={blank} is none of the {classes} labels")
    given: Sequence[int] = lengths.tolist() if isinstance(lengths, mg.Tensor) else lengths
    counts = numpy.full(rows, steps) if lengths is None else numpy.asarray(given).reshape(-1)
    if counts.shape != (rows,) or (rows and not 0 <= counts.min() <= counts.max() <= steps):
        raise mg.ShapeError(f"{name}: lengths are {rows} numbers from 0 to {steps}, not {counts.tolist()}")
    return scores, counts
