"""Drawing sequences from a model."""

from __future__ import annotations

import numpy

import minigrad as mg

from .decoding import Array, Hypothesis, Steps, check_attention, check_length, run


def sample(
    steps: Steps,
    max_length: int = 100,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    attention: bool = False,
) -> list[Hypothesis]:
    r"""Draw each token from the model's distribution, or from the likelier part of it.

    Args:
        steps: the model, such as :meth:`Seq2Seq.steps`.
        max_length: how many tokens at most, END among them.
        temperature: :math:`p_j \propto e^{s_j / \tau}`: below 1 safer, above 1 wilder; 0 always takes the likeliest.
        top_k: only the k likeliest tokens (Fan et al. 2018).
        top_p: only the fewest tokens that together have at least this probability, after ``top_k`` and
            ``temperature`` (nucleus sampling; Holtzman et al. 2020).
        attention: whether to give the attention weights.

    Returns:
        One hypothesis for each sequence of the batch. Its log-probability is the model's own, of the distribution
        before temperature and cuts.

    Raises:
        MinigradError: a negative temperature, ``top_k`` below 1, ``top_p`` not above 0 and up to 1.
    """
    check_length("sample", max_length)
    check_attention("sample", steps, attention)
    if temperature < 0:
        raise mg.MinigradError(f"sample: the temperature must not be negative: {temperature}")
    if top_k is not None and top_k < 1:
        raise mg.MinigradError(f"sample: top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise mg.MinigradError(f"sample: top_p must be above 0 and at most 1, not {top_p}")

    def choose(log_probabilities: Array) -> Array:
        if temperature == 0:
            return numpy.asarray(log_probabilities.argmax(-1))
        return _drawn(cut(log_probabilities / temperature, top_k, top_p))

    return run(steps, choose, max_length, attention)


def cut(scores: Array, top_k: int | None, top_p: float | None) -> Array:
    """The probabilities ``(N, V)`` of the tokens that may be drawn, 0 for the others; equal ones by their numbers.

    >>> cut(numpy.log([[0.1, 0.4, 0.2, 0.3]]), 3, None).round(3).tolist()
    [[0.0, 0.444, 0.222, 0.333]]
    >>> cut(numpy.log([[0.1, 0.4, 0.2, 0.3]]), None, 0.6).round(3).tolist()
    [[0.0, 0.571, 0.0, 0.429]]
    """
    p = numpy.exp(scores - scores.max(-1, keepdims=True))
    if top_k is not None or top_p is not None:
        order = numpy.argsort(-scores, axis=-1, kind="stable")
        ranked = numpy.take_along_axis(p, order, -1)
        ranked[:, top_k or p.shape[-1] :] = 0
        if top_p is not None:
            ranked /= ranked.sum(-1, keepdims=True)
            before = numpy.cumsum(ranked, -1) - ranked
            # a hair less, so that probabilities which make up top_p but for rounding are enough
            ranked[:, 1:][before[:, 1:] >= top_p * (1 - 1e-12)] = 0
        numpy.put_along_axis(p, order, ranked, -1)
    return numpy.asarray(p / p.sum(-1, keepdims=True))


def _drawn(p: Array) -> Array:
    """A token for each row, by where a uniform number falls in the running sum."""
    total = p.cumsum(-1)
    u = mg.rand(len(p), 1, dtype=mg.float64).numpy() * total[:, -1:]
    return numpy.asarray((total > u).argmax(-1))
