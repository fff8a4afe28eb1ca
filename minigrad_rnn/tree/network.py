"""What all networks over trees share: the ways through a batch of trees."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy

import minigrad as mg
from minigrad import nn

from ..layers.path import Plan, inside_unrolled
from .batch import TreeBatch
from .moves import carry
from .terms import Below, State
from .tree import Tree

Trees = TreeBatch | Tree | Sequence[Tree]


class TreeNetwork(nn.Module):
    """A network that computes the state of each node from its word and from the states of its children.

    A network of one's own is a class with :meth:`node`, the equations for one node. It then runs node by node; with
    :meth:`leaves` and :meth:`level` it runs level by level too.

    Attributes:
        input_size: features of what stands for a word.
        hidden_size: features of the state.
        parts: names of the parts of the state; the first is the output.
        arity: how many children a node may have at most; ``None``: any number.
        batched: whether all nodes of a level are computed at once (quick), or node by node (to look at). The results
            are the same.
    """

    parts: ClassVar[tuple[str, ...]] = ("h",)
    arity: int | None = None
    batched: bool = True

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size

    # ---- the equations ------------------------------------------------------------------------------------------

    def prepare(self) -> Any:
        """What the equations make of the parameters, once for all nodes, to be given to them as ``w``."""
        return None

    @abstractmethod
    def node(self, x: mg.Tensor | None, children: Sequence[State | None], w: Any) -> State:
        """The state of one node.

        Args:
            x: what stands for its word, ``(input_size,)``; ``None`` if it has no word, which is as zeros.
            children: their states, from left to right; ``None`` where a child is missing, which is as zeros.
            w: what :meth:`prepare` gave.
        """

    def leaves(self, x: mg.Tensor, w: Any) -> State:
        """The states of leaves, from ``(leaves, input_size)``."""
        raise NotImplementedError

    def project(self, x: mg.Tensor, w: Any) -> mg.Tensor:
        """What their words, ``(nodes, input_size)``, contribute at inner nodes."""
        raise NotImplementedError

    def level(self, projected: mg.Tensor | None, below: Below, w: Any) -> State:
        """The states of the inner nodes of a level.

        Args:
            projected: what :meth:`project` gave for them; ``None`` if no inner node has a word.
            below: the states of the children.
            w: what :meth:`prepare` gave.
        """
        raise NotImplementedError

    # ---- the ways through a batch -------------------------------------------------------------------------------

    def plan(self) -> list[Plan]:
        """Which way the network takes if it is called now, and why.

        >>> from minigrad_rnn.tree import ChildSumTreeLSTM
        >>> ChildSumTreeLSTM(2, 3).plan()
        [Plan(part='ChildSumTreeLSTM', path='levels', reason='all nodes of a level at once')]
        """
        return [Plan(type(self).__name__, *self._way())]

    def _way(self) -> tuple[str, str]:
        lacks = "" if type(self).level is not TreeNetwork.level else f"{type(self).__name__} has no level()"
        return way(self.batched, lacks)

    def forward(self, trees: Trees, x: mg.Tensor, *, return_all_states: bool = False) -> Any:
        """The states of all nodes.

        Args:
            trees: a batch; trees are made one, which costs more than to use it again.
            x: what stands for the words, ``(words, input_size)``, in the order of ``batch.words``.
            return_all_states: whether to return, as a third result, all parts of the states of all nodes.

        Returns:
            The outputs of all nodes in the order of the batch, ``(nodes, hidden_size)``, and the state of the roots,
            ``(trees, hidden_size)``, or a tuple of such parts.

        Raises:
            ShapeError: not one row for each word.
            TreeError: a node with more children than the network takes.
        """
        batch = as_batch(trees)
        self._check(batch, x)
        if batch.size:
            states, roots = (self._by_level if self._way()[0] == "levels" else self._by_node)(batch, x)
        else:
            empty = mg.zeros(0, self.hidden_size, dtype=x.dtype, device=x.device)
            states = roots = (empty,) * len(self.parts)
        result = states[0], outputs(roots)
        return (*result, outputs(states)) if return_all_states else result

    def _check(self, batch: TreeBatch, x: mg.Tensor) -> None:
        words = len(batch.words)
        if x.shape != (words, self.input_size):
            raise mg.ShapeError(
                f"{type(self).__name__}: x must have shape (words, input_size) = {(words, self.input_size)}, one row"
                f" for each of batch.words, not {tuple(x.shape)}"
            )
        if self.arity is not None:
            batch.slotted(self.arity)

    def _by_level(self, batch: TreeBatch, x: mg.Tensor) -> tuple[State, State]:
        w = self.prepare()
        with mg.scope("leaves"):
            leaves = self.leaves(carry([x], batch.words_of_leaves), w)
        at_depth = [part.split(batch.leaf_sizes) for part in leaves]
        slots = None if self.arity is None else batch.slotted(self.arity)
        inputs = self._inputs(batch, x, w)
        above: list[State] = []
        rows = tuple([[pieces[-1]] for pieces in at_depth])
        for depth in reversed(range(len(batch.levels))):
            level = batch.levels[depth]
            with mg.scope(f"level={depth}"):
                here = None if inputs is None else inputs[len(above)]
                state = self.level(here, Below(level, rows, None if slots is None else slots[depth]), w)
            above.append(state)
            rows = tuple(
                [
                    [part, pieces[depth]] if batch.leaf_sizes[depth] else [part]
                    for part, pieces in zip(state, at_depth, strict=True)
                ]
            )
        roots = tuple([carry(part, batch.to_trees) for part in rows])
        states = [carry([leaf, *parts], batch.to_nodes) for leaf, *parts in zip(leaves, *above, strict=True)]
        return tuple(states), roots

    def _inputs(self, batch: TreeBatch, x: mg.Tensor, w: Any) -> tuple[mg.Tensor, ...] | None:
        """What the words of inner nodes contribute, level by level, the deepest first."""
        if batch.words_of_inner is None:
            return None
        with mg.scope("input"):
            projected = self.project(carry([x], batch.words_of_inner), w)
        return projected.split(tuple([len(level.nodes) for level in reversed(batch.levels)]))

    def _by_node(self, batch: TreeBatch, x: mg.Tensor) -> tuple[State, State]:
        w = self.prepare()
        rows = iter(x.unbind())
        inputs = [next(rows) if has else None for has in batch.has_word]
        children = children_of(batch)
        states: list[Any] = [None] * batch.size
        for number in bottom_up(batch):
            with mg.scope(f"node={number}"):
                below = [None if child is None else states[child] for child in children[number]]
                states[number] = self.node(inputs[number], below, w)
                named(self.parts, states[number])
        roots = [states[number] for number in batch.roots.tolist()]
        return tuple(map(mg.stack, zip(*states, strict=True))), tuple(map(mg.stack, zip(*roots, strict=True)))


def way(batched: bool, lacks: str = "") -> tuple[str, str]:
    """Level by level or every node on its own, and why."""
    if inside := inside_unrolled():
        return "unrolled", f"every op of every node is recorded: inside {inside}"
    if not batched:
        return "unrolled", "every op of every node is recorded: batched is False"
    return ("unrolled", lacks) if lacks else ("levels", "all nodes of a level at once")


def outputs(state: State) -> Any:
    """A state as users see it: a tensor if it has only one part."""
    return state if len(state) > 1 else state[0]


def named(parts: Sequence[str], state: State) -> None:
    """Name the parts of a state, so that drawings and reports know them among all that a node computes."""
    for name, part in zip(parts, state, strict=True):
        if part.requires_grad and not part.is_leaf and part.name is None:
            part.name = name


def as_batch(trees: Trees) -> TreeBatch:
    """A batch of whatever was given."""
    if isinstance(trees, TreeBatch):
        return trees
    return TreeBatch([trees] if isinstance(trees, Tree) else trees)


def bottom_up(batch: TreeBatch) -> list[int]:
    """The numbers of all nodes, children before their parents: the deepest first, from left to right."""
    order: list[int] = numpy.lexsort((numpy.arange(batch.size), -batch.depths)).tolist()
    return order


def children_of(batch: TreeBatch) -> list[list[int | None]]:
    """For each node the numbers of its children, ``None`` for those that are missing."""
    children: list[list[int | None]] = [
        [None] * len(node.children) for tree in batch.trees for node in tree.nodes()
    ]
    for node, (parent, slot) in enumerate(zip(batch.parents.tolist(), batch.slots.tolist(), strict=True)):
        if parent >= 0:
            children[parent][slot] = node
    return children
