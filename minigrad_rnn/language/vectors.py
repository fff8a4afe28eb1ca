"""Vectors of words that somebody else trained, read from the text files of GloVe and of word2vec."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy

import minigrad as mg

Floats = numpy.ndarray[tuple[int, int], numpy.dtype[numpy.float32]]


class VectorsError(mg.MinigradError):
    """A file of vectors that cannot be read; the message names the line."""


class Coverage(NamedTuple):
    """Which symbols of a vocabulary have a vector.

    Attributes:
        symbols: the vocabulary.
        found: for each symbol whether it has one, booleans.
        lowered: how many of these only in lower case.
    """

    symbols: list[str]
    found: numpy.ndarray[tuple[int], numpy.dtype[numpy.bool_]]
    lowered: int

    @property
    def missing(self) -> list[str]:
        """The symbols without a vector."""
        return [symbol for symbol, found in zip(self.symbols, self.found, strict=True) if not found]

    def of_text(self, numbers: Any) -> float:
        """The share of a text, given as numbers of the vocabulary, whose symbols have a vector."""
        return float(self.found[numpy.asarray(numbers)].mean())

    def __str__(self) -> str:
        count, total, missing = int(self.found.sum()), len(self.symbols), self.missing
        text = f"{count:,} of {total:,} symbols have a vector ({count / max(1, total):.1%})"
        text += f", {self.lowered:,} of them in lower case" if self.lowered else ""
        if missing:
            text += f"; without: {', '.join(map(repr, missing[:5]))}" + (", ..." if len(missing) > 5 else "")
        return text


class Vectors:
    """Words and a vector for each.

    Args:
        words: the words.
        table: their vectors, float32 ``(len(words), dim)``.

    >>> vectors = Vectors(["red", "blue"], numpy.array([[1, 0], [0, 1]], "f4"))
    >>> vectors["blue"].tolist()
    [0.0, 1.0]
    >>> table, coverage = vectors.for_vocabulary(["<unk>", "blue", "Red"])
    >>> print(coverage)
    2 of 3 symbols have a vector (66.7%), 1 of them in lower case; without: '<unk>'
    >>> table[1:].tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    def __init__(self, words: list[str], table: Floats) -> None:
        self.words, self.table = words, table
        self._rows = {word: row for row, word in reversed(list(enumerate(words)))}  # of a word twice, the first

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self.table.shape[1]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def __getitem__(self, word: str) -> numpy.ndarray[Any, numpy.dtype[numpy.float32]]:
        vector: numpy.ndarray[Any, numpy.dtype[numpy.float32]] = self.table[self._rows[word]]
        return vector

    def for_vocabulary(
        self, vocabulary: Any, lower: bool = True, zero: Iterable[int] = (), seed: int = 0
    ) -> tuple[mg.Tensor, Coverage]:
        """A table for an embedding: the vectors of a vocabulary's symbols, in its order.

        Symbols without a vector get normal random numbers with the mean and standard deviation of the vectors that
        were found, so that they stand among them.

        Args:
            vocabulary: a :class:`Vocabulary`, or its symbols in the order of their numbers.
            lower: where a symbol has no vector, take that of its lower case.
            zero: numbers of symbols that get zeros, such as that of padding.
            seed: of the random numbers; the same seed gives the same table.

        Returns:
            The table, float32 ``(len(vocabulary), dim)``, for :meth:`minigrad.nn.Embedding.from_pretrained`; and which
            symbols have a vector.
        """
        symbols = list(getattr(vocabulary, "symbols", vocabulary))
        rows = numpy.array([self._rows.get(symbol, -1) for symbol in symbols], int)
        in_lower = numpy.zeros(len(symbols), bool)
        if lower:
            in_lower = rows < 0
            rows[in_lower] = [self._rows.get(symbols[i].lower(), -1) for i in numpy.flatnonzero(in_lower)]
        found = rows >= 0
        known = self.table[rows[found]]
        mean, std = (known.mean(), known.std()) if known.size else (0.0, 1.0)
        drawn = numpy.random.default_rng(seed).standard_normal((len(symbols), self.dim), numpy.float32)
        table = (drawn * std + mean).astype(numpy.float32)
        table[found] = known
        table[list(zero)] = 0.0
        return mg.tensor(table), Coverage(symbols, found, int((in_lower & found).sum()))


def read_vectors(path: str | Path, words: Iterable[str] | None = None) -> Vectors:
    """Read a text file with a word and its vector on each line: GloVe's, or word2vec's with sizes on the first line.

    Args:
        path: the file; with a name that ends in ``.gz``, compressed.
        words: keep these words only, which saves memory: a :class:`Vocabulary`'s ``symbols``, with those in lower case
            beside them if these are wanted too. All if left out.

    Raises:
        VectorsError: no such file, bytes that are no UTF-8, a line with too few numbers or with something that is no
            number, fewer or more lines than the first one says. The message names the line.
    """
    wanted = None if words is None else set(words)
    kept: list[str] = []
    rows: list[numpy.ndarray[Any, Any]] = []
    dim, promised, count = 0, None, 0
    for number, line in _lines(path):
        if number == 1:
            promised, dim = _header(line)
            if promised is not None:
                continue
        count += 1
        word, *values = line.rsplit(" ", dim)
        if len(values) != dim:
            raise VectorsError(f"{path}, line {number}: a word and {dim} numbers are expected, not {line[:60]!r}")
        if wanted is None or word in wanted:
            kept.append(word)
            rows.append(_vector(path, number, values))
    if promised not in (None, count):
        told = f"the first line says {promised} words, but there are {count}: is the file complete?"
        raise VectorsError(f"{path}: {told}")
    if not dim:
        raise VectorsError(f"{path}: there are no vectors in it")
    return Vectors(kept, numpy.array(rows, numpy.float32).reshape(len(kept), dim))


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers; only a line feed ends one, because words may hold the others."""
    number = 0
    try:
        with closing(gzip.open(path) if str(path).endswith(".gz") else Path(path).open("rb")) as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode("utf-8").rstrip(" \r\n")
    except UnicodeDecodeError as error:
        raise VectorsError(
            f"{path}, line {number}: not UTF-8 text, byte 0x{error.object[error.start]:02x}"
            "\n  hint: a binary file of word2vec's has to be saved as text first"
        ) from None
    except (OSError, EOFError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise VectorsError(f"cannot read {path}" + (f" behind line {number}" if number else "") + f": {said}") from None


def _header(line: str) -> tuple[int | None, int]:
    """How many words the first line says there are, ``None`` if it is no header; and how many numbers each has."""
    fields = line.split(" ")
    if len(fields) == 2 and all(field.isdecimal() for field in fields):
        return int(fields[0]), int(fields[1])
    return None, len(fields) - 1


def _vector(path: str | Path, number: int, values: list[str]) -> numpy.ndarray[Any, Any]:
    try:
        vector = numpy.array(values, numpy.float32)
    except ValueError as error:
        raise VectorsError(f"{path}, line {number}: {error}") from None
    if not numpy.isfinite(vector).all():
        raise VectorsError(f"{path}, line {number}: numbers that are not finite")
    return vector
