"""The loop of the long short-term memory over the steps, and its stages. Blocks of rows: o, i, f, g."""

from __future__ import annotations

import itertools
from typing import Any

from ..cells import LSTMRecurrence, Weights
from ..cells.nonlinearity import NONLINEARITIES
from .batch import Array, Batch, by_block, feature_major
from .device_steps import lstm_forward
from .holding import Holding
from .lstm_parts import CellNormed, Saved, inside, kernel_for
from .norm import centred
from .normed import Normed
from .products import Forward
from .squash import scale_of, squash


class Step:
    """The loop over the steps. A stage that the equations do not have is ``None``."""

    def __init__(
        self, batch: Batch, recurrence: LSTMRecurrence, w: Weights, zones: tuple[Array, Array], saved: Saved
    ) -> None:
        module, normal = batch.module, recurrence.layer_norm is not None
        weight = inside(recurrence, w.weight_hh, scaled=not normal)
        self.batch, self.coupled, self.weight_hr = batch, recurrence.coupled, w.weight_hr
        self.product, self.normed = Forward(module, weight, batch.size, feature_major(w.mask_hidden)), None
        if normal:
            centred(weight, out=weight)
            gain = inside(recurrence, w.gain_hh, scaled=True)
            self.normed = Normed(module, gain, None, (saved.normal_hh, saved.scale_hh))
        of_gates = recurrence.nonlinearity, recurrence.gate_nonlinearity
        usual = of_gates == ("tanh", "sigmoid") and recurrence.gate_clip is None
        unusual = recurrence.peephole or recurrence.coupled or not usual
        self.gates = Gates(module, recurrence, w, saved) if unusual else None
        self.late = None if self.gates is None or self.gates.peepholes is None else self.gates.late
        self.cell = Cell(module, recurrence, w, saved) if normal or recurrence.cell_clip else None
        self.shown = _into(module, recurrence.output_nonlinearity)
        self.holding_h, self.holding_c = (Holding(batch, zone) for zone in zones)
        self.kernel = kernel_for(module, "lstm_forward", recurrence, w, zones)

    def run(self, start: int, part: Saved) -> None:
        """Go over the steps of a range, whose ``gates`` are the projected inputs at first."""
        batch, product, normed, gates, cell = self.batch, self.product, self.normed, self.gates, self.cell
        if self.kernel is not None:
            lstm_forward(self.kernel, batch, product, start, part)
            return
        shown, weight_hr, late = self.shown, self.weight_hr, self.late
        add, multiply, tanh = batch.module.add, batch.module.multiply, batch.module.tanh
        scratch = batch.module.empty(part.tanhs.shape[1:], part.gates.dtype)
        half = batch.module.full((), 0.5, part.gates.dtype)  # an array: a Python number is converted at every step
        stay_h, stay_c = (h.stay if h.any else None for h in (self.holding_h, self.holding_c))
        for t, (h, h_new, c, c_new, tanh_c, now, three, o, i, f, g) in enumerate(self._views(part), start):
            recurrent = product(h)
            add(now, recurrent if normed is None else normed(t, recurrent), out=now)
            if gates is None:  # one hyperbolic tangent for all four
                tanh(now, out=now)
                multiply(three, half, out=three)
                add(three, half, out=three)
            else:
                gates.early(now, i, f, c)
            multiply(f, c, out=c_new)
            multiply(i, g, out=scratch)
            add(c_new, scratch, out=c_new)
            seen = c_new if cell is None else cell(t, c_new)
            shown(seen, out=tanh_c)
            if late is not None:
                late(o, c_new)
            if weight_hr is None:
                multiply(o, tanh_c, out=h_new)
            else:
                batch.module.matmul(weight_hr, multiply(o, tanh_c, out=scratch), out=h_new)
            if stay_c is not None:
                stay_c(t, c_new, c)
            if stay_h is not None:
                stay_h(t, h_new, h)

    def _views(self, part: Saved) -> Any:
        """For each step its part of everything: quicker than an index for each."""
        hs, gates, cells, tanhs = part[:4]
        count, hidden, size = tanhs.shape
        o, i, *f, g = by_block(gates, hidden)
        if self.coupled:  # f has no place of its own
            f = [itertools.repeat(self.batch.module.empty((hidden, size), gates.dtype), count)]
        states = hs[:-1], hs[1:], cells[:-1], cells[1:], tanhs
        return zip(*states, gates, gates[:, :-hidden], o, i, *f, g, strict=True)


class Gates:
    """From the arguments of the gates to their values where it is not one hyperbolic tangent for all.

    Attributes:
        peepholes: the factors of the cell in the arguments of i, f and o, each ``(hidden, 1)``; or ``None``.
    """

    def __init__(self, module: Any, recurrence: LSTMRecurrence, w: Weights, saved: Saved) -> None:
        self.module, self.coupled, self.hidden = module, recurrence.coupled, saved.tanhs.shape[1]
        self.first = 0
        self.peepholes: Any = None
        if recurrence.peephole:  # then o waits for the new cell
            self.first, scale = self.hidden, scale_of(recurrence.gate_nonlinearity)
            self.peepholes = (w.weight_peephole * scale).reshape(-1, self.hidden, 1)

        def stage(name: str, rows: slice) -> Any:
            within = None if saved.within is None else saved.within[:, rows]
            return squash(module, name, saved.gates.dtype, recurrence.gate_clip, within)

        self.of_gates = stage(recurrence.gate_nonlinearity, slice(self.first, -self.hidden))
        self.of_candidate = stage(recurrence.nonlinearity, slice(-self.hidden, None))
        self.of_output = stage(recurrence.gate_nonlinearity, slice(self.hidden))

    def early(self, now: Array, i: Array, f: Array, c: Array) -> None:
        """All gates, but not o if it sees the new cell."""
        if self.peepholes is not None:
            i += self.peepholes[0] * c
            if not self.coupled:
                f += self.peepholes[1] * c
        self.of_gates(now[self.first : -self.hidden])
        self.of_candidate(now[-self.hidden :])
        if self.coupled:
            self.module.subtract(1, i, out=f)

    def late(self, o: Array, c: Array) -> None:
        """The gate o, from the new cell."""
        o += self.peepholes[-1] * c
        self.of_output(o)


class Cell:
    """What is done to a new cell: cutting off, and normalisation."""

    def __init__(self, module: Any, recurrence: LSTMRecurrence, w: Weights, saved: Saved) -> None:
        self.cut, self.normed, self.carried = None, None, recurrence.layer_norm == "torch"
        if recurrence.cell_clip is not None:
            self.cut = squash(module, "identity", saved.cells.dtype, recurrence.cell_clip, saved.within_cell)
        if recurrence.layer_norm:
            self.normed = CellNormed(module, w.gain_cell, w.bias_cell, (saved.normal_cell, saved.scale_cell))
        self.seen = module.empty(saved.tanhs.shape[1:], saved.tanhs.dtype)

    def __call__(self, t: int, c: Array) -> Array:
        """The cell as h sees it; ``c`` becomes the one that is carried on."""
        if self.cut is not None:
            self.cut(c)
        if self.normed is None or self.carried:
            return c if self.normed is None else self.normed(t, c)
        self.seen[...] = c
        return self.normed(t, self.seen)


def _into(module: Any, name: str) -> Any:
    """A nonlinearity ``(x, out=...)``."""
    if name == "tanh":
        return module.tanh
    function = NONLINEARITIES[name].function

    def into(x: Array, out: Array) -> None:
        out[...] = function(x)

    return into
