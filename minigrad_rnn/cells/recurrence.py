"""What a recurrent network computes at one step, apart from who holds the weights and who runs the steps."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

import minigrad as mg

from .initial import check_init
from .norm import dropped, weighted
from .numbers import is_whole
from .weights import Shapes, Weights

State = tuple[mg.Tensor, ...]

@dataclasses.dataclass(frozen=True, repr=False)
class Recurrence(ABC):
    r"""The equations of one step. Cells call them once, layers at every step of the unrolled path.

    The fields of a recurrence are the options of its equations; cells and layers take them by keyword.

    Attributes:
        gates: how many blocks of rows the weights have.
        parts: names of the parts of the state; the first is what the layer puts out.
        gate_names: names of the blocks of rows, in order, if reports are to tell them apart.
        init: how the parameters are drawn, see :mod:`minigrad_rnn.cells.initial`: ``"torch"``, ``"keras"`` or
            ``"identity"``.
        batch_norm: for how many steps statistics of their own are kept, if what the input and the state contribute is
            normalised over the batch, see :class:`StepStatistics`; 0: it is not.
        time_skips: numbers of steps k from 2: with :math:`\sum_k U_k h_{t-k}`, added to what the input contributes to
            the gates, gradients have a way across k steps in one (Lin et al. 1996). Before the first step all states
            are zeros. The state has one part more, ``past``: :math:`h_{t-2}` to :math:`h_{t-\max k}` side by side.
    """

    gates: ClassVar[int]
    parts: ClassVar[tuple[str, ...]] = ("h",)
    gate_names: ClassVar[tuple[str, ...]] = ()

    init: str = dataclasses.field(default="torch", kw_only=True)
    batch_norm: int = dataclasses.field(default=0, kw_only=True)
    time_skips: tuple[int, ...] = dataclasses.field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_init(type(self).__name__, self.init)
        skips = self.time_skips
        if not isinstance(skips, tuple) or not all(is_whole(k) and k >= 2 for k in skips):
            raise mg.MinigradError(
                f"time_skips is a tuple of whole numbers of steps from 2, such as (2, 4), not {skips!r}; one step back"
                " is what every recurrent network sees"
            )
        if not is_whole(self.batch_norm) or self.batch_norm < 0:
            raise mg.MinigradError(
                f"batch_norm is for how many steps statistics are kept, or 0, not {self.batch_norm!r}"
            )
        if self.batch_norm and getattr(self, "layer_norm", None):
            raise mg.MinigradError("layer_norm and batch_norm normalise the same; choose one")

    def shapes(self, input_size: int, hidden_size: int, bias: bool, features: int) -> Shapes:
        """The parameters and their shapes; ``features`` is the size of h."""
        rows = self.gates * hidden_size
        shapes: Shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, features)}
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.time_skips:
            shapes["weight_skip"] = (rows, len(self.time_skips) * features)
        return shapes

    def normalised_rows(self, hidden_size: int) -> dict[str, int]:
        """What is normalised apart from one another over the batch, and the number of rows of each."""
        rows = self.gates * hidden_size
        return {"ih": rows, "hh": rows}

    @property
    def title(self) -> str:
        """What it is called."""
        return type(self).__name__

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parts of the state: those of the equations, and ``past`` if there are skips across time."""
        return (*self.parts, "past") if self.time_skips else self.parts

    @property
    def zoned(self) -> tuple[str, ...]:
        """Names of the parts that zoneout may hold and that may be learned; ``past`` remembers what they were."""
        return self.parts

    def sizes(self, hidden_size: int, features: int) -> tuple[int, ...]:
        """The sizes of the parts of the state."""
        past = ((max(self.time_skips) - 1) * features,) if self.time_skips else ()
        return (features, hidden_size)[: len(self.parts)] + past

    def zoned_sizes(self, sizes: tuple[int, ...]) -> list[int | None]:
        """Of the sizes of all parts those of :attr:`zoned`; ``None`` for the others."""
        return [size if name in self.zoned else None for name, size in zip(self.names, sizes, strict=True)]

    def project(self, x: mg.Tensor, w: Weights) -> mg.Tensor:
        """What the inputs contribute to the gates, ``(..., input_size)`` to ``(..., gates * hidden_size)``.

        It does not depend on the state, so that a layer computes it for all steps at once.
        """
        with mg.scope("input"):
            return weighted("ih", w, x, w.weight_ih, w.bias_ih, w.gain_ih)

    def advance(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The state after one step, from the projected input ``(N, gates * hidden_size)`` and the state before."""
        if not self.time_skips:
            return self.step(projected, state, w)
        *state_now, past = state
        size = state[0].shape[-1]
        with mg.scope("time_skips"):
            seen = [dropped(past[..., (k - 2) * size : (k - 1) * size], w) for k in self.time_skips]
            projected = projected + mg.linear(mg.concat(seen, -1), w.weight_skip)
        after = self.step(projected, tuple(state_now), w)
        return (*after, mg.concat([state[0], past[..., :-size]], -1))

    @abstractmethod
    def step(self, projected: mg.Tensor, state: State, w: Weights) -> State:
        """The equations of the class, without skips across time."""

    def output(self, state: State) -> mg.Tensor:
        """What a layer puts out in a state."""
        return state[0]

    def changed(self) -> list[str]:
        """The options that are not as by default, as they would be written in a call."""
        pairs = [(field.name, getattr(self, field.name), field.default) for field in dataclasses.fields(self)]
        return [f"{name}={value!r}" for name, value, default in pairs if value != default]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.changed())})"
