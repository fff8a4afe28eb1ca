r"""The gated recurrent unit over a whole sequence, in its four conventions, as one op with one rule.

Inside, there are four blocks of rows, q, r, z, n, with :math:`q = W_{hn} h + b_{hn}` where the reset gate acts after
the product, and :math:`q = r \odot h` where it acts before. So the recurrent product after which the gate acts gives
the first three, and the inputs contribute to the last three. The update gate is always the one that keeps: where it
takes the new, its rows are negated. :math:`\sigma(a) = \tanh(a/2)/2 + 1/2`, so hyperbolic tangents serve for the
gates; the half of the argument is in a copy of the weights.
"""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells import GRURecurrence
from ..cells.unroll import Lengths
from .batch import Array, Batch
from .gru_back import back_after, back_before
from .memory import empty
from .products import Forward, Projection
from .recompute import recompute


@mg.primitive(outputs=True)
def gru_sequence(
    x: Array,
    h0: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array = None,
    bias_hh: Array = None,
    /,
    reset_after: bool = True,
    update_gate: str = "keep",
    reverse: bool = False,
    lengths: Lengths | None = None,
    keep: bool = True,
) -> Any:
    """A gated recurrent unit over a sequence; see :class:`GRURecurrence` for the equations.

    Args:
        x: ``(T, N, input_size)``.
        h0: the state to begin with, ``(N, hidden_size)``.
        weight_ih: see :class:`Weights` for this and the following.
        weight_hh: recurrent weights.
        bias_ih: may be ``None``.
        bias_hh: likewise.
        reset_after: whether the reset gate acts after the product.
        update_gate: ``"keep"`` or ``"new"``.
        reverse: whether to go from the last step to the first.
        lengths: for each row its number of steps; ``None``: all T.
        keep: whether to keep what the rule needs. Without, memory does not grow with T beyond that of the outputs.

    Returns:
        The outputs ``(T, N, hidden_size)``, the last h, and, for the rule alone, all h and the gates.
    """
    batch = Batch(x, reverse, lengths)
    module, steps, (size, hidden) = batch.module, batch.steps, h0.shape
    w, u = (_halved(keeping(rows, update_gate)) for rows in (weight_ih, weight_hh))
    bias, bias_q = _biases(bias_ih, bias_hh, reset_after, update_gate)
    projection = Projection(module, w, bias, size)
    candidate = _After(module, u, bias_q, size) if reset_after else _Before(module, u, size)
    blocks = batch.blocks(4 * hidden, 0, steps)
    hs = empty(module, (steps + 1, hidden, size), x.dtype)
    kept = steps if keep else max((stop - start for start, stop in blocks), default=0)
    gates = empty(module, (kept, 4 * hidden, size), x.dtype)
    hs[0] = h0.T
    for start, stop in blocks:
        first = start if keep else 0
        part = gates[first : first + stop - start]
        projection.into(batch.x[start:stop], part[:, hidden:])
        _run(batch, candidate, start, hs[start : stop + 1], part)
    return (batch.output(hs[1:]), hs[steps].T, *((hs, gates) if keep else ()))


def _run(batch: Batch, candidate: Any, start: int, hs: Array, gates: Array) -> None:
    """Go over a range of steps; the last three blocks of ``gates`` are the projected inputs at first."""
    module, hidden, size = batch.module, hs.shape[1], batch.size
    subtract, multiply, add, tanh = module.subtract, module.multiply, module.add, module.tanh
    q, r, z, n = gates.reshape(len(gates), 4, hidden, size).swapaxes(0, 1)
    half = module.full((), 0.5, hs.dtype)  # an array: a Python number is converted at every step
    scratch = module.empty((hidden, size), hs.dtype)
    views = zip(hs[:-1], hs[1:], gates[:, hidden : 3 * hidden], q, r, z, n, strict=True)
    for t, (h, h_new, both, q, r, z, n) in enumerate(views, start):
        add(both, candidate.gates(h), out=both)
        tanh(both, out=both)
        multiply(both, half, out=both)
        add(both, half, out=both)
        add(n, candidate.argument(q, r, h), out=n)
        tanh(n, out=n)
        subtract(h, n, out=scratch)
        multiply(z, scratch, out=scratch)
        add(n, scratch, out=h_new)
        if batch.pauses[t]:
            batch.stay(t, h_new, h)


class _After:
    """The recurrent part of a step whose reset gate acts after the product."""

    def __init__(self, module: Any, u: Array, bias_q: Array, size: int) -> None:
        self.module, self.hidden = module, u.shape[1]
        self.product = Forward(module, module.concatenate([u[2 * self.hidden :], u[: 2 * self.hidden]]), size)
        self.bias = None if bias_q is None else bias_q.repeat(size, axis=1)
        self.of_q, self.of_gates = self.product.result[: self.hidden], self.product.result[self.hidden :]
        self.scratch = module.empty_like(self.of_q)

    def gates(self, h: Array) -> Array:
        """What h contributes to r and z."""
        self.product(h)
        return self.of_gates

    def argument(self, q: Array, r: Array, h: Array) -> Array:  # noqa: ARG002
        """What it contributes to n, by way of q, which is filled in."""
        if self.bias is None:
            q[...] = self.of_q
        else:
            self.module.add(self.of_q, self.bias, out=q)
        return self.module.multiply(r, q, out=self.scratch)


class _Before:
    """The recurrent part of a step whose reset gate acts before the product."""

    def __init__(self, module: Any, u: Array, size: int) -> None:
        self.module, both = module, 2 * u.shape[1]
        self.gates, self.of_n = Forward(module, u[:both], size), Forward(module, u[both:], size)

    def argument(self, q: Array, r: Array, h: Array) -> Array:
        """What h contributes to n, by way of q, which is filled in."""
        return self.of_n(self.module.multiply(r, h, out=q))


def keeping(rows: Array, update_gate: str) -> Array:
    """Rows r, z, n of an update gate of either kind as those of one that keeps, or the other way round."""
    if update_gate == "keep":
        return rows
    hidden = len(rows) // 3
    negated = rows.copy()
    negated[hidden : 2 * hidden] *= -1
    return negated


def _halved(rows: Array) -> Array:
    """A copy of rows r, z, n with half the arguments of the sigmoids."""
    halved, gates = rows.copy(), len(rows) // 3 * 2
    halved[:gates] *= 0.5
    return halved


def _biases(bias_ih: Array, bias_hh: Array, reset_after: bool, update_gate: str) -> tuple[Array, Array]:
    """The bias of the projected inputs, and the one that is inside the reset gate, if any, as a column."""
    if bias_ih is None:
        return None, None
    bias, inner, gates = bias_ih + bias_hh, None, len(bias_ih) // 3 * 2
    if reset_after:
        bias[gates:] = bias_ih[gates:]
        inner = bias_hh[gates:].reshape(-1, 1)
    return _halved(keeping(bias, update_gate)), inner


@mg.defvjp_joint(gru_sequence)
def _gru_back(
    g: Any,
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    out: Any,
    reset_after: bool,
    update_gate: str,
    reverse: bool,
    lengths: Lengths | None,
    needs: tuple[bool, ...],
) -> tuple[Any, ...]:
    if isinstance(weight_hh, mg.Tensor):
        inputs = (x, h0, weight_ih, weight_hh, bias_ih, bias_hh)
        return recompute(GRURecurrence(reset_after, update_gate), g, inputs, needs, reverse, lengths)
    batch, back = Batch(x, reverse, lengths), back_after if reset_after else back_before
    w, u = keeping(weight_ih, update_gate), keeping(weight_hh, update_gate)
    dx, dh, *rows = back(g, batch, out[2], out[3], w, u, needs[0])
    return dx, dh, *(keeping(part, update_gate) for part in rows)
