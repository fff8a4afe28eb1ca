"""Trees in brackets: treebanks, with and without labels, and the Stanford sentiment treebank."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .error import TreeError, at
from .tree import Label, Tree

_TOKEN = re.compile(r"[()]|[^\s()]+")
SENTIMENTS = range(5)  # very negative to very positive


class Token(NamedTuple):
    """A bracket, a label or a word, and where it stands."""

    text: str
    line: int
    column: int


class _Open:
    """A bracket that has been opened and not yet closed."""

    __slots__ = ("children", "items", "label", "start")

    def __init__(self, start: Token) -> None:
        self.start, self.label = start, ""
        self.items: list[Tree | Token] = []


def parse_trees(text: str, labels: bool = True, source: str = "text") -> list[Tree]:
    """All trees in a text. Line breaks and indentation mean nothing.

    Args:
        text: with ``labels``, each bracket holds a label, if it does not begin with another bracket, and then a word or
            children: ``(S (NP It) (VP works))``. Words beside brackets, and several words, are leaves without a label:
            ``(MAX 2 (MIN 3 4))``. Without, all that a bracket holds is its children: ``((a b) c)``.
        labels: which of the two forms it is.
        source: what errors call the text.

    Raises:
        TreeError: brackets that are not closed or not opened, or hold nothing, and words outside of them.

    >>> parse_trees("(S (NP It) (VP works)) (S (NP It) (VP (V does)))")
    [Tree('(S (NP It) (VP works))'), Tree('(S (NP It) (VP (V does)))')]
    >>> parse_trees("((a b) c)", labels=False)
    [Tree('((a b) c)')]
    """
    trees: list[Tree] = []
    opened: list[_Open] = []
    for token in _tokens(text):
        if token.text == "(":
            opened.append(_Open(token))
        elif token.text == ")":
            if not opened:
                raise at(source, *token[1:], "a bracket is closed that was never opened", "take it out, or open it")
            tree = (_labelled if labels else _unlabelled)(opened.pop(), source)
            (opened[-1].items if opened else trees).append(tree)
        elif opened:
            opened[-1].items.append(token)
        elif labels:
            raise at(source, *token[1:], f"{token.text!r} stands outside of all brackets", "a tree begins with (")
        else:
            trees.append(Tree(word=token.text))
    if opened:
        before = f", and {len(opened) - 1} before it" if opened[1:] else ""
        hint = f"the text ends with {len(opened)} ) too few"
        raise at(source, *opened[-1].start[1:], f"this bracket is never closed{before}", hint)
    return trees


def parse_tree(text: str, labels: bool = True, source: str = "text") -> Tree:
    """The one tree in a text. See :func:`parse_trees`.

    >>> parse_tree("(3 (2 It) (4 works))").label
    '3'
    """
    trees = parse_trees(text, labels, source)
    if len(trees) != 1:
        raise TreeError(f"{source}: {len(trees)} trees where one is expected\n  hint: parse_trees takes any number")
    return trees[0]


def parse_sentiment(text: str, source: str = "text") -> list[Tree]:
    """Trees of the Stanford sentiment treebank (Socher et al. 2013): labels are numbers 0 to 4, words are at leaves.

    Raises:
        TreeError: as :func:`parse_trees`; another label; a leaf without a word. The place is that of the tree.

    >>> parse_sentiment("(3 (2 It) (4 (4 's) (2 good)))")[0].label
    3
    """
    trees = parse_trees(text, True, source)
    return [_sentiment(tree, source, start) for tree, start in zip(trees, _starts(text), strict=True)]


def format_tree(tree: Tree, labels: bool = True) -> str:
    """A tree in brackets on one line: what :func:`parse_tree` reads as the same tree.

    Raises:
        TreeError: the form has no way to say what the tree has: words at inner nodes, missing children, positions,
            brackets or spaces in words; without ``labels``, labels.

    >>> format_tree(Tree("S", [Tree("NP", word="It"), Tree(word="works")]))
    '(S (NP It) works)'
    """
    pieces: list[str] = []
    todo: list[Tree | str] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, str):
            pieces.append(node)
        elif _is_bare(node) and not (labels and node is tree):
            _check_written(node, False)
            pieces.append(f" {node.word}")
        else:
            _check_written(node, labels)
            pieces.append(" (" + " ".join(str(part) for part in (node.label, node.word) if part is not None))
            todo += [")", *reversed([child for child in node.children if child is not None])]
    return "".join(pieces).replace("( ", "(").strip()


def _tokens(text: str) -> Iterator[Token]:
    for number, line in enumerate(text.split("\n"), 1):
        for match in _TOKEN.finditer(line):
            yield Token(match.group(), number, match.start() + 1)


def _starts(text: str) -> list[Token]:
    """The brackets that open the trees of a text."""
    depth, starts = 0, []
    for token in _tokens(text):
        if token.text == "(" and depth == 0:
            starts.append(token)
        depth += (token.text == "(") - (token.text == ")")
    return starts


def _leaf(item: Tree | Token) -> Tree:
    return item if isinstance(item, Tree) else Tree(word=item.text)


def _labelled(opened: _Open, source: str) -> Tree:
    label: Label = None
    items = opened.items
    if items and isinstance(items[0], Token):
        label, items = items[0].text, items[1:]
    elif not items:
        raise at(source, *opened.start[1:], "these brackets hold nothing", "a leaf is (LABEL word)")
    if len(items) == 1 and isinstance(items[0], Token):
        return Tree(label, word=items[0].text)
    return Tree(label, map(_leaf, items))


def _unlabelled(opened: _Open, source: str) -> Tree:
    if not opened.items:
        raise at(source, *opened.start[1:], "these brackets hold nothing", "a leaf is a word without brackets")
    return Tree(children=map(_leaf, opened.items))


def _sentiment(tree: Tree, source: str, start: Token) -> Tree:
    def numbered(node: Tree, children: list[Tree]) -> Tree:
        label = node.label if isinstance(node.label, str) else ""
        if not label.isdecimal() or int(label) not in SENTIMENTS:
            what = f"in this tree the label of {node!r:.60} is no number from 0 to 4"
            raise at(source, *start[1:], what, "other trees in brackets are read by parse_trees")
        if not children and node.word is None:
            raise at(source, *start[1:], f"in this tree the leaf {node!r:.60} has no word", "a leaf is (2 word)")
        return Tree(int(label), children, node.word)

    return tree.fold(numbered)


def _check_written(node: Tree, labels: bool) -> None:
    """Refuse a node that the form cannot tell."""
    what = hint = ""
    texts = [str(part) for part in (node.label, node.word) if part is not None]
    only = node.children[0] if len(node.children) == 1 else None
    if None in node.children:
        what, hint = "a child is missing", "leave it out, or put a leaf with a word for nothing in its place"
    elif node.position is not None or (node.word is not None and node.children):
        what, hint = "an inner node has a word, or words have positions", "write dependency trees with format_conllu"
    elif any(not text or _TOKEN.fullmatch(text) is None or text in "()" for text in texts):
        what, hint = f"a label or a word of {node!r:.60} is empty or has a bracket or a space", "write -LRB- for ("
    elif labels and only is not None and _is_bare(only):
        what, hint = f"the only child of {node!r:.60} has no label", "put the word into the node itself, or label it"
    elif labels and node.label is None and (not node.children or _is_bare(node.children[0])):
        what, hint = f"{node!r:.60} begins with a word, which would be read as its label", "give it a label"
    elif not labels and (node.label is not None or not (node.word or node.children)):
        what, hint = f"{node!r:.60} has a label, or neither word nor children", "write it with labels=True"
    if what:
        raise TreeError(f"format_tree: {what}: this form has no way to say so\n  hint: {hint}")


def _is_bare(node: Tree | None) -> bool:
    """Whether a node is a word and nothing else."""
    return node is not None and node.label is None and not node.children and node.word is not None
