"""How well a model knows a text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import minigrad as mg

from ..training.evaluating import evaluating
from .corpus import Window, Windows, line_window
from .model import LanguageModel
from .vocabulary import Numbers


def cross_entropy(model: LanguageModel, text: Any, streams: int = 16, steps: int = 128) -> tuple[float, int]:
    r"""The sum of :math:`-\ln p` over all characters or words of a text but the first, and how many these are.

    Every one of them is counted once, and nothing else: no padding, and no remainder is left out. The model is in
    evaluation meanwhile.

    Args:
        model: the model.
        text: its numbers, int64: read as parallel streams with the state carried along; each stream starts from zeros.
            Or a list of texts: each is read on its own.
        streams: how many pieces, or how many of the texts, are read in parallel. With 1 every prediction is made from
            all that stands before; a few more are much faster and cost a stream's beginning each.
        steps: of a window; it does not change the result.

    Raises:
        MinigradError: there is nothing to predict: fewer than two numbers.
        ShapeError: a text is not numbers one behind the other.
    """
    if streams < 1:
        raise mg.MinigradError(f"a text is read in 1 stream or more, not in streams={streams}")
    separate = isinstance(text, (list, tuple))
    total, count, state = 0.0, 0, None
    with evaluating(model):
        for inputs, targets in _lines(text, streams) if separate else _stream(text, streams, steps):
            loss, here, state = model.loss(inputs, targets, None if separate else state)
            total, count = total + loss.item() * here, count + here
    if not count:
        raise mg.MinigradError("there is nothing to predict in a text of fewer than two characters or words")
    return total, count


def _stream(text: Any, streams: int, steps: int) -> Windows | tuple[Window, ...]:
    return Windows(text, min(streams, len(text) - 1), steps, keep_all=True) if len(text) > 1 else ()


def _lines(texts: Sequence[Any], streams: int) -> Iterator[Window]:
    """Windows of separate texts; shorter than two have nothing to predict."""
    arrays = [_array(text) for text in texts]
    longer = sorted((array for array in arrays if len(array) > 1), key=len)  # so that there is little padding
    return (line_window(longer[i : i + streams]) for i in range(0, len(longer), streams))


def _array(text: Any) -> Numbers:
    array: Numbers = (text if isinstance(text, mg.Tensor) else mg.tensor(text)).numpy()
    if array.ndim != 1:
        raise mg.ShapeError(f"in a list of texts, a text is numbers (T,), an array or a tensor, not {array.shape}")
    return array


def perplexity(model: LanguageModel, text: Any, streams: int = 16, steps: int = 128) -> float:
    r"""How many equally likely words the model hesitates between: :math:`\exp` of the mean of :math:`-\ln p`.

    Arguments as for :func:`cross_entropy`.
    """
    total, count = cross_entropy(model, text, streams, steps)
    return math.exp(total / count) if total / count < _LARGEST else math.inf


_LARGEST = 700.0  # whose exponential is a float


def bits_per_character(model: LanguageModel, text: Any, streams: int = 16, steps: int = 128) -> float:
    r"""Mean of :math:`-\log_2 p` that the model gives to the characters of a text.

    Arguments as for :func:`cross_entropy`.
    """
    total, count = cross_entropy(model, text, streams, steps)
    return total / count / math.log(2)


def surprise(model: LanguageModel, text: Any, steps: int = 256) -> Any:
    r"""The bits :math:`-\log_2 p(x_t \mid x_1, \dots, x_{t-1})` of each character or word of a text but the first.

    Args:
        model: the model, in evaluation meanwhile.
        text: its numbers ``(length,)``.
        steps: how many are read at a time; it does not change the result.

    Returns:
        An array of ``length - 1`` numbers.

    Raises:
        MinigradError: fewer than two numbers.
    """
    pieces, state = [], None
    with evaluating(model):
        for inputs, targets in Windows(text, 1, steps):
            logits, state = model(inputs, state)
            pieces.append(mg.nn.functional.cross_entropy(logits, targets, dim=-1, reduction="none").reshape(-1))
        bits = mg.concat(pieces) / math.log(2)
    return bits.numpy()
