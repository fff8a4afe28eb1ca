"""Characters as numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy

Numbers = numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]


class Vocabulary:
    """A numbering of the characters of a text; number 0 stands for every character that is not in it.

    >>> vocabulary = Vocabulary("hello")
    >>> vocabulary.encode("hole!").tolist()
    [2, 4, 3, 1, 0]
    >>> vocabulary.decode([2, 1, 3, 3, 4])
    'hello'
    """

    UNKNOWN = "\N{REPLACEMENT CHARACTER}"

    def __init__(self, text: Iterable[str]) -> None:
        self.symbols = [self.UNKNOWN, *sorted(set(text) - {self.UNKNOWN})]
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Numbers:
        """The numbers of a text's characters, int64 ``(len(text),)``."""
        return numpy.fromiter((self._numbers.get(symbol, 0) for symbol in text), numpy.int64, len(text))

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of a sequence of numbers."""
        return "".join(self.symbols[number] for number in numbers)
