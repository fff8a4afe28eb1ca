"""A recurrent network whose blocks are deep."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from .before import h_before, told
from .cell import check_sizes, parameter
from .nonlinearity import NONLINEARITIES, nonlinearity as known

PLACES = ("first", "last")


class DeepTransitionCell(nn.Module):
    r"""One step of a simple recurrent network with a multi-layer perceptron in each of its three blocks.

    With a perceptron between the input and the state, P, one between the states, Q, and one between the state and the
    output, O, each a chain of layers :math:`a \mapsto \phi(A a + b)`, and the identity if it has no layers:

    .. math::
        h_t &= \phi(W_{hh} Q(h_{t-1}, x_t) + b_{hh} + S h_{t-1}) \\
        y_t &= O(h_t)

    where :math:`W_{ih} P(x_t) + b_{ih}` is added to the argument of the first layer of Q. These are the networks of
    Pascanu, Gulcehre, Cho and Bengio 2014: DT-RNN (layers in Q), DO-RNN (in O), DOT-RNN (in both), and with the
    shortcut S DT(S)-RNN and DOT(S)-RNN (the authors' program leads S into every layer of Q but the first as well, which
    differs where Q has two or more). With ``input_to="last"`` the input is added to the argument of :math:`h_t`
    instead, so that the three blocks stand side by side (Goodfellow, Bengio and Courville 2016, figure 10.13 b, with
    the shortcut c). Without any layers both are the simple recurrent network, with its parameters' names.

    Depth makes the way from one state to the next longer, and gradients vanish sooner; the shortcut is a way of length
    1 around it.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        input_layers, transition_layers, output_layers: sizes of the layers of P, Q and O.
        shortcut: whether there is an S.
        input_to: where the input joins: ``"first"`` or ``"last"``. No matter without layers in Q.
        nonlinearity: :math:`\phi`: ``"tanh"``, ``"relu"`` or another of
            :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        device, dtype: of the parameters.

    Attributes:
        weight_ih, bias_ih: ``(rows, last size of P)`` and ``(rows,)``, with the rows of the layer that the input joins.
        weight_hh, bias_hh: ``(hidden_size, last size of Q)`` and ``(hidden_size,)``.
        weight_shortcut: S, ``(hidden_size, hidden_size)``, or ``None``.
        input_layers, transition_layers, output_layers: lists of :class:`~minigrad.nn.Linear`.
        output_size: features of an output.

    The parameters that are not in those lists are uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> cell = DeepTransitionCell(3, 5, transition_layers=(8, 8), output_layers=(4,), shortcut=True)
    >>> h = cell(mg.zeros(2, 3))
    >>> h.shape, cell.output(h).shape
    ((2, 5), (2, 4))
    """

    parts: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        input_layers: Sequence[int] = (),
        transition_layers: Sequence[int] = (),
        output_layers: Sequence[int] = (),
        shortcut: bool = False,
        input_to: str = "first",
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        layers = {"input": input_layers, "transition": transition_layers, "output": output_layers}
        for name, sizes in layers.items():
            if not isinstance(sizes, (tuple, list)):
                raise mg.ShapeError(
                    f"{type(self).__name__}: {name}_layers are the sizes of layers, such as (8, 8), not {sizes!r}"
                )
            check_sizes(self, **{f"{name}_layers[{i}]": size for i, size in enumerate(sizes)})
        inward, across = (input_size, *input_layers), (hidden_size, *transition_layers)
        outward = (hidden_size, *output_layers)
        known(nonlinearity, type(self).__name__, "nonlinearity")
        if input_to not in PLACES:
            raise mg.MinigradError(f'{type(self).__name__}: input_to is "first" or "last", not {input_to!r}')
        self.input_size, self.hidden_size, self.output_size, self.bias = input_size, hidden_size, outward[-1], bias
        self.nonlinearity, self.input_to = nonlinearity, input_to
        self.input_layers, self.transition_layers, self.output_layers = [
            _chain(sizes, bias, device, dtype) for sizes in (inward, across, outward)
        ]
        rows = (*transition_layers, hidden_size)[0 if input_to == "first" else -1]
        self.weight_ih = parameter((rows, inward[-1]), device, dtype)
        self.weight_hh = parameter((hidden_size, across[-1]), device, dtype)
        self.bias_ih = parameter((rows,), device, dtype) if bias else None
        self.bias_hh = parameter((hidden_size,), device, dtype) if bias else None
        self.weight_shortcut = parameter((hidden_size, hidden_size), device, dtype) if shortcut else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = self.hidden_size**-0.5
        for weight in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, self.weight_shortcut):
            if weight is not None:
                nn.init.uniform_(weight, -bound, bound)
        for layer in (*self.input_layers, *self.transition_layers, *self.output_layers):
            layer.reset_parameters()

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
            projected = mg.linear(self._through(self.input_layers, input), self.weight_ih, self.bias_ih)
        with mg.scope("transition"):
            if self.transition_layers and self.input_to == "first":
                first, *others = self.transition_layers
                deep = self._through(others, self._activation(first(h) + projected))
                argument = mg.linear(deep, self.weight_hh, self.bias_hh)
            else:
                deep = self._through(self.transition_layers, h)
                argument = projected + mg.linear(deep, self.weight_hh, self.bias_hh)
        if self.weight_shortcut is not None:
            with mg.scope("shortcut"):
                argument = argument + mg.linear(h, self.weight_shortcut)
        return self._activation(argument)

    def output(self, state: mg.Tensor) -> mg.Tensor:
        """What a layer puts out in a state: O of it, ``(..., hidden_size)`` to ``(..., output_size)``."""
        with mg.scope("output"):
            return self._through(self.output_layers, state)

    def _activation(self, argument: mg.Tensor) -> mg.Tensor:
        after: mg.Tensor = NONLINEARITIES[self.nonlinearity].function(argument)
        return after

    def _through(self, layers: list[nn.Linear], a: mg.Tensor) -> mg.Tensor:
        for layer in layers:
            a = self._activation(layer(a))
        return a

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return told(
            self,
            bias=(self.bias, True),
            shortcut=(self.weight_shortcut is not None, False),
            input_to=(self.input_to, "first"),
            nonlinearity=(self.nonlinearity, "tanh"),
        )


def _chain(sizes: tuple[int, ...], bias: bool, device: Any, dtype: Any) -> list[nn.Linear]:
    """Layers from each of the sizes to the next."""
    return [nn.Linear(before, after, bias, device, dtype) for before, after in itertools.pairwise(sizes)]
