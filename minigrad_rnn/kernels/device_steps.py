"""The loops over the steps where a step is one product and one kernel; see :mod:`.device`.

The functions take the kernel, the batch, which tells what rows are over, and the recurrent product. Those back end
with the gradients of the states in ``dh`` and ``dc``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from .batch import Array, Batch
from .lstm_parts import Saved as LSTMSaved
from .products import Back, Forward


def lstm_forward(kernel: Any, batch: Batch, product: Forward, start: int, part: LSTMSaved) -> None:
    """Go over the steps of a range, whose ``gates`` are the projected inputs at first."""
    hs, gates, cells, tanhs = part[:4]
    count, over = tanhs[0].size, _over(batch, start, start + len(gates))
    views = zip(over, hs, hs[1:], cells, cells[1:], tanhs, gates, strict=False)
    for ends, h, h_new, c, c_new, tanh_c, now in views:
        kernel(product(h), c, h, ends, count, now, c_new, tanh_c, h_new)


def lstm_back(
    kernel: Any,
    batch: Batch,
    product: Back,
    steps: tuple[int, int],
    saved: LSTMSaved,
    arriving: Array,
    gradients: Array,
    dh: Array,
    dc: Array,
) -> None:
    """Go back over a range of steps; fills in ``gradients``, those of the gates' arguments."""
    here, count, straight = slice(*steps), dh.size, batch.module.zeros_like(dh)
    views = (saved.gates[here], saved.tanhs[here], saved.cells[here], arriving, gradients)
    for over, gates, tanh_c, c, arrived, d in _backward(batch, steps, views):
        kernel(gates, tanh_c, c, arrived, dh, over, count, d, dc, straight)
        product(d, dh)
    batch.module.add(dh, straight, out=dh)


def gru_after_forward(
    kernels: list[Any], batch: Batch, product: Forward, start: int, hs: Array, gates: Array, bias: Array
) -> None:
    """Go over a range of steps, of whose ``gates`` r, z and n are the projected inputs at first.

    ``bias`` is the one inside the reset gate, or ``None``.
    """
    (kernel,), bias = kernels, batch.module.zeros((1, 1), hs.dtype) if bias is None else bias
    count, over = hs[0].size, _over(batch, start, start + len(gates))
    for ends, h, h_new, now in zip(over, hs, hs[1:], gates, strict=False):
        kernel(product(h), h, bias, ends, count, now, h_new)


def gru_after_back(
    kernels: list[Any],
    batch: Batch,
    product: Back,
    steps: tuple[int, int],
    saved: Any,
    arriving: Array,
    gradients: Array,
    dh: Array,
) -> None:
    """Go back over a range of steps; fills in ``gradients``, what arrives at q, r, z and n."""
    (kernel,), here, count, straight = kernels, slice(*steps), dh.size, batch.module.zeros_like(dh)
    views = (saved.gates[here], saved.hs[here], arriving, gradients, gradients[:, : 3 * len(dh)])
    for over, gates, h, arrived, d, at_hh in _backward(batch, steps, views):
        kernel(gates, h, arrived, dh, over, count, d, straight)
        product(at_hh, dh)
    batch.module.add(dh, straight, out=dh)


def gru_before_forward(
    kernels: list[Any],
    batch: Batch,
    products: tuple[Forward, Forward],
    start: int,
    hs: Array,
    gates: Array,
) -> None:
    """The same, where the reset gate acts before the product, which n has for itself."""
    (reset, update), (of_gates, of_n) = kernels, products
    count, over = hs[0].size, _over(batch, start, start + len(gates))
    for ends, h, h_new, now, q in zip(over, hs, hs[1:], gates, gates[:, : hs.shape[1]], strict=False):
        reset(of_gates(h), h, count, now)
        update(of_n(q), h, ends, count, now, h_new)


def gru_before_back(
    kernels: list[Any],
    batch: Batch,
    products: tuple[Back, Back],
    steps: tuple[int, int],
    saved: Any,
    arriving: Array,
    gradients: Array,
    dh: Array,
) -> None:
    """The same on the way back; nothing arrives at q."""
    (reset, update), (to_gates, to_n) = kernels, products
    here, hidden, count, dq = slice(*steps), len(dh), dh.size, batch.module.empty_like(dh)
    straight = batch.module.zeros_like(dh)
    blocks = gradients[:, hidden:-hidden], gradients[:, -hidden:]
    views = (saved.gates[here], saved.hs[here], arriving, gradients, *blocks)
    for over, gates, h, arrived, d, at_gates, at_n in _backward(batch, steps, views):
        update(gates, h, arrived, dh, over, count, d, straight)
        to_n(at_n, dq)
        reset(gates, h, dq, count, d, straight)
        to_gates(at_gates, dh)
    batch.module.add(dh, straight, out=dh)


def rnn_forward(kernel: Any, batch: Batch, product: Forward, start: int, hs: Array) -> None:
    """Go over a range of steps, whose ``hs`` behind the first are the projected inputs at first."""
    for over, h, h_new in zip(_over(batch, start, start + len(hs) - 1), hs, hs[1:], strict=False):
        kernel(product(h), h, over, h_new)


def rnn_back(
    kernel: Any, batch: Batch, product: Back, steps: tuple[int, int], hs: Array, arrays: tuple[Array, Array], dh: Array
) -> None:
    """Go back over a range of steps; ``arrays`` are what arrives, and the gradients to fill in."""
    straight, (start, stop) = batch.module.zeros_like(dh), steps
    for over, h, arrived, d in _backward(batch, steps, (hs[start + 1 : stop + 1], *arrays)):
        kernel(h, arrived, dh, over, d, straight)
        product(d, dh)
    batch.module.add(dh, straight, out=dh)


def _over(batch: Batch, start: int, stop: int) -> Iterable[Array]:
    """For each step of a range which rows are over, ``(1, N)``, or one ``False`` for all if none ever is."""
    if batch.over is None:
        return itertools.repeat(batch.module.zeros((1, 1), bool), stop - start)
    found: Iterable[Array] = batch.over[start:stop]
    return found


def _backward(batch: Batch, steps: tuple[int, int], views: tuple[Array, ...]) -> Any:
    """Which rows are over, and the views, step by step, the last step first."""
    over = list(_over(batch, *steps))[::-1]
    return zip(over, *[view[::-1] for view in views], strict=True)
