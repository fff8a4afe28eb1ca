"""The RNN layer."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from ..cells.recurrence import State, Weights
from ..cells.rnn import RNNRecurrence
from ..cells.unroll import Lengths
from ..kernels import rnn_sequence
from .base import RecurrentBase


class RNN(RecurrentBase):
    """Simple recurrent network over sequences; see :class:`~minigrad_rnn.cells.RNNRecurrence` for the equation.

    Names, shapes, defaults and initial distribution are PyTorch's, so a PyTorch ``state_dict`` loads as it is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        num_layers: how many are stacked, each reading the outputs of the one below.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether there are biases.
        batch_first: whether inputs and outputs are ``(N, T, features)``; the state never is.
        dropout: probability of dropping an output on its way to the next layer, in training.
        bidirectional: whether each layer has a second direction, from the end; the outputs of both stand side by side.
        device, dtype: of the parameters.

    Shape:
        As for :class:`~minigrad_rnn.LSTM`; the state is h alone.

    >>> import minigrad as mg
    >>> output, h = RNN(3, 5, num_layers=2)(mg.zeros(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 5), (2, 2, 5))
    """

    recurrence: RNNRecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            RNNRecurrence(nonlinearity), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            0, device, dtype,
        )

    def forward(
        self, input: mg.Tensor, hx: mg.Tensor | None = None, *, lengths: Any = None
    ) -> tuple[mg.Tensor, mg.Tensor]:
        """Run over sequences. See the class for shapes."""
        output, (h,) = self._run(input, None if hx is None else (hx,), lengths)
        return output, h

    def _fused(
        self, x: mg.Tensor, state: State, w: Weights, reverse: bool, lengths: Lengths | None
    ) -> tuple[mg.Tensor, ...]:
        return tuple(rnn_sequence(x, state[0], *w[:4], self.recurrence.nonlinearity, reverse, lengths)[:2])
