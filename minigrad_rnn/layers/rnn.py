"""The RNN layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..cells import RNNRecurrence
from .base import RecurrentBase


class RNN(RecurrentBase):
    """Simple recurrent network over sequences; see :class:`~minigrad_rnn.cells.RNNRecurrence` for the equation.

    Names, shapes, defaults and initial distribution are PyTorch's, so a PyTorch ``state_dict`` loads as it is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state; a list has those of each layer.
        num_layers: how many are stacked, each reading the outputs of the one below.
        nonlinearity: ``"tanh"``, ``"relu"`` or another of :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        bias: whether there are biases.
        batch_first: whether inputs and outputs are ``(N, T, features)``; the state never is.
        dropout: probability of dropping an output on its way to the next layer, in training.
        bidirectional: whether each layer has a second direction, from the end; the outputs of both stand side by side.
        device, dtype: of the parameters.
        options: of :class:`~minigrad_rnn.cells.RNNRecurrence`, :class:`~minigrad_rnn.cells.Recurrence`,
            :class:`~minigrad_rnn.cells.Noise` and :class:`~minigrad_rnn.layers.Wiring`, by keyword.

    Shape:
        As for :class:`~minigrad_rnn.LSTM`; the state is h alone.

    >>> import minigrad as mg
    >>> output, h = RNN(3, 5, num_layers=2)(mg.zeros(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 5), (2, 2, 5))
    """

    kind = RNNRecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        options["nonlinearity"] = nonlinearity
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype,
            options,
        )
