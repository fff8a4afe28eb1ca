"""Normalising activations: over the features of each example, or over the examples of each feature."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..creation import ones, tensor, zeros
from ..errors import ShapeError
from ..ops import reduction, variance
from ..ops.arithmetic import sqrt
from ..ops.shape import reshape
from ..primitive import defvjp, primitive
from ..tensor import Tensor
from .module import Module, Parameter


@primitive
def normalize(x: Any, /, dim: tuple[int, ...], eps: float = 1e-5) -> Tensor:
    r""":math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon}` with mean and variance over ``dim``."""
    wide = x.astype(backend.float32) if x.dtype == backend.float16 else x
    centred, scale = _standard(wide, dim, eps)
    return (centred * scale).astype(x.dtype, copy=False)


def _standard(x: Any, dim: tuple[int, ...], eps: float) -> tuple[Any, Any]:
    """``x`` without its mean, and one over its standard deviation."""
    centred = x - reduction.mean(x, dim, True)
    return centred, 1.0 / sqrt(reduction.mean(centred * centred, dim, True) + eps)


def _normalize_rule(g: Any, x: Any, out: Any, dim: tuple[int, ...], eps: float) -> Any:
    _, scale = _standard(x, dim, eps)
    return scale * (g - reduction.mean(g, dim, True) - out * reduction.mean(g * out, dim, True))


defvjp(normalize, x=_normalize_rule)


def layer_norm(
    input: Tensor, normalized_shape: int | tuple[int, ...], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    r""":math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon} \cdot w + b` over the last dimensions (Ba et al. 2016).

    Args:
        input: ``(*, *normalized_shape)``.
        normalized_shape: the sizes of the dimensions that mean and variance are taken over.
        weight: a factor for each element of ``normalized_shape``, or ``None``.
        bias: what is added to each, or ``None``.
        eps: keeps the root away from 0.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(f"layer_norm: the input {tuple(input.shape)} does not end in {shape}")
    return _scaled(normalize(input, tuple(range(-len(shape), 0)), eps), weight, bias)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    r""":math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon} \cdot w + b` for each channel (Ioffe and Szegedy 2015).

    Args:
        input: ``(N, C)`` or ``(N, C, *)``.
        running_mean: ``(C,)``; in evaluation this is :math:`\mu`, in training it is moved towards that of the batch.
        running_var: ``(C,)``, likewise for :math:`\sigma^2`; moved towards the unbiased variance of the batch.
        weight: ``(C,)``, or ``None``.
        bias: ``(C,)``, or ``None``.
        training: use the batch's own mean and variance.
        momentum: how far the running values are moved.
        eps: keeps the root away from 0.
    """
    if input.ndim < 2:
        raise ShapeError(f"batch_norm: the input is (N, C) or (N, C, L), not {tuple(input.shape)}")
    dims = (0, *range(2, input.ndim))
    shape = (1, -1, *(1,) * (input.ndim - 2))
    if training or running_mean is None or running_var is None:
        if training and input.numel() <= input.shape[1]:
            raise ShapeError(
                f"batch_norm: one value per channel, in {tuple(input.shape)}, has no variance to train with\n"
                "  hint: a larger batch, or model.eval()"
            )
        normal = normalize(input, dims, eps)
        if training:
            _track(running_mean, reduction.mean(input.data, dims), momentum)
            _track(running_var, variance.var(input.data, dims), momentum)
    else:
        scale = 1.0 / sqrt(running_var.detach() + eps)
        normal = (input - reshape(running_mean.detach(), shape)) * reshape(scale, shape)
    return _scaled(
        normal,
        reshape(weight, shape) if weight is not None else None,
        reshape(bias, shape) if bias is not None else None,
    )


def _track(running: Tensor | None, batch: Any, momentum: float) -> None:
    if running is not None:
        running.data = running.data * (1.0 - momentum) + (batch * momentum).astype(running.dtype)


def _scaled(normal: Any, weight: Any, bias: Any) -> Any:
    scaled = normal if weight is None else normal * weight
    return scaled if bias is None else scaled + bias


class LayerNorm(Module):
    """:func:`layer_norm` with a trained scale and shift.

    Args:
        normalized_shape: the sizes of the last dimensions, or the size of the last one.
        eps: keeps the root away from 0.
        elementwise_affine: whether there are ``weight`` (ones at first) and ``bias`` (zeros).
        bias: whether there is ``bias``.
        device, dtype: of the parameters.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = Parameter(ones(shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, device=device, dtype=dtype)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``(*, *normalized_shape)``, the same shape."""
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.normalized_shape}, eps={self.eps}"


class BatchNorm1d(Module):
    """:func:`batch_norm` for ``(N, C)`` and ``(N, C, L)``, with a trained scale and shift.

    Args:
        num_features: :math:`C`.
        eps: keeps the root away from 0.
        momentum: how far the running values are moved by each batch; ``None`` makes them the mean of all batches.
        affine: whether there are ``weight`` (ones at first) and ``bias`` (zeros).
        track_running_stats: whether evaluation uses running values, rather than the batch's own.
        device, dtype: of the parameters.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(ones(num_features, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_features, device=device, dtype=dtype)) if affine else None
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if tracked else None)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C)`` or ``(N, C, L)``, the same shape."""
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            expected = f"(N, {self.num_features}) or (N, {self.num_features}, L)"
            raise ShapeError(f"BatchNorm1d: the input is {expected}, not {tuple(x.shape)}")
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data = self.num_batches_tracked.data + 1
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        return batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, momentum or 0.0, self.eps
        )

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"
