"""Layers of one's own: any cell as a layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from ..cells import Noise, Recurrence, State, Weights
from ..cells.cell import Cell
from ..cells.options import sorted_options
from .options import Wiring
from .stack import Stack


@dataclasses.dataclass(frozen=True, repr=False)
class CellRecurrence(Recurrence):
    """The equations of any cell: whatever its ``forward`` does."""

    cell: Any = None

    gates: ClassVar[int] = 0

    @property
    def title(self) -> str:
        """The name of the cell."""
        return type(self.cell).__name__

    @property
    def names(self) -> tuple[str, ...]:
        """What the cell says its parts are; one, h, if it says nothing."""
        return tuple(getattr(self.cell, "parts", ("h",)))

    @property
    def zoned(self) -> tuple[str, ...]:
        """What the cell says of them; all if it says nothing."""
        return tuple(getattr(self.cell, "zoned", self.names))

    def sizes(self, hidden_size: int, features: int) -> tuple[int, ...]:  # noqa: ARG002
        """What the cell says; ``hidden_size`` for all parts if it says nothing."""
        return tuple(getattr(self.cell, "sizes", (hidden_size,) * len(self.names)))

    def project(self, x: mg.Tensor, w: Weights) -> mg.Tensor:  # noqa: ARG002
        """The inputs, as they are."""
        return x

    def advance(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """One call of the cell."""
        return self.step(projected, state, w)

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:  # noqa: ARG002
        """One call of the cell."""
        alone = len(self.names) == 1
        after = self.cell(projected, state[0] if alone else state)
        after = (after,) if isinstance(after, mg.Tensor) else after
        if not isinstance(after, (tuple, list)) or not all(isinstance(part, mg.Tensor) for part in after):
            raise mg.MinigradError(
                f"{self.title}: forward must return the new state, {', '.join(self.names)}, made of tensors, not"
                f" {type(after).__name__ if after is not None else 'None: is there a return?'}"
            )
        after = tuple(after)
        if [part.shape for part in after] != [part.shape for part in state]:
            raise mg.ShapeError(
                f"{self.title}: forward must return the parts of the state, {', '.join(self.names)}, as it got them:"
                f" {[part.shape for part in state]}, not {[part.shape for part in after]}\n"
                "  hint: parts = (...) names them, hidden_size or sizes = (...) tells their sizes; what is to be put"
                " out besides comes from a method output(state)"
            )
        return after

    def output(self, state: State) -> mg.Tensor:
        """What the cell's ``output`` makes of the state; the first part if it has none."""
        if not hasattr(self.cell, "output"):
            return state[0]
        output: mg.Tensor = self.cell.output(state[0] if len(state) == 1 else state)
        return output


class RecurrentLayer(Stack):
    """A layer of any cell: over whole sequences, in several layers and two directions, with everything layers can do.

    A cell is a module with a ``forward(x, state)`` that takes ``(N, input_size)`` and the state and returns the new
    state. It tells ``hidden_size``, the size of the state; and if the state has several parts, ``parts``, their names
    (the first is put out), and ``sizes`` where they differ. A method ``output(state)`` is for a cell that puts
    something else out. With ``input_size`` set, errors about inputs are clearer. Where there are no sequences, or no
    steps, it is called with no rows, so that shapes and gradients are what they should be.

    Our own cells run on their fused kernels here, if they have one; others op by op (see :meth:`plan`), and so does a
    class derived from one of ours that has a ``forward`` or an ``output`` of its own. A regulariser given to the layer
    takes the place of the cells' own of the same name.

    Args:
        cells: a cell, or one for each layer, each reading the outputs of the one below.
        backward: the cells of the direction from the end, likewise, of whatever kind; left out: there is none.
        batch_first: whether inputs and outputs are ``(N, T, features)``.
        dropout: probability of dropping an output on its way to the next layer, in training.
        options: of :class:`~minigrad_rnn.cells.Noise` and :class:`~minigrad_rnn.layers.Wiring`, by keyword.

    Shape:
        As for :class:`~minigrad_rnn.LSTM`, the parts of the state being those of the cell.

    >>> import minigrad as mg
    >>> from minigrad import nn
    >>> class LeakyCell(nn.Module):
    ...     def __init__(self, input_size, hidden_size):
    ...         super().__init__()
    ...         self.hidden_size = hidden_size
    ...         self.both = nn.Linear(input_size + hidden_size, hidden_size)
    ...     def forward(self, x, h):
    ...         return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))
    >>> layer = RecurrentLayer(LeakyCell(3, 5), backward=LeakyCell(3, 5))
    >>> output, h = layer(mg.ones(7, 2, 3), lengths=[7, 4])
    >>> output.shape, h.shape
    ((7, 2, 10), (2, 2, 5))
    """

    def __init__(
        self,
        cells: nn.Module | Sequence[nn.Module],
        backward: nn.Module | Sequence[nn.Module] | None = None,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        name = type(self).__name__
        noise, wiring = sorted_options(name, options, Noise, Wiring)
        rows = [listed(name, row) for row in (cells, backward) if row is not None]
        if len({len(row) for row in rows}) > 1:
            raise mg.MinigradError(f"{name}: {len(rows[0])} cells, but {len(rows[1])} of the backward direction")
        super().__init__(
            getattr(rows[0][0], "input_size", None), len(rows[0]), batch_first, dropout, backward is not None, noise,
            wiring,
        )
        self.cells = nn.ModuleList(rows[0])
        self.backward_cells = nn.ModuleList(rows[1]) if self.bidirectional else None
        for place in self.places():
            noise.check(name, self.recurrence_of(*place).zoned)
            _check_inside(name, self._cell(*place), noise)
        self._wire(None, self.dtype)
        self._reset_wires()

    def _cell(self, layer: int, reverse: bool) -> Any:
        return (self.backward_cells if reverse else self.cells)[layer]  # type: ignore[index]

    def recurrence_of(self, layer: int, reverse: bool) -> Recurrence:
        """The equations of a cell."""
        cell = self._cell(layer, reverse)
        return cell.recurrence if _is_ours(cell) else CellRecurrence(cell)

    def weights(self, layer: int, reverse: bool = False) -> Weights:
        """The weights of a cell, if it is one of ours."""
        cell = self._cell(layer, reverse)
        return cell.weights() if _is_ours(cell) else Weights(None, None)

    def noise_of(self, layer: int, reverse: bool) -> Noise:
        """The regularisers: those of the layer, and those of the cell that the layer has not."""
        cell = self._cell(layer, reverse)
        if not _is_ours(cell):
            return self.noise
        noise: Noise = cell.noise
        return dataclasses.replace(noise, **{name: value for name, value in vars(self.noise).items() if value})

    def sizes_of(self, layer: int, reverse: bool) -> tuple[int, ...]:
        """The sizes of the parts of the state of a cell."""
        hidden = self._cell(layer, reverse).hidden_size
        return self.recurrence_of(layer, reverse).sizes(hidden, hidden)

    def output_of(self, layer: int, reverse: bool) -> int:
        """The number of features that a cell puts out."""
        return int(getattr(self._cell(layer, reverse), "output_size", self.sizes_of(layer, reverse)[0]))

    def extra_repr(self) -> str:
        """What is not as by default."""
        batch_first = ["batch_first=True"] if self.batch_first else []
        dropout = [f"dropout={self.dropout}"] if self.dropout else []
        return ", ".join([*batch_first, *dropout, *self.noise.changed(), *self.wiring.changed()])


def listed(name: str, cells: Any) -> list[nn.Module]:
    """A cell, or several, as a list; refuse what is no cell."""
    row = list(cells) if isinstance(cells, (list, tuple, nn.ModuleList)) else [cells]
    if not row:
        raise mg.MinigradError(f"{name}: there are no cells")
    for cell in row:
        if isinstance(cell, Stack):
            raise mg.MinigradError(f"{name}: {type(cell).__name__} is a layer, and runs over sequences; give its cell")
        if not isinstance(cell, nn.Module) or not hasattr(cell, "hidden_size"):
            told = cell.__name__ if isinstance(cell, type) else type(cell).__name__
            raise mg.MinigradError(
                f"{name}: a cell is a module with forward(x, state) and hidden_size, the size of its state; {told} is"
                f" {'the class, not a cell made of it' if isinstance(cell, type) else 'none'}"
            )
    return row


def _is_ours(cell: Any) -> bool:
    """Whether the recurrence of a cell is all that it does, so that it may run instead of the cell's ``forward``."""
    return isinstance(cell, Cell) and type(cell).forward is Cell.forward and not hasattr(cell, "output")


def _check_inside(name: str, cell: nn.Module, noise: Noise) -> None:
    """Refuse regularisers that act inside of a cell whose inside is not known."""
    if _is_ours(cell):
        return
    check_stepwise(name, cell)
    option = "variational dropout of hidden features" if noise.hidden else "weight_dropout"
    if noise.hidden or noise.weight_dropout:
        raise mg.MinigradError(
            f"{name}: what happens inside {type(cell).__name__} is its own; {option} is for RNNCell, LSTMCell and"
            " GRUCell"
        )


def check_stepwise(name: str, cell: Any) -> None:
    """Refuse a cell whose options need to know the sequence, where it would be called step by step."""
    if not isinstance(cell, Cell):
        return
    given = [option for option in ("variational", "weight_dropout") if getattr(cell.noise, option)]
    given += ["batch_norm"] if cell.recurrence.batch_norm else []
    if given:
        raise mg.MinigradError(
            f"{name}: {' and '.join(given)} of {type(cell).__name__} would be told nothing of the sequence here, but"
            " begin anew at every step\n"
            "  hint: RecurrentLayer([first, second]) makes layers of the cells as they are"
        )
