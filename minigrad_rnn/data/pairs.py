"""Pairs of texts, to be translated from one into the other."""

from __future__ import annotations

from os import PathLike, fspath
from typing import NamedTuple

import minigrad as mg

from .lines import read_lines


class Pair(NamedTuple):
    """A text and what it is to become."""

    source: str
    target: str


def read_pairs(path: str | PathLike[str], target: str | PathLike[str] | None = None) -> list[Pair]:
    """Pairs from a file with ``source TAB target`` in each line, or from two files whose lines belong together.

    What follows a second tab, such as the attribution in sentence pairs from Tatoeba, is left out, and so are empty
    lines.

    Args:
        path: the file of pairs, or of sources.
        target: the file of targets, if they have one of their own.

    Raises:
        FileError: a file that cannot be read, a line without a tab, files of different lengths, or no pair at all.
    """
    lines = read_lines(path)
    if target is not None:
        others = read_lines(target)
        if len(lines) != len(others):
            raise mg.FileError(
                f"{fspath(path)} has {len(lines)} lines and {fspath(target)} has {len(others)}; line by line they"
                " should belong together"
            )
        pairs = [Pair(*pair) for pair in zip(lines, others, strict=True) if all(pair)]
    else:
        pairs = [_pair(line, f"{fspath(path)}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise mg.FileError(f"{fspath(path)} has no pairs of texts in it")
    return pairs


def _pair(line: str, place: str) -> Pair:
    pieces = line.split("\t")
    if len(pieces) < 2:
        raise mg.FileError(f"{place}: a text, a tab and its translation are expected, not {line[:60]!r}")
    return Pair(pieces[0].strip(), pieces[1].strip())
