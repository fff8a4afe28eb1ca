"""Filling parameters before training.

Each function fills a leaf in place, without recording it, draws from the generator that ``mg.manual_seed`` sets, and
returns the leaf. Names and distributions are PyTorch's; a weight is read as ``(out, in, *kernel)``.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy

from .. import backend
from ..errors import MinigradError, ShapeError
from ..node import Array
from ..tensor import Tensor

T = TypeVar("T", bound=Tensor)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0) -> T:
    """Uniform numbers from [a, b)."""
    array = tensor.data
    return _fill(tensor, backend.of(array).random(tensor.shape, tensor.dtype) * (b - a) + a)


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0) -> T:
    """Normal numbers of this mean and standard deviation."""
    array = tensor.data
    return _fill(tensor, backend.of(array).standard_normal(tensor.shape, tensor.dtype) * std + mean)


def constant_(tensor: T, val: float) -> T:
    """``val`` everywhere."""
    return _fill(tensor, backend.xp(tensor.data).full_like(tensor.data, val))


def zeros_(tensor: T) -> T:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: T) -> T:
    """The identity, for a matrix of any shape: ones on the diagonal, zeros elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: a matrix is needed, this tensor has shape {tensor.shape}")
    return _fill(tensor, backend.xp(tensor.data).eye(*tensor.shape, dtype=tensor.dtype))


def orthogonal_(tensor: T, gain: float = 1.0) -> T:
    """A random matrix with orthonormal rows or columns, whichever are fewer, times ``gain`` (Saxe et al. 2014).

    A tensor of more dimensions is read as a matrix of its first dimension and the rest. Keeps the norm of a recurrent
    state over many steps.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: at least two dimensions are needed, this tensor has shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    if rows * columns == 0:
        return tensor
    owner = backend.of(tensor.data)
    numbers = owner.standard_normal((max(rows, columns), min(rows, columns)), numpy.float64)
    q, r = numpy.linalg.qr(owner.to_host(numbers))
    q = gain * q * numpy.sign(numpy.diagonal(r))  # QR leaves signs open; these make all rotations equally likely
    q = q if rows >= columns else q.T
    return _fill(tensor, backend.move(q.reshape(tensor.shape), tensor.device))


def xavier_uniform_(tensor: T, gain: float = 1.0) -> T:
    r"""Uniform within :math:`\pm g \sqrt{6 / (\text{fan in} + \text{fan out})}` (Glorot and Bengio 2010)."""
    fan_in, fan_out = _fans(tensor)
    bound = gain * math.sqrt(6.0 / max(1, fan_in + fan_out))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: T, gain: float = 1.0) -> T:
    r"""Normal of standard deviation :math:`g \sqrt{2 / (\text{fan in} + \text{fan out})}`."""
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(1, fan_in + fan_out)))


def kaiming_uniform_(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> T:
    r"""Uniform within :math:`\pm g \sqrt{3 / \text{fan}}` (He et al. 2015).

    Args:
        tensor: what to fill.
        a: negative slope of the leaky ReLU that follows.
        mode: ``"fan_in"`` keeps the variance going forward, ``"fan_out"`` going backward.
        nonlinearity: what follows; see :func:`calculate_gain`.
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> T:
    r"""Normal of standard deviation :math:`g / \sqrt{\text{fan}}`; arguments as for :func:`kaiming_uniform_`."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))


_GAINS = {"linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights must be larger to make up for what a non-linearity shrinks.

    Args:
        nonlinearity: ``"linear"``, ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"`` or ``"selu"``.
        param: negative slope of the leaky ReLU; left out, 0.01.

    >>> calculate_gain("relu") == 2**0.5
    True
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise MinigradError(f"no gain is known for {nonlinearity!r}; there are {known}")
    return _GAINS[nonlinearity]


def _fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output is computed from, and how many outputs each input goes into."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan in and fan out need at least two dimensions, this tensor has shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise MinigradError(f'mode is "fan_in" or "fan_out", not {mode!r}')
    return max(1, _fans(tensor)[mode == "fan_out"])


def _fill(tensor: T, array: Array) -> T:
    tensor.data = array.astype(tensor.dtype, copy=False)
    return tensor
