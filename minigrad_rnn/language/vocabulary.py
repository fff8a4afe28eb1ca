"""Characters or words as numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy

import minigrad as mg
from minigrad.files import replace_file

from ..data import read_text

Numbers = numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]

KINDS = ("characters", "words")
END_OF_LINE = "<eos>"  # the word that a line break is


class Vocabulary:
    """A numbering of the characters or the words of a text; number 0 stands for all that are not in it.

    Characters are numbered in their own order, words by how often they come: the frequent ones have low numbers, which
    is what an adaptive softmax wants.

    Args:
        tokens: what to number: a text, or the words of one (a text of words is split, see :func:`split`).
        kind: ``"characters"`` or ``"words"``.
        min_count: those that come less often are left out.
        max_size: the greatest length of the vocabulary, number 0 included; the most frequent are kept.
        unknown: the symbol of number 0: by default the replacement character, and ``"<unk>"`` for words.

    Attributes:
        symbols: all of them, in the order of their numbers.

    Raises:
        MinigradError: another kind, or sizes that make no sense.

    >>> vocabulary = Vocabulary("hello")
    >>> vocabulary.encode("hole!").tolist()
    [2, 4, 3, 1, 0]
    >>> vocabulary.decode([2, 1, 3, 3, 4])
    'hello'
    >>> Vocabulary("a b a c b a", kind="words", min_count=2).symbols
    ['<unk>', 'a', 'b']
    """

    UNKNOWN = "\N{REPLACEMENT CHARACTER}"

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        kind: str = "characters",
        min_count: int = 1,
        max_size: int | None = None,
        unknown: str | None = None,
    ) -> None:
        if kind not in KINDS:
            raise mg.MinigradError(f'a vocabulary is one of "characters" or of "words", not of {kind!r}')
        if min_count < 1 or (max_size is not None and max_size < 2):
            raise mg.MinigradError(
                f"Vocabulary: min_count={min_count} is 1 or more, max_size={max_size} 2 or more: the unknown is one"
            )
        self.kind = kind
        unknown = unknown or (self.UNKNOWN if kind == "characters" else "<unk>")
        counts = Counter(split(tokens, kind))
        kept = sorted((s for s, n in counts.items() if n >= min_count and s != unknown), key=lambda s: (-counts[s], s))
        kept = kept if max_size is None else kept[: max_size - 1]
        self._number([unknown, *(kept if kind == "words" else sorted(kept))])

    def _number(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self._numbers = {symbol: number for number, symbol in enumerate(symbols)}

    @classmethod
    def of_symbols(cls, symbols: Sequence[str], kind: str = "characters") -> Vocabulary:
        """The vocabulary with these symbols in this order; the first is that of what is unknown.

        Raises:
            MinigradError: no symbols, something else among them, or one twice.
        """
        vocabulary = cls((), kind=kind)
        if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise mg.MinigradError("a vocabulary has symbols, the first of them for the unknown, and all are text")
        vocabulary._number(list(symbols))
        if len(vocabulary._numbers) < len(symbols):
            symbol, count = Counter(symbols).most_common(1)[0]
            raise mg.MinigradError(f"the symbol {symbol!r} comes {count} times in this vocabulary")
        return vocabulary

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._numbers

    def __getitem__(self, symbol: str) -> int:
        """The number of a symbol; 0 for one that is not in it."""
        return self._numbers.get(symbol, 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self.kind, self.symbols) == (other.kind, other.symbols)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.kind})"

    def encode(self, tokens: Iterable[str]) -> Numbers:
        """The numbers of a text's characters or words, int64. Words may also be given one by one."""
        parts = split(tokens, self.kind)
        return numpy.fromiter((self._numbers.get(symbol, 0) for symbol in parts), numpy.int64, len(parts))

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of a sequence of numbers: words with blanks between, the end of a line as a line break.

        Raises:
            MinigradError: one that is not of this vocabulary, as of a model with another.
        """
        numbers = list(numbers)
        for wrong in (number for number in numbers if not 0 <= number < len(self)):
            raise mg.MinigradError(f"{self!r} has numbers 0 to {len(self) - 1}, not {wrong}")
        symbols = [self.symbols[number] for number in numbers]
        if self.kind == "characters":
            return "".join(symbols)
        return re.sub(r" ?\n ?", "\n", " ".join("\n" if symbol == END_OF_LINE else symbol for symbol in symbols))

    # ---- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write it to a file: as JSON if its name ends in ``.json``, else as lines with a word in each.

        Raises:
            FileError: the file cannot be written, or there is a symbol that is no line: save as JSON.
        """
        if Path(path).suffix == ".json":
            content = json.dumps({"kind": self.kind, "symbols": self.symbols}, ensure_ascii=False, indent=0)
        else:
            for symbol in self.symbols:
                if self.kind == "characters" or symbol.splitlines() != [symbol]:
                    raise mg.FileError(f"{path}: the symbol {symbol!r} needs more than a line: save as .json")
            content = "\n".join(self.symbols)
        replace_file(path, content + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read what :meth:`save` wrote, or any list of words, one in a line, the first for the unknown.

        Raises:
            FileError: the file cannot be read, or is something else.
        """
        text = read_text(path)
        try:
            if Path(path).suffix != ".json":
                return cls.of_symbols(text.splitlines(), "words")
            content = json.loads(text)
            return cls.of_symbols(content["symbols"], content["kind"])
        except (ValueError, KeyError, TypeError, mg.MinigradError) as error:
            raise mg.FileError(f"{path} is no vocabulary: {error!r}") from None


def split(text: Iterable[str], kind: str) -> Sequence[str]:
    r"""The characters or the words of a text; of anything else than a text, its items.

    Words are what stands between blanks, as in the prepared texts of Penn Treebank and WikiText, and each line break
    is a word: ``<eos>``. :func:`~minigrad_rnn.language.spaced` prepares other texts.

    >>> split("to be\nor not", "words")
    ['to', 'be', '<eos>', 'or', 'not']
    """
    if not isinstance(text, str):
        return list(text)
    if kind == "characters":
        return text
    first, *rest = text.split("\n")
    words = first.split()
    for line in rest:
        words.append(END_OF_LINE)
        words += line.split()
    return words
