"""Where a decoder is, and what it made."""

from __future__ import annotations

from typing import Any, NamedTuple

import minigrad as mg

from .attention import Keys
from .decoding import select_rows


class DecoderState(NamedTuple):
    """Where a decoder is in its sequences.

    Attributes:
        layer: the state of its layer.
        context: the context vector that it sees at every step, ``(N, context_size)``, or ``None``.
        keys: the memory that it attends to, or ``None``.
        feed: what it put out last, ``(N, features)``, if that is fed back.
        weights: its last attention weights, ``(N, S)``, if it attended.
    """

    layer: Any
    context: mg.Tensor | None = None
    keys: Keys | None = None
    feed: mg.Tensor | None = None
    weights: mg.Tensor | None = None


class Decoded(NamedTuple):
    """What a decoder makes of a batch.

    Attributes:
        scores: logits ``(T, N, vocabulary_size)``.
        state: where it is at the end.
        weights: attention weights ``(T, N, S)``, or ``None``.
    """

    scores: mg.Tensor
    state: DecoderState
    weights: mg.Tensor | None


def select(state: DecoderState, rows: mg.Tensor, dim: int) -> DecoderState:
    """The state of some of the sequences, in any order and with repetitions; ``dim``: where the layer's counts them."""
    others: list[Any] = [select_rows(part, rows, 0) for part in state[1:]]
    return DecoderState(select_rows(state.layer, rows, dim), *others)
