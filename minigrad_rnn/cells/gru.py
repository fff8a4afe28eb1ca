"""The gated recurrent unit, in its four conventions."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import minigrad as mg

from .cell import Cell
from .nonlinearity import NONLINEARITIES, check_clips, clipped, nonlinearity
from .norm import dropped, weighted
from .recurrence import Recurrence, State
from .weights import Shapes, Weights

UPDATE_GATES = ("keep", "new")


@dataclasses.dataclass(frozen=True, repr=False)
class GRURecurrence(Recurrence):
    r"""Gated recurrent unit (Cho et al. 2014).

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t \odot (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    The blocks of rows are in the order r, z, n. Two things are done differently from one text to the next:

    - where the reset gate acts: as above (``reset_after=True``: PyTorch, cuDNN), or on the state before the product,
      :math:`n_t = \tanh(W_{in} x_t + b_{in} + W_{hn} (r_t \odot h_{t-1}) + b_{hn})` (``reset_after=False``: the paper).
      Weights cannot be converted from one to the other.
    - what the update gate says: how much to keep of the old state, as above (``update_gate="keep"``), or how much to
      take of the new, :math:`h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t` (``update_gate="new"``). Since
      :math:`1 - \sigma(a) = \sigma(-a)`, negating the rows of z turns one into the other, with hard sigmoids too, but
      not with gates that are not symmetric: see :func:`~minigrad_rnn.convert.flip_update_gate`.

    Args:
        reset_after: whether the reset gate acts after the product.
        update_gate: ``"keep"`` or ``"new"``.
        nonlinearity: of the candidate n, by name: see :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        gate_nonlinearity: of the gates r and z.
        gate_clip: the arguments of r, z and n are cut off at :math:`\pm` this (ONNX's ``clip``).
        layer_norm: ``"ba"``: each product is normalised before its bias is added, that of the gates r and z on its
            own and that of the candidate on its own (Ba, Kiros and Hinton 2016, supplement).
    """

    reset_after: bool = True
    update_gate: str = "keep"
    nonlinearity: str = "tanh"
    gate_nonlinearity: str = "sigmoid"
    gate_clip: float | None = None
    layer_norm: str | None = None

    gates: ClassVar[int] = 3
    gate_names: ClassVar[tuple[str, ...]] = ("reset_gate", "update_gate", "candidate")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.update_gate not in UPDATE_GATES:
            raise mg.MinigradError(f'GRU: update_gate is "keep" or "new", not {self.update_gate!r}')
        nonlinearity(self.nonlinearity, "GRU", "nonlinearity")
        nonlinearity(self.gate_nonlinearity, "GRU", "gate_nonlinearity")
        check_clips("GRU", gate_clip=self.gate_clip)
        if self.layer_norm not in (None, "ba"):
            raise mg.MinigradError(f'GRU: layer_norm is None or "ba", not {self.layer_norm!r}')

    def shapes(self, input_size: int, hidden_size: int, bias: bool, features: int) -> Shapes:
        """The parameters and their shapes."""
        shapes = super().shapes(input_size, hidden_size, bias, features)
        if self.layer_norm or self.batch_norm:
            shapes |= {"gain_ih": (3 * hidden_size,), "gain_hh": (3 * hidden_size,)}
        return shapes

    def normalised_rows(self, hidden_size: int) -> dict[str, int]:
        """What is normalised over the batch, and the number of rows of each."""
        if self.reset_after:
            return super().normalised_rows(hidden_size)
        return {"ih": 3 * hidden_size, "hh_gates": 2 * hidden_size, "hh_candidate": hidden_size}

    def project(self, x: mg.Tensor, w: Weights) -> mg.Tensor:
        """What the inputs contribute to r, z and n."""
        with mg.scope("input"):
            return weighted("ih", w, x, w.weight_ih, w.bias_ih, w.gain_ih, blocks=(2, 1))

    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The new ``(h,)``."""
        (h,), seen = state, dropped(state[0], w)
        size = projected.shape[-1] // 3
        gates, candidate = projected[..., : 2 * size], projected[..., 2 * size :]
        if self.reset_after:
            recurrent = weighted("hh", w, seen, w.weight_hh, w.bias_hh, w.gain_hh, blocks=(2, 1))
            gates = gates + recurrent[..., : 2 * size]
        else:
            of_gates, of_candidate = self._halves(w, 2 * size)
            gates = gates + weighted("hh_gates", w, seen, *of_gates)
        r, z = gates.chunk(2, -1)
        with mg.scope("reset_gate"):
            r = self._gate(r)
        with mg.scope("update_gate"):
            z = self._gate(z)
        with mg.scope("candidate"):
            if self.reset_after:
                argument = candidate + r * recurrent[..., 2 * size :]
            else:
                argument = candidate + weighted("hh_candidate", w, r * seen, *of_candidate)
            n = NONLINEARITIES[self.nonlinearity].function(clipped(argument, self.gate_clip))
        return (n + z * (h - n) if self.update_gate == "keep" else h + z * (n - h),)

    def _gate(self, argument: mg.Tensor) -> Any:
        return NONLINEARITIES[self.gate_nonlinearity].function(clipped(argument, self.gate_clip))

    @staticmethod
    def _halves(w: Weights, rows: int) -> list[tuple[Any, Any, Any]]:
        """The recurrent weight, bias and gain of the gates, and those of the candidate."""
        def share(rows: slice) -> tuple[Any, Any, Any]:
            weight, bias, gain = w.weight_hh, w.bias_hh, w.gain_hh
            return weight[rows], None if bias is None else bias[rows], None if gain is None else gain[rows]

        return [share(slice(rows)), share(slice(rows, None))]


class GRUCell(Cell):
    """One step of a gated recurrent unit; see :class:`GRURecurrence` for the equations, conventions and options.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.
        options: of :class:`GRURecurrence`, :class:`~minigrad_rnn.cells.Recurrence` and
            :class:`~minigrad_rnn.cells.Noise`, by keyword.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(N, hidden_size)`` or ``(hidden_size,)``; zeros when left out.

    >>> import minigrad as mg
    >>> GRUCell(3, 5, reset_after=False)(mg.zeros(2, 3)).shape
    (2, 5)
    """

    kind = GRURecurrence
