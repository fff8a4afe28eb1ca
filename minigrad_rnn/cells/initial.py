r"""How the parameters of a cell are drawn.

- ``"torch"``: everything uniform within :math:`\pm 1/\sqrt{H}`, H being the hidden size. The default.
- ``"keras"``: input weights uniform within :math:`\pm\sqrt{6/(I + GH)}` (Glorot and Bengio 2010) for G gates, recurrent
  weights orthogonal, each gate on its own (Saxe et al. 2014), biases 0, but 1 for the forget gate of an LSTM.
- ``"identity"``: recurrent weights the identity, biases 0, input weights normal with standard deviation 0.001. With
  ``nonlinearity="relu"`` that is the IRNN (Le, Jaitly and Hinton 2015).

Gains of normalisation are 1, those of batch normalisation 0.1 (Cooijmans et al. 2017), its shifts and that of layer
normalisation of the cell 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import minigrad as mg
from minigrad import nn

from .weights import Weights

if TYPE_CHECKING:
    from .recurrence import Recurrence


def initialise(recurrence: Recurrence, w: Weights, hidden_size: int) -> None:
    """Draw the parameters of one layer in one direction."""
    _DRAW[recurrence.init](recurrence, w, hidden_size)
    for gain in (w.gain_ih, w.gain_hh, w.gain_cell):
        if gain is not None:
            nn.init.constant_(gain, 0.1 if recurrence.batch_norm else 1.0)
    if w.bias_cell is not None:
        nn.init.zeros_(w.bias_cell)
    if w.statistics is not None:
        w.statistics.reset()
    forget_bias = getattr(recurrence, "forget_bias", None)
    if forget_bias is not None:
        _open_forget_gate(w, hidden_size, forget_bias)


def _torch(recurrence: Recurrence, w: Weights, hidden_size: int) -> None:  # noqa: ARG001
    bound = 1 / math.sqrt(hidden_size)
    for weight in w:
        if isinstance(weight, nn.Parameter):
            nn.init.uniform_(weight, -bound, bound)


def _keras(recurrence: Recurrence, w: Weights, hidden_size: int) -> None:
    _torch(recurrence, w, hidden_size)
    rows, inputs = w.weight_ih.shape
    bound = math.sqrt(6 / (rows + inputs))
    nn.init.uniform_(w.weight_ih, -bound, bound)
    _each_gate(w.weight_hh, recurrence.gates, nn.init.orthogonal_)
    _no_biases(w)
    if w.bias_ih is not None and getattr(recurrence, "forget_bias", 0.0) is None and recurrence.gates == 4:
        _open_forget_gate(w, hidden_size, 1.0)


def _identity(recurrence: Recurrence, w: Weights, hidden_size: int) -> None:
    _torch(recurrence, w, hidden_size)
    nn.init.normal_(w.weight_ih, std=0.001)
    _each_gate(w.weight_hh, recurrence.gates, nn.init.eye_)
    _no_biases(w)


_DRAW: dict[str, Callable[[Recurrence, Weights, int], None]] = {
    "torch": _torch,
    "keras": _keras,
    "identity": _identity,
}


def check_init(caller: str, init: str) -> None:
    """Refuse an unknown name."""
    if not isinstance(init, str) or init not in _DRAW:
        raise mg.MinigradError(f"{caller}: init is one of {', '.join(map(repr, _DRAW))}, not {init!r}")


def _each_gate(weight: nn.Parameter, gates: int, fill: Callable[[mg.Tensor], mg.Tensor]) -> None:
    with mg.no_grad():
        weight.data = mg.concat([fill(block.clone()) for block in weight.detach().chunk(gates)]).data


def _no_biases(w: Weights) -> None:
    for bias in (w.bias_ih, w.bias_hh):
        if bias is not None:
            nn.init.zeros_(bias)


def _open_forget_gate(w: Weights, hidden_size: int, value: float) -> None:
    """The bias of an LSTM's forget gate; there are two, and one of them is 0, so that it counts once."""
    if w.bias_ih is None:
        raise mg.MinigradError("LSTM: forget_bias needs a bias; this one has bias=False")
    forget = slice(hidden_size, 2 * hidden_size)
    for bias, number in ((w.bias_ih, value), (w.bias_hh, 0.0)):
        with mg.no_grad():
            bias.data = bias.detach().at[forget].set(number).data
