"""A list of sequences as one padded tensor, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import minigrad as mg

from .places import Integers, batch_and_steps, host_lengths, ordered, put, runs, take

SIDES = ("right", "left")


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> mg.Tensor:
    """Sequences of different length side by side in one tensor, filled up with ``padding_value``.

    Args:
        sequences: at least one tensor ``(L_n, ...)``, of any lengths (0 too) and otherwise one shape and dtype.
        batch_first: give ``(N, T, ...)`` instead of ``(T, N, ...)``, T being the longest length.
        padding_value: what stands where a sequence has no step.
        padding_side: ``"right"``: after the sequences; ``"left"``: before them, so that all end together.

    Raises:
        ShapeError: no sequences, a sequence without steps as a dim, or sequences whose other sizes differ.

    >>> x = pad_sequence([mg.tensor([1, 2, 3]), mg.tensor([4])], batch_first=True)
    >>> x.tolist()
    [[1, 2, 3], [4, 0, 0]]
    """
    values, lengths = joined(sequences, "pad_sequence")
    steps = int(lengths.max())
    rows, times = runs(lengths)
    places = ordered(times + _shift(lengths, steps, padding_side)[rows], rows, batch_first)
    return put(values, places, (*ordered(steps, len(lengths), batch_first), *values.shape[1:]), padding_value)


def unpad_sequence(
    padded_sequences: mg.Tensor, lengths: Any, batch_first: bool = False, *, padding_side: str = "right"
) -> list[mg.Tensor]:
    """The sequences of a padded batch, each of its own length: the inverse of :func:`pad_sequence`.

    Args:
        padded_sequences: ``(T, N, ...)``, or ``(N, T, ...)`` with ``batch_first``.
        lengths: N integers from 0 to T.
        batch_first: which of the two.
        padding_side: where the padding is, as in :func:`pad_sequence`.

    Raises:
        ShapeError: an input with fewer than two dims, or lengths that do not fit it.

    >>> [x.tolist() for x in unpad_sequence(mg.tensor([[1, 4], [2, 0]]), [2, 1])]
    [[1, 2], [4]]
    """
    batch, steps = batch_and_steps(padded_sequences, batch_first, "unpad_sequence")
    lengths = host_lengths(lengths, batch, steps)
    rows, times = runs(lengths)
    times = times + _shift(lengths, steps, padding_side)[rows]
    return divided(take(padded_sequences, *ordered(times, rows, batch_first)), lengths)


def joined(sequences: Sequence[Any], caller: str) -> tuple[mg.Tensor, Integers]:
    """Sequences one behind the other, and their lengths."""
    tensors = [x if isinstance(x, mg.Tensor) else mg.tensor(x) for x in sequences]
    if not tensors:
        raise mg.ShapeError(f"{caller}: there are no sequences, so nothing tells the shape of a step")
    for i, x in enumerate(tensors):
        if x.ndim == 0 or x.shape[1:] != tensors[0].shape[1:]:
            raise mg.ShapeError(
                f"{caller}: sequence {i} has shape {x.shape}, sequence 0 has {tensors[0].shape}: each needs steps as"
                " its first dim, and all others must be equal"
            )
    return mg.concat(tensors), numpy.array([len(x) for x in tensors])


def divided(values: mg.Tensor, lengths: Integers) -> list[mg.Tensor]:
    """What :func:`joined` joined."""
    return list(values.split(lengths.tolist())) if len(lengths) else []


def _shift(lengths: Integers, steps: int, padding_side: str) -> Integers:
    """How many steps of padding stand before each sequence."""
    if padding_side not in SIDES:
        raise mg.ShapeError(f'padding_side is "right" or "left", not {padding_side!r}')
    return steps - lengths if padding_side == "left" else numpy.zeros_like(lengths)
