"""What the pictures of an attention share: the words of both sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.draw.ops import cut
from minigrad.draw.sheet import Point, Shape, text_width
from minigrad.draw.style import OUTSIDE

from .looks import SUBSCRIPTS


class Words(NamedTuple):
    """The names of the elements of both sequences.

    Attributes:
        source: of what the encoder read.
        target: of what the decoder wrote.
        read: of what it read.
        named: whether they were given, and are not only numbers.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    read: tuple[str, ...]
    named: bool


def words_of(weights: Any, source: Sequence[str], target: Sequence[str]) -> Words:
    """The words that were given, as far as there are weights for them, or numbers.

    Raises:
        GraphError: more words than weights.
    """
    steps, length = weights.shape
    for name, words, count in (("source", source, length), ("target", target, steps)):
        if len(words) > count:
            raise mg.GraphError(f"draw.attention: {name} is a list of at most {count} words, not {words!r}")
    read = tuple(cut(str(word)) for word in source) or tuple(f"x{lowered(s + 1)}" for s in range(length))
    read += ("",) * (length - len(read))  # padding
    written = tuple(cut(str(word)) for word in target) or tuple(f"y{lowered(t + 1)}" for t in range(steps))
    written += ("</s>",) * (steps > len(written))
    written += ("",) * (steps - len(written))
    return Words(read, written, ("<s>", *written[:-1]), bool(source))


def lowered(number: int) -> str:
    """A number as an index."""
    return str(number).translate(SUBSCRIPTS)


def tip_of(words: Words, t: int, s: int, weight: float) -> str:
    """What a weight says when the mouse is over it."""
    return f"α = {weight:.3g}\nwriting {words.target[t] or f't={t}'}, looking at {words.source[s] or f's={s}'}"


def label(id: str, at: Point, text: str, size: float) -> Shape:
    """A text on the page."""
    return Shape(id, at, text_width(text, size) + 8, size + 4, (text,), size=size, colour=OUTSIDE)
