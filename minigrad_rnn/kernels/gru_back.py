"""The way back through a gated recurrent unit, for either place of the reset gate.

Everything that arrives at the gates is a multiple of the gradient of h: the multiples are computed for a chunk of
steps at once.
"""

from __future__ import annotations

from typing import Any

from .batch import Array, Batch, WeightGradients, flat, total


def back_after(
    g: Any, batch: Batch, hs: Array, gates: Array, weight_ih: Array, weight_hh: Array, needs_x: bool
) -> tuple[Array, ...]:
    """The reset gate acts after the product.

    Blocks of rows here: q, r, z, n, so that the first three belong to ``W_hh`` and the last three to ``W_ih``.

    Returns:
        Gradients of x, h0, the weights and the two biases; weights are those of an update gate that keeps.
    """
    module, hidden = batch.module, hs.shape[1]
    back = module.concatenate([weight_hh[2 * hidden :], weight_hh[: 2 * hidden]]).T
    sums = WeightGradients(batch, weight_ih, needs_x)
    arriving, dh = batch.arriving(g[0]), g[1].T.copy()
    scratch = module.empty_like(dh)
    for start, stop in reversed(batch.chunks(4 * hidden)):
        gradients = module.empty_like(gates[start:stop])
        for first, end in reversed(batch.blocks(4 * hidden, start, stop)):
            part = gradients[first - start : end - start]
            keep = _factors_after(batch, hs, gates, first, end, part)
            for t in range(end - 1, first - 1, -1):
                d = part[t - first]
                blocks = d.reshape(4, hidden, batch.size)
                module.add(dh, arriving[t], out=dh)
                module.multiply(blocks, dh, out=blocks)
                module.multiply(keep[t - first], dh, out=scratch)
                module.matmul(back, d[: 3 * hidden], out=dh)
                module.add(dh, scratch, out=dh)
        columns = flat(gradients)
        sums.inputs(start, stop, columns[hidden:])
        sums.add("weight_hh", columns[: 3 * hidden] @ flat(hs[start:stop]).T)
        sums.add("bias_q", total(columns[:hidden]))
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db, dq = sums.total("bias_ih", weight_ih[:, 0]), sums.total("bias_q", weight_ih[:hidden, 0])
    du = module.concatenate([du[hidden:], du[:hidden]])
    return batch.leaving(sums.x), dh.T, dw, du, db, module.concatenate([db[: 2 * hidden], dq])


def _factors_after(batch: Batch, hs: Array, gates: Array, start: int, stop: int, factors: Array) -> Array:
    """Fills in the multiples of the gradient of h for q, r, z, n; returns the one that goes straight back."""
    module, hidden = batch.module, hs.shape[1]
    r, z, q, n = (gates[start:stop, k * hidden : (k + 1) * hidden] for k in range(4))
    to_q, to_r, to_z, to_n = (factors[:, k * hidden : (k + 1) * hidden] for k in range(4))
    _update_factors(module, z, n, hs[start:stop], to_z, to_n)
    module.multiply(to_n, r, out=to_q)
    module.subtract(1, r, out=to_r)
    to_r *= to_q
    to_r *= q
    batch.silence(factors, start, stop)
    return batch.still(z, start, stop, 1.0)


def _update_factors(module: Any, z: Array, n: Array, before: Array, to_z: Array, to_n: Array) -> None:
    """Multiples for the arguments of the update gate, ``(h - n) z (1 - z)``, and of n, ``(1 - z)(1 - n^2)``."""
    rest = 1 - z
    module.subtract(before, n, out=to_z)
    to_z *= z
    to_z *= rest
    module.multiply(n, n, out=to_n)
    module.subtract(1, to_n, out=to_n)
    to_n *= rest


def back_before(
    g: Any, batch: Batch, hs: Array, gates: Array, weight_ih: Array, weight_hh: Array, needs_x: bool
) -> tuple[Array, ...]:
    """The reset gate acts before the product. Blocks of rows here: r, z, n.

    Returns:
        As :func:`back_after`.
    """
    module, hidden = batch.module, hs.shape[1]
    both = 2 * hidden
    back_rz, back_n = weight_hh[:both].T, weight_hh[both:].T
    sums = WeightGradients(batch, weight_ih, needs_x)
    arriving, dh = batch.arriving(g[0]), g[1].T
    for start, stop in reversed(batch.chunks(4 * hidden)):
        r, q = gates[start:stop, :hidden], gates[start:stop, both : 3 * hidden]
        factors, keep = _factors_before(batch, hs, gates, start, stop)
        for t in range(stop - 1, start - 1, -1):
            dh = dh + arriving[t]
            d = factors[t - start]
            blocks = d[hidden:].reshape(2, hidden, -1)
            blocks *= dh
            dq = back_n @ d[both:]
            d[:hidden] *= dq
            dh = keep[t - start] * dh
            dh += back_rz @ d[:both]
            dh += r[t - start] * dq
        columns = flat(factors)
        sums.inputs(start, stop, columns)
        sums.add("weight_hh_rz", columns[:both] @ flat(hs[start:stop]).T)
        sums.add("weight_hh_n", columns[both:] @ flat(q).T)
    dw, db = sums.total("weight_ih", weight_ih), sums.total("bias_ih", weight_ih[:, 0])
    du_rz, du_n = sums.total("weight_hh_rz", weight_hh[:both]), sums.total("weight_hh_n", weight_hh[both:])
    return batch.leaving(sums.x), dh.T, dw, module.concatenate([du_rz, du_n]), db, db


def _factors_before(batch: Batch, hs: Array, gates: Array, start: int, stop: int) -> tuple[Array, Array]:
    """Per step: for the rows z and n and straight back, multiples of the gradient of h; for r, of that of ``r h``."""
    module, hidden = batch.module, hs.shape[1]
    r, z, q, n = (gates[start:stop, k * hidden : (k + 1) * hidden] for k in range(4))
    factors = module.empty((stop - start, 3 * hidden, batch.size), hs.dtype)
    to_r, to_z, to_n = (factors[:, k * hidden : (k + 1) * hidden] for k in range(3))
    _update_factors(module, z, n, hs[start:stop], to_z, to_n)
    module.subtract(1, r, out=to_r)
    to_r *= q
    return batch.still(factors, start, stop), batch.still(z, start, stop, 1.0)
