"""Texts with a label each."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import minigrad as mg

from .lines import read_lines


class Labelled(NamedTuple):
    """A text and the class that it belongs to."""

    text: str
    label: str


def read_labelled(path: str | PathLike[str]) -> list[Labelled]:
    """Labelled texts from a file with ``label TAB text`` in each line, or from a folder with a file for each label.

    In a folder, ``Irish.txt`` has texts with the label ``Irish``, one in each line; files with another suffix are left
    alone. Empty lines are left out.

    Raises:
        FileError: a file that cannot be read, a line without a tab, or fewer than two labels.
    """
    place = Path(path)
    if place.is_dir():
        files = sorted(place.glob("*.txt"))
        examples = [Labelled(line.strip(), file.stem) for file in files for line in read_lines(file) if line.strip()]
    else:
        lines = enumerate(read_lines(path), 1)
        examples = [_labelled(line, f"{fspath(path)}, line {number}") for number, line in lines if line.strip()]
    if len({example.label for example in examples}) < 2:
        raise mg.FileError(f"{fspath(path)} has {len(examples)} texts of fewer than two labels: nothing to tell apart")
    return examples


def _labelled(line: str, place: str) -> Labelled:
    label, tab, text = line.partition("\t")
    if not tab:
        raise mg.FileError(f"{place}: a label, a tab and a text are expected, not {line[:60]!r}")
    return Labelled(text.strip(), label.strip())
