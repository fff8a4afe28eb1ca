"""Series of numbers from tables of comma-separated values."""

from __future__ import annotations

import csv
from os import PathLike, fspath
from typing import Any

import numpy

import minigrad as mg

from .lines import read_lines


def read_series(path: str | PathLike[str], column: str | None = None) -> Any:
    """The numbers of one column of a table, float64 ``(T,)``; NaN where an entry is empty.

    The first line names the columns. Without ``column`` it is the last one whose first entry is a number.

    Raises:
        FileError: a file that cannot be read, no such column, or an entry in it that is no number.
    """
    rows = [row for row in csv.reader(read_lines(path)) if row]
    if len(rows) < 2:
        raise mg.FileError(f"{fspath(path)}: a line with the names of columns and lines of numbers are expected")
    names = [name.strip() for name in rows[0]]
    if column is None:
        numeric = [name for name, entry in zip(names, rows[1], strict=False) if _is_number(entry)]
        column = numeric[-1] if numeric else names[-1]
    if column not in names:
        raise mg.FileError(f"{fspath(path)} has no column {column!r}; it has {', '.join(names)}")
    place = names.index(column)
    values = []
    for number, row in enumerate(rows[1:], 2):
        entry = row[place] if place < len(row) else ""
        if entry.strip() and not _is_number(entry):
            raise mg.FileError(f"{fspath(path)}, row {number}: {entry!r} in column {column!r} is no number")
        values.append(float(entry) if entry.strip() else numpy.nan)
    return numpy.array(values)


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return False
    return True
