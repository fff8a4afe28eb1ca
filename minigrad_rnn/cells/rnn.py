"""The simple recurrent network."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import minigrad as mg

from .cell import Cell
from .nonlinearity import NONLINEARITIES, check_clips, clipped, nonlinearity
from .norm import dropped, normalised, weighted
from .recurrence import Recurrence, State
from .weights import Shapes, Weights


@dataclasses.dataclass(frozen=True, repr=False)
class RNNRecurrence(Recurrence):
    r"""Simple recurrent network (Elman 1990).

    .. math::
        h_t = \phi(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Args:
        nonlinearity: :math:`\phi`: ``"tanh"``, ``"relu"`` or another of
            :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        gate_clip: the argument of :math:`\phi` is cut off at :math:`\pm` this (ONNX's ``clip``).
        layer_norm: ``"ba"``: :math:`h_t = \phi(\mathrm{LN}(W_{ih} x_t + W_{hh} h_{t-1}) + b)` (Ba, Kiros and Hinton
            2016, eq. 4).
    """

    nonlinearity: str = "tanh"
    gate_clip: float | None = None
    layer_norm: str | None = None

    gates: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        nonlinearity(self.nonlinearity, "RNN", "nonlinearity")
        check_clips("RNN", gate_clip=self.gate_clip)
        if self.layer_norm not in (None, "ba"):
            raise mg.MinigradError(f'RNN: layer_norm is None or "ba", not {self.layer_norm!r}')

    def shapes(self, input_size: int, hidden_size: int, bias: bool, features: int) -> Shapes:
        """The parameters and their shapes."""
        shapes = super().shapes(input_size, hidden_size, bias, features)
        if self.batch_norm:
            shapes["gain_ih"] = (hidden_size,)
        if self.layer_norm or self.batch_norm:
            shapes["gain_hh"] = (hidden_size,)
        return shapes

    def project(self, x: mg.Tensor, w: Weights) -> mg.Tensor:
        """What the inputs contribute; the bias waits for the sum to be normalised, if it is."""
        return super().project(x, w._replace(bias_ih=None) if self.layer_norm else w)

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h,)``."""
        h = dropped(state[0], w)
        if self.layer_norm:
            biases = [bias for bias in (w.bias_ih, w.bias_hh) if bias is not None]
            bias = biases[0] + biases[1] if len(biases) == 2 else biases[0] if biases else None
            argument = normalised("hh", w, projected + mg.linear(h, w.weight_hh), w.gain_hh, bias)
        else:
            argument = projected + weighted("hh", w, h, w.weight_hh, w.bias_hh, w.gain_hh)
        return (NONLINEARITIES[self.nonlinearity].function(clipped(argument, self.gate_clip)),)


class RNNCell(Cell):
    """One step of a simple recurrent network; see :class:`RNNRecurrence` for the equation and its options.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        nonlinearity: ``"tanh"``, ``"relu"`` or another of :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        device, dtype: of the parameters.
        options: of :class:`RNNRecurrence`, :class:`~minigrad_rnn.cells.Recurrence` and
            :class:`~minigrad_rnn.cells.Noise`, by keyword.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> RNNCell(3, 5)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    kind = RNNRecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype, nonlinearity=nonlinearity, **options)
