"""Where a decoder looks: the weights of its attention at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

import minigrad as mg
from minigrad.graph import align

from ..layers.path import unrolled

Array = numpy.ndarray[Any, Any]


@dataclass(frozen=True)
class AttentionTrace:
    """The weights of an attention. Made by :func:`attention_trace`; printing it prints a table of the first sequence.

    Attributes:
        weights: ``(T, N, S)`` on the host: at step t, how much of what was read at step s counts; NaN in rows that
            were over.
        result: what the model returned.
    """

    weights: Array
    result: Any = None

    def to_text(self, source: Sequence[str] = (), target: Sequence[str] = (), row: int = 0) -> str:
        """A table: a line for each step, a column for each element of the source."""
        weights = self.weights[:, row]
        heads = [source[s] if s < len(source) else f"s={s}" for s in range(weights.shape[1])]
        sides = [target[t] if t < len(target) else f"t={t}" for t in range(weights.shape[0])]
        rows = [("", *heads), *[(side, *[f"{w:.2f}" for w in line]) for side, line in zip(sides, weights, strict=True)]]
        return align(rows, right=range(1, len(heads) + 1))

    __str__ = to_text


def attention_trace(model: Callable[..., Any], *args: Any, **kwargs: Any) -> AttentionTrace:
    """Run a model and note the weights of its attention at every step of the decoder.

    Noted is what runs inside a time step in a scope ``weights``, as the attentions of :mod:`minigrad_rnn.seq2seq` do
    it. An attention of one's own puts its softmax into ``with mg.scope("weights"):``.

    Args:
        model: a model, or a function. It runs under ``no_grad`` and on the unrolled path; call ``model.eval()``
            before, if it is not to drop anything.
        *args: what to call it with.
        **kwargs: the same by keyword.

    Raises:
        MinigradError: no attention ran inside a time step, or one over sources of different lengths.

    >>> from minigrad_rnn import GRU
    >>> from minigrad_rnn.seq2seq import Decoder, DotAttention, Encoder, Seq2Seq
    >>> model = Seq2Seq(Encoder(10, GRU(4, 5)), Decoder(10, GRU(4, 5), attention=DotAttention(5, 5)))
    >>> trace = attention_trace(model, mg.tensor([[3], [4], [5]]), mg.tensor([[6], [7]]))
    >>> trace.weights.shape
    (3, 1, 3)
    """
    if not callable(model):
        raise TypeError(f"attention_trace takes a model, and then what to call it with; not {type(model).__name__}")
    found: dict[tuple[int, ...], Array] = {}

    def see(event: Any) -> None:
        places = mg.inspect.places()
        steps = tuple([step for _, step in places if step is not None])
        if steps and places[-1][0] == "weights" and len(event.arrays) == 1:
            found[steps] = mg.tensor(event.arrays[0]).numpy()  # the last op of the scope is what it gives

    with mg.no_grad(), unrolled(), mg.observe(see):
        result = model(*args, **kwargs)
    if not found:
        raise mg.MinigradError(
            "attention_trace: no attention ran inside a time step\n"
            '  hint: the softmax of an attention of your own belongs in `with mg.scope("weights"):`'
        )
    rows = [array.reshape(-1, array.shape[-1]) for array in found.values()]
    if len({row.shape for row in rows}) > 1:
        raise mg.MinigradError(f"attention_trace: weights of different shapes: {sorted({row.shape for row in rows})}")
    return AttentionTrace(numpy.stack(rows), result)
