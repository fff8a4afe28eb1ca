"""What a GRU's update gate says: how much to keep of the old state, or how much to take of the new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .parts import Array, ConversionError, as_array

_NAME = re.compile(r"(^|.*\.)(weight|bias)_(ih|hh)(_l\d+(_reverse)?)?")


def flip_update_gate(state: Mapping[str, Any]) -> dict[str, Array]:
    r"""A GRU's state with the meaning of its update gate turned round; applied twice, the state itself.

    .. math::
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}
        \quad\leftrightarrow\quad
        h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t

    Both are in use: the first, ``update_gate="keep"``, in PyTorch, Keras, ONNX and cuDNN; the second,
    ``update_gate="new"``, in Chung et al. (2014), DyNet and most lecture notes. With
    :math:`z = \sigma(a)`, :math:`1 - z = \sigma(-a)`: negating the rows of z turns one into the other and loses
    nothing.

    Args:
        state: the state dict of a GRU layer or cell, or of a model of which only GRUs have parameters of these names;
            others are copied.

    Returns:
        NumPy arrays by the same names.

    Raises:
        ConversionError: weights whose rows are not three blocks.

    >>> flip_update_gate({"bias_ih_l0": [1.0, 2.0, 3.0]})["bias_ih_l0"].tolist()
    [1.0, -2.0, 3.0]
    """
    result = {name: as_array(value).copy() for name, value in state.items()}
    for name, array in result.items():
        if _NAME.fullmatch(name):
            if array.ndim == 0 or len(array) % 3:
                raise ConversionError(f"{name} has shape {array.shape}: a GRU's has three blocks of rows, r, z and n")
            size = len(array) // 3
            array[size : 2 * size] *= -1
    return result
