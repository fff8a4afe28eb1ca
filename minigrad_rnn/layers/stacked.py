"""Cells on top of each other, as one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import minigrad as mg
from minigrad import nn

from ..cells import Weights
from ..cells.cell import state_before
from .custom import CellRecurrence, check_stepwise, listed


class StackedCells(nn.Module):
    """Cells on top of each other as one cell: each takes one step, reading the output of the one below.

    Args:
        cells: from the lowest up. Zoneout is their own; what is about a sequence as a whole, dropout by one mask and
            statistics of steps, is for :class:`RecurrentLayer`, and a cell with such an option is refused.

    Shape:
        - input: that of the lowest cell.
        - state and result: the parts of all cells, those of the lowest first; zeros when left out. If there is but one
          part, it is that part, not a tuple of one.

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRUCell, LSTMCell
    >>> cell = StackedCells([LSTMCell(3, 5), GRUCell(5, 4)])
    >>> cell.parts, [part.shape for part in cell(mg.ones(2, 3))]
    (('h0', 'c0', 'h1'), [(2, 5), (2, 5), (2, 4)])
    """

    def __init__(self, cells: Sequence[nn.Module]) -> None:
        super().__init__()
        self.cells = nn.ModuleList(listed("StackedCells", cells))
        for cell in self.cells:
            check_stepwise("StackedCells", cell)
        self.input_size = getattr(self.cells[0], "input_size", None)
        self.hidden_size = self.cells[-1].hidden_size
        self.output_size = getattr(self.cells[-1], "output_size", self.hidden_size)
        self.parts = tuple([f"{part}{i}" for i, cell in enumerate(self._equations) for part in cell.names])
        self.zoned = tuple([f"{part}{i}" for i, cell in enumerate(self._equations) for part in cell.zoned])
        self.sizes = tuple([size for cell in self._equations for size in _sizes(cell)])

    @property
    def _equations(self) -> list[CellRecurrence]:
        return [CellRecurrence(cell) for cell in self.cells]

    def forward(self, input: mg.Tensor, hx: Any = None) -> Any:
        """The parts of all cells after one step.

        Raises:
            ShapeError: a state of other parts, or of other shapes; an input that the lowest cell refuses.
        """
        alone, shapes = len(self.parts) == 1, [(*input.shape[:-1], size) for size in self.sizes]
        given = (hx,) if alone and isinstance(hx, mg.Tensor) else hx
        hx = state_before(self, given, self.parts, shapes, input.dtype, input.device)
        after: list[mg.Tensor] = []
        for cell in self._equations:
            state = cell.step(input, tuple(hx[len(after) : len(after) + len(cell.names)]), Weights(None, None))
            input = cell.output(state)
            after.extend(state)
        return after[0] if alone else tuple(after)

    def output(self, state: Any) -> mg.Tensor:
        """The output of the uppermost cell."""
        top, parts = self._equations[-1], (state,) if isinstance(state, mg.Tensor) else state
        return top.output(tuple(parts[-len(top.names) :]))


def _sizes(cell: CellRecurrence) -> tuple[int, ...]:
    hidden = cell.cell.hidden_size
    return cell.sizes(hidden, hidden)
