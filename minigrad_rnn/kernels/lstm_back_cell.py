"""The way back through the cell of a long short-term memory that is more than ``f c + i g``."""

from __future__ import annotations

from typing import Any

from ..cells import LSTMRecurrence, Weights
from .batch import Array, Batch, by_block, flat, total
from .holding import Holding
from .lstm_parts import CellNormed, Saved
from .memory import empty


class BackCell:
    """The part of a step back that concerns c: held units, what sees it, normalisation, cutting off.

    Attributes:
        special: whether the equations themselves ask for it, whatever happens at a step.
    """

    def __init__(
        self, batch: Batch, recurrence: LSTMRecurrence, saved: Saved, w: Weights, holding: Holding, arriving: Array
    ) -> None:
        module, self.shape = batch.module, saved.tanhs.shape
        self.batch, self.recurrence, self.saved, self.holding, self.g = batch, recurrence, saved, holding, arriving
        self.peepholes = None if w.weight_peephole is None else w.weight_peephole.reshape(-1, self.shape[1], 1)
        self.normed: Any = None
        self.carried = recurrence.layer_norm == "torch"
        if recurrence.layer_norm:
            self.normed = CellNormed(module, w.gain_cell, w.bias_cell, (saved.normal_cell, saved.scale_cell))
            self.arrived = empty(module, self.shape, saved.tanhs.dtype)
        self.special = recurrence.layer_norm or recurrence.cell_clip is not None or recurrence.peephole
        self.held = module.empty(self.shape[1:], saved.tanhs.dtype)

    def at(self, start: int, stop: int) -> BackCell | None:
        """To be called for a range of steps before these; ``None`` if there they need no more than ``f c + i g``."""
        self.start, self.shares = start, self.holding.share(start, stop, self.held.dtype)
        self.arriving = None if self.g is None else self.batch.arriving(self.g, start, stop)
        return None if not self.special and self.shares is None and self.arriving is None else self

    def __call__(self, t: int, dc: Array, shown: Array, to_o: Array, to_c: Array, kept: Array) -> None:
        """One step back, from ``dc`` to ``dc``.

        Args:
            t: the step.
            dc: what has arrived at c.
            shown: what has arrived, by way of h, at what h sees of c; overwritten.
            to_o: what has arrived at the argument of o.
            to_c: the factors of i, f and g, which become what arrives there.
            kept: the factor on the way to the step before.
        """
        k, module = t - self.start, self.batch.module
        if self.arriving is not None:
            dc += self.arriving[k]
        if self.shares is not None:
            module.multiply(dc, self.shares[k], out=self.held)
            module.subtract(dc, self.held, out=dc)
        self._new(t, dc, shown, to_o)
        module.multiply(to_c, dc, out=to_c)
        module.multiply(dc, kept, out=dc)
        if self.peepholes is not None:
            for sees, arrived in zip(self.peepholes[:-1], to_c, strict=False):
                dc += sees * arrived
        if self.shares is not None:
            module.add(dc, self.held, out=dc)

    def _new(self, t: int, dc: Array, shown: Array, to_o: Array) -> None:
        """From what arrives at the new cell in its forms to what arrives at ``f c + i g``."""
        if self.carried:
            shown += dc
            dc[...] = 0
        if self.peepholes is not None:
            at_o = shown if self.carried else dc
            at_o += self.peepholes[-1] * to_o
        if self.normed is not None:
            self.arrived[t] = shown
            self.normed.back(t, shown, shown)
        self.batch.module.add(dc, shown, out=dc)
        if self.saved.within_cell is not None:
            dc *= self.saved.within_cell[t]

    def gradients(self) -> dict[str, Any]:
        """Those of the cell's gain and bias."""
        if self.normed is None:
            return {}
        hidden = self.shape[1]
        at_gain = flat(self.arrived * self.saved.normal_cell).reshape(hidden, -1)
        return {"gain_cell": total(at_gain), "bias_cell": total(flat(self.arrived).reshape(hidden, -1))}

    def seen_by_o(self, start: int, stop: int) -> Array:
        """For a range of steps the new cells, before any unit was held."""
        saved = self.saved
        if self.carried:
            return saved.normal_cell[start:stop] * self.normed.gain + self.normed.bias
        _, i, *f, g = by_block(saved.gates[start:stop], self.shape[1])
        cells = saved.cells[start:stop] * (f[0] if f else 1 - i) + i * g
        limit = self.recurrence.cell_clip
        return cells if limit is None else self.batch.module.clip(cells, -limit, limit)
