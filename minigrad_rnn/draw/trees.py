"""A recursive network over a tree: words in their order at the bottom, what is made of them above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import minigrad as mg
from minigrad.draw import Drawing
from minigrad.draw.colours import Scale, fitting
from minigrad.draw.ops import cut
from minigrad.draw.options import as_number, check_count, check_timeout, is_count
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import INK, OUTSIDE, PALETTE

from ..tree import Tree, TreeNetwork
from .asked import computed, is_program, listed
from .looks import SUBSCRIPTS
from .shades import RELATIVE, scale
from .tree_layout import Places, walk

CHILDREN = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # colours of the first child's arrow, the second's, ...
ORDINALS = ("first", "second", "third", "fourth")
LEVEL, MARGIN = 56.0, 30.0
MAX_NODES = 1000
RUN = "draw.tree(tree, lambda: loss(network(batch, x))) runs it"


def tree(
    tree: Tree,
    loss: Callable[[], mg.Tensor] | None = None,
    *,
    network: TreeNetwork | None = None,
    numbers: Sequence[float | None] | None = None,
    words: str = "",
    root: int = 0,
    max_nodes: int | None = MAX_NODES,
    timeout: float = 20.0,
) -> Drawing:
    """Draw a tree as a recursive network sees it: arrows from the children to their parent.

    Args:
        tree: the tree.
        loss: a function that runs a network on it, or on a batch with it, and computes a loss: then each node has the
            colour of the norm of the gradient by its state, divided by that by the root's.
        network: the network: where it has weights of its own for the first child, the second, ..., their arrows have
            colours of their own.
        numbers: instead of a gradient any number for each node, in the order of ``tree.nodes()``.
        words: what these numbers are.
        root: the number of the tree's root in the batch, ``batch.roots[i]``.
        max_nodes: refuse to draw more than this; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take.

    Raises:
        GraphError: something else than a tree, too large a tree, not one number for each node, or a loss in whose
            graph the nodes do not show.

    >>> import minigrad_rnn as mr
    >>> from minigrad_rnn.tree import parse_tree
    >>> mr.draw.tree(parse_tree("(S (NP It) (VP (V works) (RB well)))"))
    <drawing: 8 shapes, 7 lines, 157 × 193 points>
    """
    if not isinstance(tree, Tree):
        raise mg.GraphError(
            f"draw.tree: a Tree is expected, not a {type(tree).__name__}\n  hint: a batch has several, batch.trees"
        )
    _check(network, words, root, max_nodes)
    check_timeout(timeout)
    if max_nodes is not None and tree.size > max_nodes:
        raise mg.GraphError(
            f"draw.tree: {tree.size:,} nodes, {tree.height:,} deep, are more than anyone can read"
            f" (max_nodes={max_nodes})\n  hint: draw a sub-tree, tree.children[0]; max_nodes=None draws it all the same"
        )
    values, colours = _numbers(tree, loss, numbers, words, root)
    return Drawing(tree_sheet(tree, network, values, colours, loss is not None), timeout)


def _check(network: Any, words: Any, root: Any, max_nodes: Any) -> None:
    if network is not None and not isinstance(network, TreeNetwork):
        raise mg.GraphError(f"draw.tree: network is a TreeNetwork, such as NaryTreeLSTM, or None; not {network!r:.60}")
    if not isinstance(words, str):
        raise mg.GraphError(f"draw.tree: words is a text that says what the numbers are, not {words!r}")
    check_count("draw.tree", "root", root, "the number of the tree's root in its batch, batch.roots[i]", least=0)
    if max_nodes is not None and not is_count(max_nodes):
        raise mg.GraphError(f"draw.tree: max_nodes is how many nodes are readable, from 1, or None; not {max_nodes!r}")


def _numbers(
    tree: Tree, loss: Any, numbers: Sequence[float | None] | None, words: str, root: int
) -> tuple[list[float | None] | None, Scale]:
    """A number for each node, and what it means as a colour."""
    if numbers is not None:
        values = _given(numbers)
        if len(values) != tree.size:
            raise mg.GraphError(f"draw.tree: {len(values)} numbers for {tree.size} nodes: there must be one for each")
        return values, fitting(words, values)
    if loss is None:
        return None, RELATIVE
    norms = _gradients(loss)
    if any(root + k not in norms for k in range(tree.size)):
        raise mg.GraphError(
            f"draw.tree: the nodes {root} to {root + tree.size - 1} do not show in the graph of this loss\n"
            "  hint: hand over a function that runs the network, lambda: loss(network(batch, x)); root=batch.roots[i]"
            " tells which tree of the batch it is"
        )
    top = norms[root] or 1.0
    return [norms[root + k] / top for k in range(tree.size)], RELATIVE._replace(words="‖∂L/∂h‖ ÷ root")


def _given(numbers: Any) -> list[float | None]:
    """The numbers that a caller gave."""
    expected = "draw.tree: numbers is a list of numbers or None, one for each node, not"
    return [x if x is None else as_number(x, f"{expected} of") for x in listed(numbers, expected)]


def _gradients(loss: Callable[[], mg.Tensor]) -> dict[int, float]:
    """The norm of the gradient by the state of each node of a batch."""
    if not is_program(loss, RUN):
        raise mg.GraphError(f"draw.tree: loss is a function that computes it, not a {type(loss).__name__}")
    flow = mg.inspect.gradient_flow(computed(loss, RUN))
    found: dict[int, float] = {}
    for node in flow.graph:
        number = next((name[5:] for name, _ in node.places[-1:] if name.startswith("node=")), "")
        if number and node.name == "h":
            found[int(number)] = flow.norms.get(node.id, 0.0)
    return found


def tree_sheet(
    tree: Tree, network: TreeNetwork | None, values: Sequence[float | None] | None, colours: Scale, lossy: bool
) -> Sheet:
    """The sheet of a tree; see :func:`tree`."""
    picture = _Picture(tree, network, values, colours, lossy)
    return Sheet((*picture.boxes(), *picture.legend()), (*picture.arrows(), *picture.samples))


class _Picture:
    """Depths from the top down, and all words on one line below."""

    def __init__(
        self,
        tree: Tree,
        network: TreeNetwork | None,
        values: Sequence[float | None] | None,
        colours: Scale,
        lossy: bool,
    ) -> None:
        self.network, self.values, self.colours, self.lossy = network, values, colours, lossy
        self.samples: list[Line] = []
        self.nodes = list(walk(tree))
        self.bare = {k for k, node in enumerate(self.nodes) if _is_word(node.tree) and values is None}
        self.ground = -LEVEL * (1 + max(node.depth - (k in self.bare) for k, node in enumerate(self.nodes)))
        widths = [self._width(k) for k in range(len(self.nodes))]
        words = [_text_width(node.tree.word or "") for node in self.nodes]
        Places(self.nodes, widths, list(map(max, widths, words))).find()

    def _at(self, k: int) -> Point:
        node = self.nodes[k]
        return Point(node.x, self.ground if k in self.bare else -LEVEL * node.depth)

    def _lines(self, k: int) -> tuple[str, ...]:
        node = self.nodes[k].tree
        name = f"h{str(k).translate(SUBSCRIPTS)}" if node.label is None else cut(str(node.label))
        return (name,) if self.values is None else (name, self.colours.told(self.values[k]))

    def _width(self, k: int) -> float:
        return 0.0 if k in self.bare else max(36.0, *[text_width(line, 12) + 16 for line in self._lines(k)])

    # ---- shapes and lines ---------------------------------------------------------------------------------------

    def boxes(self) -> Iterator[Shape]:
        for k, node in enumerate(self.nodes):
            if k not in self.bare:
                yield self._box(k)
            if node.tree.word is not None:
                fill, stroke = PALETTE["input"]
                word = cut(node.tree.word)
                tip = f"word {node.tree.position}" if node.tree.position else ""
                at = Point(node.x, self.ground)
                yield Shape(f"w{k}", at, _text_width(node.tree.word), 25, (word,), fill, stroke, tooltip=tip)
        if self.lossy:
            fill, stroke = PALETTE["loss"]
            yield Shape("loss", Point(self.nodes[0].x, LEVEL), 36, 25, ("L",), fill, stroke, tooltip="the loss")

    def _box(self, k: int) -> Shape:
        node, lines = self.nodes[k].tree, self._lines(k)
        fill, stroke = PALETTE["gate" if node.is_leaf else "state"]
        colour = INK
        if self.values is not None:
            shade = self.colours.shade(self.values[k])
            fill, stroke, colour = shade.fill, shade.stroke, shade.text
        tip = f"node {k}" + (f", {node.size} nodes below and here" if node.size > 1 else "")
        height = 25.0 if len(lines) == 1 else 36.0
        return Shape(
            f"n{k}", self._at(k), self._width(k), height, lines, fill, stroke, size=12 if len(lines) == 1 else 10.5,
            colour=colour, tooltip=tip,
        )  # fmt: skip

    def arrows(self) -> Iterator[Line]:
        for k, node in enumerate(self.nodes):
            if node.tree.word is not None and k not in self.bare:
                straight = node.tree.is_leaf
                stroke = Stroke(OUTSIDE) if straight else Stroke(OUTSIDE, 1.3, "dotted")
                yield Line(f"w{k}", f"n{k}", stroke=stroke)
            if node.parent >= 0:
                name, path = (f"w{k}", self._rise(k)) if k in self.bare else (f"n{k}", ())
                tip = f"child {node.slot + 1}"
                yield Line(name, f"n{node.parent}", path, stroke=self._stroke(node.slot), tooltip=tip)
        if self.lossy:
            yield Line("n0", "loss", stroke=Stroke(OUTSIDE))

    def _rise(self, k: int) -> tuple[Point, ...]:
        """From a word straight up to where a node of its depth would stand, and from there to the parent."""
        node, above = self.nodes[k], self._at(self.nodes[k].parent)
        if -LEVEL * node.depth - self.ground < LEVEL / 2:
            return ()  # it stands there
        half = self._width(node.parent) / 2 - 8
        end = Point(above.x + max(-half, min(half, (node.x - above.x) / 3)), above.y - 13)
        return Point(node.x, self.ground + 12.5), Point(node.x, -LEVEL * node.depth), end

    def _stroke(self, slot: int) -> Stroke:
        ordered = self.network is not None and self.network.arity is not None
        return Stroke(CHILDREN[slot % len(CHILDREN)] if ordered else OUTSIDE, 2.0 if ordered else 1.5)

    def legend(self) -> Iterator[Shape]:
        """Below, what the colours of arrows and of boxes mean."""
        left = min(node.x - max(self._width(k), 36.0) / 2 for k, node in enumerate(self.nodes))
        y = self.ground - MARGIN - 6
        if self.network is not None and self.network.arity is not None:
            slots = sorted({node.slot for node in self.nodes[1:]})[: len(ORDINALS)]
            x = left
            for slot in slots:
                words = f"{ORDINALS[slot]} child"
                width = text_width(words, 10.5) + 10
                yield Shape(f"slot{slot}", Point(x + 34 + width / 2, y), width, 14, (words,), size=10.5, colour=OUTSIDE)
                path = (Point(x, y), Point(x + 28, y))
                self.samples.append(Line(f"slot{slot}", f"slot{slot}", path, False, self._stroke(slot)))
                x += 34 + width + 12
            y -= 22
        if self.values is not None:
            yield from scale(Point(left, y), self.colours)


def _is_word(node: Tree) -> bool:
    """Whether a leaf is nothing but a word, so that one box is enough for both."""
    return node.is_leaf and node.label is None and node.word is not None


def _text_width(word: str) -> float:
    return max(36.0, text_width(cut(word), 12) + 16) if word else 0.0
