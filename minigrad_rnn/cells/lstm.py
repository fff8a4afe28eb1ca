"""The long short-term memory."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from .cell import Cell
from .recurrence import Recurrence, State, Weights


class LSTMRecurrence(Recurrence):
    r"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000).

    With :math:`\sigma` the logistic sigmoid and :math:`\odot` the elementwise product:

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    The cell :math:`c_t` changes only by gated addition, which is what lets gradients live through many steps. The
    blocks of rows are in the order i, f, g, o. With a projection (Sak, Senior and Beaufays 2014) the state that is put
    out and fed back is :math:`W_{hr} h_t`.
    """

    gates = 4
    parts = ("h", "c")

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h, c)``."""
        h, c = state
        i, f, g, o = (projected + mg.linear(h, w.weight_hh, w.bias_hh)).chunk(4, -1)
        with mg.scope("input_gate"):
            i = i.sigmoid()
        with mg.scope("forget_gate"):
            f = f.sigmoid()
        with mg.scope("candidate"):
            g = g.tanh()
        with mg.scope("output_gate"):
            o = o.sigmoid()
        with mg.scope("cell"):
            c = f * c + i * g
        h = o * c.tanh()
        if w.weight_hr is not None:
            with mg.scope("projection"):
                h = mg.linear(h, w.weight_hr)
        return h, c


class LSTMCell(Cell):
    """One step of a long short-term memory; see :class:`LSTMRecurrence` for the equations.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(h, c)``, each ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> h, c = LSTMCell(3, 5)(mg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(LSTMRecurrence(), input_size, hidden_size, bias, device, dtype)

    def forward(
        self, input: mg.Tensor, hx: tuple[mg.Tensor, mg.Tensor] | None = None
    ) -> tuple[mg.Tensor, mg.Tensor]:
        """The state ``(h, c)`` after ``input``."""
        h, c = self._step(input, hx)
        return h, c
