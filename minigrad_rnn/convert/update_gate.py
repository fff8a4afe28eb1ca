"""What a GRU's update gate says: how much to keep of the old state, or how much to take of the new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .parts import Array, ConversionError, as_array

SYMMETRIC = ("sigmoid", "hardsigmoid", "hardsigmoid_onnx")  # f(-a) = 1 - f(a)

_NAME = re.compile(r"(.*\.|)(weight|bias|gain)_(ih|hh|skip)(|_l\d+|_l\d+_reverse)")


def flip_update_gate(state: Mapping[str, Any], *, gate_nonlinearity: str = "sigmoid") -> dict[str, Array]:
    r"""A GRU's state with the meaning of its update gate turned round; applied twice, the state itself.

    .. math::
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}
        \quad\leftrightarrow\quad
        h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t

    Both are in use: the first, ``update_gate="keep"``, in PyTorch, Keras, ONNX and cuDNN; the second,
    ``update_gate="new"``, in Chung et al. (2014), DyNet and most lecture notes. With
    :math:`z = \sigma(a)`, :math:`1 - z = \sigma(-a)`: negating the rows of z turns one into the other and loses
    nothing. The hard sigmoids are symmetric in the same way; other gates are not. Where products are normalised, by
    ``layer_norm`` or ``batch_norm``, it is the gains and biases that are negated: weights and running means stay.

    Args:
        state: the state dict of a GRU layer or cell, or of a model of which only GRUs have parameters of these names;
            others are copied.
        gate_nonlinearity: that of the GRU, which no state tells.

    Returns:
        NumPy arrays by the same names.

    Raises:
        ConversionError: weights whose rows are not three blocks, or gates that are not symmetric.

    >>> flip_update_gate({"bias_ih_l0": [1.0, 2.0, 3.0]})["bias_ih_l0"].tolist()
    [1.0, -2.0, 3.0]
    """
    _check_symmetric(gate_nonlinearity)
    result = {name: as_array(value).copy() for name, value in state.items()}
    for name, array in result.items():
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        module, what, source, layer = found.groups()
        _check_blocks(name, array, square=what == "weight" and source == "hh")
        if what != "weight" or f"{module}gain_{source}{layer}" not in result:
            size = len(array) // 3
            array[size : 2 * size] *= -1
    return result


def as_keeping(state: Mapping[str, Any], recurrence: Any) -> dict[str, Any]:
    """The state of a layer as of one whose update gate says how much to keep, as the other frameworks' do; or back."""
    if getattr(recurrence, "update_gate", "keep") == "keep":
        return dict(state)
    return flip_update_gate(state, gate_nonlinearity=recurrence.gate_nonlinearity)


def _check_symmetric(gate: str) -> None:
    if gate not in SYMMETRIC:
        raise ConversionError(
            f'gate_nonlinearity={gate!r}: no weights turn update_gate="new" into "keep", or back\n'
            "  why: negating the argument of z must give 1 - z, and it does so for symmetric gates only\n"
            f"  hint: these are {', '.join(SYMMETRIC)}; with another gate, stay with one update_gate"
        )


def _check_blocks(name: str, array: Array, square: bool) -> None:
    """Raise if there are no three blocks of rows, or if blocks from state to state are not square."""
    rows, *columns = array.shape or (1,)
    if rows % 3 or (square and columns and columns[0] * 3 != rows):
        raise ConversionError(f"{name} has shape {array.shape}: a GRU's has three blocks of rows, r, z and n")
