"""What all cells share: parameters, shapes, and what is said when shapes are wrong."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import minigrad as mg
from minigrad import nn

from .blame import blaming
from .initial import initialise
from .noise import Masks, Noise, mixed
from .options import sorted_options
from .recurrence import Recurrence, State
from .statistics import StepStatistics
from .watch import show
from .weights import Weights


class Cell(nn.Module):
    r"""A recurrence with its weights.

    Attributes:
        weight_ih: ``(gates * hidden_size, input_size)``.
        weight_hh: ``(gates * hidden_size, hidden_size)``.
        bias_ih, bias_hh: ``(gates * hidden_size,)``, or ``None``.

    Options may add more, see :class:`Weights`. All are uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at
    first, unless ``init`` says otherwise. Names, shapes and order of the gates are PyTorch's, so that its
    ``state_dict`` loads as it is.

    Args:
        input_size: features of an input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.
        options: those of the equations, and of :class:`Noise`.
    """

    kind: ClassVar[type[Recurrence]]  # which equations
    recurrence: Recurrence
    noise: Noise

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        name = type(self).__name__
        self.recurrence, self.noise = sorted_options(name, options, self.kind, Noise)
        self.noise.check(name, self.recurrence.zoned)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        shapes = self.recurrence.shapes(input_size, hidden_size, bias, hidden_size)
        self.names = tuple(shapes)
        for name in dict.fromkeys(("weight_ih", "weight_hh", "bias_ih", "bias_hh", *self.names)):
            setattr(self, name, parameter(shapes[name], device, dtype) if name in shapes else None)
        if self.recurrence.batch_norm:
            rows = self.recurrence.normalised_rows(hidden_size)
            self.statistics = StepStatistics(rows, self.recurrence.batch_norm, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        initialise(self.recurrence, self.weights(), self.hidden_size)

    def weights(self) -> Weights:
        """What a step uses."""
        return Weights(*[vars(self).get(name) for name in Weights._fields])

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the state."""
        return self.recurrence.names

    @property
    def sizes(self) -> tuple[int, ...]:
        """Their sizes."""
        return self.recurrence.sizes(self.hidden_size, self.hidden_size)

    @property
    def zoned(self) -> tuple[str, ...]:
        """Names of those that zoneout may hold."""
        return self.recurrence.zoned

    def draw_masks(self, x: mg.Tensor) -> Masks:
        """Masks of dropout for a sequence whose steps are like ``x``.

        Give them to every step: one sequence has one mask. A step that is given none draws its own.
        """
        return self.noise.draw(x, self.weights(), self.training)

    def forward(
        self, input: mg.Tensor, hx: Any = None, *, masks: Masks | None = None, t: int = 0
    ) -> Any:
        """The state after one step.

        Args:
            input: ``(N, input_size)`` or ``(input_size,)``.
            hx: the state before; zeros if left out.
            masks: what :meth:`draw_masks` gave for this sequence.
            t: which step of the sequence it is, for the statistics of ``batch_norm``.
        """
        alone = len(self.parts) == 1
        state = self._step(input, (hx,) if alone and hx is not None else hx, masks, t)
        return state[0] if alone else state

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        bias = [] if self.bias else ["bias=False"]
        options = [*self.recurrence.changed(), *self.noise.changed()]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *bias, *options])

    def _step(self, x: mg.Tensor, state: State | None, masks: Masks | None, t: int) -> State:
        check_input(self, x)
        recurrence, batch, w = self.recurrence, x.shape[:-1], self.weights()
        shapes = [(*batch, size) for size in self.sizes]
        state = state_before(self, state, self.parts, shapes, w.weight_hh.dtype, x.device)
        masks = self.noise.draw(x, w, self.training) if masks is None else masks
        w = masks.on(w)
        if recurrence.batch_norm:
            w = w._replace(statistics=self.statistics.at(t))
        with blaming(recurrence, w):
            after = recurrence.advance(recurrence.project(masks.on_input(x), w), state, w)
        zones = self.noise.zones(state[0], (1, *batch), recurrence.zoned_sizes(self.sizes), self.training)
        after = mixed(zones, 0, after, state)
        show(recurrence, after)
        return after


def parameter(shape: tuple[int, ...], device: Any, dtype: Any) -> nn.Parameter:
    """A parameter, to be filled."""
    return nn.Parameter(mg.zeros(*shape, device=device, dtype=dtype))


def draw(module: nn.Module, hidden_size: int) -> None:
    r"""Fill all parameters with uniform numbers within :math:`\pm 1/\sqrt{\text{hidden\_size}}`."""
    bound = 1 / math.sqrt(hidden_size)
    for weight in module.parameters():
        nn.init.uniform_(weight, -bound, bound)


def check_sizes(module: nn.Module, **sizes: int) -> None:
    """Refuse sizes below 1, and what is no size."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise mg.ShapeError(f"{type(module).__name__}: {name} must be a whole number, not {size!r}")
        if size < 1:
            raise mg.ShapeError(f"{type(module).__name__}: {name} must be at least 1, not {size}")


def check_input(cell: Any, x: mg.Tensor, remedy: str = "use the layer") -> None:
    """Refuse what is not one step of inputs; any number of features will do for a cell that tells no ``input_size``."""
    features = cell.input_size
    if not isinstance(x, mg.Tensor) or x.ndim not in (1, 2) or features not in (None, x.shape[-1]):
        size = "features" if features is None else features
        raise mg.ShapeError(
            f"{type(cell).__name__}: the input must have shape (batch, {size}) or ({size},), not {_told(x)}\n"
            f"  hint: this takes one step; for a whole sequence {remedy}"
        )


def state_before(
    module: nn.Module, state: Any, parts: tuple[str, ...], shapes: list[tuple[int, ...]], dtype: Any, device: Any
) -> State:
    """The state that a step starts from: the one given, if it has these parts in these shapes, or zeros."""
    if state is None:
        return tuple([mg.zeros(*shape, dtype=dtype, device=device) for shape in shapes])
    check_state(module, state, parts, shapes)
    return tuple(state)


def check_state(module: nn.Module, state: Any, parts: tuple[str, ...], shapes: list[tuple[int, ...]]) -> None:
    """Refuse a state that does not have these parts in these shapes."""
    name = type(module).__name__
    if not isinstance(state, (tuple, list)) or len(state) != len(parts):
        raise mg.ShapeError(f"{name}: the state is ({', '.join(parts)}), not {_told(state)}")
    for part, value, shape in zip(parts, state, shapes, strict=True):
        if not isinstance(value, mg.Tensor) or value.shape != shape:
            raise mg.ShapeError(f"{name}: the state {part} must have shape {shape}, not {_told(value)}")


def _told(value: Any) -> str:
    if isinstance(value, mg.Tensor):
        return str(value.shape)
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
