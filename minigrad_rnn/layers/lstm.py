"""The long short-term memory, written with the engine's own ops."""

from __future__ import annotations

import math

import minigrad as mg
from minigrad import nn

State = tuple[mg.Tensor, mg.Tensor]


class LSTM(nn.Module):
    r"""Long short-term memory over a sequence, one or more layers deep.

    For each step :math:`t`, with :math:`\sigma` the logistic sigmoid and :math:`\odot` the elementwise product:

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000.) The four gates are stacked in
    the rows of the weights in the order i, f, g, o, and names, shapes, defaults and initial distribution are
    PyTorch's, so a PyTorch ``state_dict`` loads as it is.

    Every op is recorded under a scope such as ``lstm.layer0/t=3/forget_gate``, which drawings, error messages and
    gradient-flow tables use.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        num_layers: how many LSTMs are stacked, each reading the states of the one below.

    Shape:
        - input: ``(T, N, input_size)``: steps, batch, features.
        - state: ``(h, c)``, each ``(num_layers, N, hidden_size)``; zeros when left out.
        - output: ``(T, N, hidden_size)``, the states of the top layer, and the last ``(h, c)`` of every layer.

    >>> import minigrad as mg
    >>> lstm = LSTM(3, 5)
    >>> output, (h, c) = lstm(mg.zeros(7, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 2, 5), (1, 2, 5), (1, 2, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise mg.ShapeError(f"LSTM: {name} must be at least 1, not {size}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        bound = 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            features = input_size if layer == 0 else hidden_size
            shapes = {
                "weight_ih": (4 * hidden_size, features),
                "weight_hh": (4 * hidden_size, hidden_size),
                "bias_ih": (4 * hidden_size,),
                "bias_hh": (4 * hidden_size,),
            }
            for name, shape in shapes.items():
                weight = nn.init.uniform_(nn.Parameter(mg.zeros(shape)), -bound, bound)
                setattr(self, f"{name}_l{layer}", weight)

    def extra_repr(self) -> str:
        """The sizes, for ``repr``."""
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"

    def forward(self, x: mg.Tensor, state: State | None = None) -> tuple[mg.Tensor, State]:
        """Run over a sequence. See the class for shapes."""
        if x.ndim != 3 or x.shape[2] != self.input_size:
            raise mg.ShapeError(
                f"LSTM: the input must have shape (steps, batch, {self.input_size}), not {x.shape}\n"
                "  hint: x.unsqueeze(1) makes a batch of one sequence"
            )
        steps, batch = x.shape[:2]
        if state is None:
            zeros = mg.zeros(self.num_layers, batch, self.hidden_size, dtype=x.dtype, device=x.device)
            state = (zeros, zeros)
        last_h, last_c = [], []
        for layer in range(self.num_layers):
            with mg.scope(f"layer{layer}"):
                h, c = state[0][layer], state[1][layer]
                outputs, h, c = self._layer(layer, x, h, c)
                x = mg.stack(outputs) if steps else mg.zeros(0, batch, self.hidden_size, dtype=x.dtype, device=x.device)
            last_h.append(h)
            last_c.append(c)
        return x, (mg.stack(last_h), mg.stack(last_c))

    def _layer(
        self, layer: int, x: mg.Tensor, h: mg.Tensor, c: mg.Tensor
    ) -> tuple[list[mg.Tensor], mg.Tensor, mg.Tensor]:
        bias = getattr(self, f"bias_ih_l{layer}") + getattr(self, f"bias_hh_l{layer}")
        weight_hh = getattr(self, f"weight_hh_l{layer}").T
        # what the inputs contribute does not depend on the state: all steps in one product
        projected = mg.linear(x, getattr(self, f"weight_ih_l{layer}"), bias)
        outputs = []
        for t, x_t in enumerate(projected.unbind()):
            with mg.scope(step=t):
                h, c = _step(x_t + h @ weight_hh, c)
            outputs.append(h)
        return outputs, h, c


def _step(gates: mg.Tensor, c: mg.Tensor) -> State:
    """One step from the summed gate arguments ``(N, 4 hidden_size)``: the new ``(h, c)``."""
    i, f, g, o = gates.chunk(4, -1)
    with mg.scope("input_gate"):
        i = i.sigmoid()
    with mg.scope("forget_gate"):
        f = f.sigmoid()
    with mg.scope("candidate"):
        g = g.tanh()
    with mg.scope("output_gate"):
        o = o.sigmoid()
    c = f * c + i * g
    return o * c.tanh(), c
