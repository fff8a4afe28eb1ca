"""The LSTM layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import minigrad as mg

from ..cells import LSTMRecurrence
from .base import RecurrentBase

State = tuple[mg.Tensor, mg.Tensor]


class LSTM(RecurrentBase):
    """Long short-term memory over sequences; see :class:`~minigrad_rnn.cells.LSTMRecurrence` for the equations.

    Names, shapes, order of the gates, defaults and initial distribution are PyTorch's, so a PyTorch ``state_dict``
    loads as it is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state; a list has those of each layer.
        num_layers: how many are stacked, each reading the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether inputs and outputs are ``(N, T, features)``; states never are.
        dropout: probability of dropping an output on its way to the next layer, in training.
        bidirectional: whether each layer has a second direction, from the end; the outputs of both stand side by side.
        proj_size: features that h is projected to; 0: no projection.
        device, dtype: of the parameters.
        options: of :class:`~minigrad_rnn.cells.LSTMRecurrence`, :class:`~minigrad_rnn.cells.Recurrence`,
            :class:`~minigrad_rnn.cells.Noise` and :class:`~minigrad_rnn.layers.Wiring`, by keyword.

    Shape:
        - input: ``(T, N, input_size)``: steps, batch, features; or ``(T, input_size)``.
        - state: ``(h, c)``, each ``(num_layers * directions, N, features)``; zeros when left out.
        - lengths: for each row its number of steps, 0 to T, in any order. Behind its end, the outputs of a row are
          zeros, and what the input holds there is not looked at; the last state is that of the row's last step.
        - output: ``(T, N, directions * features)``, and the last ``(h, c)`` of every layer and direction.

    >>> import minigrad as mg
    >>> lstm = LSTM(3, 5)
    >>> output, (h, c) = lstm(mg.zeros(7, 2, 3), lengths=[7, 4])
    >>> output.shape, h.shape, c.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))
    """

    kind = LSTMRecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype,
            options,
        )
