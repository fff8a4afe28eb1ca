"""What all recurrent layers share: parameters, shapes, and the loop over layers and directions."""

from __future__ import annotations

import warnings
from typing import Any

import minigrad as mg
from minigrad import nn

from ..cells.cell import check_sizes, check_state, draw, parameter
from ..cells.recurrence import Recurrence, State, Weights
from ..cells.unroll import Lengths, unroll
from ..sequences.places import host_lengths
from .path import Plan, inside_unrolled


class RecurrentBase(nn.Module):
    r"""A recurrence over a sequence, in one or more layers and one or two directions.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0: the parameters of layer 0, see
            :class:`~minigrad_rnn.cells.Weights`; those of the direction from the end end in ``_reverse``. All are
            uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.
        fused: whether a sequence is one op (quick) or every op is recorded (to look at). The results are the same.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        self._check_options(hidden_size, num_layers, dropout, proj_size)
        self.recurrence, self.input_size, self.hidden_size = recurrence, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first, self.dropout = num_layers, bias, batch_first, dropout
        self.bidirectional, self.proj_size, self.fused = bidirectional, proj_size, True
        rows, features = recurrence.gates * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else features * self._directions
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, features)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for reverse in (False, True)[: self._directions]:
                for name, shape in shapes.items():
                    setattr(self, name + _suffix(layer, reverse), parameter(shape, device, dtype))
        self.reset_parameters()

    def _check_options(self, hidden_size: int, num_layers: int, dropout: float, proj_size: int) -> None:
        name = type(self).__name__
        if not 0.0 <= dropout <= 1.0:
            raise mg.MinigradError(f"{name}: dropout is a probability, from 0 to 1, not {dropout}")
        if dropout and num_layers == 1:
            warnings.warn(
                f"{name}: dropout={dropout} acts between layers, and there is only one", UserWarning, stacklevel=4
            )
        if not 0 <= proj_size < hidden_size:
            raise mg.ShapeError(
                f"{name}: proj_size={proj_size} must be from 0 (no projection) to hidden_size - 1 = {hidden_size - 1}\n"
                "  hint: the projection makes the state smaller; to make it larger, put a linear layer behind"
            )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def weights(self, layer: int, reverse: bool = False) -> Weights:
        """The parameters of one layer in one direction."""
        suffix = _suffix(layer, reverse)
        return Weights(*[vars(self).get(name + suffix) for name in Weights._fields])

    def plan(self) -> list[Plan]:
        """Which path each layer takes in each direction if it is called now, and why.

        >>> from minigrad_rnn import LSTM
        >>> LSTM(2, 3).plan()
        [Plan(part='layer0', path='fused', reason='one op for the whole sequence')]
        """
        path, reason = "unrolled", "every op is recorded: "
        if inside_unrolled():
            reason += "inside unrolled()"
        elif not self.fused:
            reason += "fused is False"
        else:
            path, reason = "fused", "one op for the whole sequence"
        parts = [self._part(layer, reverse) for layer in range(self.num_layers) for reverse in self._reverses]
        return [Plan(part, path, reason) for part in parts]

    @property
    def _reverses(self) -> tuple[bool, ...]:
        return (False, True) if self.bidirectional else (False,)

    def _part(self, layer: int, reverse: bool) -> str:
        return f"layer{layer}" + (("", ".fwd"), ("", ".bwd"))[reverse][self.bidirectional]

    def _fused(
        self, x: mg.Tensor, state: State, w: Weights, reverse: bool, lengths: Lengths | None
    ) -> tuple[mg.Tensor, ...]:
        """The fused path: the outputs, then the parts of the last state."""
        raise NotImplementedError

    def _run(self, x: mg.Tensor, state: Any, lengths: Any) -> tuple[mg.Tensor, State]:
        """The outputs and the last state, in the shapes that the user sees."""
        self._check_input(x)
        batched = x.ndim == 3
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        state = self._given(x, state, batched)
        steps, batch = x.shape[:2]
        ends = None if lengths is None else tuple(host_lengths(lengths, batch, steps).tolist())
        x, state = self._layers(x, state, ends)
        if not batched:
            return x.squeeze(1), tuple(part.squeeze(1) for part in state)
        return x.transpose(0, 1) if self.batch_first else x, state

    def _layers(self, x: mg.Tensor, state: State, lengths: Lengths | None) -> tuple[mg.Tensor, State]:
        """The loop over layers and directions, which is also the order along the first dim of the state's parts."""
        fused = self.fused and not inside_unrolled()
        initial = list(zip(*[part.unbind() for part in state], strict=True))
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._reverses:
                with mg.scope(self._part(layer, reverse)):
                    now, w = initial[len(last)], self.weights(layer, reverse)
                    output, *after = (
                        self._fused(x, now, w, reverse, lengths)
                        if fused
                        else unroll(self.recurrence, x, now, w, reverse, lengths)
                    )
                outputs.append(output)
                last.append(tuple(after))
            x = mg.concat(outputs, dim=-1) if self.bidirectional else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                x = mg.dropout(x, self.dropout, self.training)
        return x, tuple(mg.stack(part) for part in zip(*last, strict=True))

    def step(self, x: mg.Tensor, state: Any = None) -> tuple[mg.Tensor, Any]:
        """One step of a stream: the same as the whole sequence at once.

        Args:
            x: ``(N, input_size)`` or ``(input_size,)``.
            state: what the step before returned.

        Returns:
            The output ``(N, features)`` or ``(features,)``, and the state to go on from.
        """
        if self.bidirectional:
            raise mg.MinigradError(
                f"{type(self).__name__}.step: a bidirectional layer reads a sequence from its end, which a stream does"
                " not have yet"
            )
        dim = 1 if self.batch_first and x.ndim == 2 else 0
        output, state = self(x.unsqueeze(dim), state)
        return output.squeeze(dim), state

    # ---- what comes in ----------------------------------------------------------------------------------------

    def _check_input(self, x: mg.Tensor) -> None:
        if x.ndim in (2, 3) and x.shape[-1] == self.input_size:
            return
        order = "batch, steps" if self.batch_first else "steps, batch"
        hint = "x.unsqueeze(-1) makes each number a step of one feature; x.reshape(steps, batch, -1) joins dims"
        if x.ndim in (2, 3):
            hint = f"a step has input_size={self.input_size} features, those of the last dimension: {x.shape[-1]} here"
        raise mg.ShapeError(
            f"{type(self).__name__}: the input must have shape ({order}, {self.input_size}) or, without a batch,"
            f" (steps, {self.input_size}), not {x.shape}\n  hint: {hint}"
        )

    def _given(self, x: mg.Tensor, state: Any, batched: bool) -> State:
        """The given state with a batch, or zeros."""
        parts, count = self.recurrence.parts, self.num_layers * self._directions
        sizes = [self.proj_size or self.hidden_size, self.hidden_size][: len(parts)]
        if state is None:
            dtype = self.weights(0).weight_hh.dtype
            return tuple(mg.zeros(count, x.shape[1], size, dtype=dtype, device=x.device) for size in sizes)
        shapes: list[tuple[int, ...]] = [(count, x.shape[1], size) if batched else (count, size) for size in sizes]
        check_state(self, state, parts, shapes)
        return tuple(part if batched else part.unsqueeze(1) for part in state)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        options |= {"proj_size": 0}
        changed = [f"{name}={getattr(self, name)}" for name, usual in options.items() if getattr(self, name) != usual]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed])


def tracked(*tensors: mg.Tensor | None) -> bool:
    """Whether an op on these tensors would be recorded."""
    return mg.is_grad_enabled() and any(x.requires_grad for x in tensors if x is not None)


def _suffix(layer: int, reverse: bool) -> str:
    return f"_l{layer}" + ("_reverse" if reverse else "")
