"""The gated recurrent unit, in its four conventions."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from .cell import Cell
from .recurrence import Recurrence, State, Weights

UPDATE_GATES = ("keep", "new")


class GRURecurrence(Recurrence):
    r"""Gated recurrent unit (Cho et al. 2014).

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The blocks of rows are in the order r, z, n. Two things are done differently from one text to the next:

    - where the reset gate acts: as above (``reset_after=True``: PyTorch, cuDNN), or on the state before the product,
      :math:`n_t = \tanh(W_{in} x_t + b_{in} + W_{hn} (r_t \odot h_{t-1}) + b_{hn})` (``reset_after=False``: the paper).
      Weights cannot be converted from one to the other.
    - what the update gate says: how much to keep of the old state, as above (``update_gate="keep"``), or how much to
      take of the new, :math:`h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t` (``update_gate="new"``). Since
      :math:`1 - \sigma(a) = \sigma(-a)`, negating the rows of z turns one into the other.

    Args:
        reset_after: whether the reset gate acts after the product.
        update_gate: ``"keep"`` or ``"new"``.
    """

    gates = 3

    def __init__(self, reset_after: bool = True, update_gate: str = "keep") -> None:
        if update_gate not in UPDATE_GATES:
            raise mg.MinigradError(f'GRU: update_gate is "keep" or "new", not {update_gate!r}')
        self.reset_after, self.update_gate = bool(reset_after), update_gate

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h,)``."""
        (h,) = state
        size = projected.shape[-1] // 3
        gates, candidate = projected[..., : 2 * size], projected[..., 2 * size :]
        if self.reset_after:
            recurrent = mg.linear(h, w.weight_hh, w.bias_hh)
            gates = gates + recurrent[..., : 2 * size]
        else:
            biases = (None, None) if w.bias_hh is None else (w.bias_hh[: 2 * size], w.bias_hh[2 * size :])
            gates = gates + mg.linear(h, w.weight_hh[: 2 * size], biases[0])
        r, z = gates.chunk(2, -1)
        with mg.scope("reset_gate"):
            r = r.sigmoid()
        with mg.scope("update_gate"):
            z = z.sigmoid()
        with mg.scope("candidate"):
            if self.reset_after:
                n = (candidate + r * recurrent[..., 2 * size :]).tanh()
            else:
                n = (candidate + mg.linear(r * h, w.weight_hh[2 * size :], biases[1])).tanh()
        return (n + z * (h - n) if self.update_gate == "keep" else h + z * (n - h),)


class GRUCell(Cell):
    """One step of a gated recurrent unit; see :class:`GRURecurrence` for the equations and conventions.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.
        reset_after: whether the reset gate acts after the product with the recurrent weights.
        update_gate: what the update gate says: how much to ``"keep"``, or how much ``"new"`` to take.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> GRUCell(3, 5)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
        update_gate: str = "keep",
    ) -> None:
        super().__init__(GRURecurrence(reset_after, update_gate), input_size, hidden_size, bias, device, dtype)

    def forward(self, input: mg.Tensor, hx: mg.Tensor | None = None) -> mg.Tensor:
        """The state after ``input``."""
        return self._step(input, None if hx is None else (hx,))[0]
