"""What goes wrong with trees: in a text, or between a tree and a network."""

from __future__ import annotations

import minigrad as mg


class TreeError(mg.MinigradError):
    """A tree that cannot be read or written, or that does not fit where it is used.

    Attributes:
        line, column: where in a text, both from 1; ``None`` if it is about no text.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def at(source: str, line: int, column: int, what: str, hint: str) -> TreeError:
    """An error at a place in a text, with how to mend it."""
    return TreeError(f"{source}:{line}:{column}: {what}\n  hint: {hint}", line, column)
