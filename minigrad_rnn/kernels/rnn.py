"""The simple recurrent network over a whole sequence, as one op with one rule."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import RNNRecurrence, Weights
from ..cells.unroll import Running
from ..compiled import network
from .batch import Array, Batch, feature_major
from .device_steps import rnn_forward
from .holding import Holding
from .norm import centred
from .normed import Normed
from .products import Forward, Projection
from .recompute import recompute
from .rnn_back import Saved, back, kernel_for
from .squash import scale_of, squash

KNOWN = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "gain_hh", "mask_hidden")


@mg.primitive(outputs=True)
def rnn_sequence(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    gain_hh: Array = None,
    mask_hidden: Array = None,
    zone_h: Array = None,
    /,
    recurrence: RNNRecurrence = RNNRecurrence(),  # noqa: B008 - it cannot be changed
    reverse: bool = False,
    running: Running | None = None,
    keep: bool = True,
    compiled: bool = False,
) -> Any:
    """A simple recurrent network over a sequence; see :class:`RNNRecurrence` for the equation.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following, of which all but the weights may be ``None``.
        weight_hh: recurrent weights.
        bias_ih: added to the sum of the products.
        bias_hh: likewise.
        gain_hh: of that sum, normalised.
        mask_hidden: of variational dropout.
        zone_h: see :class:`Holding`.
        recurrence: the options of the equation.
        reverse: whether to go from the last step to the first.
        running: where there is an element, ``(T, N)``; ``None``: everywhere.
        keep: whether to keep what the rule needs. Without, memory does not grow with T beyond that of the outputs.
        compiled: whether :mod:`minigrad_rnn.compiled` is to do it, which knows no further options.

    Returns:
        The outputs ``(T, N, hidden_size)``, the last h, and, for the rule alone: all h, and, where the equation has
        them, the values of its nonlinearity if zoneout kept others, where arguments were not cut off, and the
        normalised sums with their scales.
    """
    w = Weights.of(KNOWN, (weight_ih, weight_hh, bias_ih, bias_hh, gain_hh, mask_hidden))
    if compiled:
        return network("rnn").run(x, h0, w, zone_h, recurrence, reverse, running, keep)
    batch = Batch(x, reverse, running)
    steps, hidden = batch.steps, h0.shape[1]
    blocks = batch.blocks(hidden, 0, steps)
    kept = steps if keep else max((stop - start for start, stop in blocks), default=0)
    saved = Saved.room(batch.module, recurrence, steps, kept, h0.T, zone_h)
    run = _Run(batch, recurrence, w, saved, Holding(batch, zone_h))
    saved.hs[0] = h0.T
    for start, stop in blocks:
        run(start, stop)
    last = saved.hs[steps].copy().T  # a view would keep all steps
    return (batch.output(saved.hs[1:], keep), last, *(saved.arrays() if keep else ()))


class _Run:
    """The loop over the steps; what happens in it is chosen here, once for a sequence."""

    def __init__(self, batch: Batch, recurrence: RNNRecurrence, w: Weights, saved: Saved, holding: Holding) -> None:
        module, size, name = batch.module, batch.size, recurrence.nonlinearity
        self.batch, self.saved, self.holding, self.normed = batch, saved, holding, None
        scale = module.full((), scale_of(name), w.weight_hh.dtype)
        bias = None if w.bias_ih is None else (w.bias_ih + w.bias_hh) * scale
        weights = w.weight_ih, w.weight_hh
        if recurrence.layer_norm:
            weights = centred(w.weight_ih), centred(w.weight_hh)
            self.normed, bias = Normed(module, w.gain_hh * scale, bias, (saved.normal, saved.scale)), None
        elif scale_of(name) != 1:
            weights = w.weight_ih * scale, w.weight_hh * scale
        self.projection = Projection(module, weights[0], bias, size)
        self.product = Forward(module, weights[1], size, feature_major(w.mask_hidden))
        self.squash = squash(module, name, w.weight_hh.dtype, recurrence.gate_clip, saved.within)
        self.kernel = kernel_for(module, "rnn_forward", recurrence, holding)

    def __call__(self, start: int, stop: int) -> None:
        """Go over a range of steps."""
        add, product, normed, function = self.batch.module.add, self.product, self.normed, self.squash
        hs, values = self.saved.hs[start : stop + 1], self.saved.values
        apart, stay = values is not None, self.holding.stay if self.holding.any else None
        values = hs[1:] if values is None else values[start % len(values) :][: stop - start]
        self.projection.into(self.batch.inputs(start, stop), values)
        if self.kernel is not None:
            rnn_forward(self.kernel, self.batch, product, start, hs)
            return
        for t, (before, h, value) in enumerate(zip(hs[:-1], hs[1:], values, strict=True), start):
            add(value, product(before), out=value)
            if normed is not None:
                normed(t, value)
            function(value)
            if apart:
                h[...] = value
            if stay is not None:
                stay(t, h, before)


@mg.defvjp_joint(rnn_sequence, fresh=True, conditions=("zone_h",))
def _rnn_back(
    g: Any,
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    gain_hh: Any,
    mask_hidden: Any,
    zone_h: Any,
    out: Any,
    recurrence: RNNRecurrence,
    reverse: bool,
    running: Running | None,
    compiled: bool,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    weights = (weight_ih, weight_hh, bias_ih, bias_hh, gain_hh, mask_hidden)
    if isinstance(weight_hh, mg.Tensor):
        return recompute(recurrence, KNOWN, g, (x, h0, *weights, zone_h), needs, reverse, running)
    w = Weights.of(KNOWN, weights)
    if compiled:
        dx, dh, found = network("rnn").back(g, x, out[2:], w, zone_h, recurrence, reverse, running, needs)
    else:
        batch, saved = Batch(x, reverse, running), Saved.of(recurrence, out[2:], zone_h)
        dx, dh, found = back(g, batch, recurrence, w, saved, Holding(batch, zone_h), needs[0])
    return dx, dh, *[found.get(name) for name in KNOWN], None
