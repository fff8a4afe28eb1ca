"""Sentences with a label for each word, in columns."""

from __future__ import annotations

from os import PathLike, fspath

import minigrad as mg

from .lines import read_lines


def read_columns(path: str | PathLike[str], word: int = 0, label: int = -1) -> list[list[tuple[str, str]]]:
    """Sentences as lists of ``(word, label)``, from a file in the CoNLL form.

    Each line has a word and what belongs to it, in columns separated by tabs or else by spaces; an empty line ends a
    sentence. Lines that begin with ``# `` and ``-DOCSTART-`` are comments.

    Args:
        path: the file.
        word: which column has the word, from 0.
        label: which has its label; -1 is the last.

    Raises:
        FileError: a file that cannot be read, a line with too few columns, or no sentence at all.
    """
    sentences: list[list[tuple[str, str]]] = [[]]
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            sentences.append([])
            continue
        if line.startswith(("# ", "-DOCSTART-")):
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        try:
            sentences[-1].append((columns[word], columns[label]))
        except IndexError:
            raise mg.FileError(
                f"{fspath(path)}, line {number}: {len(columns)} column{'s' * (len(columns) != 1)} in {line[:60]!r},"
                f" which has no column {max(word, label)}"
            ) from None
        if len(columns) < 2:
            raise mg.FileError(f"{fspath(path)}, line {number}: a word and its label are expected, not {line[:60]!r}")
    found = [sentence for sentence in sentences if sentence]
    if not found:
        raise mg.FileError(f"{fspath(path)} has no sentences in it")
    return found
