"""Text to learn from, and how it is cut into batches."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pydoc_data import topics
from typing import Any, NamedTuple

import minigrad as mg

from ..seq2seq.symbols import IGNORED, framed
from ..sequences import pad_sequence
from .vocabulary import Numbers, Vocabulary, split


class TextError(mg.MinigradError):
    """A text that is too short to learn from."""


def builtin_text() -> str:
    """Half a megabyte of English that every Python carries: the language reference behind ``help()``."""
    return "\n\n".join(topics.topics[name] for name in sorted(topics.topics))


def spaced(text: str, lower: bool = False) -> str:
    """A text with blanks around punctuation, so that its words can be told apart; ``...`` is one.

    >>> spaced("Don't panic, it's (mostly) harmless.")
    "Don't panic , it's ( mostly ) harmless ."
    """
    lines = (text.lower() if lower else text).split("\n")
    return "\n".join(" ".join(found.group() for found in _WORD.finditer(line)) for line in lines)


_WORD = re.compile(r"\w+(?:['’]\w+)*|([^\w\s])\1*")


class Window(NamedTuple):
    """A piece of every stream: predict ``targets`` from ``inputs``, each ``(steps, streams)`` int64."""

    inputs: mg.Tensor
    targets: mg.Tensor


class Corpus:
    """A text split into a part to learn from and a part held out, as numbers.

    The vocabulary is that of the part to learn from, so what only the held-out part has is unknown, as it would be in
    use.

    Args:
        text: the whole text.
        held_out: the share of it that is held out, at its end; or another text.
        kind: ``"characters"`` or ``"words"``.
        min_count, max_size: of the vocabulary.
        vocabulary: one that is there already, that of a trained model.

    Raises:
        TextError: the text is empty or too short.
        MinigradError: a share that is not from 0 to below 1.
    """

    SHORTEST = 1000  # characters or words: below, neither training nor the held-out figure means anything

    def __init__(
        self,
        text: str,
        held_out: float | str = 0.1,
        *,
        kind: str = "characters",
        min_count: int = 1,
        max_size: int | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        kind = kind if vocabulary is None else vocabulary.kind
        train = split(text, kind)
        if len(train) < self.SHORTEST:
            raise TextError(f"the text has {len(train)} {kind}; at least {self.SHORTEST} are needed to learn from")
        if isinstance(held_out, str):
            rest: Sequence[str] = split(held_out, kind)
        else:
            if not 0 <= held_out < 1:
                raise mg.MinigradError(f"Corpus: held_out is a share from 0 to below 1, or a text, not {held_out}")
            cut = int(len(train) * (1 - held_out))
            train, rest = train[:cut], train[cut:]
        if vocabulary is None:
            vocabulary = Vocabulary(train, kind=kind, min_count=min_count, max_size=max_size)
        self.vocabulary = vocabulary
        self.train = vocabulary.encode(train)
        self.held_out = vocabulary.encode(rest)


class Windows:
    """A sequence cut into parallel streams, and these into windows that follow on from one another.

    Stream ``k`` is the ``k``-th of ``streams`` equal pieces, so the state at the end of a window is the state at the
    start of the next: what truncated backpropagation through time carries over. The last window may be shorter. It can
    be iterated over again and again.

    Args:
        numbers: the text, ``(length,)`` int64.
        streams: how many pieces are read in parallel.
        steps: of a window.
        keep_all: whether the last ``streams - 1`` numbers or fewer, which do not fill a step of all streams, come
            too, with targets that do not count beside them. For figures they must, in training they hardly matter.

    Raises:
        MinigradError: the text is too short for so many streams.

    >>> [w.inputs.shape for w in Windows(mg.arange(21), streams=2, steps=4)]
    [(4, 2), (4, 2), (2, 2)]
    """

    def __init__(self, numbers: Any, streams: int, steps: int, *, keep_all: bool = False) -> None:
        numbers = numbers if isinstance(numbers, mg.Tensor) else mg.tensor(numbers)
        if streams < 1 or steps < 1:
            raise mg.MinigradError(f"windows have 1 stream and 1 step or more, not {streams} and {steps}")
        predicted = max(0, len(numbers) - 1)
        length = -(-predicted // streams) if keep_all else predicted // streams
        if not length:
            raise mg.MinigradError(f"{len(numbers)} numbers are too few for {streams} streams")
        inputs, targets = numbers[:-1][: length * streams], numbers[1:][: length * streams]
        if missing := length * streams - len(inputs):
            inputs = mg.concat([inputs, mg.zeros(missing, dtype=inputs.dtype, device=inputs.device)])
            targets = mg.concat([targets, mg.full((missing,), IGNORED, dtype=inputs.dtype, device=inputs.device)])
        self.steps = steps
        self._inputs, self._targets = inputs.reshape(streams, length).T, targets.reshape(streams, length).T

    def __len__(self) -> int:
        return math.ceil(len(self._inputs) / self.steps)

    def __iter__(self) -> Iterator[Window]:
        for start in range(0, len(self._inputs), self.steps):
            piece = slice(start, start + self.steps)
            yield Window(self._inputs[piece], self._targets[piece])


def line_window(lines: Sequence[Numbers], start: int | None = None, end: int | None = None) -> Window:
    """Separate lines of different lengths side by side, padded; targets in padding do not count.

    Args:
        lines: the numbers of each.
        start: a number to read before the first of each; without it, the first is not predicted.
        end: a number to predict behind the last of each.

    >>> window = line_window([Vocabulary("abc").encode(line) for line in ("abc", "b")], end=0)
    >>> window.inputs.T.tolist(), window.targets.T.tolist()
    ([[1, 2, 3], [2, 0, 0]], [[2, 3, 0], [0, -100, -100]])
    """
    rows = lines if start is not None else [line[1:] for line in lines]
    lengths = [len(row) for row in rows]
    inputs, targets = framed(pad_sequence([mg.tensor(row) for row in rows]), lengths, start or 0, end)
    if start is None:
        first = mg.tensor([int(line[0]) for line in lines]).unsqueeze(0)
        inputs = mg.concat([first, inputs[1:]])
    return Window(inputs, targets)
