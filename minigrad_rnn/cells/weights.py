"""What a step uses besides the input and the state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Shapes = dict[str, tuple[int, ...]]


class Weights(NamedTuple):
    """What a step uses besides the input and the state: tensors, or ``None`` where there is no such thing.

    The rows of the first four are those of the gates, one block of ``hidden_size`` rows after another.

    Attributes:
        weight_ih: ``(gates * hidden_size, input_size)``.
        weight_hh: ``(gates * hidden_size, features)``.
        bias_ih, bias_hh: ``(gates * hidden_size,)``.
        weight_hr: the projection of h, ``(proj_size, hidden_size)``.
        weight_peephole: ``(3 * hidden_size,)``: what the cell adds to the gates i, f and o (i and o if coupled).
        weight_skip: for states of longer ago, ``(gates * hidden_size, skips * features)``.
        gain_ih, gain_hh: factors after a normalisation of what the input and the state contribute. The biases are
            added after it, and so are its shifts.
        gain_cell, bias_cell: factor and shift of the normalised cell, ``(hidden_size,)``.
        mask_hidden: not a parameter: what h is multiplied by on its way into the gates, ``(N, features)``.
        statistics: not a tensor: who normalises over the batch, see :class:`StepStatistics`.
    """

    weight_ih: Any
    weight_hh: Any
    bias_ih: Any = None
    bias_hh: Any = None
    weight_hr: Any = None
    weight_peephole: Any = None
    weight_skip: Any = None
    gain_ih: Any = None
    gain_hh: Any = None
    gain_cell: Any = None
    bias_cell: Any = None
    mask_hidden: Any = None
    statistics: Any = None

    @classmethod
    def of(cls, names: Sequence[str], values: Iterable[Any]) -> Weights:
        """Fields by name; the others are ``None``."""
        return cls(**dict(zip(names, values, strict=True)))
