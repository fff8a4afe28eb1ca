"""Examples parted into those to learn from and those held out, and into batches of about equal lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy

Example = TypeVar("Example")


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
