"""Everything in :mod:`minigrad.nn` that is a function: activations, dropout, normalisation, attention, losses."""

from __future__ import annotations

from typing import Any

from ..backend import is_array, of, xp
from ..call import wrap
from ..errors import DtypeError, ShapeError
from ..ops.activation import (
    dropout,
    elu,
    gelu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
)
from ..ops.elementary import tanh
from ..ops.gathering import embedding
from ..ops.linalg import linear
from ..ops.tiling import pad
from ..tensor import Tensor
from .attention import masked_softmax, scaled_dot_product_attention
from .ctc import ctc_loss
from .linear_cross_entropy import linear_cross_entropy
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from .normalization import batch_norm, layer_norm
from .transformer import sinusoidal_positions

__all__ = [
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "hardsigmoid",
    "hardtanh",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "linear_cross_entropy",
    "log_softmax",
    "logsigmoid",
    "masked_softmax",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "relu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "sinusoidal_positions",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]


def one_hot(indices: Any, num_classes: int) -> Tensor:
    """For each class number a row with a 1 at that place and 0 elsewhere, int64.

    Args:
        indices: integers of any shape.
        num_classes: size of the new last dimension. (PyTorch guesses it from the largest index when it is left out;
            a batch without the last class would then give another shape.)

    Raises:
        ShapeError: an index that is no class. (On a GPU it gives a row of zeros.)

    >>> one_hot([1, 0], 3).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    array = indices.data if isinstance(indices, Tensor) else indices
    if not is_array(array):
        array = xp(array).asarray(array)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"one_hot: class numbers are integers, not {array.dtype}")
    if of(array).kind == "cpu" and ((array < 0) | (array >= num_classes)).any():
        raise ShapeError(f"one_hot: indices {array.min()} to {array.max()}, but classes 0 to {num_classes - 1}")
    module = xp(array)
    result: Tensor = wrap((array[..., None] == module.arange(num_classes)).astype(module.int64))
    return result
