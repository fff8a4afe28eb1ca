"""The recurrent networks that the experiments compare. Not a script: the others import it."""

import minigrad as mg
from minigrad import nn
from minigrad_rnn import GRU, LSTM, RNN


def recurrent(name: str, input_size: int, hidden_size: int, longest: int = 0) -> nn.Module:
    """A layer by name: "RNN" (tanh), "IRNN" (ReLU, from the identity), "GRU" or "LSTM" (forget bias 1).

    "GRU, chrono" and "LSTM, chrono" start with gates that keep the state for up to ``longest`` steps.
    """
    kind, *start = name.split(", ")
    if kind == "IRNN":
        return identity_rnn(input_size, hidden_size)
    options = {"forget_bias": 1.0} if kind == "LSTM" else {}
    layer = {"RNN": RNN, "GRU": GRU, "LSTM": LSTM}[kind](input_size, hidden_size, **options)
    return chrono(layer, longest) if start else layer


def identity_rnn(input_size: int, hidden_size: int, input_std: float = 0.1) -> RNN:
    """h' = relu(W x + U h + b) with U = I, b = 0 and a small W: at first the state stays what it was.

    Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015. There the
    standard deviation of W is 0.001; the adding problem is then learned too, but in five times as many updates.
    """
    layer = RNN(input_size, hidden_size, nonlinearity="relu")
    nn.init.normal_(layer.weight_ih_l0, std=input_std)
    nn.init.eye_(layer.weight_hh_l0)
    nn.init.zeros_(layer.bias_ih_l0)
    nn.init.zeros_(layer.bias_hh_l0)
    return layer


def chrono(layer: LSTM | GRU, longest: int) -> LSTM | GRU:
    """Gates that start with memories of 1 to ``longest`` steps: b = log u for u uniform from 1 to longest - 1.

    A gate at sigmoid(b) keeps u / (1 + u) of the state at each step, hence a 1/e of it for about u steps. An LSTM's
    input gate gets -b. Tallec and Ollivier, "Can recurrent neural networks warp time?", 2018.
    """
    bias = mg.log(1 + mg.rand(layer.hidden_size) * max(0, longest - 2))
    set_gate_bias(layer, gate=1, bias=bias)  # an LSTM's gates stand as input, forget, cell, output; a GRU's as r, z, n
    if isinstance(layer, LSTM):
        set_gate_bias(layer, gate=0, bias=-bias)
    return layer


def set_gate_bias(layer: LSTM | GRU, gate: int, bias: mg.Tensor) -> None:
    """The bias of one gate. There are two in each layer, which add up: the other becomes 0."""
    rows = slice(gate * layer.hidden_size, (gate + 1) * layer.hidden_size)
    layer.bias_ih_l0.data[rows] = bias.data
    layer.bias_hh_l0.data[rows] = 0


class LastReader(nn.Module):
    """A recurrent layer over the whole sequence, and a linear layer that reads its last output."""

    def __init__(self, layer: nn.Module, output_size: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size, output_size)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        outputs, _ = self.layer(x)
        return self.head(outputs[-1])
