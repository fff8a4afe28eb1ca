r"""Attention: of many values, a mean weighted by how well a query agrees with their keys (Vaswani et al. 2017)."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..backend import xp
from ..creation import tensor
from ..errors import DtypeError, MinigradError, ShapeError
from ..ops import activation, arithmetic, conversion, linalg, reduction
from ..ops.totals import add_up
from ..primitive import defvjp, primitive
from ..tensor import Tensor

Mask = tuple[Any, Any]  # where to look, booleans; and what to add to the scores; each may be None


@primitive
def _masked_softmax(x: Any, mask: Any, /, dim: int) -> Tensor:
    r""":math:`e^{x_i} / \sum_j e^{x_j}` along ``dim`` over what ``mask`` lets through, and 0 elsewhere."""
    module, x = xp(x), arithmetic.floating(x)
    shown = module.where(mask, x, float(numpy.finfo(x.dtype).min)).astype(x.dtype, copy=False)
    if not shown.size:
        return shown
    top = shown.max(axis=dim, keepdims=True)
    e = module.exp(module.where(mask, shown, top) - top)  # at what is hidden, nothing that could overflow
    e *= mask
    total = add_up(e, dim, keepdims=True)
    e /= total + (total == 0)
    return e


defvjp(
    _masked_softmax,
    x=lambda g, out, dim: out * (g - reduction.sum(g * out, dim, keepdim=True)),
    mask=None,
)


def masked_softmax(x: Any, mask: Any, dim: int = -1) -> Tensor:
    """Softmax over the places where ``mask`` is true, and 0 elsewhere; all 0 where nothing is let through.

    Args:
        x: scores; what is hidden may be anything, NaN included.
        mask: booleans that broadcast to ``x``.
        dim: the dimension along which the result adds up to 1.

    >>> import minigrad as mg
    >>> masked_softmax(mg.zeros(2, 3), mg.tensor([[True, False, True], [False, False, False]])).tolist()
    [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]
    """
    return _masked_softmax(x, mask, dim)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    r""":math:`\mathrm{softmax}(q k^T / \sqrt{E})\, v`, over any dimensions in front.

    Args:
        query: ``(*, L, E)``.
        key: ``(*, S, E)``.
        value: ``(*, S, V)``.
        attn_mask: broadcasts to ``(*, L, S)``: booleans, true where the query may look; or numbers that are added to
            the scores, minus infinity where it may not.
        dropout_p: the probability with which a weight is dropped.
        is_causal: query ``i`` looks at keys 0 to ``i`` only.
        scale: what the scores are multiplied by, instead of :math:`1 / \sqrt{E}`.

    Returns:
        ``(*, L, V)``; zeros for a query that may look at nothing.

    Raises:
        ShapeError: shapes that do not go together.
        MinigradError: both a mask and ``is_causal``.

    >>> import minigrad as mg
    >>> v = mg.tensor([[1.0], [3.0]])
    >>> scaled_dot_product_attention(mg.zeros(2, 4), mg.zeros(2, 4), v, is_causal=True).tolist()
    [[1.0], [2.0]]
    """
    if attn_mask is not None and is_causal:
        raise MinigradError("scaled_dot_product_attention: attn_mask and is_causal are two masks: say one of them")
    mask = causal(query, key) if is_causal else read_mask("attn_mask", attn_mask, query)
    return attend(query, key, value, mask, dropout_p, scale)[0]


def attend(query: Any, key: Any, value: Any, mask: Mask, dropout_p: float, scale: Any) -> tuple[Tensor, Tensor]:
    """The output and the weights ``(*, L, S)``."""
    scale = 1.0 / math.sqrt(max(1, query.shape[-1])) if scale is None else scale
    scores = linalg.matmul(query * scale, linalg.mT(key))
    keep, bias = mask
    if keep is not None:
        _check_broadcast(keep.shape, scores.shape)
    if bias is not None:
        scores = scores + bias
    weights = activation.softmax(scores, -1) if keep is None else _masked_softmax(scores, keep, -1)
    weights = activation.dropout(weights, dropout_p)
    return linalg.matmul(weights, value), weights


def causal(query: Any, key: Any) -> Mask:
    """Query ``i`` looks at keys 0 to ``i``."""
    module = xp(query.data)
    return module.arange(query.shape[-2])[:, None] >= module.arange(key.shape[-2]), None


def read_mask(name: str, mask: Any, query: Tensor) -> Mask:
    """A mask, true where one may look or added to the scores, in its two parts."""
    if mask is None:
        return None, None
    if not isinstance(mask, Tensor):
        mask = tensor(mask, device=query.device)
        mask = conversion.cast(mask, query.dtype) if mask.dtype.kind == "f" else mask
    if mask.dtype.kind == "b":
        return mask.data, None
    if mask.dtype.kind != "f":
        raise DtypeError(f"{name} is made of booleans or of numbers to add to the scores, not of {mask.dtype}")
    return mask.data > -math.inf, mask


def _check_broadcast(given: tuple[int, ...], scores: tuple[int, ...]) -> None:
    try:
        fits = numpy.broadcast_shapes(given, scores) == tuple(scores)
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"attention: the mask {tuple(given)} does not broadcast to the scores {tuple(scores)}")
