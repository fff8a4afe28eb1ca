"""Packed sequences: the steps of all sequences without any padding, longest sequence first.

A recurrent layer that runs through a packed batch does, at each step, only the rows whose sequences still last, and
these are always the first ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

import minigrad as mg

from .padded import divided, joined
from .places import Integers, batch_and_steps, host_lengths, ordered, put, runs, take


class _Fields(NamedTuple):
    data: mg.Tensor
    batch_sizes: mg.Tensor
    sorted_indices: mg.Tensor | None
    unsorted_indices: mg.Tensor | None


class PackedSequence(_Fields):
    """Sequences of different length as one tensor without padding. See :func:`pack_padded_sequence`.

    Step 0 of all sequences comes first, then step 1 of those that have one, and so on; at every step the sequences
    stand in order of their length. ``packed._replace(data=f(packed.data))`` applies ``f`` to every step of every
    sequence.

    Args:
        data: ``(sum of the lengths, ...)``.
        batch_sizes: how many sequences have a step 0, a step 1, ...: int64, never rising, on the host.
        sorted_indices: which sequence of the batch is the longest, the second longest, ...; ``None``: the batch was
            in that order.
        unsorted_indices: the inverse: where each sequence of the batch stands in that order. Worked out if left out.

    Raises:
        ShapeError: batch sizes that rise, or that do not add up to the length of the data; indices that are no order.

    >>> packed = pack_sequence([mg.tensor([1, 2]), mg.tensor([3, 4, 5])])
    >>> packed.data.tolist(), packed.batch_sizes.tolist(), packed.sorted_indices.tolist()
    ([3, 1, 4, 2, 5], [2, 2, 1], [1, 0])
    """

    __slots__ = ()

    def __new__(
        cls, data: mg.Tensor, batch_sizes: Any, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        """Checked, and with the inverse order worked out."""
        sizes = host_lengths(batch_sizes)
        if (numpy.diff(sizes) > 0).any() or sizes.sum() != len(data):
            raise mg.ShapeError(
                f"PackedSequence: the batch sizes must never rise and must add up to the {len(data)} rows of the data;"
                f" they are {sizes.tolist()}, {sizes.sum()} in all"
            )
        if sorted_indices is None:
            return super().__new__(cls, data, mg.tensor(sizes), None, None)
        order = host_lengths(sorted_indices)
        inverse = numpy.argsort(order)
        given = inverse if unsorted_indices is None else host_lengths(unsorted_indices)
        if (order[inverse] != numpy.arange(len(order))).any() or not numpy.array_equal(given, inverse):
            raise mg.ShapeError(
                f"PackedSequence: sorted_indices {order.tolist()} must name every sequence once, and unsorted_indices"
                f" {given.tolist()} must be their inverse"
            )
        return super().__new__(cls, data, mg.tensor(sizes), mg.tensor(order), mg.tensor(inverse))

    @property
    def batch_size(self) -> int:
        """How many sequences there are, those without any step among them."""
        if self.sorted_indices is not None:
            return len(self.sorted_indices)
        return int(self.batch_sizes[0].item()) if len(self.batch_sizes) else 0

    @property
    def lengths(self) -> mg.Tensor:
        """The length of each sequence, int64, in the order of the batch.

        >>> pack_sequence([mg.ones(2), mg.ones(0), mg.ones(3)]).lengths.tolist()
        [2, 0, 3]
        """
        lengths = numpy.zeros(self.batch_size, numpy.int64)
        rows, _ = _rows_and_steps(self)
        numpy.add.at(lengths, rows, 1)
        return mg.tensor(lengths)

    def to(self, *targets: Any, dtype: Any = None, device: Any = None) -> PackedSequence:
        """The data in another dtype or on another device; sizes and orders stay on the host."""
        return self._replace(data=self.data.to(*targets, dtype=dtype, device=device))


def _rows_and_steps(packed: PackedSequence) -> tuple[Integers, Integers]:
    """For every entry of the data: which sequence of the batch it is of, and which step."""
    steps, ranks = runs(packed.batch_sizes.numpy())
    return (ranks if packed.sorted_indices is None else packed.sorted_indices.numpy()[ranks]), steps


def _layout(lengths: Integers, enforce_sorted: bool) -> tuple[Integers, Integers | None]:
    """Batch sizes and order for sequences of these lengths.

    The order is left out where the batch has it already, unless there are empty sequences: they appear in no batch
    size, and the order is what remembers them.
    """
    falling = not (numpy.diff(lengths) > 0).any()
    if enforce_sorted and not falling:
        raise mg.ShapeError(
            f"the sequences are not sorted by falling length: {lengths.tolist()}\n"
            "  hint: enforce_sorted=False, the default here, accepts any order and keeps it"
        )
    sizes = (lengths > numpy.arange(lengths.max(initial=0))[:, None]).sum(1)
    order = None if enforce_sorted and lengths.all() else numpy.argsort(-lengths, kind="stable")
    return sizes, order


def pack_padded_sequence(
    input: mg.Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = False
) -> PackedSequence:
    """A padded batch without its padding. Differentiable; padding is never read.

    Args:
        input: ``(T, N, ...)``.
        lengths: N integers from 0 to T, in any order: a list, an array or a tensor.
        batch_first: ``input`` is ``(N, T, ...)``.
        enforce_sorted: insist on lengths that fall, and leave the orders ``None``. (PyTorch's default; here it is off.)

    Raises:
        ShapeError: an input with fewer than two dims, lengths that do not fit it, or, if asked, unsorted ones.

    >>> x = mg.tensor([[1, 3], [2, 4], [0, 5]])
    >>> pack_padded_sequence(x, [2, 3]).data.tolist()
    [3, 1, 4, 2, 5]
    """
    batch, steps = batch_and_steps(input, batch_first, "pack_padded_sequence")
    sizes, order = _layout(host_lengths(lengths, batch, steps), enforce_sorted)
    times, rows = runs(sizes)
    rows = rows if order is None else order[rows]
    return PackedSequence(take(input, *ordered(times, rows, batch_first)), sizes, order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[mg.Tensor, mg.Tensor]:
    """A packed batch with padding again, in its original order: the inverse of :func:`pack_padded_sequence`.

    Args:
        sequence: the packed batch.
        batch_first: give ``(N, T, ...)`` instead of ``(T, N, ...)``.
        padding_value: what stands where a sequence has no step.
        total_length: T; the longest length if left out.

    Returns:
        The padded batch, and the lengths: int64 ``(N,)``, on the host.

    Raises:
        ShapeError: a total length below the longest.

    >>> x, lengths = pad_packed_sequence(pack_sequence([mg.tensor([1, 2]), mg.tensor([3, 4, 5])]), batch_first=True)
    >>> x.tolist(), lengths.tolist()
    ([[1, 2, 0], [3, 4, 5]], [2, 3])
    """
    longest = len(sequence.batch_sizes)
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise mg.ShapeError(f"pad_packed_sequence: total_length {steps} is less than the longest sequence, {longest}")
    rows, times = _rows_and_steps(sequence)
    shape = (*ordered(steps, sequence.batch_size, batch_first), *sequence.data.shape[1:])
    return put(sequence.data, ordered(times, rows, batch_first), shape, padding_value), sequence.lengths


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = False) -> PackedSequence:
    """A list of sequences as one packed batch.

    Args:
        sequences: at least one tensor ``(L_n, ...)``, of any lengths (0 too) and otherwise one shape and dtype.
        enforce_sorted: as in :func:`pack_padded_sequence`.

    Raises:
        ShapeError: no sequences, sequences whose other sizes differ, or, if asked, unsorted ones.

    >>> pack_sequence([mg.tensor([1, 2]), mg.tensor([3])]).data.tolist()
    [1, 3, 2]
    """
    values, lengths = joined(sequences, "pack_sequence")
    sizes, order = _layout(lengths, enforce_sorted)
    times, rows = runs(sizes)
    rows = rows if order is None else order[rows]
    starts = numpy.cumsum(lengths) - lengths
    return PackedSequence(take(values, starts[rows] + times), sizes, order)


def unpack_sequence(packed_sequences: PackedSequence) -> list[mg.Tensor]:
    """The sequences of a packed batch, in their original order: the inverse of :func:`pack_sequence`.

    >>> [x.tolist() for x in unpack_sequence(pack_sequence([mg.tensor([1, 2]), mg.tensor([3])]))]
    [[1, 2], [3]]
    """
    rows, steps = _rows_and_steps(packed_sequences)
    return divided(take(packed_sequences.data, numpy.lexsort((steps, rows))), packed_sequences.lengths.numpy())


def repacked(padded: mg.Tensor, like: PackedSequence) -> PackedSequence:
    """A padded batch ``(T, N, ...)`` packed in the order of another packed batch of the same lengths."""
    rows, steps = _rows_and_steps(like)
    return like._replace(data=take(padded, steps, rows))
