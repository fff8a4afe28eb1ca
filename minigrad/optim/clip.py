"""Keeping gradients from exploding."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import backend
from ..call import wrap
from ..node import Array
from ..tensor import Tensor
from .optimizer import OptimError, called, tensors_of


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    r"""Shrink all gradients by one factor, so that together they are no longer than ``max_norm``.

    .. math::
        n = \Big(\sum_i |g_i|^p\Big)^{1/p}, \qquad g \leftarrow g\,\min\Big(1, \frac{c}{n + 10^{-6}}\Big)

    over all numbers of all gradients, as if they were one vector: the direction stays. Pascanu, Mikolov and Bengio,
    "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1. Norms are summed in float64, so
    that a gradient of 1e30 has one in float32 too.

    The clipped gradient is a new tensor in ``p.grad``: whoever else holds the old one keeps it unchanged, and a
    gradient that belongs to two parameters is not clipped twice.

    Args:
        parameters: tensors, or one tensor; those without a gradient are passed over.
        max_norm: :math:`c`
        norm_type: :math:`p`, above 0; ``inf`` for the largest absolute value.
        error_if_nonfinite: look whether the norm is finite. This waits for a GPU; otherwise nothing does.

    Returns:
        The norm :math:`n` before clipping, 0-d.

    Raises:
        OptimError: the norm is not finite, and this was asked about; the message names the gradients.

    >>> import minigrad as mg
    >>> p = mg.tensor([0.0, 0.0], requires_grad=True)
    >>> p.grad = mg.tensor([3.0, 4.0])
    >>> mg.optim.clip_grad_norm_([p], max_norm=1.0).item()
    5.0
    >>> [round(v, 3) for v in p.grad.tolist()]
    [0.6, 0.8]
    """
    if not norm_type > 0:
        raise OptimError(f"clip_grad_norm_: norm_type must be above 0, got {norm_type}")
    params = _with_grad(parameters, "clip_grad_norm_")
    if not params:
        norm: Tensor = wrap(numpy.zeros((), backend.get_default_dtype()))
        return norm
    first = params[0].grad.data  # type: ignore[union-attr]
    xp, device = backend.xp(first), backend.of(first).device_of(first)
    norms = [backend.move(_norm(p.grad.data, norm_type), device) for p in params]  # type: ignore[union-attr]
    total = xp.asarray(_norm(xp.stack(norms), norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise _nonfinite(params, norm_type, total.item())
    factor = xp.minimum(max_norm / (total + 1e-6), 1.0)
    for p in params:
        grad = p.grad.data  # type: ignore[union-attr]
        m = backend.xp(grad)
        local = backend.move(xp.asarray(factor), backend.of(grad).device_of(grad)).astype(grad.dtype)
        p.grad = wrap(m.multiply(grad, local, out=m.empty_like(grad)))
    result: Tensor = wrap(total.astype(first.dtype))
    return result


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Clip every number of the gradients to the range from ``-clip_value`` to ``clip_value``.

    As with :func:`clip_grad_norm_` the clipped gradients are new tensors.

    >>> import minigrad as mg
    >>> p = mg.tensor([0.0, 0.0], requires_grad=True)
    >>> p.grad = mg.tensor([0.5, -7.0])
    >>> mg.optim.clip_grad_value_([p], 1.0)
    >>> p.grad.tolist()
    [0.5, -1.0]
    """
    limit = float(clip_value)
    for p in _with_grad(parameters, "clip_grad_value_"):
        grad = p.grad.data  # type: ignore[union-attr]
        xp = backend.xp(grad)
        p.grad = wrap(xp.clip(grad, -limit, limit, out=xp.empty_like(grad)))


def _with_grad(parameters: Any, what: str) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else tensors_of(parameters, what)
    return [p for p in params if p.grad is not None]


def _norm(array: Array, norm_type: float) -> Array:
    """The p-norm of all numbers of an array, float64, 0-d."""
    xp = backend.xp(array)
    flat = array.reshape(-1).astype(backend.float64)
    if norm_type == 2.0:
        return xp.asarray(xp.sqrt(xp.dot(flat, flat)))
    xp.abs(flat, out=flat)
    if norm_type == math.inf:
        return xp.asarray(flat.max()) if flat.size else xp.zeros((), dtype=backend.float64)
    return xp.asarray(xp.power(flat, norm_type, out=flat).sum() ** (1.0 / norm_type))


def _nonfinite(params: list[Tensor], norm_type: float, total: float) -> OptimError:
    lines = [f"clip_grad_norm_: the norm of the gradients is {total}, which no factor can mend"]
    for i, p in enumerate(params):
        grad = p.grad.data  # type: ignore[union-attr]
        if not math.isfinite(_norm(grad, norm_type).item()):
            xp = backend.xp(grad)
            lines.append(f"  gradient {i}{called(p)}: {int(xp.isnan(grad).sum())} nan, {int(xp.isinf(grad).sum())} inf")
    return OptimError("\n".join(lines))
