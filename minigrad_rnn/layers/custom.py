"""Layers of one's own: any cell as a layer, cells on top of each other, two layers as two directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from ..cells import Noise, Recurrence, State, Weights
from ..cells.cell import Cell, state_before
from ..cells.options import sorted_options
from .inputs import arranged
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
        after = (after,) if isinstance(after, mg.Tensor) else tuple(after)
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
    something else out. With ``input_size`` set, errors about inputs are clearer.

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
        rows = [_listed(name, row) for row in (cells, backward) if row is not None]
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

    def output_of(self, layer: int) -> int:
        """The number of features that a cell puts out."""
        return int(getattr(self._cell(layer, False), "output_size", self.sizes_of(layer, False)[0]))

    def forward(
        self, input: Any, hx: Any = None, *, lengths: Any = None, mask: Any = None, return_all_states: bool = False
    ) -> Any:
        """Run over sequences; see :meth:`~minigrad_rnn.LSTM.forward`."""
        return self.run(input, hx, lengths, mask, return_all_states)

    def extra_repr(self) -> str:
        """What is not as by default."""
        batch_first = ["batch_first=True"] if self.batch_first else []
        dropout = [f"dropout={self.dropout}"] if self.dropout else []
        return ", ".join([*batch_first, *dropout, *self.noise.changed(), *self.wiring.changed()])


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
        self.cells = nn.ModuleList(_listed("StackedCells", cells))
        for cell in self.cells:
            _check_stepwise("StackedCells", cell)
        self.input_size = getattr(self.cells[0], "input_size", None)
        self.hidden_size = self.cells[-1].hidden_size
        self.output_size = getattr(self.cells[-1], "output_size", self.hidden_size)
        self.parts = tuple([f"{part}{i}" for i, cell in enumerate(self._equations) for part in cell.names])
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


class Bidirectional(nn.Module):
    """Two layers of any kind as two directions: the second reads every sequence from its end.

    Args:
        fwd: the layer that reads from the start.
        bwd: the one that reads from the end; each sequence from its own end, wherever padding or gaps are.
        merge: how the outputs are put together: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"`` or ``"none"``, a pair.

    Shape:
        - input, lengths, mask: as for the two layers, which must agree in ``batch_first``.
        - state: the pair of their states.

    >>> import minigrad as mg
    >>> from minigrad_rnn import GRU, LSTM
    >>> output, (h, (g, c)) = Bidirectional(GRU(3, 4), LSTM(3, 5))(mg.ones(7, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 2, 9), (1, 2, 4), (1, 2, 5))
    """

    def __init__(self, fwd: nn.Module, bwd: nn.Module, merge: str = "concat") -> None:
        super().__init__()
        self.fwd, self.bwd, self.wiring = fwd, bwd, Wiring(merge_mode=merge)
        self.wiring.check("Bidirectional", [])
        first = [bool(getattr(layer, "batch_first", False)) for layer in (fwd, bwd)]
        if first[0] != first[1]:
            raise mg.MinigradError(f"Bidirectional: batch_first is {first[0]} in one layer and {first[1]} in the other")
        self.batch_first = first[0]
        self.input_size = getattr(fwd, "input_size", None)

    def forward(self, input: Any, hx: Any = None, *, lengths: Any = None, mask: Any = None) -> tuple[Any, Any]:
        """Run over sequences, in both directions."""
        sequences = arranged("Bidirectional", input, self.input_size, self.batch_first, lengths, mask)
        x, running = sequences.x, sequences.running
        given = (None, None) if hx is None else hx
        results = []
        for layer, start, way in ((self.fwd, given[0], 1), (self.bwd, given[1], -1)):
            known = {} if running is None else {"mask": self._given(running[::way], sequences.batched)}
            output, last = layer(self._given(x[::way], sequences.batched), start, **known)
            results.append((self._taken(layer, output, sequences.batched)[::way], last))
        outputs, states = zip(*results, strict=True)
        merged = [sequences.back(output) for output in self.wiring.merged(list(outputs))]
        return merged[0] if len(merged) == 1 else tuple(merged), states

    def _given(self, x: Any, batched: bool) -> Any:
        """What is ``(T, N, ...)`` as the layers take it."""
        if not batched:
            return x[:, 0]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _taken(self, layer: nn.Module, output: Any, batched: bool) -> mg.Tensor:
        """The output of a layer as ``(T, N, ...)``."""
        if not isinstance(output, mg.Tensor):
            raise mg.MinigradError(
                f"Bidirectional: the output of {type(layer).__name__} is a {type(output).__name__}, not one tensor\n"
                '  hint: merge_mode="none", or merge="none", leaves two outputs; merge them in some other way'
            )
        if not batched:
            return output.unsqueeze(1)
        return output.swapaxes(0, 1) if self.batch_first else output

    def extra_repr(self) -> str:
        """How the outputs are put together."""
        return ", ".join(self.wiring.changed())


def _listed(name: str, cells: Any) -> list[nn.Module]:
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
    _check_stepwise(name, cell)
    option = "variational dropout of hidden features" if noise.hidden else "weight_dropout"
    if noise.hidden or noise.weight_dropout:
        raise mg.MinigradError(
            f"{name}: what happens inside {type(cell).__name__} is its own; {option} is for RNNCell, LSTMCell and"
            " GRUCell"
        )


def _check_stepwise(name: str, cell: Any) -> None:
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


def _sizes(cell: CellRecurrence) -> tuple[int, ...]:
    hidden = cell.cell.hidden_size
    return cell.sizes(hidden, hidden)
