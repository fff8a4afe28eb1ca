"""Pictures of digits, 8 by 8: drawn here, or handwritten ones from a file."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy

import minigrad as mg

from .lines import read_lines

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 8

_GLYPHS = """
.###. ..#.. .###. ####. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# ....# ..##. #.... #.... ....# #...# #...#
#...# ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#...# ..#.. ...#. .###. #..#. ....# ####. ..#.. .###. .####
#...# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. .#... ....# ...#. #...# #...# .#... #...# ....#
.###. .###. ##### ####. ...#. .###. .###. .#... .###. .###.
"""


def glyphs() -> Any:
    """The ten digits in a font of 7 by 5, float32 ``(10, 7, 5)``."""
    rows = [line.split() for line in _GLYPHS.split("\n") if line]
    return numpy.array([[[c == "#" for c in row[k].ljust(5, ".")] for row in rows] for k in range(10)], numpy.float32)


def drawn_digits(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Pictures ``(count, 64)`` float32 from 0 to 1 and their digits ``(count,)``.

    A digit stands anywhere in its 8 by 8 points, brighter or darker, under noise, with one point in twenty gone.

    >>> pictures, digits = drawn_digits(3)
    >>> pictures.shape, digits.tolist()
    ((3, 64), [8, 6, 5])
    """
    rng = numpy.random.default_rng(seed)
    digits, font = rng.integers(0, 10, count), glyphs()
    pictures = rng.normal(0, 0.1, (count, SIDE, SIDE))
    for picture, digit in zip(pictures, digits, strict=True):
        top, left = rng.integers(0, 2), rng.integers(0, 4)
        picture[top : top + 7, left : left + 5] += font[digit] * rng.uniform(0.6, 1.0) * (rng.random((7, 5)) > 0.05)
    return pictures.clip(0, 1).reshape(count, -1).astype(numpy.float32), digits


def read_digits(path: str | PathLike[str]) -> tuple[Any, Any]:
    """Pictures from a table: in each line 64 points, of any range, and the digit, separated by commas.

    Raises:
        FileError: a file that cannot be read, or a line that is not 65 numbers with a digit at the end.
    """
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        entries = line.split(",")
        try:
            rows.append([float(entry) for entry in entries])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != SIDE * SIDE + 1 or rows[-1][-1] not in range(10):
            raise mg.FileError(f"{fspath(path)}, line {number}: 64 points and a digit are expected, not {line[:60]!r}")
    table = numpy.array(rows, numpy.float32)
    points = table[:, :-1]
    return points / max(1e-9, points.max()), table[:, -1].astype(numpy.int64)
