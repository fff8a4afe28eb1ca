"""A linear map to very many classes and the cross-entropy of it, without ever holding all scores."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import backend
from ..backend import xp
from ..context import is_grad_enabled
from ..errors import DtypeError, MinigradError, ShapeError
from ..ops import activation, indexing, joining, linalg, reduction as reductions, shape
from ..primitive import defvjp_joint, primitive
from ..recompute import checkpoint
from ..tensor import Tensor
from .losses import _class_log_likelihood, _no_such_class, _toward_class

# ---- the op ------------------------------------------------------------------------------------------------------

_BLOCK = 2048  # classes whose part of the weight's gradient is added at a time: as many as stay in the cache


@primitive(outputs=True)
def _linear_cross_entropy(
    x: Any, weight: Any, bias: Any = None, /, *, target: Any, factors: Any, gradients: bool, chunk_size: int
) -> tuple[Tensor, ...]:
    r""":math:`-\sum_i f_i \ln \mathrm{softmax}(W x_i + b)_{t_i}`, and its gradients if ``gradients``.

    These are made in the forward, because backward would have to compute all scores a second time: a quarter of the
    work. So one array of scores for ``chunk_size`` rows is filled again and again, and turned into its own gradient.
    """
    module, rows = xp(x), len(x)
    likelihood = module.empty(rows, dtype=x.dtype)
    scores = module.empty((min(rows, chunk_size), len(weight)), dtype=x.dtype)
    grads = tuple(module.zeros_like(a) for a in (x, weight, bias) if a is not None) if gradients else ()
    for start in range(0, rows, chunk_size):
        part = slice(start, start + chunk_size)
        likelihood[part], p, total = _likelihood(x[part], weight, bias, target[part], scores)
        if gradients:
            p *= (factors[part] / total)[:, None]
            p[module.arange(len(p)), target[part]] -= factors[part]
            _add_gradients(p, x[part], weight, grads[0][part], *grads[1:])
    return -(factors * likelihood).sum(), *grads


def _likelihood(x: Any, weight: Any, bias: Any, target: Any, scores: Any) -> tuple[Any, Any, Any]:
    r""":math:`\ln p_t` of some rows, the exponentials of their scores, and the sums of these."""
    module = xp(x)
    p = scores[: len(x)]
    module.matmul(x, weight.T, out=p)
    if bias is not None:
        p += bias
    p -= p.max(axis=1, keepdims=True)
    shifted = p[module.arange(len(p)), target]
    module.exp(p, out=p)
    total = p.sum(axis=1)
    return shifted - module.log(total), p, total


def _add_gradients(g: Any, x: Any, weight: Any, to_x: Any, to_weight: Any, to_bias: Any = None) -> None:
    """Add what the gradient of some scores comes to for the rows, the weight and the bias."""
    xp(x).matmul(g, weight, out=to_x)
    for start in range(0, len(weight), _BLOCK):
        block = slice(start, start + _BLOCK)
        to_weight[block] += g[:, block].T @ x
    if to_bias is not None:
        to_bias += g.sum(axis=0)


@defvjp_joint(_linear_cross_entropy, fresh=True)
def _linear_cross_entropy_rule(
    g: Any, x: Any, weight: Any, bias: Any, out: Any, target: Any, factors: Any, chunk_size: int
) -> Any:
    if not isinstance(x, Tensor):
        scaled = [part * g[0] for part in out[1:]]
        return scaled if bias is not None else [*scaled, None]
    to_x: list[Any] = []  # recorded, where that is what is wanted
    to_weight: Any = 0.0
    to_bias: Any = 0.0
    for start in range(0, max(1, len(x)), chunk_size):
        part = slice(start, start + chunk_size)
        p = activation.softmax(linalg.linear(x[part], weight, bias), 1)
        to_scores = _toward_class(p, (g[0] * -factors[part])[:, None], target[part][:, None], 1)
        to_x.append(linalg.matmul(to_scores, weight))
        to_weight = to_weight + linalg.matmul(linalg.mT(to_scores), x[part])
        to_bias = to_bias + reductions.sum(to_scores, 0)
    return joining.concat(to_x), to_weight, to_bias if bias is not None else None


# ---- the loss ----------------------------------------------------------------------------------------------------


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Any,
    linear_bias: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    chunk_size: int = 256,
) -> Tensor:
    r"""``cross_entropy(linear(input, linear_weight, linear_bias), target)``, the scores of a few rows at a time.

    The scores of a language model, rows times words, are by far its largest array, and there are three of them: the
    scores, their softmax and its gradient. Here there is one, of ``chunk_size`` rows, and besides it only what has to
    be: the gradients of the arguments. Rows that do not count cost nothing.

    Args:
        input: ``(*, H)`` with any dimensions in front, also none.
        linear_weight: ``(C, H)``, a row for each class.
        target: for each row the number of its class, ``(*)``.
        linear_bias: ``(C,)``, or ``None``.
        ignore_index: rows with this target do not count.
        reduction: ``"mean"`` over the rows that count, ``"sum"``, or ``"none"`` for a loss for each row; that one
            computes the scores a second time in backward.
        chunk_size: how many rows at a time.

    Returns:
        A number, or with ``"none"`` a loss for each row. The mean over no rows at all is NaN, with zero gradient.
        Second derivatives are right, but recording them keeps all scores.

    Raises:
        ShapeError: shapes that do not fit, or a target that is no class. (On a GPU: NaN.)

    >>> import minigrad as mg
    >>> loss = linear_cross_entropy(mg.ones(2, 3), mg.zeros(4, 3), [0, 3])
    >>> loss.item() == mg.tensor(4.0).log().item()
    True
    """
    if chunk_size < 1:
        raise ShapeError(f"linear_cross_entropy: chunk_size={chunk_size} is at least 1")
    if reduction not in ("mean", "sum", "none"):
        raise MinigradError(f'reduction is "mean", "sum" or "none", not {reduction!r}')
    rows, target, factors, counts = _counted(input, target, len(linear_weight), ignore_index)
    if reduction == "none":
        losses = _row_by_row(rows, linear_weight, linear_bias, target, chunk_size) * factors
        losses = losses if counts is None else indexing.place_into_zeros(losses, counts, counts.shape)
        return shape.reshape(losses, tuple(input.shape[:-1]))
    total = factors.sum()
    empty = total == 0
    if reduction == "mean":
        factors = factors / (total + empty)
    wanted = is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in (input, linear_weight, linear_bias))
    settings = {"target": target, "factors": factors, "gradients": wanted, "chunk_size": chunk_size}
    loss: Tensor = _linear_cross_entropy(rows, linear_weight, linear_bias, **settings)[0]
    return loss + xp(input.data).where(empty, math.nan, 0.0).astype(input.dtype) if reduction == "mean" else loss


def class_numbers(name: str, input: Tensor, target: Any) -> Any:
    """The class of each row of an input ``(*, H)``, one behind the other, as an array where the input is."""
    array = target.data if isinstance(target, Tensor) else target
    array = xp(input.data).asarray(array if backend.is_array(array) else numpy.asarray(array))
    if not input.shape or tuple(array.shape) != tuple(input.shape[:-1]):
        raise ShapeError(
            f"{name}: an input of {tuple(input.shape)} needs targets of {tuple(input.shape[:-1])},"
            f" not {tuple(array.shape)}"
        )
    if array.dtype.kind not in "iu" and array.size:  # an empty list is made floats of
        raise DtypeError(f"{name}: class numbers are integers, not {array.dtype}\n  hint: target.long()")
    return array.reshape(-1).astype(backend.int64)


def _counted(input: Tensor, target: Any, classes: int, ignore_index: int) -> tuple[Tensor, Any, Any, Any]:
    """The rows that count, their classes, and their factors; and which they are, ``None`` for all."""
    numbers = class_numbers("linear_cross_entropy", input, target)
    rows = shape.reshape(input, (numbers.size, input.shape[-1]))
    counts = numbers != ignore_index
    outside = counts & ((numbers < 0) | (numbers >= classes))
    if backend.of(numbers).kind != "cpu":
        module = xp(numbers)
        factors = module.where(outside, math.nan, counts).astype(input.dtype)
        return rows, module.where(counts & ~outside, numbers, 0), factors, None
    if outside.any():
        raise _no_such_class(numbers[outside][0], classes)
    factors = counts[counts].astype(input.dtype)
    if counts.all():
        return rows, numbers, factors, None
    return indexing._getitem(rows, counts), numbers[counts], factors, counts


def _row_by_row(rows: Tensor, weight: Tensor, bias: Tensor | None, target: Any, chunk_size: int) -> Tensor:
    """A loss for each row. Each may be weighted as one likes, so backward has to see the scores again."""

    def surprise(x: Tensor, target: Any) -> Tensor:
        scores = linalg.linear(x, weight, bias)
        return -_class_log_likelihood(scores, target[:, None], 1)[0][:, 0]

    starts = range(0, max(1, len(rows)), chunk_size)
    return joining.concat(
        [checkpoint(surprise, rows[i : i + chunk_size], target[i : i + chunk_size]) for i in starts]
    )
