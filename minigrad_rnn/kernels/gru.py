r"""The gated recurrent unit over a whole sequence, in its four conventions, as one op with one rule.

Inside, there are four blocks of rows, r, z, q, n, with :math:`q = W_{hn} h + b_{hn}` where the reset gate acts after
the product, and :math:`q = r \odot h` where it acts before. The update gate is always the one that keeps: where it
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
    advance = _after if reset_after else _before
    hs = module.empty((steps + 1, hidden, size), x.dtype)
    gates = module.empty((steps if keep else 1, 4 * hidden, size), x.dtype)
    scratch = module.empty((hidden, size), x.dtype)
    hs[0] = h0.T
    half = module.full((), 0.5, x.dtype)  # an array: a Python number is converted at every step
    for start, stop in batch.chunks(3 * hidden):
        for t, projected in enumerate(batch.project(w, bias, start, stop), start):
            now = gates[t if keep else 0]
            advance(module, now, projected, hs[t], u, bias_q, half)
            z, n = now[hidden : 2 * hidden], now[3 * hidden :]
            module.subtract(hs[t], n, out=scratch)
            module.multiply(z, scratch, out=scratch)
            module.add(n, scratch, out=hs[t + 1])
            batch.stay(t, hs[t + 1], hs[t])
    return (batch.output(hs[1:]), hs[steps].T, *((hs, gates) if keep else ()))


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
    """The bias of the projected inputs, and the one that is inside the reset gate, if any; columns."""
    if bias_ih is None:
        return None, None
    bias, inner, gates = bias_ih + bias_hh, None, len(bias_ih) // 3 * 2
    if reset_after:
        bias[gates:] = bias_ih[gates:]
        inner = bias_hh[gates:].reshape(-1, 1)
    return _halved(keeping(bias, update_gate)).reshape(-1, 1), inner


def _sigmoids(module: Any, arguments: Array, half: Array) -> None:
    """Sigmoids of twice the arguments, in place."""
    module.tanh(arguments, out=arguments)
    module.multiply(arguments, half, out=arguments)
    module.add(arguments, half, out=arguments)


def _after(module: Any, now: Array, projected: Array, h: Array, u: Array, bias_q: Array, half: Array) -> None:
    """The rows r, z, q, n of one step, the reset gate acting after the product."""
    hidden = len(h)
    rz, q, n = now[: 2 * hidden], now[2 * hidden : 3 * hidden], now[3 * hidden :]
    module.matmul(u, h, out=now[: 3 * hidden])
    rz += projected[: 2 * hidden]
    _sigmoids(module, rz, half)
    if bias_q is not None:
        q += bias_q
    module.multiply(rz[:hidden], q, out=n)
    n += projected[2 * hidden :]
    module.tanh(n, out=n)


def _before(
    module: Any, now: Array, projected: Array, h: Array, u: Array, bias_q: Array, half: Array  # noqa: ARG001
) -> None:
    """The rows r, z, q, n of one step, the reset gate acting before the product."""
    hidden = len(h)
    rz, q, n = now[: 2 * hidden], now[2 * hidden : 3 * hidden], now[3 * hidden :]
    module.matmul(u[: 2 * hidden], h, out=rz)
    rz += projected[: 2 * hidden]
    _sigmoids(module, rz, half)
    module.multiply(rz[:hidden], h, out=q)
    module.matmul(u[2 * hidden :], q, out=n)
    n += projected[2 * hidden :]
    module.tanh(n, out=n)


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
