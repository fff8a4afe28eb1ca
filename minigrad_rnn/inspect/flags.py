"""What in a gradient flow is worth a look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from .lines import FlowLine


class Flag(NamedTuple):
    """Something to look at: what it is, where, and in which numbers it shows.

    Attributes:
        kind: ``"vanishing"``, ``"exploding"``, ``"not finite"``, ``"no gradient"``, ``"one step"`` or ``"outside the
            graph"``.
        where: label of a line, or name of a parameter.
        told: a sentence.
    """

    kind: str
    where: str
    told: str


def flags_of_lines(lines: Sequence[FlowLine], vanishing: float, exploding: float) -> Iterator[Flag]:
    """Flags of lines, see :func:`~minigrad_rnn.inspect.gradient_flow`."""
    for i, line in enumerate(lines):
        broken = [step for step, norm in zip(line.steps, line.norms, strict=True) if not math.isfinite(norm)]
        if broken:
            first = broken[0] if line.reverse else broken[-1]
            yield Flag("not finite", line.label, f"from t={first} on, on the way back")
        elif not any(line.norms):
            yield Flag("no gradient", line.label, "it is zero at every step")
        else:
            yield from _of_sound(line, _entering(lines, i), vanishing, exploding)


def _of_sound(line: FlowLine, entering: float, vanishing: float, exploding: float) -> Iterator[Flag]:
    largest = max(line.norms)
    peak = line.steps[line.norms.index(largest)]
    first = line.steps[-1 - line.begin if line.reverse else 0]
    of_two = "bwd" in line.place.split(".")
    if of_two and len(line.steps) - line.begin > 1 and not any(line.ran[line.begin + 1 :]):
        yield Flag(
            "one step",
            line.label,
            f"only t={first} gets a gradient, where this direction has read one element: so it is with output[-1] of"
            " two directions; h_n and last_state() have read all",
        )
    if line.far < vanishing * largest:
        left = line.far if line.far >= line.least else 0.0
        yield Flag("vanishing", line.label, f"‖g‖ falls from {largest:.2g} at t={peak} to {left:.2g} at t={first}")
    if largest < vanishing * entering:
        yield Flag("vanishing", line.label, f"‖g‖ is {largest:.2g} at most; {entering:.2g} enters above")
    elif largest > exploding * entering:
        yield Flag("exploding", line.label, f"‖g‖ grows from {entering:.2g} to {largest:.2g} at t={peak}")


def _entering(lines: Sequence[FlowLine], i: int) -> float:
    """The largest gradient that comes in at a layer above, in the same module; on top, at the layer itself."""
    line = lines[i]
    here = (line.part, line.stack, line.call)
    alike = [other for other in lines if (other.part, other.stack, other.call) == here and 0 < other.near < math.inf]
    above = [other for other in lines[i + 1 :] if other in alike and other.layer != line.layer]
    return max(other.near for other in above or [other for other in alike if other.layer == line.layer])


def flags_of_parameters(parameters: Mapping[str, float | None], single_step: bool = False) -> Iterator[Flag]:
    """Flags of parameters by the norms of their gradients.

    In a ``single_step`` recurrent weights meet the state of zeros only, and it is no wonder that theirs is zero.
    """
    for name, norm in parameters.items():
        if norm is None:
            yield Flag("outside the graph", name, "nothing computed from it is part of the loss")
        elif not norm:
            if not (single_step and "_hh" in name):
                yield Flag("no gradient", name, "its gradient is exactly zero")
        elif not math.isfinite(norm):
            yield Flag("not finite", name, f"the norm of its gradient is {norm}")
