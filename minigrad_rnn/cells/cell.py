"""What all cells share: parameters, shapes, and what is said when shapes are wrong."""

from __future__ import annotations

import math
from typing import Any

import minigrad as mg
from minigrad import nn

from .recurrence import Recurrence, State, Weights


class Cell(nn.Module):
    r"""A recurrence with its weights.

    Attributes:
        weight_ih: ``(gates * hidden_size, input_size)``.
        weight_hh: ``(gates * hidden_size, hidden_size)``.
        bias_ih, bias_hh: ``(gates * hidden_size,)``, or ``None``.

    All are uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first. Names, shapes and order of the gates are
    PyTorch's, so that its ``state_dict`` loads as it is.
    """

    def __init__(
        self, recurrence: Recurrence, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.recurrence, self.input_size, self.hidden_size, self.bias = recurrence, input_size, hidden_size, bias
        rows = recurrence.gates * hidden_size
        self.weight_ih = parameter((rows, input_size), device, dtype)
        self.weight_hh = parameter((rows, hidden_size), device, dtype)
        self.bias_ih = parameter((rows,), device, dtype) if bias else None
        self.bias_hh = parameter((rows,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)

    def extra_repr(self) -> str:
        """The sizes, for ``repr``."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")

    def _step(self, x: mg.Tensor, state: State | None) -> State:
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise mg.ShapeError(
                f"{type(self).__name__}: the input must have shape (batch, {self.input_size}) or ({self.input_size},),"
                f" not {x.shape}\n"
                "  hint: a cell takes one step; for a whole sequence use the layer"
            )
        shape = (*x.shape[:-1], self.hidden_size)
        if state is None:
            zeros = mg.zeros(*shape, dtype=self.weight_hh.dtype, device=x.device)
            state = (zeros,) * len(self.recurrence.parts)
        check_state(self, state, self.recurrence.parts, [shape] * len(state))
        w = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return self.recurrence.step(self.recurrence.project(x, w), state, w)


def parameter(shape: tuple[int, ...], device: Any, dtype: Any) -> nn.Parameter:
    """A parameter, to be filled."""
    return nn.Parameter(mg.zeros(*shape, device=device, dtype=dtype))


def draw(module: nn.Module, hidden_size: int) -> None:
    r"""Fill all parameters with uniform numbers within :math:`\pm 1/\sqrt{\text{hidden\_size}}`."""
    bound = 1 / math.sqrt(hidden_size)
    for weight in module.parameters():
        nn.init.uniform_(weight, -bound, bound)


def check_sizes(module: nn.Module, **sizes: int) -> None:
    """Refuse sizes below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise mg.ShapeError(f"{type(module).__name__}: {name} must be at least 1, not {size}")


def check_state(module: nn.Module, state: Any, parts: tuple[str, ...], shapes: list[tuple[int, ...]]) -> None:
    """Refuse a state that does not have these parts in these shapes."""
    name = type(module).__name__
    if not isinstance(state, (tuple, list)) or len(state) != len(parts):
        raise mg.ShapeError(f"{name}: the state is ({', '.join(parts)}), not {_told(state)}")
    for part, value, shape in zip(parts, state, shapes, strict=True):
        if not isinstance(value, mg.Tensor) or value.shape != shape:
            raise mg.ShapeError(f"{name}: the state {part} must have shape {shape}, not {_told(value)}")


def _told(value: Any) -> str:
    return str(value.shape) if isinstance(value, mg.Tensor) else f"a {type(value).__name__}"
