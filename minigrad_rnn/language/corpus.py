"""Text to learn from, and how it is cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics
from typing import NamedTuple

import minigrad as mg

from .vocabulary import Vocabulary


class TextError(mg.MinigradError):
    """A text that cannot be read, or that is too short to learn from."""


def builtin_text() -> str:
    """Half a megabyte of English that every Python carries: the language reference behind ``help()``."""
    return "\n\n".join(topics.topics[name] for name in sorted(topics.topics))


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        TextError: no such file, a folder, no permission, or bytes that are not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{path} is not UTF-8 text: byte 0x{error.object[error.start]:02x} at position {error.start}"
            " (convert it first: iconv -f LATIN1 -t UTF-8)"
        ) from None
    except OSError as error:
        raise TextError(f"cannot read {path}: {error.strerror or error}") from None


class Window(NamedTuple):
    """A piece of every stream: predict ``targets`` from ``inputs``, each ``(steps, streams)`` int64."""

    inputs: mg.Tensor
    targets: mg.Tensor


class Corpus:
    """A text split into a part to learn from and a part held out, as numbers.

    The held-out part is the end of the text. The vocabulary is that of the part to learn from, so a character that
    only the held-out part has is unknown, as it would be in use.

    Args:
        text: the whole text.
        held_out: share of the characters that is held out.

    Raises:
        TextError: the text is empty or too short.
    """

    SHORTEST = 1000  # characters: below, neither training nor the held-out figure means anything

    def __init__(self, text: str, held_out: float = 0.1) -> None:
        if len(text) < self.SHORTEST:
            raise TextError(f"the text has {len(text)} characters; at least {self.SHORTEST} are needed to learn from")
        cut = int(len(text) * (1 - held_out))
        self.vocabulary = Vocabulary(text[:cut])
        self.train = self.vocabulary.encode(text[:cut])
        self.held_out = self.vocabulary.encode(text[cut:])


def windows(numbers: mg.Tensor, streams: int, steps: int) -> Iterator[Window]:
    """Cut a sequence into parallel streams, and these into windows that follow on from one another.

    Stream ``k`` is the ``k``-th of ``streams`` equal pieces, so the state at the end of a window is the state at the
    start of the next: what truncated backpropagation through time carries over. The last window may be shorter.

    >>> [w.inputs.shape for w in windows(mg.arange(21), streams=2, steps=4)]
    [(4, 2), (4, 2), (2, 2)]
    """
    length = (len(numbers) - 1) // streams
    inputs = numbers[: length * streams].reshape(streams, length).T
    targets = numbers[1 : length * streams + 1].reshape(streams, length).T
    for start in range(0, length, steps):
        yield Window(inputs[start : start + steps], targets[start : start + steps])
