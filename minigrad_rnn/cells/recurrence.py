"""What a recurrent network computes at one step, apart from who holds the weights and who runs the steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import minigrad as mg

State = tuple[mg.Tensor, ...]


class Weights(NamedTuple):
    """The parameters of one layer in one direction: tensors, or ``None`` where a layer has no such part.

    The rows of all but ``weight_hr`` are those of the gates, one block of ``hidden_size`` rows after another.
    """

    weight_ih: Any
    weight_hh: Any
    bias_ih: Any = None
    bias_hh: Any = None
    weight_hr: Any = None


class Recurrence(ABC):
    """The equations of one step. Cells call them once, layers at every step of the unrolled path.

    Attributes:
        gates: how many blocks of rows the weights have.
        parts: names of the parts of the state; the first is what the layer puts out.
    """

    gates: ClassVar[int]
    parts: ClassVar[tuple[str, ...]] = ("h",)

    def project(self, x: mg.Tensor, w: Weights) -> mg.Tensor:
        """What the inputs contribute to the gates, ``(..., input_size)`` to ``(..., gates * hidden_size)``.

        It does not depend on the state, so that a layer computes it for all steps at once.
        """
        with mg.scope("input"):
            return mg.linear(x, w.weight_ih, w.bias_ih)

    @abstractmethod
    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The state after one step, from the projected input ``(N, gates * hidden_size)`` and the state before."""
