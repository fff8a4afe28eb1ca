"""From the root down: what stands above a node reaches it."""

from __future__ import annotations

from typing import Any

import minigrad as mg
from minigrad import nn

from ..layers.path import Plan
from .batch import TreeBatch
from .moves import Moves, carry, spread
from .network import Trees, as_batch, named, outputs, way
from .terms import State


class TopDown(nn.Module):
    r"""Any recurrent cell along every path from the root down.

    .. math:: s_j = \mathrm{cell}(x_j, s_{\text{parent of } j})

    The root starts from zeros. With the outputs of a network that goes up as :math:`x`, every node knows the whole
    tree: what is below it and what is above.

    Args:
        cell: a module with ``forward(x, state)`` that takes ``(N, features)`` and the state and returns the new state:
            any of :mod:`minigrad_rnn.cells`, or one's own. It tells ``hidden_size`` and, if the state has several
            parts, ``parts``, their names; the first is the output.

    Attributes:
        batched: whether all nodes of a level are computed at once (quick), or node by node (to look at).

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRUCell
    >>> from minigrad_rnn.tree import TopDown, TreeBatch, TreeGRU, parse_trees
    >>> batch = TreeBatch(parse_trees("((It works) well)", labels=False))
    >>> up, _ = TreeGRU(3, 5)(batch, mg.ones(3, 3))
    >>> TopDown(GRUCell(5, 4))(batch, up).shape
    (5, 4)
    """

    cell: Any
    batched: bool = True

    def __init__(self, cell: nn.Module) -> None:
        self.cell = cell

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the state."""
        return tuple(getattr(self.cell, "parts", ("h",)))

    def plan(self) -> list[Plan]:
        """Which way the pass takes if it is called now, and why."""
        return [Plan(type(self).__name__, *way(self.batched))]

    def forward(self, trees: Trees, x: mg.Tensor, *, return_all_states: bool = False) -> Any:
        """The outputs at all nodes.

        Args:
            trees: a batch; trees are made one.
            x: ``(nodes, features)``, in the order of the batch: what each node reads.
            return_all_states: whether to return, as a second result, all parts of the states of all nodes.

        Returns:
            The outputs of all nodes in the order of the batch, ``(nodes, hidden_size)``.

        Raises:
            ShapeError: not one row for each node.
        """
        batch = as_batch(trees)
        if x.ndim != 2 or x.shape[0] != batch.size:
            raise mg.ShapeError(
                f"TopDown: x must have shape (nodes, features), one row for each of the {batch.size} nodes, not"
                f" {tuple(x.shape)}"
            )
        levels = way(self.batched)[0] == "levels"
        states = (self._by_level if levels else self._by_node)(batch, x) if batch.size else self._start(x)
        return (states[0], outputs(states)) if return_all_states else states[0]

    def _start(self, x: mg.Tensor) -> State:
        """The state above the roots."""
        hidden: int = self.cell.hidden_size
        sizes = getattr(self.cell, "sizes", (hidden,) * len(self.parts))
        return tuple([mg.zeros(*x.shape[:-1], size, dtype=x.dtype, device=x.device) for size in sizes])

    def _step(self, x: mg.Tensor, state: State) -> State:
        after = self.cell(x, outputs(state))
        return (after,) if isinstance(after, mg.Tensor) else tuple(after)

    def _by_level(self, batch: TreeBatch, x: mg.Tensor) -> State:
        rows = batch.going_down
        x_roots, *inputs = carry([x], rows).split((len(batch), *[sum(level.counts) for level in batch.levels]))
        with mg.scope("level=0"):
            state = self._step(x_roots, self._start(x_roots))
        found = [state]
        parents = batch.inner_roots
        for depth, (level, here) in enumerate(zip(batch.levels, inputs, strict=True)):
            with mg.scope(f"level={depth + 1}"):
                above = [spread(carry([part], parents), level.counts) for part in state]
                state = self._step(here, tuple(above))
            found.append(state)
            parents = level.inner
        back = Moves(rows.back, rows.forth)
        return tuple([carry(part, back) for part in zip(*found, strict=True)])

    def _by_node(self, batch: TreeBatch, x: mg.Tensor) -> State:
        states: list[Any] = []
        for number, (here, parent) in enumerate(zip(x.unbind(), batch.parents.tolist(), strict=True)):
            with mg.scope(f"node={number}"):
                states.append(self._step(here, states[parent] if parent >= 0 else self._start(here)))
                named(self.parts, states[-1])
        return tuple(map(mg.stack, zip(*states, strict=True)))
