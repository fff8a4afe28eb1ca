r"""Losses: how far an output is from what it should be, as one number.

All take ``reduction``: ``"mean"`` or ``"sum"`` over the elements, or ``"none"`` for one loss per element. Input and
target must agree in shape; nothing is broadcast, because a column minus a row is a matrix and trains towards nonsense.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import backend
from ..backend import xp
from ..creation import tensor
from ..errors import DtypeError, MinigradError, ShapeError
from ..ops import activation, arithmetic, clamping, elementary, gathering, reduction as reductions, selection, variance
from ..primitive import defvjp, primitive
from ..tensor import Tensor
from .module import Module

# ---- classes -----------------------------------------------------------------------------------------------------


@primitive(outputs=True)
def _class_log_likelihood(x: Any, /, target: Any, dim: int) -> tuple[Tensor, Tensor]:
    r""":math:`\ln p_t` and :math:`p = \mathrm{softmax}(x)`; :math:`t` has the shape of ``x``, but 1 along ``dim``.

    In one op, because a language model comes here with all its words at every step, and then the time goes into passes
    over memory: the probabilities are made in place and kept, and backward is two more passes.
    """
    p = arithmetic.floating(x - x.max(axis=dim, keepdims=True)) if x.size else arithmetic.floating(x).copy()
    shifted = xp(x).take_along_axis(p, target, dim)
    xp(x).exp(p, out=p)
    total = p.sum(axis=dim, keepdims=True)
    p /= total
    return shifted - xp(x).log(total), p


@primitive
def _toward_class(p: Any, u: Any, /, target: Any, dim: int) -> Tensor:
    r""":math:`u\,(e_t - p)`, :math:`e_t` one-hot: the gradient :math:`u` of :math:`\ln p_t` carried to the scores."""
    gradient = p * -u
    gradient[gathering._along(p, dim, target, target.shape)] += u
    return gradient


def _to_scores(g: Any, x: Any, out: Any, target: Any, dim: int) -> Any:
    p = activation.softmax(x, dim) if isinstance(x, Tensor) else out[1]  # recorded, where that is what is wanted
    gradient = _toward_class(p, g[0], target, dim)
    return gradient + p * (g[1] - reductions.sum(g[1] * p, dim, keepdim=True)) if 1 in g else gradient


defvjp(_class_log_likelihood, x=_to_scores)
defvjp(
    _toward_class,
    p=lambda g, u: -g * u,
    u=lambda g, p, target, dim: gathering.gather(g, dim, target) - reductions.sum(g * p, dim, keepdim=True),
)


def cross_entropy(
    input: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    dim: int = 1,
) -> Tensor:
    r"""How surprised a softmax over classes is by the class that was right: :math:`-w_t \ln \mathrm{softmax}(x)_t`.

    Args:
        input: scores (logits) of :math:`C` classes, along ``dim``.
        target: for each place the number of the class, of the shape of ``input`` without ``dim``; or a probability
            for each class, of the shape of ``input``.
        weight: a factor :math:`w_c` for each class. ``"mean"`` divides by the sum of the factors of the targets (with
            probabilities as targets: by the number of places).
        ignore_index: places with this target do not count.
        label_smoothing: :math:`\varepsilon` from 0 to 1: mix the target with the uniform distribution,
            :math:`(1-\varepsilon)\,q_c + \varepsilon / C` (Szegedy et al. 2016).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        dim: the dimension of the classes. 1 as in PyTorch, for ``(N, C)`` and ``(N, C, L)`` (and 0 for ``(C,)``);
            ``dim=-1`` for classes last behind any leading dimensions, ``(T, N, C)`` with targets ``(T, N)``.

    Returns:
        A number, or with ``"none"`` a loss for each place. The mean over no places at all is NaN, with zero gradient.

    Raises:
        ShapeError: shapes that do not fit, or a target that is no class. (On a GPU looking for one would mean waiting
            for the device: there the loss becomes NaN.)

    >>> import minigrad as mg
    >>> cross_entropy(mg.zeros(2, 4), mg.tensor([0, 3])).item() == mg.tensor(4.0).log().item()
    True
    """
    dim = _class_dim(input, dim)
    if _is_distribution(input, target):
        log_probabilities = activation.log_softmax(input, dim)
        return _against_distribution(log_probabilities, target, weight, label_smoothing, reduction, dim)
    pick: Callable[[Any, int, Any], Tensor] = _log_likelihood
    if label_smoothing or input.dtype.kind != "f":
        input, pick = activation.log_softmax(input, dim), gathering.gather
    return _against_classes(input, target, weight, ignore_index, label_smoothing, reduction, dim, pick)


def nll_loss(
    input: Tensor, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", dim: int = 1
) -> Tensor:
    r"""Negative log-likelihood, :math:`-w_t x_t`: :func:`cross_entropy` of what is log-probabilities already.

    Arguments as for :func:`cross_entropy`.
    """
    dim = _class_dim(input, dim)
    return _against_classes(input, target, weight, ignore_index, 0.0, reduction, dim, gathering.gather)


def _log_likelihood(scores: Tensor, dim: int, target: Any) -> Tensor:
    """What :func:`gather` finds in the log-probabilities."""
    return _class_log_likelihood(scores, target, dim)[0]


def _class_dim(input: Tensor, dim: int) -> int:
    if not input.shape:
        raise ShapeError("the input has no dimension for the classes: it is a single number")
    if len(input.shape) == 1:
        return 0
    if not -len(input.shape) <= dim < len(input.shape):
        raise ShapeError(f"dim={dim} is not a dimension of the input {tuple(input.shape)}")
    return dim % len(input.shape)


def _is_distribution(input: Tensor, target: Any) -> bool:
    return getattr(getattr(target, "dtype", None), "kind", "i") == "f" and tuple(target.shape) == tuple(input.shape)


def _against_distribution(
    log_probabilities: Tensor, target: Any, weight: Any, smoothing: float, reduction: str, dim: int
) -> Tensor:
    classes = log_probabilities.shape[dim]
    if smoothing:
        target = target * (1.0 - smoothing) + smoothing / classes
    if weight is not None:
        target = target * _along(weight, log_probabilities, dim)
    losses = -reductions.sum(log_probabilities * target, dim)
    return _reduced(losses, reduction)


def _against_classes(
    input: Tensor,
    target: Any,
    weight: Any,
    ignore_index: int,
    smoothing: float,
    reduction: str,
    dim: int,
    pick: Callable[[Any, int, Any], Tensor],
) -> Tensor:
    array = input.data
    module, on_host = xp(array), backend.of(array).kind == "cpu"
    target = module.expand_dims(_classes(target, input, dim), dim)
    counts = target != ignore_index
    target = module.where(counts, target, 0)
    factors = counts.astype(array.dtype)
    outside = (target < 0) | (target >= array.shape[dim])
    if not on_host:
        factors = module.where(outside, math.nan, factors).astype(array.dtype)
        target = module.where(outside, 0, target)
    elif outside.any():
        raise _no_such_class(target[outside][0], array.shape[dim])
    if weight is not None:
        weight = _along(weight, input, dim)
        factors = factors * module.take_along_axis(module.broadcast_to(weight, array.shape), target, dim)
    total = factors.sum()
    if smoothing:
        values = input
        uniform = smoothing / array.shape[dim] * (counts if weight is None else weight * counts)
        right = module.arange(array.shape[dim]).reshape([-1 if d == dim else 1 for d in range(array.ndim)]) == target
        factors = (right * factors * (1.0 - smoothing) + uniform).astype(array.dtype)
    else:
        values = pick(input, dim, target)
    if not on_host or not counts.all():  # what stands where nothing counts may be anything, NaN included
        values = selection.where(counts, values, 0.0)
    if reduction != "mean":
        losses = values * -factors
        return _reduced(reductions.sum(losses, dim) if reduction == "none" else losses, reduction)
    empty = total == 0
    loss = reductions.sum(values * (-factors / (total + empty)))
    return loss + module.where(empty, math.nan, 0.0).astype(array.dtype) if not on_host or empty else loss


def _classes(target: Any, input: Tensor, dim: int) -> Any:
    """The targets as an array of integers, of the input's shape without the classes."""
    array = target.data if isinstance(target, Tensor) else target
    if not backend.is_array(array):
        array = xp(input.data).asarray(array)
    if array.dtype.kind not in "iu":
        raise DtypeError(
            f"the targets are {array.dtype} {tuple(array.shape)}; class numbers are integers\n"
            f"  hint: target.long(); for probabilities, the shape of the input is needed, {tuple(input.shape)}"
        )
    expected = tuple(size for d, size in enumerate(input.shape) if d != dim)
    if tuple(array.shape) != expected:
        last = "\n  hint: the classes are the last dimension, it seems: say dim=-1"
        raise ShapeError(
            f"an input of {tuple(input.shape)} with its classes in dimension {dim} needs targets of {expected},"
            f" not {tuple(array.shape)}" + (last if tuple(array.shape) == tuple(input.shape[:-1]) else "")
        )
    return array


def _no_such_class(target: Any, classes: int) -> ShapeError:
    return ShapeError(
        f"target {int(target)} is not a class: there are {classes} classes, 0 to {classes - 1}\n"
        "  hint: places that are not to count carry ignore_index"
    )


def _along(weight: Any, input: Tensor, dim: int) -> Any:
    """The factors of the classes as an array that broadcasts along the class dimension."""
    weight = weight.data if isinstance(weight, Tensor) else xp(input.data).asarray(weight)
    if tuple(weight.shape) != (input.shape[dim],):
        raise ShapeError(f"weight needs one factor for each of {input.shape[dim]} classes, not {tuple(weight.shape)}")
    return weight.astype(input.dtype, copy=False).reshape([-1 if d == dim else 1 for d in range(len(input.shape))])


# ---- numbers -----------------------------------------------------------------------------------------------------


def mse_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Squared difference, :math:`(x - y)^2`."""
    return _reduced(arithmetic.square(input - _matching(input, target)), reduction)


def l1_loss(input: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute difference, :math:`|x - y|`."""
    return _reduced(arithmetic.abs(input - _matching(input, target)), reduction)


def huber_loss(input: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    r"""The Huber loss of the difference :math:`d`: squared near, absolute far (Huber 1964).

    It is :math:`\tfrac12 d^2` where :math:`|d| \le \delta`, else :math:`\delta (|d| - \tfrac12\delta)`; computed as
    :math:`c\,(d - \tfrac12 c)` with :math:`c` the difference cut off at :math:`\pm\delta`.
    """
    if delta <= 0:
        raise MinigradError(f"huber_loss: delta must be positive, not {delta}")
    return _reduced(_huber(input - _matching(input, target), delta), reduction)


def smooth_l1_loss(input: Tensor, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    r"""The Huber loss with :math:`\delta = \beta`, divided by :math:`\beta` (Girshick 2015).

    For :math:`\beta = 0` it is the absolute difference.
    """
    if beta < 0:
        raise MinigradError(f"smooth_l1_loss: beta must not be negative, it is {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    return _reduced(_huber(input - _matching(input, target), beta) / beta, reduction)


def _huber(difference: Tensor, delta: float) -> Tensor:
    cut = clamping.clamp(difference, -delta, delta)
    return cut * (difference - 0.5 * cut)


# ---- probabilities -----------------------------------------------------------------------------------------------


@primitive
def _floored_log(x: Any, /) -> Tensor:
    r""":math:`\max(\ln x, -100)`, also of 0, where the gradient is 0."""
    zero = x == 0
    log = xp(x).maximum(xp(x).log(xp(x).where(zero, 1.0, x)), -100.0)
    return xp(x).where(zero, -100.0, log).astype(x.dtype, copy=False)


@primitive(broadcasts=True)
def _binary_cross_entropy(x: Any, y: Any, /) -> Tensor:
    r""":math:`-y \ln x - (1 - y) \ln (1 - x)`, with logarithms no lower than -100."""
    return -(y * _floored_log(x) + (1 - y) * _floored_log(1 - x))


defvjp(_floored_log, x=lambda g, x: variance.ratio(g, x))
defvjp(
    _binary_cross_entropy,
    x=lambda g, x, y: g * (x - y) / clamping.clamp(x * (1 - x), 1e-12),
    y=lambda g, x: g * (_floored_log(1 - x) - _floored_log(x)),
)


def binary_cross_entropy(input: Tensor, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    r"""How surprised a probability of "yes" is by the answer: :math:`-w\,(y \ln x + (1-y) \ln(1-x))`.

    Logarithms are cut off at -100, so that a wrong answer given with certainty costs 100 and not infinity. Scores are
    better left scores: see :func:`binary_cross_entropy_with_logits`.

    Args:
        input: probabilities, from 0 to 1.
        target: answers, from 0 to 1, of the same shape.
        weight: a factor for each element, broadcast.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
    """
    losses = _binary_cross_entropy(input, _matching(input, target))
    return _reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    r""":func:`binary_cross_entropy` of :math:`\sigma(x)`, exact for scores of any size.

    Computed as :math:`w\,((1-y)\,x - (1 + (p-1)\,y) \ln\sigma(x))`.

    Args:
        input: scores (logits).
        target: answers, from 0 to 1, of the same shape.
        weight: a factor :math:`w` for each element, broadcast.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor :math:`p` for the answer "yes", broadcast: above 1 it finds more of what is rare.
    """
    target = _matching(input, target)
    log_sigmoid = activation.logsigmoid(input)
    if pos_weight is not None:
        log_sigmoid = log_sigmoid * ((pos_weight - 1.0) * target + 1.0)
    losses = (1.0 - target) * input - log_sigmoid
    return _reduced(losses if weight is None else losses * weight, reduction)


def kl_div(input: Tensor, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    r"""Kullback-Leibler divergence of the input from the target, :math:`y\,(\ln y - x)`, of each element.

    Args:
        input: :math:`x`, log-probabilities.
        target: :math:`y`, probabilities; where one is 0 so is the loss.
        reduction: besides the usual, ``"batchmean"`` divides the sum by the size of the first dimension, which is the
            mathematical definition; ``"mean"`` divides by the number of elements.
        log_target: ``target`` is :math:`\ln y`.
    """
    target = _matching(input, target)
    if log_target:
        losses = elementary.exp(target) * (target - input)
    else:
        losses = target * (elementary.log(selection.where(target > 0, target, 1.0)) - input)
    if reduction == "batchmean":
        return reductions.sum(losses) / float(input.shape[0] if input.shape else 1)
    return _reduced(losses, reduction)


def _matching(input: Tensor, target: Any) -> Any:
    """The target, refused where it does not have the input's shape."""
    if not isinstance(target, Tensor):
        target = tensor(target, dtype=input.dtype, device=input.device)
    if target.shape != tuple(input.shape):
        raise ShapeError(
            f"the input is {tuple(input.shape)} and the target {target.shape}; a loss broadcasts neither\n"
            "  hint: target.reshape(input.shape), or .expand(...) if repeating it is what you mean"
        )
    return target


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return reductions.mean(losses)
    if reduction == "sum":
        return reductions.sum(losses)
    if reduction == "none":
        return losses
    raise MinigradError(f'reduction is "mean", "sum" or "none", not {reduction!r}')


# ---- the same as modules -----------------------------------------------------------------------------------------


class _Loss(Module):
    """A loss with its settings."""

    def __init__(self, reduction: str) -> None:
        if reduction not in ("mean", "sum", "none", "batchmean"):
            raise MinigradError(f'reduction is "mean", "sum" or "none", not {reduction!r}')
        self.reduction = reduction

    def _hold(self, **weights: Any) -> None:
        """Keep factors as buffers, so that they move with the module."""
        for name, weight in weights.items():
            self.register_buffer(name, tensor(weight) if weight is not None else None)

    def extra_repr(self) -> str:
        """The settings that are not tensors."""
        return ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name not in self._buffers)


class CrossEntropyLoss(_Loss):
    """:func:`cross_entropy` as a module."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        dim: int = 1,
    ) -> None:
        super().__init__(reduction)
        self._hold(weight=weight)
        self.ignore_index, self.label_smoothing, self.dim = ignore_index, label_smoothing, dim

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Scores and targets to the loss."""
        return cross_entropy(
            input, target, self.weight, self.ignore_index, self.label_smoothing, self.reduction, self.dim
        )


class NLLLoss(_Loss):
    """:func:`nll_loss` as a module."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", dim: int = 1) -> None:
        super().__init__(reduction)
        self._hold(weight=weight)
        self.ignore_index, self.dim = ignore_index, dim

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Log-probabilities and targets to the loss."""
        return nll_loss(input, target, self.weight, self.ignore_index, self.reduction, self.dim)


class MSELoss(_Loss):
    """:func:`mse_loss` as a module."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Outputs and targets to the loss."""
        return mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """:func:`l1_loss` as a module."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Outputs and targets to the loss."""
        return l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """:func:`smooth_l1_loss` as a module."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Outputs and targets to the loss."""
        return smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """:func:`huber_loss` as a module."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Outputs and targets to the loss."""
        return huber_loss(input, target, self.reduction, self.delta)


class BCELoss(_Loss):
    """:func:`binary_cross_entropy` as a module."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self._hold(weight=weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Probabilities and answers to the loss."""
        return binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """:func:`binary_cross_entropy_with_logits` as a module."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self._hold(weight=weight, pos_weight=pos_weight)

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Scores and answers to the loss."""
        return binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class KLDivLoss(_Loss):
    """:func:`kl_div` as a module."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Any) -> Tensor:
        """Log-probabilities and probabilities to the loss."""
        return kl_div(input, target, self.reduction, self.log_target)
