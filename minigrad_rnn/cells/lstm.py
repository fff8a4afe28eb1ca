"""The long short-term memory."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import minigrad as mg

from .cell import Cell
from .nonlinearity import NONLINEARITIES, check_clips, clipped, nonlinearity
from .norm import dropped, normalised, weighted
from .numbers import is_real
from .recurrence import Recurrence, State
from .weights import Shapes, Weights

LAYER_NORMS = (None, "ba", "torch")


@dataclasses.dataclass(frozen=True, repr=False)
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

    Args:
        nonlinearity: of the candidate g, by name: see :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        gate_nonlinearity: of the gates i, f and o; ``"hardsigmoid"`` is :math:`x/6 + 1/2` cut off at 0 and 1 (PyTorch,
            Keras 3), ``"hardsigmoid_onnx"`` is :math:`0.2 x + 1/2` (ONNX, Keras 2).
        output_nonlinearity: of the cell on its way out.
        peephole: the gates see the cell (Gers and Schmidhuber 2000): :math:`p_i \odot c_{t-1}` is added to the
            argument of i, :math:`p_f \odot c_{t-1}` to that of f and :math:`p_o \odot c_t` to that of o.
        coupled: there is no forget gate, :math:`f_t = 1 - i_t` (ONNX's ``input_forget``); the blocks are i, g, o.
        cell_clip: the cell is cut off at :math:`\pm` this, at every step (TensorFlow's ``cell_clip``).
        gate_clip: the arguments of i, f, g and o are cut off at :math:`\pm` this (ONNX's ``clip``).
        forget_bias: what ``bias_ih`` of the forget gate is at first, ``bias_hh`` being 0 there: a gate that begins
            open learns long lags sooner (Jozefowicz et al. 2015). ``None``: drawn like all others.
        layer_norm: ``"ba"`` (Ba, Kiros and Hinton 2016, eq. 20 to 22):
            :math:`\mathrm{LN}(W_i x_t) + \mathrm{LN}(W_h h_{t-1}) + b` in the gates and
            :math:`h_t = o_t \odot \tanh(\mathrm{LN}(c_t))`; or ``"torch"`` (PyTorch's benchmark of fast RNNs), where
            the normalised cell is also the one carried on, :math:`c_t = \mathrm{LN}(f_t \odot c_{t-1} + i_t \odot
            g_t)`.
    """

    nonlinearity: str = "tanh"
    gate_nonlinearity: str = "sigmoid"
    output_nonlinearity: str = "tanh"
    peephole: bool = False
    coupled: bool = False
    cell_clip: float | None = None
    gate_clip: float | None = None
    forget_bias: float | None = None
    layer_norm: str | None = None

    parts: ClassVar[tuple[str, ...]] = ("h", "c")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("nonlinearity", "gate_nonlinearity", "output_nonlinearity"):
            nonlinearity(getattr(self, name), "LSTM", name)
        check_clips("LSTM", cell_clip=self.cell_clip, gate_clip=self.gate_clip)
        if self.layer_norm not in LAYER_NORMS:
            raise mg.MinigradError(f'LSTM: layer_norm is None, "ba" or "torch", not {self.layer_norm!r}')
        if self.forget_bias is not None and not is_real(self.forget_bias):
            raise mg.MinigradError(f"LSTM: forget_bias is a number, or None, not {self.forget_bias!r}")
        if self.coupled and self.forget_bias is not None:
            raise mg.MinigradError("LSTM: coupled gates leave no forget gate for forget_bias to open")

    @property
    def gates(self) -> int:  # type: ignore[override]
        """Blocks of rows: i, f, g and o, or without f."""
        return 3 if self.coupled else 4

    @property
    def gate_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the blocks of rows, in order."""
        return ("input_gate", *([] if self.coupled else ["forget_gate"]), "candidate", "output_gate")

    def shapes(self, input_size: int, hidden_size: int, bias: bool, features: int) -> Shapes:
        """The parameters and their shapes."""
        if self.forget_bias is not None and not bias:
            raise mg.MinigradError("LSTM: forget_bias needs a bias; this one has bias=False")
        shapes = super().shapes(input_size, hidden_size, bias, features)
        rows = self.gates * hidden_size
        if features != hidden_size:
            shapes["weight_hr"] = (features, hidden_size)
        if self.peephole:
            shapes["weight_peephole"] = ((self.gates - 1) * hidden_size,)
        if self.layer_norm or self.batch_norm:
            shapes |= {"gain_ih": (rows,), "gain_hh": (rows,), "gain_cell": (hidden_size,)}
            shapes["bias_cell"] = (hidden_size,)
        return shapes

    def normalised_rows(self, hidden_size: int) -> dict[str, int]:
        """What is normalised over the batch, and the number of rows of each."""
        return {**super().normalised_rows(hidden_size), "cell": hidden_size}

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h, c)``."""
        h, c = state
        arguments = projected + weighted("hh", w, dropped(h, w), w.weight_hh, w.bias_hh, w.gain_hh)
        i, *f, g, o = arguments.chunk(self.gates, -1)
        see_i, *see_f, see_o = self._peepholes(w)
        i = self._gate("input_gate", i, see_i, c)
        f = self._rest(i) if self.coupled else self._gate("forget_gate", f[0], see_f[0], c)
        with mg.scope("candidate"):
            g = NONLINEARITIES[self.nonlinearity].function(clipped(g, self.gate_clip))
        with mg.scope("cell"):
            c = clipped(f * c + i * g, self.cell_clip)
            seen = c if w.gain_cell is None else normalised("cell", w, c, w.gain_cell, w.bias_cell)
            c = seen if self.layer_norm == "torch" else c
        o = self._gate("output_gate", o, see_o, c)
        h = o * NONLINEARITIES[self.output_nonlinearity].function(seen)
        if w.weight_hr is not None:
            with mg.scope("projection"):
                h = mg.linear(h, w.weight_hr)
        return h, c

    def _gate(self, name: str, argument: mg.Tensor, sees: mg.Tensor | None, c: mg.Tensor) -> Any:
        with mg.scope(name):
            argument = argument if sees is None else argument + sees * c
            return NONLINEARITIES[self.gate_nonlinearity].function(clipped(argument, self.gate_clip))

    @staticmethod
    def _rest(i: Any) -> Any:
        """The forget gate of coupled gates."""
        with mg.scope("forget_gate"):
            return 1 - i

    def _peepholes(self, w: Weights) -> tuple[Any, ...]:
        """What i, f and o see of the cell; the candidate sees nothing of it."""
        count = self.gates - 1
        return (None,) * count if w.weight_peephole is None else w.weight_peephole.chunk(count)


class LSTMCell(Cell):
    """One step of a long short-term memory; see :class:`LSTMRecurrence` for the equations and their options.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.
        options: of :class:`LSTMRecurrence`, :class:`~minigrad_rnn.cells.Recurrence` and
            :class:`~minigrad_rnn.cells.Noise`, by keyword.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(h, c)``, each ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> h, c = LSTMCell(3, 5, peephole=True)(mg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    kind = LSTMRecurrence
