"""Lengths and masks, and what depends on where each sequence ends."""

from __future__ import annotations

from typing import Any

import numpy

import minigrad as mg

from .places import batch_and_steps, host_lengths, ordered, put, runs, take


def lengths_to_mask(lengths: Any, max_length: int | None = None, batch_first: bool = False) -> mg.Tensor:
    r"""Which places of a padded batch hold values: :math:`m_{tn} = (t < \ell_n)`.

    Args:
        lengths: N integers: a list, an array or a tensor. The mask is on the device of the tensor, and with
            ``max_length`` given nothing waits for that device.
        max_length: number of steps of the mask; the longest length if left out. A longer length fills its row.
        batch_first: the mask is ``(N, T)`` instead of ``(T, N)``.

    Raises:
        ShapeError: lengths that are no row of numbers, or negative ones in a list.
        DtypeError: lengths that are no integers.

    >>> lengths_to_mask([2, 0, 3], batch_first=True).tolist()
    [[True, True, False], [False, False, False], [True, True, True]]
    """
    if not isinstance(lengths, mg.Tensor) or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        lengths = mg.tensor(host_lengths(lengths))
    if max_length is None:
        max_length = int(lengths.max().item()) if lengths.numel() else 0
    steps = mg.arange(max_length, device=lengths.device)
    mask: mg.Tensor = steps < lengths.unsqueeze(1) if batch_first else steps.unsqueeze(1) < lengths
    return mask


def mask_to_lengths(mask: Any, batch_first: bool = False) -> mg.Tensor:
    """The lengths that a mask stands for, int64 ``(N,)``: the inverse of :func:`lengths_to_mask`.

    Args:
        mask: booleans, ``(T, N)``: true where there is a value, false where there is padding.
        batch_first: it is ``(N, T)``.

    Raises:
        ShapeError: not two dims, or a row with a value after padding, which no length describes.

    >>> mask_to_lengths([[True, True], [True, False]]).tolist()
    [2, 1]
    """
    mask = (mask if isinstance(mask, mg.Tensor) else mg.tensor(mask)).bool()
    if mask.ndim != 2:
        raise mg.ShapeError(f"a mask must have two dims, steps and batch, not {mask.shape}")
    steps = mask.T if batch_first else mask
    lengths: mg.Tensor = steps.sum(0).long()
    beyond = (steps & ~lengths_to_mask(lengths, len(steps))).any(0).numpy()
    if beyond.any():
        row = int(beyond.argmax())
        raise mg.ShapeError(
            f"mask_to_lengths: row {row} has values after padding: no length describes it\n"
            "  hint: lengths are for padding at the end; a mask with holes or with padding in front stays a mask"
        )
    return lengths


def reverse_by_length(x: mg.Tensor, lengths: Any, batch_first: bool = False) -> mg.Tensor:
    r"""Every sequence backwards within its own length, zeros after it.

    .. math::
        y_{tn} = x_{\ell_n - 1 - t,\; n} \quad (t < \ell_n), \qquad y_{tn} = 0 \quad (t \ge \ell_n)

    This is what the backward direction of a bidirectional layer reads; doing it twice gives the batch back, with
    zeros for padding. Differentiable; padding is never read, so that NaN in it stays there.

    Args:
        x: ``(T, N, ...)``.
        lengths: N integers from 0 to T.
        batch_first: ``x`` is ``(N, T, ...)``.

    Raises:
        ShapeError: an input with fewer than two dims, or lengths that do not fit it.

    >>> x = mg.tensor([[1, 4], [2, 5], [3, 6]])
    >>> reverse_by_length(x, [3, 1]).tolist()
    [[3, 4], [2, 0], [1, 0]]
    """
    batch, steps = batch_and_steps(x, batch_first, "reverse_by_length")
    lengths = host_lengths(lengths, batch, steps)
    rows, times = runs(lengths)
    taken = take(x, *ordered(lengths[rows] - 1 - times, rows, batch_first))
    return put(taken, ordered(times, rows, batch_first), x.shape)


def last_output(output: mg.Tensor, lengths: Any, batch_first: bool = False) -> mg.Tensor:
    r"""The output at the last step of every sequence: :math:`y_n = x_{\ell_n - 1,\; n}`, zero where :math:`\ell_n = 0`.

    For a layer with one direction that is the last state of its top layer. For two directions it is not: the backward
    half has read only one step there: see :func:`last_state`, or use the layer's ``h_n``.

    Args:
        output: ``(T, N, ...)``.
        lengths: N integers from 0 to T.
        batch_first: ``output`` is ``(N, T, ...)``.

    Returns:
        ``(N, ...)``.

    Raises:
        ShapeError: an output with fewer than two dims, or lengths that do not fit it.

    >>> output = mg.tensor([[[1.0], [4.0]], [[2.0], [5.0]]])
    >>> last_output(output, [2, 1]).tolist(), last_output(output, [1, 0]).tolist()
    ([[2.0], [4.0]], [[1.0], [0.0]])
    """
    batch, steps = batch_and_steps(output, batch_first, "last_output")
    lengths = host_lengths(lengths, batch, steps)
    rows = numpy.flatnonzero(lengths)
    taken = take(output, *ordered(lengths[rows] - 1, rows, batch_first))
    return put(taken, (rows,), (batch, *output.shape[2:]))


def last_state(
    output: mg.Tensor, lengths: Any, batch_first: bool = False, *, bidirectional: bool = False
) -> mg.Tensor:
    """The last state of a layer for every sequence, from its outputs: of two directions, side by side.

    A direction ends where it has read everything: the one from the start at the last element, the one from the end at
    the first. That is the layer's ``h_n`` of its top layer, for outputs that were kept without it. Zeros for a
    sequence without elements.

    Args:
        output: ``(T, N, directions * features)``, the two directions side by side, as layers put them out.
        lengths: N integers from 0 to T.
        batch_first: ``output`` is ``(N, T, ...)``.
        bidirectional: whether there are two directions.

    Returns:
        ``(N, directions * features)``.

    Raises:
        ShapeError: an output with fewer than two dims or, for two directions, an odd number of features; lengths that
            do not fit it.

    >>> output = mg.tensor([[[1.0, 5.0]], [[2.0, 6.0]], [[0.0, 0.0]]])
    >>> last_state(output, [2], bidirectional=True).tolist()
    [[2.0, 5.0]]
    """
    if not bidirectional:
        return last_output(output, lengths, batch_first)
    if output.ndim < 3 or output.shape[-1] % 2:
        raise mg.ShapeError(
            f"last_state: the outputs of two directions have shape (steps, batch, 2 * features), not {output.shape}"
        )
    forward, backward = output.chunk(2, -1)
    first = numpy.minimum(host_lengths(lengths), 1)
    return mg.concat([last_output(forward, lengths, batch_first), last_output(backward, first, batch_first)], -1)
