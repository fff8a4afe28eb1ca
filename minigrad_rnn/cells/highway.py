"""The recurrent highway network."""

from __future__ import annotations

from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from .before import h_before, told
from .cell import check_sizes, draw, parameter


class RHNCell(nn.Module):
    r"""One step of a recurrent highway network (Zilly, Srivastava, Koutnik and Schmidhuber 2017, eq. 6 to 9).

    A step is ``depth`` micro-layers, with :math:`s_0 = h_{t-1}`, :math:`h_t = s_\text{depth}` and, for
    :math:`l = 1, \dots, \text{depth}`,

    .. math::
        a_l &= \tanh(W_a x_t [l = 1] + R_{a,l} s_{l-1} + b_{a,l}) \\
        g_l &= \sigma(W_g x_t [l = 1] + R_{g,l} s_{l-1} + b_{g,l}) \\
        c_l &= \sigma(W_c x_t [l = 1] + R_{c,l} s_{l-1} + b_{c,l}) \\
        s_l &= a_l \odot g_l + s_{l-1} \odot c_l

    So the input enters the first micro-layer only. g is the transform gate; the carry gate c is :math:`1 - g` unless
    ``coupled=False``. Where the transform gate is shut a micro-layer is the identity, for states and for gradients.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        depth: how many micro-layers a step has.
        bias: whether there are biases; without them the gates are half open at first.
        coupled: whether :math:`c = 1 - g`.
        transform_bias: what :math:`b_g` is at first. Below 0 the transform gates are nearly shut and the state is
            mostly carried on, which lets deep steps learn (the authors' programs use -2 and -4). A carry gate of its
            own begins with the opposite.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(2 * hidden_size, input_size)``; the blocks of rows are in the order a, g, or a, g, c.
        weight_hh: R, a list of ``depth`` parameters ``(2 * hidden_size, hidden_size)``, with the same blocks.
        bias_hh: b, a list of ``depth`` parameters ``(2 * hidden_size,)``; empty without biases.

    The rest is uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> RHNCell(3, 5, depth=4)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    parts: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        depth: int = 3,
        bias: bool = True,
        *,
        coupled: bool = True,
        transform_bias: float = -2.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size, depth=depth)
        self.input_size, self.hidden_size, self.depth, self.bias = input_size, hidden_size, depth, bias
        self.coupled, self.transform_bias = coupled, transform_bias
        rows = (2 if coupled else 3) * hidden_size
        self.weight_ih = parameter((rows, input_size), device, dtype)
        self.weight_hh = [parameter((rows, hidden_size), device, dtype) for _ in range(depth)]
        self.bias_hh = [parameter((rows,), device, dtype) for _ in range(depth)] if bias else []
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)
        size = self.hidden_size
        for bias in self.bias_hh:
            gates = bias.detach().at[size : 2 * size].set(self.transform_bias)
            bias.data = (gates if self.coupled else gates.at[2 * size :].set(-self.transform_bias)).data

    def forward(self, input: mg.Tensor, hx: mg.Tensor | None = None) -> mg.Tensor:
        """The state after one step.

        Args:
            input: ``(N, input_size)`` or ``(input_size,)``.
            hx: the state before, ``(N, hidden_size)`` or ``(hidden_size,)``; zeros if left out.

        Raises:
            ShapeError: an input or a state of another shape.
        """
        s = h_before(self, input, hx)
        with mg.scope("input"):
            projected = mg.linear(input, self.weight_ih)
        for layer, weight in enumerate(self.weight_hh):
            with mg.scope(f"micro_layer{layer}"):
                arguments = mg.linear(s, weight, self.bias_hh[layer] if self.bias else None)
                s = self._micro_layer(arguments + projected if layer == 0 else arguments, s)
        return s

    def _micro_layer(self, arguments: mg.Tensor, s: mg.Tensor) -> mg.Tensor:
        a, g, *c = arguments.chunk(2 if self.coupled else 3, -1)
        with mg.scope("candidate"):
            a = mg.tanh(a)
        with mg.scope("transform_gate"):
            g = mg.sigmoid(g)
        if self.coupled:
            return s + g * (a - s)
        with mg.scope("carry_gate"):
            carry = mg.sigmoid(c[0])
        return a * g + s * carry

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return told(
            self,
            depth=(self.depth, None),
            bias=(self.bias, True),
            coupled=(self.coupled, True),
            transform_bias=(self.transform_bias, -2.0),
        )
