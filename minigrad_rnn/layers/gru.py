"""The GRU layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..cells import GRURecurrence
from .base import RecurrentBase


class GRU(RecurrentBase):
    """Gated recurrent unit over sequences; see :class:`~minigrad_rnn.cells.GRURecurrence` for its conventions.

    Names, shapes, order of the gates, defaults and initial distribution are PyTorch's, so a PyTorch ``state_dict``
    loads as it is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state; a list has those of each layer.
        num_layers: how many are stacked, each reading the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether inputs and outputs are ``(N, T, features)``; the state never is.
        dropout: probability of dropping an output on its way to the next layer, in training.
        bidirectional: whether each layer has a second direction, from the end; the outputs of both stand side by side.
        device, dtype: of the parameters.
        reset_after: whether the reset gate acts after the product with the recurrent weights.
        update_gate: what the update gate says: how much to ``"keep"``, or how much ``"new"`` to take. Weights of the
            one are made those of the other by :func:`~minigrad_rnn.convert.flip_update_gate`.
        options: of :class:`~minigrad_rnn.cells.GRURecurrence`, :class:`~minigrad_rnn.cells.Recurrence`,
            :class:`~minigrad_rnn.cells.Noise` and :class:`~minigrad_rnn.layers.Wiring`, by keyword.

    Shape:
        As for :class:`~minigrad_rnn.LSTM`; the state is h alone.

    >>> import minigrad as mg
    >>> output, h = GRU(3, 5, bidirectional=True)(mg.zeros(7, 2, 3))
    >>> output.shape, h.shape
    ((7, 2, 10), (2, 2, 5))
    """

    kind = GRURecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype,
            options,
        )
