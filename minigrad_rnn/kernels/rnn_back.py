"""The way back through a simple recurrent network."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..cells import RNNRecurrence, Weights
from .batch import Array, Batch, WeightGradients, feature_major, flat
from .device import kernel
from .device_steps import rnn_back
from .holding import Holding
from .memory import empty
from .norm import centred
from .normed import Normed, room
from .products import Back
from .squash import slope


class Saved(NamedTuple):
    """What the forward keeps for the rule, in the order of processing; ``None`` what the equation has no use for.

    Attributes:
        hs: the states, one step longer than the others, which are ``(T, rows, N)``.
        values: of the nonlinearity, where a share of the old state makes h something else.
        within: where the arguments were not cut off.
        normal, scale: normalised rows, and the factors that made them so.
    """

    hs: Array
    values: Array = None
    within: Array = None
    normal: Array = None
    scale: Array = None

    @classmethod
    def room(cls, module: Any, recurrence: RNNRecurrence, steps: int, kept: int, h: Array, zone: Array) -> Saved:
        """Memory for ``steps`` of the states h, like ``(hidden, N)``, and ``kept`` of everything else."""
        (hidden, size), dtype = h.shape, h.dtype
        saved = cls(empty(module, (steps + 1, hidden, size), dtype))
        rows = (kept, hidden, size)
        if zone is not None and not zone.ndim:
            saved = saved._replace(values=empty(module, rows, dtype))
        if recurrence.gate_clip is not None:
            saved = saved._replace(within=module.empty(rows, bool))
        if recurrence.layer_norm:
            saved = saved._replace(**dict(zip(("normal", "scale"), room(module, *rows, dtype), strict=True)))
        return saved

    @classmethod
    def of(cls, recurrence: RNNRecurrence, arrays: Any, zone: Array) -> Saved:
        """From :meth:`arrays`."""
        there = [True, zone is not None and not zone.ndim, recurrence.gate_clip is not None]
        there += [recurrence.layer_norm is not None] * 2
        remaining = iter(arrays)
        return cls(*[next(remaining) if one else None for one in there])

    def arrays(self) -> list[Array]:
        """All that there is."""
        return [array for array in self if array is not None]


def kernel_for(module: Any, name: str, recurrence: RNNRecurrence, holding: Holding) -> Any:
    """The kernel of a GPU's for a step, if there is one and no option asks for more; else ``None``."""
    found = kernel(module, name, recurrence.nonlinearity)
    if found is None or holding.zoned:
        return None
    return None if recurrence.gate_clip is not None or recurrence.layer_norm else found


def back(
    g: Any, batch: Batch, recurrence: RNNRecurrence, w: Weights, saved: Saved, holding: Holding, needs_x: bool
) -> tuple[Array, Array, dict[str, Array]]:
    """Gradients of x and h0, and those of the weights by name.

    What gradients are multiplied by on their way does not depend on them: it is computed for many steps at once.
    """
    module, mask, normed, dh = batch.module, feature_major(w.mask_hidden), None, g[1].T.copy()
    if recurrence.layer_norm:
        w = w._replace(weight_ih=centred(w.weight_ih), weight_hh=centred(w.weight_hh))
        normed = Normed(module, w.gain_hh, None, (saved.normal, saved.scale))
    sums, product = WeightGradients(batch, w.weight_ih, needs_x), Back(module, w.weight_hh, batch.size, 1, mask)
    on_device = kernel_for(module, "rnn_back", recurrence, holding)
    for start, stop in reversed(batch.chunks(len(dh))):
        arriving, shares, held = batch.arriving(g[0], start, stop), None, None
        if on_device is not None:
            sums_at = gradients = module.empty_like(arriving)
            rnn_back(on_device, batch, product, (start, stop), saved.hs, (arriving, gradients), dh)
        else:
            gradients, shares = _factors(recurrence, saved, holding, start, stop)
            held = holding.by_step(shares, start, stop)
            sums_at = gradients if normed is None else empty(module, gradients.shape, gradients.dtype)
            _run(module, product, normed, start, (gradients, sums_at, arriving), held, dh)
        if normed is not None:
            normed.collect(gradients)
        columns = flat(sums_at)
        del gradients, sums_at, shares, held, arriving  # so that their memory serves what comes now
        sums.inputs(start, stop, columns, normed is None)
        sums.states(columns, saved.hs[start:stop], mask)
    return batch.leaving(sums.x), dh.T, _named(sums, normed, w)


def _factors(
    recurrence: RNNRecurrence, saved: Saved, holding: Holding, start: int, stop: int
) -> tuple[Array, Array]:
    """Multiples of the gradient of h for the arguments, and those that go straight back, if any do."""
    values = saved.hs[start + 1 : stop + 1] if saved.values is None else saved.values[start:stop]
    factors, held = slope(recurrence.nonlinearity)(values), holding.share(start, stop, values.dtype)
    if saved.within is not None:
        factors *= saved.within[start:stop]
    if held is not None:
        factors *= 1 - held
    return factors, held


def _run(
    module: Any,
    product: Back,
    normed: Normed | None,
    start: int,
    arrays: tuple[Array, Array, Array],
    held: list[Array | None],
    dh: Array,
) -> None:
    """Go back over a range of steps, where ``dh``, the gradient of h, is changed in place.

    ``arrays`` are the factors, which become what arrives behind the norm; what arrives before it; what arrives at h.
    ``held`` is, for each step, what goes straight back, or ``None``.
    """
    add, multiply, scratch = module.add, module.multiply, module.empty_like(dh)
    steps = range(start + len(arrays[0]) - 1, start - 1, -1)
    for t, d, at, arrived, stays in zip(steps, *[view[::-1] for view in arrays], held[::-1], strict=True):
        add(dh, arrived, out=dh)
        multiply(d, dh, out=d)
        if stays is not None:
            multiply(stays, dh, out=scratch)
        product(d if normed is None else normed.back(t, d, at), dh)
        if stays is not None:
            add(dh, scratch, out=dh)


def _named(sums: WeightGradients, normed: Normed | None, w: Weights) -> dict[str, Array]:
    """The gradients of the weights, by name."""
    found = {name: sums.total(name, getattr(w, name)) for name in ("weight_ih", "weight_hh")}
    if normed is None:
        bias = sums.total("bias_ih", w.weight_ih[:, 0])
        return {**found, "bias_ih": bias, "bias_hh": bias.copy()}
    gain, bias = normed.gradients()
    others = {"gain_hh": gain, "bias_ih": bias, "bias_hh": bias.copy()}
    return {name: centred(rows, out=rows) for name, rows in found.items()} | others
