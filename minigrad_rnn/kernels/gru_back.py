"""The way back through a gated recurrent unit, for either place of the reset gate. Blocks of rows: q, r, z, n.

Everything that arrives at the gates is a multiple of the gradient of h: the multiples are computed for a range of
steps at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ..cells import GRURecurrence, Weights
from .batch import Array, Batch, WeightGradients, by_block, feature_major, first_last, flat
from .device_steps import gru_after_back, gru_before_back
from .gru_factors import Factors
from .gru_parts import BLOCKS, Saved, kernels_for, scaled
from .holding import Holding
from .memory import empty
from .norm import centred
from .normed import Normed
from .products import Back


class _Way(ABC):
    """What both places of the reset gate share. Holds the gradient of h where the loop has got to.

    Args:
        g: what arrives at the outputs and the last h.
        batch: the inputs.
        recurrence: the options of the equations.
        w: what they use.
        saved: what the forward kept.
        holding: which units kept their state.
        needs_x: whether the gradient of the inputs is wanted.
    """

    names: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        g: Any,
        batch: Batch,
        recurrence: GRURecurrence,
        w: Weights,
        saved: Saved,
        holding: Holding,
        needs_x: bool,
    ) -> None:
        self.batch, self.saved, self.g, self.dh = batch, saved, g[0], g[1].T.copy()
        self.hidden, self.mask = len(self.dh), feature_major(w.mask_hidden)
        self.normed: Any = None
        self.factors = Factors(batch.module, recurrence, saved, holding)
        self.kernels = kernels_for(batch.module, self.names, recurrence, holding)
        if recurrence.layer_norm:
            w = w._replace(weight_ih=centred(w.weight_ih, BLOCKS), weight_hh=centred(w.weight_hh, BLOCKS))
            self.normed = Normed(batch.module, w.gain_ih, None, saved.normed_ih(), BLOCKS)
        self.w, self.sums = w, WeightGradients(batch, w.weight_ih, needs_x)

    @abstractmethod
    def back(self, start: int, stop: int, gradients: Array, states: Array) -> None:
        """Go back over a range of steps.

        Fills in ``gradients``, what arrives at q, r, z, n, and ``states``, what arrives at the recurrent products; if
        these are not normalised, it is among the former.
        """

    @abstractmethod
    def columns(self, start: int, gradients: Array, states: Array) -> tuple[Array, Array]:
        """What arrived at the products with inputs and with states, ``(rows, steps, N)``, all steps side by side.

        Adds to the gradients of biases and gains.
        """

    @abstractmethod
    def add(self, start: int, stop: int, inputs: Array, states: Array) -> None:
        """Add to the gradients of the weights."""

    def __call__(self) -> None:
        """Go back over all steps."""
        rows, batch = 4 * self.hidden, self.batch
        for start, stop in reversed(batch.chunks(rows)):
            gradients = states = empty(batch.module, (stop - start, rows, batch.size), self.dh.dtype)
            if self.normed is not None:
                states = empty(batch.module, (stop - start, rows - self.hidden, batch.size), self.dh.dtype)
            for first, end in reversed(batch.blocks(self.hidden, start, stop)):
                here = slice(first - start, end - start)
                self.back(first, end, gradients[here], states[here])
            columns = self.columns(start, gradients, states)
            del gradients, states  # so that their memory serves what comes now
            self.add(start, stop, *columns)

    def inputs(self, start: int, gradients: Array) -> Array:
        """What arrives at the products with inputs, ``(rows, steps, N)``, from what does behind their norm."""
        self.normed.collect(gradients)
        return flat(self.normed.back(start, gradients, gradients))

    def behind_norm(self, found: dict[str, Array], gain_hh: Array, bias_hh: Array) -> dict[str, Array]:
        """The gradients of all weights, from those of the centred ones."""
        gain_ih, bias_ih = self.normed.gradients()
        others = {"gain_ih": gain_ih, "gain_hh": gain_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
        return {name: centred(rows, BLOCKS, out=rows) for name, rows in found.items()} | others


class After(_Way):
    """The reset gate acts after the product: the first three blocks belong to ``W_hh`` and the last to ``W_ih``."""

    names = ("gru_after_back",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        module, saved = self.batch.module, self.saved
        self.product = Back(module, scaled(self.w.weight_hh, 1.0, last_first=True), self.batch.size, 3, self.mask)
        if self.normed is not None:
            gain = scaled(self.w.gain_hh, 1.0, last_first=True)
            self.normed_hh = Normed(module, gain, None, saved.normed_hh(), BLOCKS[::-1])

    def back(self, start: int, stop: int, gradients: Array, states: Array) -> None:
        """See :meth:`_Way.back`."""
        dh, product, arriving = self.dh, self.product, self.batch.arriving(self.g, start, stop)
        if self.kernels is not None:
            gru_after_back(self.kernels, self.batch, product, (start, stop), self.saved, arriving, gradients, dh)
            return
        module, keep = self.batch.module, self.factors.after(start, stop, gradients)
        add, multiply, scratch = module.add, module.multiply, module.empty_like(dh)
        normed = None if self.normed is None else self.normed_hh
        at_hh = gradients[:, : 3 * self.hidden]
        views = (gradients.reshape(len(gradients), 4, *dh.shape), at_hh, states[:, : 3 * self.hidden], keep, arriving)
        backward = zip(range(stop - 1, start - 1, -1), *[view[::-1] for view in views], strict=True)
        for t, four, behind, d, straight, arrived in backward:
            add(dh, arrived, out=dh)
            multiply(four, dh, out=four)
            multiply(straight, dh, out=scratch)
            if normed is not None:
                normed.back(t, behind, d)
            product(d, dh)
            add(dh, scratch, out=dh)

    def columns(self, start: int, gradients: Array, states: Array) -> tuple[Array, Array]:
        """See :meth:`_Way.columns`."""
        hidden = self.hidden
        if self.normed is not None:
            self.normed_hh.collect(gradients[:, : 3 * hidden])
            return self.inputs(start, gradients[:, hidden:]), flat(states)
        columns = flat(gradients)
        self.sums.add_bias("bias_q", columns[:hidden])
        return columns[hidden:], columns[: 3 * hidden]

    def add(self, start: int, stop: int, inputs: Array, states: Array) -> None:
        """See :meth:`_Way.add`."""
        self.sums.inputs(start, stop, inputs, self.normed is None)
        self.sums.states(states, self.saved.hs[start:stop], self.mask)

    def gradients(self) -> dict[str, Array]:
        """Those of the weights, by name."""
        hidden, sums, w = self.hidden, self.sums, self.w
        found = {"weight_ih": sums.total("weight_ih", w.weight_ih)}
        found["weight_hh"] = first_last(sums.total("weight_hh", w.weight_hh), hidden)
        if self.normed is not None:
            of_hh = [first_last(part, hidden) for part in self.normed_hh.gradients()]
            return self.behind_norm(found, *of_hh)
        bias, bias_q = sums.total("bias_ih", w.weight_ih[:, 0]), sums.total("bias_q", w.weight_hh[:hidden, 0])
        inner = self.batch.module.concatenate([bias[: 2 * hidden], bias_q])
        return {**found, "bias_ih": bias, "bias_hh": inner}


class Before(_Way):
    """The reset gate acts before the product, which n has for itself."""

    names = ("gru_reset_back", "gru_update_back")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        both, module, size = 2 * self.hidden, self.batch.module, self.batch.size
        gates, candidate = self.w.weight_hh[:both], self.w.weight_hh[both:]
        self.products = Back(module, gates, size, 2, self.mask), Back(module, candidate, size, 1, self.mask)
        if self.normed is not None:
            gains, saved = (self.w.gain_hh[:both], self.w.gain_hh[both:]), self.saved.halves_hh()
            self.normed_hh = [Normed(module, *part) for part in zip(gains, (None, None), saved, strict=True)]

    def back(self, start: int, stop: int, gradients: Array, states: Array) -> None:
        """See :meth:`_Way.back`; nothing arrives at q."""
        arriving = self.batch.arriving(self.g, start, stop)
        if self.kernels is not None:
            steps = start, stop
            gru_before_back(self.kernels, self.batch, self.products, steps, self.saved, arriving, gradients, self.dh)
            return
        module, dh, (back_rz, back_n) = self.batch.module, self.dh, self.products
        add, multiply, dq, scratch = module.add, module.multiply, module.empty_like(dh), module.empty_like(dh)
        normed_rz, normed_n = (None, None) if self.normed is None else self.normed_hh
        keep, resets = self.factors.before(start, stop, gradients)
        both = 2 * self.hidden
        _, to_r, _, to_n = blocks = by_block(gradients, self.hidden)
        to_zn, to_rz = blocks[2:].swapaxes(0, 1), gradients[:, self.hidden : -self.hidden]
        views = (to_zn, to_r, to_n, to_rz, keep, resets, arriving, states[:, -3 * self.hidden :])
        backward = zip(range(stop - 1, start - 1, -1), *[view[::-1] for view in views], strict=True)
        for t, zn, of_r, of_n, rz, straight, r, arrived, d in backward:
            add(dh, arrived, out=dh)
            multiply(zn, dh, out=zn)
            back_n(of_n if normed_n is None else normed_n.back(t, of_n, d[both:]), dq)
            multiply(of_r, dq, out=of_r)
            multiply(straight, dh, out=scratch)
            back_rz(rz if normed_rz is None else normed_rz.back(t, rz, d[:both]), dh)
            add(dh, scratch, out=dh)
            multiply(r, dq, out=scratch)
            add(dh, scratch, out=dh)

    def columns(self, start: int, gradients: Array, states: Array) -> tuple[Array, Array]:
        """See :meth:`_Way.columns`."""
        inputs, both = gradients[:, self.hidden :], 2 * self.hidden
        if self.normed is None:
            columns = flat(inputs)
            return columns, columns
        for normed, rows in zip(self.normed_hh, (slice(both), slice(both, None)), strict=True):
            normed.collect(inputs[:, rows])
        return self.inputs(start, inputs), flat(states)

    def add(self, start: int, stop: int, inputs: Array, states: Array) -> None:
        """See :meth:`_Way.add`."""
        both, saved = 2 * self.hidden, self.saved
        self.sums.inputs(start, stop, inputs, self.normed is None)
        self.sums.states(states[:both], saved.hs[start:stop], self.mask)
        self.sums.states(states[both:], saved.gates[start:stop, : self.hidden], self.mask, "weight_hh_n")

    def gradients(self) -> dict[str, Array]:
        """See :meth:`After.gradients`."""
        concatenate, sums, w, both = self.batch.module.concatenate, self.sums, self.w, 2 * self.hidden
        parts = sums.total("weight_hh", w.weight_hh[:both]), sums.total("weight_hh_n", w.weight_hh[both:])
        found = {"weight_ih": sums.total("weight_ih", w.weight_ih), "weight_hh": concatenate(parts)}
        if self.normed is not None:
            of_hh = [concatenate(part) for part in zip(*[normed.gradients() for normed in self.normed_hh], strict=True)]
            return self.behind_norm(found, *of_hh)
        bias = sums.total("bias_ih", w.weight_ih[:, 0])
        return {**found, "bias_ih": bias, "bias_hh": bias.copy()}
