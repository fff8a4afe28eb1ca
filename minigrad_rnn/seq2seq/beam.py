"""Beam search: the likeliest sequences, as far as a few at a time can tell."""

from __future__ import annotations

from typing import Any

import numpy

import minigrad as mg

from .decoding import Array, Hypothesis, Steps, check_attention, check_length


def length_penalty(length: int, strength: float) -> float:
    r"""By what a log-probability is divided: :math:`((5 + \ell) / 6)^\alpha` (Wu et al. 2016, section 7).

    >>> length_penalty(1, 0.6), length_penalty(7, 1.0)
    (1.0, 2.0)
    """
    return float(((5 + length) / 6) ** strength)


@mg.no_grad()
def beam_search(
    steps: Steps,
    beam: int = 5,
    max_length: int = 100,
    *,
    length_penalty: float = 0.0,
    n_best: int = 1,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    r"""Follow the ``beam`` likeliest beginnings of each sequence at once.

    At each step every beginning is continued by every token, and of all these the likeliest stay. One that ends is
    frozen: it is never changed nor pushed out, and takes its place in the beam with it, so that the search is over
    when ``beam`` hypotheses have ended. With a beam of 1 that is :func:`greedy_decode`.

    Args:
        steps: the model, such as :meth:`Seq2Seq.steps`.
        beam: how many beginnings are followed.
        max_length: how many tokens at most, END among them.
        length_penalty: the strength :math:`\alpha` in the score :math:`\log p(y) / ((5 + \ell) / 6)^\alpha`, where
            :math:`\ell` counts END (Wu et al. 2016, section 7); 0: the log-probability itself, which favours short
            sequences.
        n_best: how many hypotheses to give, at most ``beam``.
        attention: whether to give the attention weights.

    Returns:
        For each sequence of the batch its hypotheses, best first: those that ended before those that did not, and by
        score. There can be less than ``n_best`` where there are not so many sequences.

    Raises:
        MinigradError: a beam below 1, an ``n_best`` that is not from 1 to ``beam``.
    """
    check_length("beam_search", max_length)
    check_attention("beam_search", steps, attention)
    if beam < 1 or not 1 <= n_best <= beam:
        raise mg.MinigradError(f"beam_search: beam={beam} must be at least 1, and n_best={n_best} from 1 to beam")
    search = _Search(steps, beam, length_penalty, attention)
    while search.alive() and search.length < max_length:
        search.advance()
    return [found[:n_best] for found in search.found()]


class _Search:
    """Where a search is.

    ``total`` is ``(N, beam)``: the log-probability of each beginning, minus infinity where there is none.
    """

    def __init__(self, steps: Steps, beam: int, strength: float, attention: bool) -> None:
        self.steps, self.beam, self.strength = steps, beam, strength
        self.batch, self.length = len(steps.first), 0
        self.device = steps.first.device
        rows = numpy.repeat(numpy.arange(self.batch), beam)
        self.state = self._chosen(steps.state, rows)
        self.last = steps.first.numpy()[rows]
        self.total = numpy.full((self.batch, beam), -numpy.inf)
        self.total[:, 0] = 0.0  # at first all beginnings are the same: one is enough
        self.written = numpy.zeros((self.batch * beam, 0), numpy.int64)
        self.seen: Array | None = numpy.zeros((self.batch * beam, 0, 0)) if attention else None
        self.ended: list[list[Hypothesis]] = [[] for _ in range(self.batch)]

    def alive(self) -> bool:
        """Whether there is a beginning to go on with."""
        return bool(numpy.isfinite(self.total).any())

    def advance(self) -> None:
        """One step of all beginnings."""
        scores, state = self.steps.step(mg.tensor(self.last, device=self.device), self.state)
        log_probabilities = mg.log_softmax(scores.double(), -1).numpy()
        size = log_probabilities.shape[-1]
        candidates = (self.total.reshape(-1, 1) + log_probabilities).reshape(self.batch, self.beam * size)
        self.length += 1
        total = numpy.full((self.batch, self.beam), -numpy.inf)
        parents = numpy.repeat(numpy.arange(self.batch) * self.beam, self.beam)
        tokens = numpy.zeros(self.batch * self.beam, numpy.int64)
        stays = []
        for n in range(self.batch):
            best = _best(candidates[n], self.beam - len(self.ended[n]))
            for place, candidate in zip(range(n * self.beam, (n + 1) * self.beam), best, strict=False):
                parents[place], tokens[place] = n * self.beam + candidate // size, candidate % size
                stays.append((n, place, candidates[n, candidate]))
        self._keep(state, parents, tokens)
        for n, place, value in stays:
            if tokens[place] == self.steps.end:
                self.ended[n].append(self._hypothesis(place, value, ended=True))
            else:
                total[n, place % self.beam] = value
        self.total = total

    def _keep(self, state: Any, parents: Array, tokens: Array) -> None:
        """Go on from these beginnings with these tokens."""
        if self.seen is not None and self.steps.weights is not None:
            weights = self.steps.weights(state).numpy()[:, None]
            before = self.seen if self.length > 1 else numpy.zeros((len(weights), 0, weights.shape[-1]))
            self.seen = numpy.concatenate([before, weights], 1)[parents]
        self.state, self.last = self._chosen(state, parents), tokens
        self.written = numpy.concatenate([self.written[parents], tokens[:, None]], 1)

    def _chosen(self, state: Any, rows: Array) -> Any:
        return self.steps.select(state, mg.tensor(rows, device=self.device))

    def _hypothesis(self, place: int, value: float, ended: bool) -> Hypothesis:
        tokens = self.written[place].tolist()
        score = float(value) / length_penalty(len(tokens), self.strength)
        seen = None if self.seen is None else self.seen[place]
        return Hypothesis(tokens[:-1] if ended else tokens, float(value), score, ended, seen)

    def found(self) -> list[list[Hypothesis]]:
        """All hypotheses of each sequence, best first."""
        rows = []
        for n in range(self.batch):
            rest = [
                self._hypothesis(n * self.beam + k, value, ended=False)
                for k, value in enumerate(self.total[n])
                if numpy.isfinite(value)
            ]
            rows.append(sorted(self.ended[n] + rest, key=lambda h: (not h.ended, -h.score)))
        return rows


def _best(candidates: Array, count: int) -> Array:
    """The places of the ``count`` largest, the largest first, equal ones in order; none that is minus infinity."""
    if count <= 0:
        return numpy.zeros(0, numpy.int64)
    count = min(count, len(candidates))
    bound = numpy.partition(candidates, -count)[-count]
    places = numpy.flatnonzero((candidates >= bound) & numpy.isfinite(candidates))
    return places[numpy.argsort(-candidates[places], kind="stable")[:count]]
