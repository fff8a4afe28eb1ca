"""What the way forward and the way back of the long short-term memory agree on: order of rows, and what is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from minigrad.backend import xp

from ..cells import LSTMRecurrence, Weights
from .batch import Array
from .device import kernel
from .memory import empty
from .norm import CentringNorm
from .normed import Normed
from .squash import scale_of

KNOWN = (
    "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_peephole",
    "gain_ih", "gain_hh", "gain_cell", "bias_cell", "mask_hidden",
)  # fmt: skip

MORE = {  # fields of what is kept, by the option that they are for
    "layer_norm": ("normal_ih", "scale_ih", "normal_hh", "scale_hh", "normal_cell", "scale_cell"),
    "gate_clip": ("within",),
    "cell_clip": ("within_cell",),
}
BOOLEANS = numpy.dtype(bool)
BEYOND = ("peephole", "coupled", "cell_clip", "gate_clip", "layer_norm")  # options that a GPU's kernels do not know


class CellNormed(Normed):
    """The norm of the cell, which takes the mean off itself."""

    norm = CentringNorm


class Saved(NamedTuple):
    """What the forward keeps for the rule, in the order of processing; ``None`` what the equations have no use for.

    Attributes:
        hs, cells: the states, one step longer than the others, which are ``(T, rows, N)``.
        gates: their values, rows o, i, f, g; without f if it is coupled.
        tanhs: of the cells, or whatever their nonlinearity is.
        normal_ih, normal_hh, normal_cell: normalised rows.
        scale_ih, scale_hh, scale_cell: the factors that made them so, ``(T, 1, N)``.
        within, within_cell: where the arguments of the gates, and the cell, were not cut off.
    """

    hs: Array
    gates: Array
    cells: Array
    tanhs: Array
    normal_ih: Array = None
    scale_ih: Array = None
    normal_hh: Array = None
    scale_hh: Array = None
    normal_cell: Array = None
    scale_cell: Array = None
    within: Array = None
    within_cell: Array = None

    @classmethod
    def room(cls, module: Any, recurrence: LSTMRecurrence, steps: int, kept: int, h: Array, c: Array) -> Saved:
        """Memory for ``steps`` of the states h, like ``(features, N)``, and ``kept`` of everything else."""
        (hidden, size), dtype, rows = c.shape, c.dtype, recurrence.gates * len(c)

        def room(height: int, more: int = 0, dtype: Any = dtype) -> Array:
            return empty(module, (kept + more, height, size), dtype)

        saved = cls(empty(module, (steps + 1, len(h), size), dtype), room(rows), room(hidden, more=1), room(hidden))
        more = {}
        for name in _more(recurrence):
            height = 1 if name.startswith("scale") else hidden if name.endswith("cell") else rows
            more[name] = room(height, dtype=BOOLEANS if name.startswith("within") else dtype)
        return saved._replace(**more) if more else saved

    @classmethod
    def of(cls, recurrence: LSTMRecurrence, arrays: tuple[Array, ...]) -> Saved:
        """From :meth:`arrays`."""
        return cls(*arrays[:4], **dict(zip(_more(recurrence), arrays[4:], strict=True)))

    def arrays(self) -> list[Array]:
        """All that there is."""
        return [array for array in self if array is not None]

    def part(self, start: int, stop: int, kept: int) -> Saved:
        """A range of steps of the first four, where of all but h only ``kept`` steps are there and used again."""
        first = start % kept
        last = first + stop - start
        gates, cells, tanhs = self.gates[first:last], self.cells[first : last + 1], self.tanhs[first:last]
        return Saved(self.hs[start : stop + 1], gates, cells, tanhs)


def _more(recurrence: LSTMRecurrence) -> list[str]:
    """Which fields of :class:`Saved` there are behind the first four."""
    return [name for option, names in MORE.items() if getattr(recurrence, option) for name in names]


def kernel_for(
    module: Any, name: str, recurrence: LSTMRecurrence, w: Weights, zones: tuple[Array, Array]
) -> Any:
    """The kernel of a GPU's for a step, if there is one and no option asks for more; else ``None``."""
    found = kernel(module, name)
    if found is None or w.weight_hr is not None or any(zone is not None for zone in zones):
        return None
    names = recurrence.gate_nonlinearity, recurrence.nonlinearity, recurrence.output_nonlinearity
    usual = names == ("sigmoid", "tanh", "tanh") and not any(getattr(recurrence, option) for option in BEYOND)
    return found if usual else None


def inside(recurrence: LSTMRecurrence, rows: Array, scaled: bool = False) -> Array:
    """Rows of the gates i, f, g, o in the order o, i, f, g; ``scaled`` as their nonlinearities want their arguments."""
    if rows is None:
        return None
    module, hidden = xp(rows), len(rows) // recurrence.gates
    if not scaled:
        return module.concatenate([rows[-hidden:], rows[:-hidden]])
    moved = empty(module, rows.shape, rows.dtype)
    gate, candidate = scale_of(recurrence.gate_nonlinearity), scale_of(recurrence.nonlinearity)
    _times(module, gate, rows[-hidden:], moved[:hidden])
    _times(module, gate, rows[: -2 * hidden], moved[hidden:-hidden])
    _times(module, candidate, rows[-2 * hidden : -hidden], moved[-hidden:])
    return moved


def _times(module: Any, factor: float, rows: Array, out: Array) -> None:
    if factor == 1:
        out[...] = rows
    else:
        module.multiply(rows, factor, out=out)
