"""Where a decoder looks: one step of it over encoder and decoder, or all steps as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import minigrad as mg
from minigrad.draw import Drawing

from ..inspect import AttentionTrace, attention_trace
from .attention_matrix import matrix_sheet
from .attention_step import step_sheet
from .attention_words import words_of


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
        GraphError: something else than weights, a step or a row that is not there, or too much to draw.

    >>> import minigrad_rnn as mr
    >>> mr.draw.attention([[0.9, 0.1], [0.2, 0.8]], source=["le", "chat"], target=["the", "cat"])
    <drawing: 55 shapes, 0 lines, 512 × 112 points>
    """
    weights = _weights(y, row)
    weights = _real(weights, len(source))
    words = words_of(weights, source, target)
    if step is None:
        return Drawing(matrix_sheet(weights, words), timeout)
    if not 0 <= step < len(weights):
        raise mg.GraphError(f"draw.attention: step={step} is not there: the decoder made {len(weights)} steps, from 0")
    return Drawing(step_sheet(weights, words, step, bidirectional), timeout)


def _weights(y: Any, row: int) -> Any:
    """The weights ``(T, S)`` of one sequence."""
    if callable(y) and not isinstance(y, mg.Tensor):
        y = attention_trace(y)
    if isinstance(y, AttentionTrace):
        y = y.weights
    elif hasattr(y, "attention"):
        if y.attention is None:
            raise mg.GraphError("draw.attention: this hypothesis has no weights\n  hint: decode with attention=True")
        y = y.attention
    weights = y.detach().numpy() if isinstance(y, mg.Tensor) else numpy.asarray(y)
    if weights.dtype.kind != "f" or weights.ndim not in (2, 3):
        raise mg.GraphError(
            f"draw.attention: weights (steps, source) or (steps, batch, source) are expected, not {weights.dtype}"
            f" {weights.shape}"
        )
    if weights.ndim == 3:
        if not 0 <= row < weights.shape[1]:
            raise mg.GraphError(f"draw.attention: row={row} is not there: the batch has {weights.shape[1]} sequences")
        weights = weights[:, row]
    if not weights.size:
        raise mg.GraphError(f"draw.attention: there is nothing to draw in weights of shape {weights.shape}")
    return weights


def _real(weights: Any, named: int) -> Any:
    """The weights without the padding of the source: what has no word, and is never looked at."""
    seen = numpy.flatnonzero(numpy.nan_to_num(weights).any(0))
    return weights[:, : max(named, 1, *(seen + 1))] if weights.shape[1] >= named else weights
