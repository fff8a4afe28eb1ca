"""What a cell that is written out as a module checks before its step."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from .cell import check_state


def check_input(cell: Any, x: mg.Tensor) -> None:
    """Refuse what is not one step of inputs."""
    if x.ndim not in (1, 2) or x.shape[-1] != cell.input_size:
        raise mg.ShapeError(
            f"{type(cell).__name__}: the input must have shape (batch, {cell.input_size}) or ({cell.input_size},),"
            f" not {x.shape}\n"
            "  hint: a cell takes one step; for a whole sequence make a layer of the cell"
        )


def state_before(cell: Any, x: mg.Tensor, h: mg.Tensor | None) -> mg.Tensor:
    """The state that a cell of one part starts from: the one given, or zeros."""
    check_input(cell, x)
    shape = (*x.shape[:-1], cell.hidden_size)
    if h is None:
        return mg.zeros(*shape, dtype=cell.weight_ih.dtype, device=x.device)
    check_state(cell, (h,), cell.parts, [shape])
    return h


def told(cell: Any, **options: Any) -> str:
    """The sizes, and the options that are not as by default: ``name=(value, default)``."""
    changed = [f"{name}={value!r}" for name, (value, usual) in options.items() if value != usual]
    return ", ".join([f"{cell.input_size}, {cell.hidden_size}", *changed])
