"""What a cell that is written out as a module checks before its step."""

from __future__ import annotations

from typing import Any

import minigrad as mg

from .cell import check_input, state_before

REMEDY = "make a layer of the cell"  # for a whole sequence


def h_before(cell: Any, x: mg.Tensor, h: mg.Tensor | None) -> mg.Tensor:
    """The state that a cell of one part starts from: the one given, or zeros."""
    check_input(cell, x, REMEDY)
    given, shape = None if h is None else (h,), (*x.shape[:-1], cell.hidden_size)
    return state_before(cell, given, cell.parts, [shape], cell.weight_ih.dtype, x.device)[0]


def told(cell: Any, **options: Any) -> str:
    """The sizes, and the options that are not as by default: ``name=(value, default)``."""
    changed = [f"{name}={value!r}" for name, (value, usual) in options.items() if value != usual]
    return ", ".join([f"{cell.input_size}, {cell.hidden_size}", *changed])
