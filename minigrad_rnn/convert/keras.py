r"""Keras's weights: of SimpleRNN, LSTM and GRU, and of these inside Bidirectional.

Keras multiplies from the right, :math:`x W + h U + b`, so its matrices are transposed, ``(inputs, gates * H)``. The
gates of an LSTM are in the order i, f, c, o, those of a GRU in the order z, r, h, and the interpolation of a GRU keeps:
:math:`h_t = z_t \odot h_{t-1} + (1 - z_t) \odot \tilde h_t`. There is one bias, except in a GRU with ``reset_after``,
where the two cannot be merged and stand in one array of two rows.

(Keras 3, ``keras/src/layers/rnn``.) Weights do not tell the activations: Keras before 2.3 computed gates with a hard
sigmoid, :math:`0.2 x + 0.5` within 0 and 1, where a layer here computes a sigmoid unless told otherwise. A layer with
``go_backwards`` has the same weights, and reads the sequence reversed: see :func:`~minigrad_rnn.reverse_by_length`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from .parts import (
    ORDERS,
    Array,
    ConversionError,
    Part,
    as_array,
    check_reset,
    check_shape,
    from_state,
    gates_of,
    reordered,
    to_state,
)


def from_keras(kind: str, weights: Sequence[Any], *, layer: int = 0, reset_after: bool = True) -> dict[str, Array]:
    """A state dict from the weights of a Keras layer.

    Where Keras has one bias, it becomes ``bias_ih``, and ``bias_hh`` is zero: their sum is what counts.

    Args:
        kind: ``"rnn"`` (SimpleRNN), ``"lstm"`` or ``"gru"``.
        weights: what the layer's ``get_weights()`` returns: kernel ``(I, gates * H)``, recurrent kernel
            ``(H, gates * H)`` and, unless made without, bias ``(gates * H,)``, of a GRU with ``reset_after``
            ``(2, gates * H)``; those of a Bidirectional one after the other, forward first.
        layer: number of the layer in the stack that gets the weights. For a stack, join the dictionaries:
            ``from_keras(kind, first) | from_keras(kind, second, layer=1)``.
        reset_after: of a GRU, where the layer that gets the weights resets, and so where the Keras layer must. Its
            bias tells; without biases nothing does, and you must know.

    Returns:
        NumPy arrays by PyTorch's names, for ``load_state_dict``.

    Raises:
        ConversionError: a number or shape of arrays that no such layer has, or the other convention of the reset gate.

    >>> kernel, recurrent, bias = numpy.ones((3, 8)), numpy.ones((2, 8)), numpy.arange(8.0)
    >>> state = from_keras("lstm", [kernel, recurrent, bias])
    >>> {name: array.shape for name, array in state.items()}
    {'weight_ih_l0': (8, 3), 'weight_hh_l0': (8, 2), 'bias_ih_l0': (8,), 'bias_hh_l0': (8,)}
    """
    arrays = [as_array(array) for array in weights]
    if len(arrays) not in (2, 3, 4, 6):
        raise ConversionError(
            f"a Keras layer has a kernel, a recurrent kernel and maybe a bias, a Bidirectional twice as many: 2, 3, 4"
            f" or 6 arrays, not {len(arrays)}"
        )
    each = len(arrays) if len(arrays) < 4 else len(arrays) // 2
    groups = [arrays[i : i + each] for i in range(0, len(arrays), each)]
    return to_state([_from_group(kind, *group, reset_after=reset_after) for group in groups], layer)


def _from_group(kind: str, kernel: Array, recurrent: Array, bias: Array | None = None, *, reset_after: bool) -> Part:
    size = len(recurrent) if recurrent.ndim else 0
    rows = gates_of(kind) * size
    check_shape("the recurrent kernel", recurrent, (size, rows))
    check_shape("the kernel", kernel, (len(kernel) if kernel.ndim else 0, rows))
    order = ORDERS["keras"][kind], ORDERS["torch"][kind]
    part = Part(reordered(kernel.T, *order), reordered(recurrent.T, *order))
    if bias is None:
        return part
    if kind == "gru":
        check_reset(bias.ndim == 2, reset_after, f"a bias of shape {bias.shape}")
    two_rows = kind == "gru" and reset_after
    check_shape("the bias", bias, (2, rows) if two_rows else (rows,))
    bias_ih, bias_hh = bias if two_rows else (bias, numpy.zeros_like(bias))
    return part._replace(bias_ih=reordered(bias_ih, *order), bias_hh=reordered(bias_hh, *order))


def to_keras(kind: str, state: Mapping[str, Any], *, layer: int = 0, reset_after: bool = True) -> list[Array]:
    """The weights of a Keras layer, for its ``set_weights``, from a state dict.

    Where Keras has one bias it is the sum of ours, so that the way back gives other biases with the same sum.

    Args:
        kind: ``"rnn"`` (SimpleRNN), ``"lstm"`` or ``"gru"``.
        state: tensors or arrays by PyTorch's names. Of a GRU with ``update_gate="new"``, what
            :func:`~minigrad_rnn.convert.flip_update_gate` makes of its state.
        layer: which layer of the stack; each is a Keras layer of its own.
        reset_after: of a GRU, where it resets; the Keras layer must be made with the same.

    Returns:
        Kernel, recurrent kernel and, if there are biases, bias; for a bidirectional layer those of the forward
        direction and then those of the backward one.

    Raises:
        ConversionError: names missing from the state, shapes that do not go together, or weights that a Keras layer
            does not have: projections, peepholes.

    >>> state = from_keras("gru", [numpy.ones((3, 6)), numpy.ones((2, 6)), numpy.ones((2, 6))])
    >>> [array.shape for array in to_keras("gru", state)]
    [(3, 6), (2, 6), (2, 6)]
    """
    gates_of(kind)
    return [array for part in from_state(kind, state, layer) for array in _to_group(kind, part, reset_after)]


def _to_group(kind: str, part: Part, reset_after: bool) -> list[Array]:
    order = ORDERS["torch"][kind], ORDERS["keras"][kind]
    if part.weight_peephole is not None:
        raise ConversionError("this LSTM has peepholes (weight_peephole); Keras's has none that could take them")
    group = [numpy.ascontiguousarray(reordered(w, *order).T) for w in (part.weight_ih, part.weight_hh)]
    if part.bias_ih is not None and part.bias_hh is not None:
        biases = reordered(part.bias_ih, *order), reordered(part.bias_hh, *order)
        group.append(numpy.stack(biases) if kind == "gru" and reset_after else biases[0] + biases[1])
    return group
