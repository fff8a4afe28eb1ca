"""The random masks of training: variational dropout, weight dropout and zoneout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import minigrad as mg

from .numbers import is_probability
from .recurrence import State
from .weights import Weights

Zones = tuple[mg.Tensor | None, ...]


class Masks(NamedTuple):
    """What is dropped during a whole sequence: factors, 0 or what keeps the mean; ``None`` where nothing is dropped.

    Attributes:
        input: for the inputs, ``(N, input_size)``.
        hidden: for h on its way into the gates, ``(N, features)``.
        weight: for the recurrent weights, in their shape.
    """

    input: mg.Tensor | None = None
    hidden: mg.Tensor | None = None
    weight: mg.Tensor | None = None

    def on(self, w: Weights) -> Weights:
        """The weights as they are during the sequence; the parameters themselves do not change."""
        weight_hh = w.weight_hh if self.weight is None else w.weight_hh * self.weight
        return w._replace(weight_hh=weight_hh, mask_hidden=self.hidden)

    def on_input(self, x: mg.Tensor) -> mg.Tensor:
        """The inputs as the cell sees them."""
        return x if self.input is None else x * self.input


@dataclasses.dataclass(frozen=True)
class Noise:
    """The regularisers of a cell.

    Args:
        variational: probabilities of dropping an input, a hidden feature on its way into the gates, and an output of
            the last layer, by one mask for a whole sequence (Gal and Ghahramani 2016); one number is for all three. A
            cell by itself puts out its state, of which nothing is dropped.
        weight_dropout: probability of dropping a recurrent weight, drawn once for a sequence (Merity et al. 2018).
        zoneout: probability that a unit keeps its state of the step before (Krueger et al. 2017), for all parts of the
            state or one number for each; in evaluation the expectation is taken.
    """

    variational: float | tuple[float, ...] = 0.0
    weight_dropout: float = 0.0
    zoneout: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))

    @property
    def quiet(self) -> bool:
        """Whether nothing is ever dropped."""
        return not (self.variational or self.weight_dropout or self.zoneout)

    def changed(self) -> list[str]:
        """The options that are not as by default, as they would be written in a call."""
        return [f"{name}={value!r}" for name, value in vars(self).items() if value]

    def check(self, caller: str, parts: tuple[str, ...]) -> None:
        """Refuse what is no probability, or not one for each."""
        each = {"variational": ("input", "hidden", "output"), "weight_dropout": ("weight",), "zoneout": parts}
        for name, receivers in each.items():
            given = getattr(self, name)
            numbers = given if isinstance(given, tuple) else (given,)
            if len(numbers) not in (1, len(receivers)) or not all(map(is_probability, numbers)):
                raise mg.MinigradError(
                    f"{caller}: {name}={given!r} must be a probability, from 0 to 1, or one each for"
                    f" {', '.join(receivers)}"
                )

    @property
    def hidden(self) -> float:
        """The probability of dropping a hidden feature."""
        return _nth(self.variational, 1)

    def draw(self, x: mg.Tensor, w: Weights, training: bool) -> Masks:
        """Masks for a sequence of inputs ``(T, N, input_size)``, or as one step ``(N, input_size)``."""
        if not training:
            return Masks()
        batch, weight = x.shape[:-1][-1:], w.weight_hh
        like = x if weight is None else weight  # inputs may be integers
        return Masks(
            _mask(like, (*batch, x.shape[-1]), _nth(self.variational, 0)),
            _mask(like, (*batch, weight.shape[-1]), self.hidden) if self.hidden else None,
            _mask(weight, weight.shape, self.weight_dropout) if self.weight_dropout else None,
        )

    def draw_output(self, output: mg.Tensor, training: bool) -> mg.Tensor | None:
        """A mask ``(N, features)`` for the outputs ``(T, N, features)`` of the last layer."""
        return _mask(output, output.shape[1:], _nth(self.variational, 2)) if training else None

    def zones(self, like: mg.Tensor, shape: tuple[int, ...], sizes: Sequence[int | None], training: bool) -> Zones:
        """Which units stay as they are, for each part of the state.

        Args:
            like: dtype and device are taken from it: a part of the state, since inputs may be integers.
            shape: ``(T, N)``, or ``(T,)`` without a batch.
            sizes: of the parts of the state; ``None`` for one that is never held.
            training: whether to draw.

        Returns:
            For each part booleans ``(T, N, size)``; in evaluation the probability, without dims; ``None`` for a part
            that has no zoneout; empty if none has.
        """
        if not self.zoneout:
            return ()
        held = [i for i, size in enumerate(sizes) if size is not None]
        chances = {i: _nth(self.zoneout, k) for k, i in enumerate(held)}
        if not any(chances.values()):
            return ()
        return tuple([_zone(chances.get(i, 0.0), like, shape, size, training) for i, size in enumerate(sizes)])


def _mask(like: mg.Tensor, shape: tuple[int, ...], p: float) -> mg.Tensor | None:
    return mg.dropout_mask(*shape, p=p, dtype=like.dtype, device=like.device) if p else None


def _zone(p: float, like: mg.Tensor, shape: tuple[int, ...], size: int | None, training: bool) -> mg.Tensor | None:
    if not p or size is None:
        return None
    if not training:
        return mg.full((), p, dtype=like.dtype, device=like.device)
    return mg.rand(*shape, size, device=like.device) < p


def mixed(zones: Zones, t: int, after: State, before: State) -> State:
    """The state after step ``t``, where some units may have stayed as they were."""
    if not zones:
        return after
    held = [_mixed(zone, t, new, old) for zone, new, old in zip(zones, after, before, strict=False)]
    return (*held, *after[len(zones) :])


def _mixed(zone: mg.Tensor | None, t: int, new: mg.Tensor, old: mg.Tensor) -> mg.Tensor:
    if zone is None:
        return new
    return mg.where(zone[t], old, new) if zone.ndim else new + zone * (old - new)


def _nth(values: float | tuple[float, ...], i: int) -> float:
    if not isinstance(values, tuple):
        return values
    return values[i] if len(values) > 1 else values[0]
