"""Examples put together in batches, in an order that can be taken up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy

import minigrad as mg

Example = TypeVar("Example")
Made = TypeVar("Made")


def split(examples: Sequence[Example], held_out: float = 0.1, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """Examples to learn from and examples held out, drawn at random.

    >>> [len(part) for part in split(range(100), held_out=0.2)]
    [80, 20]
    """
    order = numpy.random.default_rng(seed).permutation(len(examples))
    cut = len(examples) - round(len(examples) * held_out)
    return [examples[i] for i in order[:cut]], [examples[i] for i in order[cut:]]


def bucketed(lengths: Sequence[int], size: int, rng: numpy.random.Generator | None = None) -> list[list[int]]:
    """Which examples come together in which batch, so that those of a batch are about equally long.

    Examples are shuffled, then sorted by length within pools of 50 batches, cut into batches, and these are shuffled.
    Without ``rng`` they are only sorted.

    >>> bucketed([3, 9, 2, 8], size=2)
    [[2, 0], [3, 1]]
    """
    order = list(range(len(lengths))) if rng is None else rng.permutation(len(lengths)).tolist()
    pool = 50 * size if rng is not None else max(1, len(order))
    batches = []
    for start in range(0, len(order), pool):
        near = sorted(order[start : start + pool], key=lengths.__getitem__)
        batches += [near[i : i + size] for i in range(0, len(near), size)]
    return batches if rng is None else [batches[i] for i in rng.permutation(len(batches))]


class Batches(Generic[Example, Made]):
    """Batches of examples for an epoch, in another order in every epoch, which its number alone decides.

    So training that was interrupted in an epoch can take up the same order again, after as many batches as it had.

    Args:
        examples: what is put together.
        make: makes a batch of a list of examples.
        size: how many examples a batch has; the last may have fewer.
        length: how long an example is: those of a batch are about equally long. Left out, they are drawn at random.
        shuffle: whether the order changes; if not, it is that of the examples, by length if there is one.
        seed: of the orders.

    >>> batches = Batches(range(5), list, size=2, seed=1)
    >>> [batch for batch in batches(0)], [batch for batch in batches(1)]
    ([[1, 2], [4, 0], [3]], [[1, 4], [2], [0, 3]])
    >>> [batch for batch in batches(1)]
    [[1, 4], [2], [0, 3]]
    """

    def __init__(
        self,
        examples: Sequence[Example],
        make: Callable[[list[Example]], Made],
        size: int,
        *,
        length: Callable[[Example], int] | None = None,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        if size < 1:
            raise mg.MinigradError(f"Batches: size is how many examples a batch has, from 1, not {size}")
        self.examples, self.make, self.size, self.shuffle, self.seed = examples, make, size, shuffle, seed
        self.lengths = [0 if length is None else length(example) for example in examples]

    def __call__(self, epoch: int) -> Iterator[Made]:
        """The batches of an epoch."""
        rng: Any = numpy.random.default_rng((self.seed, epoch)) if self.shuffle else None
        for batch in bucketed(self.lengths, self.size, rng):
            yield self.make([self.examples[i] for i in batch])

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.examples) / self.size)
