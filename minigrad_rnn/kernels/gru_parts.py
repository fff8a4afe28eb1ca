"""What the way forward and the way back of the gated recurrent unit agree on: order of rows, and what is kept."""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import xp

from ..cells import GRURecurrence, Weights
from .batch import Array
from .device import kernel
from .holding import Holding
from .memory import empty
from .normed import room

KNOWN = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gain_ih", "gain_hh", "mask_hidden")
BLOCKS = (2, 1)  # what is normalised apart from one another: the rows r and z, and the rows n


class Saved(NamedTuple):
    """What the forward keeps for the rule, in the order of processing; ``None`` what the equations have no use for.

    Attributes:
        hs: the states, one step longer than the others, which are ``(T, rows, N)``.
        gates: q, r, z, n.
        within: where the arguments of r, z and n were not cut off.
        normal_ih, normal_hh: normalised rows; those of the state in the order in which the kernel has them.
        scale_ih, scale_hh: the factors that made them so, ``(T, 3, N)``.
    """

    hs: Array
    gates: Array
    within: Array = None
    normal_ih: Array = None
    scale_ih: Array = None
    normal_hh: Array = None
    scale_hh: Array = None

    @classmethod
    def room(cls, module: Any, recurrence: GRURecurrence, steps: int, kept: int, h: Array) -> Saved:
        """Memory for ``steps`` of the states h, like ``(hidden, N)``, and ``kept`` of everything else."""
        (hidden, size), dtype = h.shape, h.dtype
        rows = (kept, 3 * hidden, size)
        hs, gates = empty(module, (steps + 1, hidden, size), dtype), empty(module, (kept, 4 * hidden, size), dtype)
        within = None if recurrence.gate_clip is None else module.empty(rows, bool)
        if not recurrence.layer_norm:
            return cls(hs, gates, within)
        return cls(hs, gates, within, *room(module, *rows, dtype, 3), *room(module, *rows, dtype, 3))

    @classmethod
    def of(cls, recurrence: GRURecurrence, arrays: Any) -> Saved:
        """From :meth:`arrays`."""
        hs, gates, *rest = arrays
        return cls(hs, gates, None, *rest) if recurrence.gate_clip is None else cls(hs, gates, *rest)

    def arrays(self) -> list[Array]:
        """All that there is."""
        return [array for array in self if array is not None]

    def normed_ih(self) -> tuple[Array, Array]:
        """What the inputs contribute, normalised, and the factors."""
        return self.normal_ih, self.scale_ih

    def normed_hh(self) -> tuple[Array, Array]:
        """What the state contributes, likewise."""
        return self.normal_hh, self.scale_hh

    def halves_hh(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """That, in the order r, z, n: of r and z, and of n."""
        both, (normal, scale) = 2 * self.hs.shape[1], self.normed_hh()
        return (normal[:, :both], scale[:, :1]), (normal[:, both:], scale[:, 1:2])


def kernels_for(module: Any, names: tuple[str, ...], recurrence: GRURecurrence, holding: Holding) -> list[Any] | None:
    """The kernels of a GPU's for a step, if there are any and no option asks for more; else ``None``."""
    if kernel(module, names[0], recurrence.update_gate) is None:
        return None
    usual = (recurrence.nonlinearity, recurrence.gate_nonlinearity) == ("tanh", "sigmoid")
    if holding.zoned or not usual or recurrence.gate_clip is not None or recurrence.layer_norm:
        return None
    return [kernel(module, name, recurrence.update_gate) for name in names]


def scaled(rows: Array, scale: float, last_first: bool = False) -> Array:
    """A copy of rows r, z, n with those of r and z times a number, in this order or n, r, z."""
    module, hidden = xp(rows), len(rows) // 3
    copy = empty(module, rows.shape, rows.dtype)
    gates, n = (copy[hidden:], copy[:hidden]) if last_first else (copy[: 2 * hidden], copy[2 * hidden :])
    module.multiply(rows[: 2 * hidden], module.full((), scale, rows.dtype), out=gates)
    n[...] = rows[2 * hidden :]
    return copy


def biases(w: Weights, reset_after: bool, scale: float) -> tuple[Array, Array]:
    """The bias of what the inputs contribute, and the one that is inside the reset gate, if any."""
    if w.bias_ih is None:
        return None, None
    bias, inner, gates = w.bias_ih + w.bias_hh, None, len(w.bias_ih) // 3 * 2
    if reset_after:
        bias[gates:] = w.bias_ih[gates:]
        inner = w.bias_hh[gates:]
    return scaled(bias, scale), inner
