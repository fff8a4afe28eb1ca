"""Examples in minibatches, in a new order every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

import minigrad as mg

from ..data.batches import bucketed


class Batches:
    """Cuts examples into minibatches. Every iteration over it is an epoch, with an order of its own.

    The order comes from a random generator that nothing else draws from: two models with the same seed see the same
    batches, whatever else they draw. The state of the generator is in the checkpoints of a ``Trainer``.

    Args:
        examples: anything with a length and numbered items.
        batch_size: examples in a batch; the last one may have fewer.
        collate: makes a batch of a list of examples; left out, the list is the batch.
        length: how long an example is: those of a batch are then about equally long, for the sake of little padding;
            see :func:`minigrad_rnn.data.bucketed`.
        shuffle: whether the order changes; if not, it is that of the examples, or that of their lengths.
        drop_last: leave out a last batch with fewer examples.
        seed: of the generator.

    Raises:
        MinigradError: there are no examples, or no whole batch of them.

    >>> batches = Batches("abcde", 2, collate="".join, shuffle=False)
    >>> len(batches), list(batches)
    (3, ['ab', 'cd', 'e'])
    """

    def __init__(
        self,
        examples: Sequence[Any],
        batch_size: int,
        collate: Callable[[list[Any]], Any] | None = None,
        *,
        length: Callable[[Any], int] | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
    ) -> None:
        if batch_size < 1:
            raise mg.MinigradError(f"Batches: batch_size is 1 or more, not {batch_size}")
        self.examples, self.batch_size, self.collate = examples, batch_size, collate
        self.shuffle, self.drop_last = shuffle, drop_last
        self._lengths = None if length is None else [length(example) for example in examples]
        self._generator = numpy.random.default_rng(seed)
        if not len(self):
            raise mg.MinigradError(f"Batches: {len(examples)} examples make no batch of {batch_size}")

    def __len__(self) -> int:
        whole, rest = divmod(len(self.examples), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        chosen = self._chosen()  # now, not at the first batch: what is drawn must not depend on when that is
        return (self._batch(numbers) for numbers in chosen if len(numbers) == self.batch_size or not self.drop_last)

    def _chosen(self) -> list[list[int]]:
        """The numbers of the examples in each batch."""
        count, size = len(self.examples), self.batch_size
        generator = self._generator if self.shuffle else None
        if self._lengths is not None:
            return bucketed(self._lengths, size, generator)
        order = list(range(count)) if generator is None else generator.permutation(count).tolist()
        return [order[i : i + size] for i in range(0, count, size)]

    def _batch(self, numbers: list[int]) -> Any:
        examples = [self.examples[number] for number in numbers]
        return examples if self.collate is None else self.collate(examples)

    def state_dict(self) -> dict[str, Any]:
        """The state of the generator, as plain data: what decides the orders of the epochs to come."""
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the orders that would have come."""
        self._generator.bit_generator.state = state["generator"]
