r"""The gated recurrent unit over a whole sequence, in its four conventions, as one op with one rule.

Inside, there are four blocks of rows, q, r, z, n, with :math:`q = W_{hn} h + b_{hn}` where the reset gate acts after
the product, and :math:`q = r \odot h` where it acts before. So the recurrent product after which the gate acts gives
the first three, and the inputs contribute to the last three. What the update gate says decides which of n and h is
the base, and which the other that it leads towards.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import GRURecurrence, Weights
from ..cells.unroll import Running
from ..compiled import network
from .batch import Array, Batch, by_block, feature_major
from .device_steps import gru_after_forward, gru_before_forward
from .gru_back import After, Before
from .gru_parts import BLOCKS, KNOWN, Saved, biases, kernels_for, scaled
from .holding import Holding
from .norm import centred
from .normed import Normed
from .products import Forward, Projection
from .recompute import recompute
from .squash import scale_of, squash


@mg.primitive(outputs=True)
def gru_sequence(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    gain_ih: Array = None,
    gain_hh: Array = None,
    mask_hidden: Array = None,
    zone_h: Array = None,
    /,
    recurrence: GRURecurrence = GRURecurrence(),  # noqa: B008 - it cannot be changed
    reverse: bool = False,
    running: Running | None = None,
    keep: bool = True,
    compiled: bool = False,
) -> Any:
    """A gated recurrent unit over a sequence; see :class:`GRURecurrence` for the equations.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following, of which all but the weights may be ``None``.
        weight_hh: recurrent weights.
        bias_ih: added to what the inputs contribute.
        bias_hh: added to what the state contributes.
        gain_ih: of the first, normalised.
        gain_hh: of the second.
        mask_hidden: of variational dropout.
        zone_h: see :class:`Holding`.
        recurrence: the options of the equations.
        reverse: whether to go from the last step to the first.
        running: where there is an element, ``(T, N)``; ``None``: everywhere.
        keep: whether to keep what the rule needs. Without, memory does not grow with T beyond that of the outputs.
        compiled: whether :mod:`minigrad_rnn.compiled` is to do it, which knows no further options.

    Returns:
        The outputs ``(T, N, hidden_size)``, the last h, and, for the rule alone, what is saved.
    """
    w = Weights.of(KNOWN, (weight_ih, weight_hh, bias_ih, bias_hh, gain_ih, gain_hh, mask_hidden))
    if compiled:
        return network("gru").run(x, h0, w, zone_h, recurrence, reverse, running, keep)
    batch = Batch(x, reverse, running)
    steps, hidden = batch.steps, h0.shape[1]
    blocks = batch.blocks(hidden, 0, steps)
    kept = steps if keep else max((stop - start for start, stop in blocks), default=0)
    saved = Saved.room(batch.module, recurrence, steps, kept, h0.T)
    run = _Run(batch, recurrence, w, saved, Holding(batch, zone_h))
    saved.hs[0] = h0.T
    for start, stop in blocks:
        first = start % kept
        gates = saved.gates[first : first + stop - start]
        run.project(start, batch.inputs(start, stop), gates[:, hidden:])
        run(start, saved.hs[start : stop + 1], gates)
    last = saved.hs[steps].copy().T  # a view would keep all steps
    return (batch.output(saved.hs[1:], keep), last, *(saved.arrays() if keep else ()))


class _Run:
    """The loop over the steps; what happens in it is chosen here, once for a sequence."""

    def __init__(
        self, batch: Batch, recurrence: GRURecurrence, w: Weights, saved: Saved, holding: Holding
    ) -> None:
        module, size, hidden = batch.module, batch.size, w.weight_hh.shape[1]
        scale, dtype, limit = scale_of(recurrence.gate_nonlinearity), w.weight_hh.dtype, recurrence.gate_clip
        self.batch, self.holding, self.keeps = batch, holding, recurrence.update_gate == "keep"
        bias, bias_q = biases(w, recurrence.reset_after, scale)
        rows, gain = _rows(w.weight_ih, w.gain_ih, scale)
        self.projection = Projection(module, rows, bias if gain is None else None, size)
        self.normed = None if gain is None else Normed(module, gain, bias, saved.normed_ih(), BLOCKS)
        self.state = (_After if recurrence.reset_after else _Before)(module, w, scale, bias_q, saved, size)
        within = saved.within
        parts = (None, None) if within is None else (within[:, : 2 * hidden], within[:, 2 * hidden :])
        self.gates = squash(module, recurrence.gate_nonlinearity, dtype, limit, parts[0])
        self.candidate = squash(module, recurrence.nonlinearity, dtype, limit, parts[1], whole=True)
        self.kernels = kernels_for(module, self.state.names, recurrence, holding)

    def project(self, start: int, x: Array, out: Array) -> None:
        """What the inputs of a range of steps contribute to r, z and n."""
        self.projection.into(x, out)
        if self.normed is not None:
            self.normed(start, out)

    def __call__(self, start: int, hs: Array, gates: Array) -> None:
        """Go over a range of steps; the last three blocks of ``gates`` are the projected inputs at first."""
        if self.kernels is not None:
            self.state.device(self.kernels, self.batch, start, hs, gates)
            return
        module, hidden, size = self.batch.module, hs.shape[1], self.batch.size
        subtract, multiply, add = module.subtract, module.multiply, module.add
        of_gates, argument, gate, candidate = self.state.gates, self.state.argument, self.gates, self.candidate
        held, stay = self.holding.any, self.holding.stay
        blocks = by_block(gates, hidden)
        ends = (blocks[3], hs[:-1]) if self.keeps else (hs[:-1], blocks[3])
        scratch = module.empty((hidden, size), hs.dtype)
        views = zip(hs[:-1], hs[1:], gates[:, hidden : 3 * hidden], *blocks, *ends, strict=True)
        for t, (h, h_new, both, q, r, z, n, base, other) in enumerate(views, start):
            add(both, of_gates(t, h), out=both)
            gate(both)
            add(n, argument(t, q, r, h), out=n)
            candidate(n)
            subtract(other, base, out=scratch)
            multiply(z, scratch, out=scratch)
            add(base, scratch, out=h_new)
            if held:
                stay(t, h_new, h)


class _After:
    """The recurrent part of a step whose reset gate acts after the product."""

    names = ("gru_after_forward",)

    def __init__(self, module: Any, w: Weights, scale: float, bias_q: Array, saved: Saved, size: int) -> None:
        rows, gain = _rows(w.weight_hh, w.gain_hh, scale, last_first=True)
        self.module, self.hidden = module, w.weight_hh.shape[1]
        self.product = Forward(module, rows, size, feature_major(w.mask_hidden))
        self.normed = None if gain is None else Normed(module, gain, None, saved.normed_hh(), BLOCKS[::-1])
        self.bias = None if bias_q is None else bias_q.reshape(-1, 1).repeat(size, axis=1)
        self.of_q, self.of_gates = self.product.result[: self.hidden], self.product.result[self.hidden :]
        self.scratch = module.empty_like(self.of_q)

    def gates(self, t: int, h: Array) -> Array:
        """What h contributes to r and z."""
        result = self.product(h)
        if self.normed is not None:
            self.normed(t, result)
        return self.of_gates

    def argument(self, t: int, q: Array, r: Array, h: Array) -> Array:  # noqa: ARG002
        """What it contributes to n, by way of q, which is filled in."""
        if self.bias is None:
            q[...] = self.of_q
        else:
            self.module.add(self.of_q, self.bias, out=q)
        return self.module.multiply(r, q, out=self.scratch)

    def device(self, kernels: list[Any], batch: Batch, start: int, hs: Array, gates: Array) -> None:
        """Go over a range of steps with kernels of a GPU's."""
        gru_after_forward(kernels, batch, self.product, start, hs, gates, self.bias)


class _Before:
    """The recurrent part of a step whose reset gate acts before the product."""

    names = ("gru_reset", "gru_update")

    def __init__(self, module: Any, w: Weights, scale: float, bias_q: Array, saved: Saved, size: int) -> None:  # noqa: ARG002
        (weight, gain), both = _rows(w.weight_hh, w.gain_hh, scale), 2 * w.weight_hh.shape[1]
        self.module, mask = module, feature_major(w.mask_hidden)
        self.of_gates = Forward(module, weight[:both], size, mask)
        self.of_n = Forward(module, weight[both:], size, mask)
        self.normed: tuple[Any, Any] = (None, None)
        if gain is not None:
            gates, candidate = saved.halves_hh()
            self.normed = Normed(module, gain[:both], None, gates), Normed(module, gain[both:], None, candidate)

    def gates(self, t: int, h: Array) -> Array:
        """What h contributes to r and z."""
        result, normed = self.of_gates(h), self.normed[0]
        return result if normed is None else normed(t, result)

    def argument(self, t: int, q: Array, r: Array, h: Array) -> Array:
        """What h contributes to n, by way of q, which is filled in."""
        result, normed = self.of_n(self.module.multiply(r, h, out=q)), self.normed[1]
        return result if normed is None else normed(t, result)

    def device(self, kernels: list[Any], batch: Batch, start: int, hs: Array, gates: Array) -> None:
        """See :meth:`_After.device`."""
        gru_before_forward(kernels, batch, (self.of_gates, self.of_n), start, hs, gates)


def _rows(weight: Array, gain: Array, scale: float, last_first: bool = False) -> tuple[Array, Array]:
    """Rows r, z, n as the steps use them, and their gain, if they are normalised, which then bears the scale."""
    if gain is None:
        return scaled(weight, scale, last_first), None
    rows = centred(weight, BLOCKS)
    return scaled(rows, 1.0, last_first) if last_first else rows, scaled(gain, scale, last_first)


@mg.defvjp_joint(gru_sequence, fresh=True, conditions=("zone_h",))
def _gru_back(
    g: Any,
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    gain_ih: Any,
    gain_hh: Any,
    mask_hidden: Any,
    zone_h: Any,
    out: Any,
    recurrence: GRURecurrence,
    reverse: bool,
    running: Running | None,
    compiled: bool,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    weights = (weight_ih, weight_hh, bias_ih, bias_hh, gain_ih, gain_hh, mask_hidden)
    if isinstance(weight_hh, mg.Tensor):
        return recompute(recurrence, KNOWN, g, (x, h0, *weights, zone_h), needs, reverse, running)
    w = Weights.of(KNOWN, weights)
    if compiled:
        dx, dh, found = network("gru").back(g, x, out[2:], w, zone_h, recurrence, reverse, running, needs)
        return dx, dh, *[found.get(name) for name in KNOWN], None
    batch = Batch(x, reverse, running)
    kind = After if recurrence.reset_after else Before
    way = kind(g, batch, recurrence, w, Saved.of(recurrence, out[2:]), Holding(batch, zone_h), needs[0])
    way()
    found = way.gradients()
    return batch.leaving(way.sums.x), way.dh.T, *[found.get(name) for name in KNOWN], None
