"""The minimal gated unit."""

from __future__ import annotations

from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from .before import h_before, told
from .cell import check_sizes, draw, parameter


class MGUCell(nn.Module):
    r"""One step of a minimal gated unit (Zhou, Wu, Zhang and Zhou 2016): a GRU whose two gates are one.

    .. math::
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + W_{hn} (f_t \odot h_{t-1}) + b_{hn}) \\
        h_t &= (1 - f_t) \odot h_{t-1} + f_t \odot n_t

    Mind the name: where the forget gate f is near 0 the state is kept, and near 1 it is replaced. It is the GRU with
    ``reset_after=False, update_gate="new"`` and the same weights for r and z.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: ``(2 * hidden_size, input_size)``; the blocks of rows are in the order f, n.
        weight_hh: ``(2 * hidden_size, hidden_size)``.
        bias_ih, bias_hh: ``(2 * hidden_size,)``, or ``None``.

    All are uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> MGUCell(3, 5)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    parts: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.weight_ih = parameter((2 * hidden_size, input_size), device, dtype)
        self.weight_hh = parameter((2 * hidden_size, hidden_size), device, dtype)
        self.bias_ih = parameter((2 * hidden_size,), device, dtype) if bias else None
        self.bias_hh = parameter((2 * hidden_size,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)

    def forward(self, input: mg.Tensor, hx: mg.Tensor | None = None) -> mg.Tensor:
        """The state after one step.

        Args:
            input: ``(N, input_size)`` or ``(input_size,)``.
            hx: the state before, ``(N, hidden_size)`` or ``(hidden_size,)``; zeros if left out.

        Raises:
            ShapeError: an input or a state of another shape.
        """
        h = h_before(self, input, hx)
        with mg.scope("input"):
            of_gate, of_candidate = mg.linear(input, self.weight_ih, self.bias_ih).chunk(2, -1)
        w_gate, w_candidate = self.weight_hh.chunk(2)
        b_gate, b_candidate = (None, None) if self.bias_hh is None else self.bias_hh.chunk(2)
        with mg.scope("forget_gate"):
            f = mg.sigmoid(of_gate + mg.linear(h, w_gate, b_gate))
        with mg.scope("candidate"):
            n = mg.tanh(of_candidate + mg.linear(f * h, w_candidate, b_candidate))
        return h + f * (n - h)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return told(self, bias=(self.bias, True))
