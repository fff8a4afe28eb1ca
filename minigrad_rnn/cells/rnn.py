"""The simple recurrent network."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from .cell import Cell
from .recurrence import Recurrence, State, Weights

NONLINEARITIES = {"tanh": mg.tanh, "relu": mg.relu}


class RNNRecurrence(Recurrence):
    r"""Simple recurrent network (Elman 1990).

    .. math::
        h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Args:
        nonlinearity: :math:`\phi`: ``"tanh"`` or ``"relu"``.
    """

    gates = 1

    def __init__(self, nonlinearity: str = "tanh") -> None:
        if nonlinearity not in NONLINEARITIES:
            raise mg.MinigradError(f'RNN: nonlinearity is "tanh" or "relu", not {nonlinearity!r}')
        self.nonlinearity = nonlinearity

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h,)``."""
        (h,) = state
        return (NONLINEARITIES[self.nonlinearity](projected + mg.linear(h, w.weight_hh, w.bias_hh)),)


class RNNCell(Cell):
    """One step of a simple recurrent network; see :class:`RNNRecurrence` for the equation.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device, dtype: of the parameters.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> RNNCell(3, 5)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(RNNRecurrence(nonlinearity), input_size, hidden_size, bias, device, dtype)

    def forward(self, input: mg.Tensor, hx: mg.Tensor | None = None) -> mg.Tensor:
        """The state after ``input``."""
        return self._step(input, None if hx is None else (hx,))[0]
