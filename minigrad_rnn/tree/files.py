"""Trees in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from minigrad.files import replace_file

from ..data import read_text
from .brackets import format_tree, parse_sentiment, parse_trees
from .conllu import format_conllu, parse_conllu
from .error import TreeError
from .tree import Tree

READERS: dict[str, Callable[[str, str], list[Tree]]] = {
    "brackets": lambda text, source: parse_trees(text, True, source),
    "unlabelled": lambda text, source: parse_trees(text, False, source),
    "sentiment": parse_sentiment,
    "conllu": parse_conllu,
}
WRITERS: dict[str, Callable[[Tree], str]] = {
    "brackets": lambda tree: format_tree(tree) + "\n",
    "unlabelled": lambda tree: format_tree(tree, labels=False) + "\n",
    "sentiment": lambda tree: format_tree(tree) + "\n",
    "conllu": format_conllu,
}


def read_trees(path: str | Path, form: str = "brackets") -> list[Tree]:
    """The trees of a UTF-8 file.

    Args:
        path: the file.
        form: ``"brackets"``, ``"unlabelled"``, ``"sentiment"`` or ``"conllu"``: see :func:`parse_trees`,
            :func:`parse_sentiment` and :func:`parse_conllu`.

    Raises:
        FileError: no such file, a folder, no permission, or bytes that are not UTF-8.
        TreeError: what the form does not allow, with line and column.
    """
    reader = READERS[_known(form)]
    return reader(read_text(path), str(path))


def write_trees(trees: Iterable[Tree], path: str | Path, form: str = "brackets") -> None:
    """Write trees to a UTF-8 file, which :func:`read_trees` reads as the same trees.

    If anything goes wrong, the file that was there before stays as it was.

    Raises:
        TreeError: a tree that the form has no way to write.
        FileError: the file cannot be written.
    """
    writer = WRITERS[_known(form)]
    text = "".join(map(writer, trees))
    replace_file(path, text)


def _known(form: str) -> str:
    if form not in READERS:
        raise TreeError(f"form is one of {', '.join(map(repr, READERS))}, not {form!r}")
    return form
