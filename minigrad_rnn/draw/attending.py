"""Where a decoder looks: one step of it over encoder and decoder, or all steps as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import minigrad as mg
from minigrad.draw import Drawing
from minigrad.draw.options import check_count, check_timeout

from ..inspect import AttentionTrace, attention_trace
from .asked import is_program, listed, on_host
from .attention_matrix import matrix_sheet
from .attention_step import step_sheet
from .attention_words import words_of

RUN = "draw.attention(lambda: model(source, target)) runs it and draws where it looks"
ROUNDING = 1e-3  # how far from 0 to 1 a share may be


def attention(
    y: Any,
    *,
    step: int | None = None,
    source: Sequence[str] = (),
    target: Sequence[str] = (),
    row: int = 0,
    bidirectional: bool = False,
    timeout: float = 20.0,
) -> Drawing:
    """Draw where a decoder looks.

    Args:
        y: a function without arguments that runs a model with attention, ``lambda: model(source, target)``; what
            :func:`minigrad_rnn.inspect.attention_trace` returned; the weights themselves, ``(T, S)`` or ``(T, N, S)``;
            or a :class:`~minigrad_rnn.seq2seq.Hypothesis` that was decoded with ``attention=True``.
        step: the step of the decoder whose links to the source are drawn, as wide as their weights; left out, all
            weights are drawn as a matrix, a line for each step.
        source: words for what was read; left out, x₁, x₂ ...
        target: words for what was written; left out, y₁, y₂ ... One more step than there are words is that of END.
        row: which sequence of the batch.
        bidirectional: whether the encoder reads from both ends, which the weights do not tell.
        timeout: seconds that the program ``dot`` may take.

    Raises:
        GraphError: something else than weights from 0 to 1, a step or a row that is not there, or too much to draw.

    >>> import minigrad_rnn as mr
    >>> mr.draw.attention([[0.9, 0.1], [0.2, 0.8]], source=["le", "chat"], target=["the", "cat"])
    <drawing: 55 shapes, 0 lines, 512 × 112 points>
    """
    check_count("draw.attention", "row", row, "the number of a sequence in the batch", least=0)
    if step is not None:
        check_count("draw.attention", "step", step, "the number of a step of the decoder, or None for all", least=0)
    check_timeout(timeout)
    source = listed(source, "draw.attention: source is a list of words, not")
    target = listed(target, "draw.attention: target is a list of words, not")
    weights = _real(_shares(_weights(y, row)), len(source))
    words = words_of(weights, source, target)
    if step is None:
        return Drawing(matrix_sheet(weights, words), timeout)
    if step >= len(weights):
        raise mg.GraphError(f"draw.attention: step={step} is not there: the decoder made {len(weights)} steps, from 0")
    return Drawing(step_sheet(weights, words, step, bidirectional), timeout)


def _weights(y: Any, row: int) -> Any:
    """The weights ``(T, S)`` of one sequence."""
    if is_program(y, RUN):
        y = attention_trace(y)
    if isinstance(y, AttentionTrace):
        y = y.weights
    elif hasattr(y, "attention"):
        if y.attention is None:
            raise mg.GraphError("draw.attention: this hypothesis has no weights\n  hint: decode with attention=True")
        y = y.attention
    weights = _array(y)
    if weights.ndim == 3:
        if row >= weights.shape[1]:
            raise mg.GraphError(f"draw.attention: row={row} is not there: the batch has {weights.shape[1]} sequences")
        weights = weights[:, row]
    if not weights.size:
        raise mg.GraphError(f"draw.attention: there is nothing to draw in weights of shape {weights.shape}")
    return weights


def _array(y: Any) -> Any:
    """Whatever is an array of numbers; a list may hold a tensor for each step."""
    expected = "draw.attention: weights (steps, source) or (steps, batch, source) are expected, not"
    try:
        weights = numpy.asarray([on_host(line) for line in y] if isinstance(y, (list, tuple)) else on_host(y))
    except (TypeError, ValueError):
        raise mg.GraphError(f"{expected} lines that do not fit together, {y!r:.60}") from None
    if weights.dtype.kind not in "fbiu" or weights.ndim not in (2, 3):
        raise mg.GraphError(f"{expected} {type(y).__name__}, {weights.dtype} {weights.shape}")
    return weights


def _shares(weights: Any) -> Any:
    """The weights as numbers from 0 to 1; where the padding has none, they are NaN.

    Raises:
        GraphError: some are no shares; or they are whole numbers, but not 0 and 1 alone.
    """
    known = weights[~numpy.isnan(weights)]
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise mg.GraphError(
            f"draw.attention: the weights of an attention are from 0 to 1, and these from {low:.4g} to {high:.4g}\n"
            "  hint: of scores, mg.softmax(scores, dim=-1) makes weights"
        )
    return weights.clip(0, 1).astype(float)


def _real(weights: Any, named: int) -> Any:
    """The weights without the padding of the source: what has no word, and is never looked at."""
    seen = numpy.flatnonzero(numpy.nan_to_num(weights).any(0))
    return weights[:, : max(named, 1, *(seen + 1))] if weights.shape[1] >= named else weights
