"""The independently recurrent network."""

from __future__ import annotations

from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from .before import h_before, told
from .cell import check_sizes, draw, parameter
from .nonlinearity import NONLINEARITIES, nonlinearity as known


class IndRNNCell(nn.Module):
    r"""One step of an independently recurrent network (Li, Li, Cook, Zhu and Gao 2018).

    .. math::
        h_t = \phi(W x_t + u \odot h_{t-1} + b)

    Every unit sees its own past only: u is a vector, not a matrix. So the gradient across T steps is, unit by unit,
    :math:`u^T` times slopes of :math:`\phi`, and a bound on u bounds it; see :meth:`constrain`. Units meet in the next
    layer.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there is a bias.
        nonlinearity: :math:`\phi`: ``"relu"``, ``"tanh"`` or another of
            :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        recurrent_range: bounds of the uniform numbers that u is drawn from. From 0 to 1, as the authors advise for
            ReLU, there are units of short memory and of long; for a last layer of which only the last output is used
            they advise numbers near 1, such as ``(0.99, 1.01)``.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(hidden_size, input_size)``.
        weight_hh: u, ``(hidden_size,)``.
        bias_ih: b, ``(hidden_size,)``, or ``None``.

    W and b are uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> cell = IndRNNCell(3, 5)
    >>> cell(mg.zeros(2, 3)).shape, cell.weight_hh.shape
    ((2, 5), (5,))
    """

    parts: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "relu",
        *,
        recurrent_range: tuple[float, float] = (0.0, 1.0),
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        known(nonlinearity, type(self).__name__, "nonlinearity")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.nonlinearity, self.recurrent_range = nonlinearity, recurrent_range
        self.weight_ih = parameter((hidden_size, input_size), device, dtype)
        self.weight_hh = parameter((hidden_size,), device, dtype)
        self.bias_ih = parameter((hidden_size,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)
        nn.init.uniform_(self.weight_hh, *self.recurrent_range)

    def constrain(self, steps: int, growth: float = 2.0) -> None:
        r"""Cut u off at :math:`\pm \text{growth}^{1/\text{steps}}`.

        Across that many steps a gradient then grows by that factor at most, if the slope of :math:`\phi` is at most 1.
        To be called after every step of the optimizer.

        >>> cell = IndRNNCell(3, 5, recurrent_range=(2.0, 3.0))
        >>> cell.constrain(steps=1)
        >>> cell.weight_hh.tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
        """
        if steps < 1 or growth <= 0:
            name = f"{type(self).__name__}.constrain"
            raise mg.MinigradError(f"{name}: steps must be at least 1 and growth above 0, not {steps} and {growth}")
        bound = float(growth) ** (1 / steps)
        self.weight_hh.data = mg.clamp(self.weight_hh.detach(), -bound, bound).data

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
            projected = mg.linear(input, self.weight_ih, self.bias_ih)
        after: mg.Tensor = NONLINEARITIES[self.nonlinearity].function(projected + self.weight_hh * h)
        return after

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return told(
            self,
            bias=(self.bias, True),
            nonlinearity=(self.nonlinearity, "relu"),
            recurrent_range=(self.recurrent_range, (0.0, 1.0)),
        )
