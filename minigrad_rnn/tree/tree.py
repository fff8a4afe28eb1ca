"""Trees with labels and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from .error import TreeError

T = TypeVar("T")
Label = str | int | None

SHOWN = 72  # characters of a tree that its repr shows


class Tree:
    """A node with all that is below it. It cannot be changed, so trees may share sub-trees.

    Nothing recurses: trees may be as deep as memory allows, and everything here takes them.

    Attributes:
        label: what kind of node it is: a syntactic category, an operator, a relation; in sentiment trees a number.
        children: trees, from left to right; ``None`` where a child with a place of its own is missing.
        word: what stands at the node: mostly at leaves, in dependency trees at every node.
        position: the place of the word in its sentence, from 1, where the order of the tree does not tell it.
        size: the number of nodes.
        height: steps down to the deepest leaf; 0 for a leaf.

    Raises:
        TreeError: a child that is no tree.

    >>> tree = Tree("S", [Tree("NP", word="It"), Tree("VP", [Tree("V", word="works"), Tree("RB", word="well")])])
    >>> tree
    Tree('(S (NP It) (VP (V works) (RB well)))')
    >>> tree.words(), tree.size, tree.height
    (['It', 'works', 'well'], 5, 2)
    """

    __slots__ = ("__weakref__", "_flat", "_hash", "children", "height", "label", "position", "size", "word")

    label: Label
    children: tuple[Tree | None, ...]
    word: str | None
    position: int | None
    size: int
    height: int
    _hash: int
    _flat: Any  # what TreeBatch makes of the tree, kept for the next batch

    def __init__(
        self,
        label: Label = None,
        children: Iterable[Tree | None] = (),
        word: str | None = None,
        position: int | None = None,
    ) -> None:
        children = tuple(children)
        for child in children:
            if child is not None and not isinstance(child, Tree):
                raise TreeError(
                    f"a child of a tree is a tree, or None where it is missing, not {child!r:.60}\n"
                    "  hint: a leaf is Tree(word=...)"
                )
        set_ = object.__setattr__
        set_(self, "label", label)
        set_(self, "children", children)
        set_(self, "word", word)
        set_(self, "position", position)
        there = [child for child in children if child is not None]
        set_(self, "size", 1 + sum([child.size for child in there]))
        set_(self, "height", max([child.height + 1 for child in there], default=0))
        # those of the children are known, so this one takes no walk
        set_(self, "_hash", hash((label, word, position, *[child and child._hash for child in children])))
        set_(self, "_flat", None)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a Tree cannot be changed: build a new one with another {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Tree cannot be changed: {name} stays")

    # ---- walks --------------------------------------------------------------------------------------------------

    @property
    def is_leaf(self) -> bool:
        """Whether nothing is below the node."""
        return self.height == 0

    def nodes(self) -> Iterator[Tree]:
        """All nodes, each before its children, these from left to right: the order in which brackets open."""
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo += [child for child in reversed(node.children) if child is not None]

    def leaves(self) -> Iterator[Tree]:
        """The nodes that have nothing below, from left to right."""
        return (node for node in self.nodes() if node.is_leaf)

    def words(self) -> list[str]:
        """The words: by position where positions are known, else in the order of :meth:`nodes`."""
        found = [node for node in self.nodes() if node.word is not None]
        if found and all(node.position is not None for node in found):
            found.sort(key=lambda node: node.position or 0)
        return [node.word for node in found if node.word is not None]

    def fold(self, function: Callable[[Tree, list[Any]], T]) -> T:
        """What ``function`` makes of the root, given what it made of the nodes below.

        Args:
            function: gets a node and the results of its children, ``None`` for a missing one.

        >>> tree = Tree("+", [Tree(word="2"), Tree("*", [Tree(word="3"), Tree(word="4")])])
        >>> import math
        >>> tree.fold(lambda node, values: {"+": sum, "*": math.prod}[node.label](values) if values else int(node.word))
        14
        """
        results: list[Any] = []
        for node in reversed(list(self.nodes())):  # children come before their parents, the last of them first
            values: list[Any] = [None if child is None else results.pop() for child in node.children]
            results.append(function(node, values))
        result: T = results.pop()
        return result

    def binarized(self, left: bool = False) -> Tree:
        """The tree with no node of more than two children.

        Of more, all but the first go into a new node beside it, which has the same label; with ``left``, all but the
        last.

        >>> Tree("NP", [Tree(word=word) for word in "abc"]).binarized()
        Tree('(NP a (NP b c))')
        """
        return self.fold(lambda node, children: _binary(node, children, left))

    # ---- as a value ---------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tree):
            return NotImplemented
        todo: list[tuple[Tree | None, Tree | None]] = [(self, other)]
        while todo:
            a, b = todo.pop()
            if a is b:
                continue
            if a is None or b is None or a._hash != b._hash or a._own() != b._own():
                return False
            todo += zip(a.children, b.children, strict=True)
        return True

    def _own(self) -> tuple[Any, ...]:
        """What a node has without its children, and how many these are."""
        return self.label, self.word, self.position, len(self.children)

    def __hash__(self) -> int:
        return self._hash

    def __copy__(self) -> Tree:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tree:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as a list, because pickle recurses."""
        return _built, (self._listed(),)

    def _listed(self) -> list[Any]:
        """What each node has of its own, in the order of :meth:`nodes`; ``None`` for a missing one."""
        listed: list[Any] = []
        todo: list[Tree | None] = [self]
        while todo:
            node = todo.pop()
            listed.append(None if node is None else node._own())
            if node is not None:
                todo += reversed(node.children)
        return listed

    def __str__(self) -> str:
        pieces: list[str] = []
        todo: list[Tree | str | None] = [self]
        while todo:
            node = todo.pop()
            if isinstance(node, Tree) and not (node.label is None and node.is_leaf and not node.children and node.word):
                head = " ".join(str(part) for part in (node.label, node.word) if part is not None)
                pieces.append(f" ({head}")
                todo += [")", *reversed(node.children)]
            else:
                pieces.append(node if isinstance(node, str) else " -" if node is None else f" {node.word}")
        return "".join(pieces).replace("( ", "(").strip()

    def __repr__(self) -> str:
        text = str(self)
        return f"Tree({text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'!r})"


def _binary(node: Tree, children: Sequence[Tree | None], left: bool) -> Tree:
    rest = list(children) if left else list(children)[::-1]
    together: Tree | None = rest.pop(0) if rest else None
    for child in rest[:-1]:
        together = Tree(node.label, [together, child] if left else [child, together])
    ends = [together, *rest[-1:]] if left else [*rest[-1:], together]
    return Tree(node.label, ends if children else (), node.word, node.position)


def _built(listed: list[Any]) -> Tree:
    """The tree that was listed."""
    built: list[Tree | None] = []
    for own in reversed(listed):
        if own is None:
            built.append(None)
            continue
        label, word, position, count = own
        built.append(Tree(label, [built.pop() for _ in range(count)], word, position))
    (tree,) = built
    assert tree is not None  # noqa: S101 - the root is never missing
    return tree
