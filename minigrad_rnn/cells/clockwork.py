"""Groups of units that act at different periods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy

import minigrad as mg
from minigrad import nn

from .before import REMEDY, told
from .cell import check_input, check_sizes, check_state, draw, parameter
from .nonlinearity import NONLINEARITIES, nonlinearity as known
from .numbers import is_whole
from .recurrence import State


class ClockworkCell(nn.Module):
    r"""One step of a clockwork network (Koutnik, Greff, Gomez and Schmidhuber 2014).

    The units are split into equal groups, and group g, of period :math:`T_g`, acts at every :math:`T_g`-th step only;
    in between its state stays as it is:

    .. math::
        h_t^g = \begin{cases}
            \phi\big(W^g x_t + b_i^g + \sum_{j:\, T_j \ge T_g} U^{gj} h_{t-1}^j + b_h^g\big)
                & \text{if } t \bmod T_g = 0 \\
            h_{t-1}^g & \text{otherwise}
        \end{cases}

    A group sees itself and slower ones, never faster ones: with increasing periods the recurrent matrix is block upper
    triangular. Along a slow group a gradient passes few nonlinearities on its way through time. Steps are counted from
    0, so that all groups act at the first. With all periods equal to 1 this is a simple recurrent network.

    The count is a part of the state, so that a sequence can be cut anywhere, and each row of a batch has its own. It
    starts anew where all periods meet, their least common multiple, so that it stays exact however long a sequence is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state; a multiple of the number of groups.
        periods: of the groups, whole numbers from 1; mostly powers of 2.
        bias: whether there are biases.
        nonlinearity: :math:`\phi`: ``"tanh"``, ``"relu"`` or another of
            :data:`~minigrad_rnn.cells.NONLINEARITIES`.
        full: every group sees all groups.
        device, dtype: of the parameters.

    Attributes:
        weight_ih: W, ``(hidden_size, input_size)``.
        weight_hh: U, ``(hidden_size, hidden_size)``; what a group does not see is 0 and gets no gradient.
        bias_ih, bias_hh: ``(hidden_size,)``, or ``None``.

    The rest is uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first.

    Shape:
        - input: ``(N, input_size)`` or ``(input_size,)``.
        - state and result: ``(h, t)``: ``(N, hidden_size)`` and, the number of steps since all periods met, ``(N, 1)``;
          or ``(hidden_size,)`` and ``(1,)``. Zeros when left out.

    >>> import minigrad as mg
    >>> cell, x = ClockworkCell(3, 4, periods=(1, 2)), mg.ones(1, 3)
    >>> first, t = cell(x)
    >>> second, t = cell(x, (first, t))
    >>> (first == second).tolist(), t.tolist()
    ([[False, False, True, True]], [[0]])
    """

    parts: ClassVar[tuple[str, ...]] = ("h", "t")
    zoned: ClassVar[tuple[str, ...]] = ("h",)  # the count goes on where zoneout holds a unit

    period: mg.Tensor  # of each unit, (hidden_size,)
    sees: mg.Tensor | None  # which unit sees which, (hidden_size, hidden_size); None: every unit sees all

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        periods: Sequence[int] = (1, 2, 4, 8),
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        full: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        check_periods(type(self).__name__, periods, hidden_size)
        known(nonlinearity, type(self).__name__, "nonlinearity")
        self.input_size, self.hidden_size, self.bias, self.full = input_size, hidden_size, bias, full
        self.periods, self.nonlinearity = tuple(periods), nonlinearity
        self.weight_ih = parameter((hidden_size, input_size), device, dtype)
        self.weight_hh = parameter((hidden_size, hidden_size), device, dtype)
        self.bias_ih = parameter((hidden_size,), device, dtype) if bias else None
        self.bias_hh = parameter((hidden_size,), device, dtype) if bias else None
        period = numpy.repeat(numpy.array(self.periods, numpy.int64), hidden_size // len(self.periods))
        sees = period >= period[:, None]
        everything = full or bool(sees.all())
        self.register_buffer("period", mg.tensor(period, device=device), persistent=False)
        self.register_buffer("sees", None if everything else mg.tensor(sees, device=device), persistent=False)
        self.reset_parameters()

    @property
    def sizes(self) -> tuple[int, int]:
        """The sizes of the parts of the state."""
        return self.hidden_size, 1

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        draw(self, self.hidden_size)
        if self.sees is not None:
            self.weight_hh.data = mg.where(self.sees, self.weight_hh.detach(), 0.0).data

    def forward(self, input: mg.Tensor, hx: State | None = None) -> State:
        """The state after one step.

        Args:
            input: ``(N, input_size)`` or ``(input_size,)``.
            hx: the state before, ``(h, t)``; zeros if left out.

        Raises:
            ShapeError: an input or a state of another shape.
        """
        check_input(self, input, REMEDY)
        shapes = [(*input.shape[:-1], size) for size in self.sizes]
        if hx is None:
            h = mg.zeros(*shapes[0], dtype=self.weight_ih.dtype, device=input.device)
            t = mg.zeros(*shapes[1], dtype=mg.int64, device=input.device)
        else:
            check_state(self, hx, self.parts, shapes)
            h, t = hx
        with mg.scope("input"):
            projected = mg.linear(input, self.weight_ih, self.bias_ih)
        weight = self.weight_hh if self.sees is None else mg.where(self.sees, self.weight_hh, 0.0)
        with mg.scope("candidate"):
            argument = projected + mg.linear(h, weight, self.bias_hh)
            new = NONLINEARITIES[self.nonlinearity].function(argument)
        with mg.scope("clock"):
            return mg.where(t % self.period == 0, new, h), (t + 1) % math.lcm(*self.periods)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        return told(
            self,
            periods=(self.periods, None),
            bias=(self.bias, True),
            nonlinearity=(self.nonlinearity, "tanh"),
            full=(self.full, False),
        )


def check_periods(caller: str, periods: Sequence[int], hidden_size: int) -> None:
    """Refuse periods that are no whole numbers from 1, or as many as do not share out the units."""
    if not len(periods) or not all(is_whole(p) and p >= 1 for p in periods):
        raise mg.MinigradError(f"{caller}: periods must be whole numbers from 1, at least one, not {periods!r}")
    if hidden_size % len(periods):
        raise mg.ShapeError(
            f"{caller}: hidden_size={hidden_size} cannot be shared out among {len(periods)} groups of one size\n"
            f"  hint: take a multiple of {len(periods)}"
        )
