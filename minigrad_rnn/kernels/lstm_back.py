"""The way back through a long short-term memory. Blocks of rows: o, i, f, g, or without f if it is coupled.

What gradients are multiplied by on their way does not depend on them: it is computed for many steps at once, and the
loop multiplies and adds.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import xp

from ..cells import LSTMRecurrence, Weights
from .batch import Array, Batch, WeightGradients, by_block, feature_major, first_last, flat
from .device_steps import lstm_back
from .holding import Holding
from .lstm_back_cell import BackCell
from .lstm_factors import factors
from .lstm_parts import Saved, inside, kernel_for
from .memory import empty
from .norm import centred
from .normed import Normed
from .products import Back


def back(
    g: tuple[Array, ...],
    batch: Batch,
    recurrence: LSTMRecurrence,
    saved: Saved,
    w: Weights,
    zones: tuple[Array, Array],
    needs_x: bool,
) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Gradients of x, h0 and c0, and those of the weights by name.

    What does not depend on the recurrence is computed for a chunk of steps at once. ``g`` is what arrives at the
    outputs, the last h, the last c, and all c (or ``None``).
    """
    run, sums = _Run(g, batch, recurrence, saved, w, zones), _Sums(batch, recurrence, saved, w, needs_x)
    for start, stop in reversed(batch.chunks(saved.gates.shape[1])):
        columns, recurrent = _columns(run, sums, start, stop)
        sums.inputs(start, stop, columns, biased=run.normed is None)
        sums.states(recurrent, saved.hs[start:stop], run.mask)
    return batch.leaving(sums.x), run.dh.T, run.dc.T, sums.gradients(run)


def _columns(run: _Run, sums: _Sums, start: int, stop: int) -> tuple[Array, Array]:
    """Go back over a chunk of steps.

    Returns:
        What arrives at the products of the inputs, ``(rows, steps, N)``, and at those of the states: the same, unless
        each of the two was normalised.
    """
    (rows, size), hidden, normal = run.saved.gates.shape[1:], len(run.dc), run.normed is not None
    gradients = empty(run.batch.module, (stop - start, rows, size), run.dh.dtype)
    recurrent = empty(run.batch.module, gradients.shape, gradients.dtype) if normal else gradients
    for first, end in reversed(run.batch.blocks(rows, start, stop)):
        here = slice(first - start, end - start)
        run.back(first, end, gradients[here], recurrent[here])
        sums.add_peepholes(first, end, gradients[here], run.cell)
        if normal:
            sums.behind_norm(first, gradients[here])
    columns = flat(gradients, hidden)
    return columns, flat(recurrent, hidden) if normal else columns


class _Run:
    """The loop back over the steps; holds the gradients of h and c where it has got to."""

    def __init__(
        self,
        g: tuple[Array, ...],
        batch: Batch,
        recurrence: LSTMRecurrence,
        saved: Saved,
        w: Weights,
        zones: tuple[Array, Array],
    ) -> None:
        module, normal = batch.module, recurrence.layer_norm is not None
        self.batch, self.recurrence, self.saved = batch, recurrence, saved
        weight, self.mask = inside(recurrence, w.weight_hh), feature_major(w.mask_hidden)
        self.normed: Any = None
        if normal:
            centred(weight, out=weight)
            self.normed = Normed(module, inside(recurrence, w.gain_hh), None, (saved.normal_hh, saved.scale_hh))
        self.product = Back(module, weight, batch.size, recurrence.gates, self.mask)
        self.projection = None if w.weight_hr is None else BackProjection(w.weight_hr, saved)
        self.holding = Holding(batch, zones[0])
        self.cell = BackCell(batch, recurrence, saved, w, Holding(batch, zones[1]), g[3])
        self.g, self.dh, self.dc = g[0], g[1].T.copy(), g[2].T.copy()
        self.kernel = kernel_for(module, "lstm_back", recurrence, w, zones) if g[3] is None else None

    def back(self, start: int, stop: int, gradients: Array, recurrent: Array) -> None:
        """Go back over a range of steps.

        Fills in the gradients of the gates' arguments, and those of what the state contributed where that is not the
        same.
        """
        batch, dh, dc, normed = self.batch, self.dh, self.dc, self.normed
        arriving = batch.arriving(self.g, start, stop)
        if self.kernel is not None:
            lstm_back(self.kernel, batch, self.product, (start, stop), self.saved, arriving, gradients, dh, dc)
            return
        cell = self.cell.at(start, stop)
        add, multiply, hidden = batch.module.add, batch.module.multiply, len(dc)
        into_c, kept = factors(batch, self.recurrence, self.saved, start, stop, gradients)
        for_o, for_c = gradients[:, :hidden], by_block(gradients[:, hidden:], hidden).swapaxes(0, 1)
        shares = self.holding.by_step(self.holding.share(start, stop, dh.dtype), start, stop)
        scratch = batch.module.empty_like(dc)
        views = (view[::-1] for view in (gradients, for_o, for_c, into_c, kept, arriving, recurrent))
        steps = range(stop - 1, start - 1, -1)
        for t, share, d, to_o, to_c, into, keep, arrived, out in zip(steps, shares[::-1], *views, strict=True):
            add(dh, arrived, out=dh)
            if share is not None:
                straight = dh * share
                dh -= straight
            dy = dh if self.projection is None else self.projection.through(t, dh)
            multiply(dy, into, out=scratch)
            multiply(to_o, dy, out=to_o)
            if cell is None:
                add(dc, scratch, out=dc)
                multiply(to_c, dc, out=to_c)
                multiply(dc, keep, out=dc)
            else:
                cell(t, dc, scratch, to_o, to_c, keep)
            self.product(d if normed is None else normed.back(t, d, out), dh)
            if share is not None:
                dh += straight


class _Sums(WeightGradients):
    """Sums the gradients of the weights, rows in the order i, f, g, o."""

    def __init__(self, batch: Batch, recurrence: LSTMRecurrence, saved: Saved, w: Weights, needs_x: bool) -> None:
        weight_ih = w.weight_ih
        self.normed: Any = None
        if recurrence.layer_norm:
            weight_ih, gain = centred(weight_ih), inside(recurrence, w.gain_ih)
            self.normed = Normed(batch.module, gain, None, (saved.normal_ih, saved.scale_ih))
        super().__init__(batch, weight_ih, needs_x)
        self.saved, self.w = saved, w

    def behind_norm(self, start: int, gradients: Array) -> None:
        """Make of the gradients of the gates' arguments, of a range of steps, those of the inputs' products."""
        self.normed.collect(gradients)
        self.normed.back(start, gradients, gradients)

    def add_peepholes(self, start: int, stop: int, gradients: Array, cell: BackCell) -> None:
        """Take in what the gates o, and i and f, saw, if they did: the new cells and those before."""
        if cell.peepholes is None:
            return
        cells = cell.seen_by_o(start, stop)
        d_o, *others, _ = by_block(gradients, cells.shape[1])
        for k, d in enumerate(others):
            self.add_bias(f"peephole_{k}", flat(d * self.saved.cells[start:stop]))
        self.add_bias("peephole_o", flat(d_o * cells))

    def gradients(self, run: _Run) -> dict[str, Any]:
        """The gradients of the weights by name."""
        w, more = self.w, run.cell.gradients()
        found = {name: self.total(name, getattr(w, name)) for name in ("weight_ih", "weight_hh")}
        if self.normed is None:
            bias = self.total("bias_ih", w.weight_ih[:, 0])
        else:
            for weight in found.values():
                centred(weight, out=weight)
            gain_hh, _ = run.normed.gradients()
            gain_ih, bias, gain_hh = (first_last(rows, len(run.dc)) for rows in (*self.normed.gradients(), gain_hh))
            more |= {"gain_ih": gain_ih, "gain_hh": gain_hh}
        if w.weight_peephole is not None:
            parts = [self.sums[f"peephole_{k}"] for k in (*range(run.recurrence.gates - 2), "o") if self.sums]
            more["weight_peephole"] = self.batch.module.concatenate(parts) if parts else 0 * self.w.weight_peephole
        if run.projection is not None:
            more["weight_hr"] = run.projection.gradient(self.batch)
        return {**found, **more, "bias_ih": bias, "bias_hh": bias.copy()}


class BackProjection:
    """The way back through ``h = W_hr (o * tanh(c))``."""

    def __init__(self, weight_hr: Array, saved: Saved) -> None:
        self.back, self.saved = weight_hr.T, saved
        self.arrived = xp(weight_hr).empty_like(saved.hs[1:])

    def through(self, t: int, dh: Array) -> Array:
        """The gradient of what is projected, from that of h."""
        self.arrived[t] = dh
        return self.back @ dh

    def gradient(self, batch: Batch) -> Array:
        """The gradient of ``W_hr``."""
        sums = WeightGradients(batch, self.back, False)
        sums.add("weight_hr", flat(self.arrived), flat(self.saved.gates[:, : self.back.shape[0]] * self.saved.tanhs))
        return sums.total("weight_hr", self.back.T)
