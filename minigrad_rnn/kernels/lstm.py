r"""The long short-term memory over a whole sequence, as one op with one rule.

Inside, gates are in the order o, i, f, g: sigmoids side by side, and side by side the three that the cell's gradient
goes into. :math:`\sigma(a) = \tanh(a/2)/2 + 1/2`, so one hyperbolic tangent serves all four; the half of the argument
is in a copy of the weights.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import LSTMRecurrence, Weights
from ..cells.unroll import Running
from ..compiled import network
from .batch import Array, Batch
from .lstm_back import back
from .lstm_parts import KNOWN, Saved, inside
from .lstm_step import Step
from .norm import centred
from .normed import Normed
from .products import Projection
from .recompute import recompute


@mg.primitive(outputs=True)
def lstm_sequence(
    x: Array,
    h0: Array,
    c0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    weight_hr: Array = None,
    weight_peephole: Array = None,
    gain_ih: Array = None,
    gain_hh: Array = None,
    gain_cell: Array = None,
    bias_cell: Array = None,
    mask_hidden: Array = None,
    zone_h: Array = None,
    zone_c: Array = None,
    /,
    recurrence: LSTMRecurrence = LSTMRecurrence(),  # noqa: B008 - it cannot be changed
    reverse: bool = False,
    running: Running | None = None,
    keep: bool = True,
    every: bool = False,
    compiled: bool = False,
) -> Any:
    """A long short-term memory over a sequence; see :class:`LSTMRecurrence` for the equations.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, features)``.
        c0: its other part, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following; all but the first two may be ``None``.
        weight_hh: recurrent weights.
        bias_ih: added to what the inputs contribute.
        bias_hh: added to what the state contributes.
        weight_hr: the projection of h.
        weight_peephole: what the gates see of the cell.
        gain_ih: factors after normalisation of what the inputs contribute.
        gain_hh: of what the state contributes.
        gain_cell: of the cell.
        bias_cell: added to the normalised cell.
        mask_hidden: of variational dropout.
        zone_h: the units of h that keep their state, booleans ``(T, N, features)``, or a probability; or ``None``.
        zone_c: those of c, likewise.
        recurrence: the options of the equations.
        reverse: whether to go from the last step to the first.
        running: where there is an element, booleans ``(T, N)`` on the host; ``None``: everywhere.
        keep: whether to keep what the rule needs. Without, memory does not grow with T beyond that of the outputs.
        every: whether to put out all c.
        compiled: whether :mod:`minigrad_rnn.compiled` is to do it, which knows no further options.

    Returns:
        The outputs ``(T, N, features)``, the last h and c, all c if asked for, ``(T, N, hidden_size)``, and, for the
        rule alone, what :class:`Saved` says.
    """
    weights = (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, weight_peephole)
    w = Weights.of(KNOWN, (*weights, gain_ih, gain_hh, gain_cell, bias_cell, mask_hidden))
    if compiled:
        return network("lstm").run(x, (h0, c0), w, (zone_h, zone_c), recurrence, reverse, running, keep, every)
    batch, h, c = Batch(x, reverse, running), h0.T, c0.T
    steps, rows = batch.steps, recurrence.gates * len(c)
    whole = keep or every
    chunks = batch.chunks(rows) if whole else batch.blocks(rows, 0, steps)
    kept = steps if whole else max((stop - start for start, stop in chunks), default=1)
    saved = Saved.room(batch.module, recurrence, steps, kept, h, c)
    inputs, step = _Inputs(batch, recurrence, w, saved), Step(batch, recurrence, w, (zone_h, zone_c), saved)
    saved.hs[0] = h
    saved.cells[0] = c
    for start, stop in chunks:
        part = saved.part(start, stop, kept)
        part.cells[0] = c
        inputs.project(start, stop, part.gates)
        step.run(start, part)
        c = part.cells[-1]
    last = saved.hs[steps].copy().T, c.copy().T  # views would keep all steps
    cells = (batch.output(saved.cells[1:], keep),) if every else ()
    return (batch.output(saved.hs[1:], keep), *last, *cells, *(saved.arrays() if keep else ()))


class _Inputs:
    """What the inputs contribute to the gates, for many steps at once."""

    def __init__(self, batch: Batch, recurrence: LSTMRecurrence, w: Weights, saved: Saved) -> None:
        bias = None if w.bias_ih is None else inside(recurrence, w.bias_ih + w.bias_hh, scaled=True)
        weight = inside(recurrence, w.weight_ih, scaled=not recurrence.layer_norm)
        self.batch, self.normed = batch, None
        if recurrence.layer_norm:
            centred(weight, out=weight)
            gain = inside(recurrence, w.gain_ih, scaled=True)
            self.normed, bias = Normed(batch.module, gain, bias, (saved.normal_ih, saved.scale_ih)), None
        self.projection = Projection(batch.module, weight, bias, batch.size)

    def project(self, start: int, stop: int, gates: Array) -> None:
        """Fill in the arguments of the gates as far as they come from the inputs."""
        if self.normed is None:
            self.projection.into(self.batch.inputs(start, stop), gates)
            return
        for first, end in self.batch.blocks(gates.shape[1], start, stop):  # normalised while they are in the cache
            part = gates[first - start : end - start]
            self.projection.into(self.batch.inputs(first, end), part)
            self.normed(first, part)


@mg.defvjp_joint(lstm_sequence, fresh=True, conditions=("zone_h", "zone_c"))
def _lstm_back(
    g: Any,
    x: Any,
    h0: Any,
    c0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    weight_hr: Any,
    weight_peephole: Any,
    gain_ih: Any,
    gain_hh: Any,
    gain_cell: Any,
    bias_cell: Any,
    mask_hidden: Any,
    zone_h: Any,
    zone_c: Any,
    out: Any,
    recurrence: LSTMRecurrence,
    reverse: bool,
    running: Running | None,
    every: bool,
    compiled: bool,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    usual = (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, weight_peephole)
    weights = (*usual, gain_ih, gain_hh, gain_cell, bias_cell, mask_hidden)
    if isinstance(weight_hh, mg.Tensor):
        inputs = (x, h0, c0, *weights, zone_h, zone_c)
        return recompute(recurrence, KNOWN, g, inputs, needs, reverse, running)
    w, zones, saved = Weights.of(KNOWN, weights), (zone_h, zone_c), out[3 + every :]
    arriving = (g[0], g[1], g[2], g[3] if every and 3 in g else None)
    if compiled:
        dx, dh, dc, others = network("lstm").back(arriving, x, saved, w, zones, recurrence, reverse, running, needs)
    else:
        batch, kept = Batch(x, reverse, running), Saved.of(recurrence, saved)
        dx, dh, dc, others = back(arriving, batch, recurrence, kept, w, zones, needs[0])
    return dx, dh, dc, *(others.get(name) for name in KNOWN), None, None
