"""Dependency trees: CoNLL-U, one word to a line, each with the number of its head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .error import TreeError, at
from .tree import Tree

COLUMNS = 10  # ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC
HEAD = 6


class _Word(NamedTuple):
    form: str
    head: int
    relation: str
    line: int
    columns: tuple[int, ...]  # where each of the ten fields begins


def parse_conllu(text: str, source: str = "text") -> list[Tree]:
    r"""The dependency trees of a text in CoNLL-U.

    Each word is a node whose children are the words that depend on it, in the order of the sentence. Its label is the
    relation (DEPREL), its position its ID. Comments, ranges of words (``1-2``) and empty nodes (``8.1``) are passed
    over.

    Args:
        text: ten columns, separated by tabs; a blank line ends a sentence.
        source: what errors call the text.

    Raises:
        TreeError: other than ten columns, IDs that do not count 1, 2, 3, ..., a head that is no number or names no
            word, no root or several, and words in a circle.

    >>> line = "{}\t{}\t_\t_\t_\t_\t{}\t{}\t_\t_\n"
    >>> words = [(1, "It", 2, "nsubj"), (2, "works", 0, "root"), (3, "well", 2, "advmod")]
    >>> parse_conllu("".join(line.format(*word) for word in words))
    [Tree('(root works (nsubj It) (advmod well))')]
    """
    return [_tree(words, source) for words in _sentences(text, source)]


def format_conllu(tree: Tree) -> str:
    r"""A dependency tree in CoNLL-U: what :func:`parse_conllu` reads as the same tree.

    Raises:
        TreeError: a node without a word, positions that do not count 1, 2, 3, ..., children out of order, a word or
            label that is empty or has a tab or line break in it.

    >>> tree = Tree("root", [Tree("nsubj", word="It", position=1)], word="works", position=2)
    >>> print(format_conllu(tree).expandtabs(8), end="")
    1       It      _       _       _       _       2       nsubj   _       _
    2       works   _       _       _       _       0       root    _       _
    <BLANKLINE>
    """
    heads: dict[int, tuple[Tree, int]] = {}
    for node in tree.nodes():
        _check_written(node)
        for child in node.children:
            if child is not None and child.position is not None:
                heads[child.position] = child, node.position or 0
    if tree.position is not None:
        heads[tree.position] = tree, 0
    if len(heads) < tree.size or set(heads) != set(range(1, tree.size + 1)):
        raise TreeError(
            f"format_conllu: the positions of the {tree.size} words are not 1 to {tree.size}, each once\n"
            "  hint: give each node its position: Tree(label, children, word, position)"
        )
    lines = []
    for position in sorted(heads):
        node, head = heads[position]
        lines.append("\t".join([str(position), str(node.word), *"____", str(head), str(node.label), "_", "_"]))
    return "\n".join(lines) + "\n\n"


def _sentences(text: str, source: str) -> Iterator[list[_Word]]:
    words: list[_Word] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        line = line.rstrip("\r")  # noqa: PLW2901
        if not line.strip():
            if words:
                yield words
            words = []
        elif not line.startswith("#"):
            word = _word(line, number, len(words) + 1, source)
            words += [word] if word is not None else []


def _word(line: str, number: int, wanted: int, source: str) -> _Word | None:
    """The word of a line; ``None`` for a range of words or an empty node."""
    fields = line.split("\t")
    starts = [1]
    for field in fields:
        starts.append(starts[-1] + len(field) + 1)
    if len(fields) != COLUMNS:
        hint = "columns are separated by tabs, not by spaces" if len(fields) == 1 else "an empty column holds _"
        raise at(source, number, 1, f"{len(fields)} columns where CoNLL-U has {COLUMNS}", hint)
    identity, head = fields[0], fields[HEAD]
    if any(part in identity for part in "-."):
        return None
    if identity != str(wanted):
        hint = "words count from 1 in each sentence, and a blank line ends it"
        raise at(source, number, 1, f"ID {identity!r} where {wanted} is expected", hint)
    if not (head.isascii() and head.isdecimal()):
        what = f"the head {head!r} of {fields[1]!r} is no number"
        raise at(source, number, starts[HEAD], what, "HEAD, the 7th column, is the ID of the head, 0 for the root")
    return _Word(fields[1], int(head), fields[HEAD + 1], number, tuple(starts))


def _tree(words: list[_Word], source: str) -> Tree:
    children: list[list[int]] = [[] for _ in range(len(words) + 1)]
    for i, word in enumerate(words, 1):
        if word.head > len(words) or word.head == i:
            what = f"the head of {word.form!r}, {word.head}, is " + ("itself" if word.head == i else "no word")
            hint = f"the sentence has words 1 to {len(words)}; the root has head 0"
            raise at(source, word.line, word.columns[HEAD], what, hint)
        children[word.head].append(i)
    if len(children[0]) != 1:
        _, *second = children[0] or [0]
        word = words[second[0] - 1] if second else words[0]
        found = f"a second root, {word.form!r}" if second else "the sentence has no root"
        raise at(source, word.line, word.columns[HEAD], found, "exactly one word has the head 0")
    order = list(children[0])
    for i in order:  # which grows as it is gone through
        order += children[i]
    if len(order) < len(words):
        lost = min(set(range(1, len(words) + 1)) - set(order))
        word = words[lost - 1]
        what = f"the heads of {word.form!r} lead in a circle, never to the root"
        raise at(source, word.line, word.columns[HEAD], what, "change one HEAD in the circle")
    built: dict[int, Tree] = {}
    for i in reversed(order):
        word = words[i - 1]
        built[i] = Tree(word.relation, [built.pop(child) for child in children[i]], word.form, i)
    return built[order[0]]


def _check_written(node: Tree) -> None:
    texts = (node.word, node.label)
    if any(not isinstance(text, str) or not text or set("\t\n\r") & set(text) for text in texts):
        what, hint = "needs a word and a label, both strings without tabs", "each node is a word"
    elif (order := [_position(child) for child in node.children]) != sorted(set(order) - {0}):
        what, hint = "has children that are missing or not in the order of their positions", "sort them by position"
    else:
        return
    raise TreeError(f"format_conllu: {node!r:.60} {what}\n  hint: {hint}")


def _position(node: Tree | None) -> int:
    return 0 if node is None or node.position is None else node.position
