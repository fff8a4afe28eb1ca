"""The way back through a gated recurrent unit, for either place of the reset gate. Blocks of rows: q, r, z, n.

Everything that arrives at the gates is a multiple of the gradient of h: the multiples are computed for a chunk of
steps at once.
"""

from __future__ import annotations

from typing import Any

from .batch import Array, Batch, WeightGradients, flat
from .memory import empty
from .products import Back


def back_after(
    g: Any, batch: Batch, hs: Array, gates: Array, weight_ih: Array, weight_hh: Array, needs_x: bool
) -> tuple[Array, ...]:
    """The reset gate acts after the product, so the first three blocks belong to ``W_hh`` and the last to ``W_ih``.

    Returns:
        Gradients of x, h0, the weights and the two biases; weights are those of an update gate that keeps.
    """
    module, (hidden, size) = batch.module, hs.shape[1:]
    product = Back(module, module.concatenate([weight_hh[2 * hidden :], weight_hh[: 2 * hidden]]), size, 3)
    sums = WeightGradients(batch, weight_ih, needs_x)
    dh = g[1].T.copy()
    for start, stop in reversed(batch.chunks(4 * hidden)):
        columns = empty(module, (4 * hidden, stop - start, size), gates.dtype)
        for first, end in reversed(batch.blocks(4 * hidden, start, stop)):
            gradients, keep = _factors_after(batch, hs, gates, first, end)
            _run_after(batch, product, gradients, keep, batch.arriving(g[0], first, end), dh)
            flat(gradients, out=columns[:, first - start : end - start])
        sums.inputs(start, stop, columns[hidden:])
        sums.add("weight_hh", columns[: 3 * hidden], flat(hs[start:stop]))
        sums.add_bias("bias_q", columns[:hidden])
    dw, du = sums.total("weight_ih", weight_ih), sums.total("weight_hh", weight_hh)
    db, dq = sums.total("bias_ih", weight_ih[:, 0]), sums.total("bias_q", weight_ih[:hidden, 0])
    du = module.concatenate([du[hidden:], du[:hidden]])
    return batch.leaving(sums.x), dh.T, dw, du, db, module.concatenate([db[: 2 * hidden], dq])


def _run_after(batch: Batch, product: Back, gradients: Array, keep: Array, arriving: Array, dh: Array) -> None:
    """Go back over a range of steps: ``gradients`` are factors at first; ``dh`` is changed in place."""
    add, multiply, hidden, size = batch.module.add, batch.module.multiply, *dh.shape
    blocks, scratch = gradients.reshape(len(gradients), 4, hidden, size), batch.module.empty_like(dh)
    views = (view[::-1] for view in (blocks, gradients[:, : 3 * hidden], keep, arriving))
    for all_four, d, keep, arrived in zip(*views, strict=True):
        add(dh, arrived, out=dh)
        multiply(all_four, dh, out=all_four)
        multiply(keep, dh, out=scratch)
        product(d, dh)
        add(dh, scratch, out=dh)


def _factors_after(batch: Batch, hs: Array, gates: Array, start: int, stop: int) -> tuple[Array, Array]:
    """Per step: multiples of the gradient of h for q, r, z, n, and the one that goes straight back."""
    module, hidden = batch.module, hs.shape[1]
    q, r, z, n = (gates[start:stop, k * hidden : (k + 1) * hidden] for k in range(4))
    factors = empty(module, (stop - start, 4 * hidden, batch.size), hs.dtype)
    to_q, to_r, to_z, to_n = (factors[:, k * hidden : (k + 1) * hidden] for k in range(4))
    _update_factors(module, z, n, hs[start + 1 : stop + 1], to_z, to_n)
    module.multiply(to_n, r, out=to_q)
    module.subtract(1, r, out=to_r)
    to_r *= to_q
    to_r *= q
    batch.silence(factors, start, stop)
    return factors, batch.still(z, start, stop, 1.0)


def _update_factors(module: Any, z: Array, n: Array, after: Array, to_z: Array, to_n: Array) -> None:
    """Multiples for n, ``(1 - z)(1 - n^2)``, and for the argument of z, ``(h - n) z (1 - z)``.

    There, h is that of the step before, and ``(h - n) z`` is how far the one after is from n.
    """
    rest = module.subtract(1, z, out=to_n)
    module.multiply(module.subtract(after, n, out=to_z), rest, out=to_z)
    part = module.multiply(rest, n, out=empty(module, z.shape, z.dtype))
    module.subtract(rest, module.multiply(part, n, out=part), out=to_n)


def back_before(
    g: Any, batch: Batch, hs: Array, gates: Array, weight_ih: Array, weight_hh: Array, needs_x: bool
) -> tuple[Array, ...]:
    """The reset gate acts before the product. Blocks of rows of the gradients: r, z, n.

    Returns:
        As :func:`back_after`.
    """
    (hidden, size), both = hs.shape[1:], 2 * hs.shape[1]
    products = Back(batch.module, weight_hh[:both], size, 2), Back(batch.module, weight_hh[both:], size, 1)
    sums = WeightGradients(batch, weight_ih, needs_x)
    dh = g[1].T.copy()
    for start, stop in reversed(batch.chunks(4 * hidden)):
        q, r = gates[start:stop, :hidden], gates[start:stop, hidden:both]
        factors, keep = _factors_before(batch, hs, gates, start, stop)
        _run_before(batch, products, factors, keep, r, batch.arriving(g[0], start, stop), dh)
        columns = flat(factors)
        sums.inputs(start, stop, columns)
        sums.add("weight_hh_rz", columns[:both], flat(hs[start:stop]))
        sums.add("weight_hh_n", columns[both:], flat(q))
    dw, db = sums.total("weight_ih", weight_ih), sums.total("bias_ih", weight_ih[:, 0])
    du_rz, du_n = sums.total("weight_hh_rz", weight_hh[:both]), sums.total("weight_hh_n", weight_hh[both:])
    return batch.leaving(sums.x), dh.T, dw, batch.module.concatenate([du_rz, du_n]), db, db


def _run_before(
    batch: Batch, products: tuple[Back, Back], gradients: Array, keep: Array, r: Array, arriving: Array, dh: Array
) -> None:
    """As :func:`_run_after`."""
    add, multiply, hidden, size = batch.module.add, batch.module.multiply, *dh.shape
    dq, scratch, (back_rz, back_n) = batch.module.empty_like(dh), batch.module.empty_like(dh), products
    blocks = gradients.reshape(len(gradients), 3, hidden, size)
    views = (view[::-1] for view in (blocks[:, 1:], blocks[:, 0], blocks[:, 2], gradients[:, : 2 * hidden], keep, r, arriving))
    for for_zn, for_r, for_n, for_rz, keep, r, arrived in zip(*views, strict=True):
        add(dh, arrived, out=dh)
        multiply(for_zn, dh, out=for_zn)
        back_n(for_n, dq)
        multiply(for_r, dq, out=for_r)
        multiply(keep, dh, out=scratch)
        back_rz(for_rz, dh)
        add(dh, scratch, out=dh)
        multiply(r, dq, out=scratch)
        add(dh, scratch, out=dh)


def _factors_before(batch: Batch, hs: Array, gates: Array, start: int, stop: int) -> tuple[Array, Array]:
    """Per step: for the rows z and n and straight back, multiples of the gradient of h; for r, of that of ``r h``."""
    module, hidden = batch.module, hs.shape[1]
    q, r, z, n = (gates[start:stop, k * hidden : (k + 1) * hidden] for k in range(4))
    factors = empty(module, (stop - start, 3 * hidden, batch.size), hs.dtype)
    to_r, to_z, to_n = (factors[:, k * hidden : (k + 1) * hidden] for k in range(3))
    _update_factors(module, z, n, hs[start + 1 : stop + 1], to_z, to_n)
    module.subtract(1, r, out=to_r)
    to_r *= q
    return batch.still(factors, start, stop), batch.still(z, start, stop, 1.0)
