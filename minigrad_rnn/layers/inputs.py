"""Sequences in any form that a layer takes: padded, with lengths or a mask, packed, or a list; and back again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

import minigrad as mg

from ..cells.unroll import Running
from ..sequences import PackedSequence, pad_packed_sequence, pad_sequence, unpad_sequence
from ..sequences.packed import repacked
from ..sequences.places import host_lengths


class Sequences(NamedTuple):
    """Sequences as a layer computes with them.

    Attributes:
        x: ``(T, N, features)``.
        running: where there is an element, booleans ``(T, N)`` on the host; ``None``: everywhere.
        layout: makes of a result ``(T, N, ...)`` one in the user's order of dims.
        back: makes of it what the user gets, in the form in which the input came.
        batched: whether the input had a batch, and so states have one.
        reverse: whether each is to be read from its end.
    """

    x: mg.Tensor
    running: Running | None
    layout: Callable[[mg.Tensor], mg.Tensor]
    back: Callable[[mg.Tensor], Any]
    batched: bool = True
    reverse: bool = False


def arranged(caller: str, input: Any, features: int | None, batch_first: bool, lengths: Any, mask: Any) -> Sequences:
    """The input of a layer, whatever its form.

    Raises:
        ShapeError: an input that is no sequence of ``features``, or lengths or a mask that do not fit it.
        MinigradError: lengths together with a mask, or either with sequences that have their own length.
    """
    if isinstance(input, (PackedSequence, list, tuple)):
        if lengths is not None or mask is not None:
            raise mg.MinigradError(
                f"{caller}: a list and a packed batch know their lengths; leave out lengths and mask"
            )
        form = _of_packed if isinstance(input, PackedSequence) else _of_list
        return form(caller, input, features)
    _check(caller, input, features, batch_first)
    if lengths is not None and mask is not None:
        raise mg.MinigradError(f"{caller}: give lengths or a mask, not both; a mask says all that lengths say")
    batched = input.ndim == 3
    if not batched:
        x, back = input.unsqueeze(1), _without_batch
    elif batch_first:
        x, back = input.transpose(0, 1), _batch_first
    else:
        x, back = input, _as_it_is
    running = None
    if lengths is not None:
        running = alive(_host_lengths(lengths, batched, *x.shape[1::-1]), len(x))
    elif mask is not None:
        running = _host_mask(caller, mask, input.shape[:-1], batch_first)
    return Sequences(x, running, back, back, batched)


def silent(x: mg.Tensor, running: Running | None) -> mg.Tensor:
    """``(T, N, features)`` with zeros where there is no element; neither NaN there nor its gradient goes on."""
    if running is None:
        return x
    silenced: mg.Tensor = mg.where(mg.tensor(running, device=x.device).unsqueeze(-1), x, 0.0)
    return silenced


def alive(lengths: Any, steps: int) -> Running:
    """Which rows are still running at which step: ``(steps, N)``, on the host."""
    return numpy.arange(steps)[:, None] < numpy.asarray(lengths, numpy.int64)


def _as_it_is(y: mg.Tensor) -> mg.Tensor:
    return y


def _batch_first(y: mg.Tensor) -> mg.Tensor:
    return y.transpose(0, 1)


def _without_batch(y: mg.Tensor) -> mg.Tensor:
    return y.squeeze(1)


def _of_list(caller: str, sequences: Any, features: int | None) -> Sequences:
    size = features or "features"
    if not sequences:
        raise mg.ShapeError(f"{caller}: the list has no sequences; a batch of none is a tensor (steps, 0, {size})")
    for i, sequence in enumerate(sequences):
        if not _is_row_of_steps(sequence, features):
            told = sequence.shape if isinstance(sequence, mg.Tensor) else f"a {type(sequence).__name__}"
            raise mg.ShapeError(f"{caller}: each sequence of a list is a tensor (steps, {size}); number {i} is {told}")
    x = pad_sequence(sequences)
    lengths = [len(sequence) for sequence in sequences]
    return Sequences(x, alive(lengths, len(x)), _as_it_is, lambda y: unpad_sequence(y, lengths))


def _of_packed(caller: str, packed: Any, features: int | None) -> Sequences:
    if not _is_row_of_steps(packed.data, features):
        raise mg.ShapeError(
            f"{caller}: the data of a packed batch must have shape (steps of all, {features or 'features'}), not"
            f" {packed.data.shape}"
        )
    x, lengths = pad_packed_sequence(packed)
    return Sequences(x, alive(lengths.numpy(), len(x)), _as_it_is, lambda y: repacked(y, packed))


def _is_row_of_steps(x: Any, features: int | None) -> bool:
    return isinstance(x, mg.Tensor) and x.ndim == 2 and features in (None, x.shape[-1])


def _host_lengths(lengths: Any, batched: bool, batch: int, steps: int) -> Any:
    """Lengths on the host; without a batch a number will do."""
    given = lengths if isinstance(lengths, mg.Tensor) else mg.tensor(lengths)
    return host_lengths(given if batched or given.ndim else given.unsqueeze(0), batch, steps)


def _host_mask(caller: str, mask: Any, shape: tuple[int, ...], batch_first: bool) -> Running:
    """A mask as booleans ``(T, N)``; from a device, this waits for it."""
    given = (mask if isinstance(mask, mg.Tensor) else mg.tensor(mask)).numpy()
    if given.dtype != bool and not ((given == 0) | (given == 1)).all():
        raise mg.DtypeError(
            f"{caller}: the mask says with true and false, or 1 and 0, where there is an element; this one has other"
            f" numbers\n  hint: mask == 0 of one that is meant to be added, of zeros and -inf"
        )
    given = given.astype(bool)
    if given.shape != tuple(shape):
        raise mg.ShapeError(
            f"{caller}: the mask must have the shape of the input without its features, {tuple(shape)}, not"
            f" {given.shape}"
        )
    if given.ndim == 1:
        return numpy.asarray(given[:, None])
    return numpy.ascontiguousarray(given.T) if batch_first else given


def _check(caller: str, x: Any, features: int | None, batch_first: bool) -> None:
    if not isinstance(x, mg.Tensor):
        raise mg.ShapeError(
            f"{caller}: the input is a tensor, a packed batch or a list of tensors, not a {type(x).__name__}\n"
            "  hint: mg.tensor(x, dtype=mg.float32) makes a tensor of an array or of nested lists of numbers"
        )
    if x.ndim in (2, 3) and features in (None, x.shape[-1]):
        return
    order = "batch, steps" if batch_first else "steps, batch"
    hint = "x.unsqueeze(-1) makes each number a step of one feature; x.reshape(steps, batch, -1) joins dims"
    if x.ndim in (2, 3):
        hint = f"a step has input_size={features} features, those of the last dimension: {x.shape[-1]} here"
    raise mg.ShapeError(
        f"{caller}: the input must have shape ({order}, {features}) or, without a batch,"
        f" (steps, {features}), not {x.shape}\n  hint: {hint}"
    )
