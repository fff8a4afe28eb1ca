"""The gradient at the states of recurrent layers, step by step, read from a backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy

import minigrad as mg
from minigrad.graph import GraphNode

ATTENTION = "weights"  # the scope of the weights of an attention, which have a name and are no state


class FlowLine(NamedTuple):
    """The gradient at one part of the state of one layer in one direction, step by step.

    Where every step has a loss of its own, or a layer above that hands one down, each adds to the gradient. To see how
    far one loss reaches, take the loss of the last output only.

    Attributes:
        place: of the layer and direction in the model: ``model.lstm.layer0.bwd``.
        part: of the state: ``h``, or ``c``.
        call: which call of the layer it is, counted from 1.
        reverse: whether the layer runs from the last step to the first.
        steps: the time steps, in order.
        norms: for each of them, the Euclidean norm over batch and features of the gradient of the loss by the state
            after it, on all ways: through the output of the step and through all that come after.
        dtype: of the gradient.
    """

    place: str
    part: str
    call: int
    reverse: bool
    steps: tuple[int, ...]
    norms: tuple[float, ...]
    dtype: str = "float32"

    @property
    def ran(self) -> tuple[float, ...]:
        """The norms in the order in which the steps ran: the far end, as the gradient sees it, first."""
        return self.norms[::-1] if self.reverse else self.norms

    @property
    def begin(self) -> int:
        """Where, in the order in which the steps ran, the first is: where the longest row begins.

        A direction from the end first passes steps that no row has. The gradient there is exactly zero, with nothing
        small beside it, as there would be beside an underflow.
        """
        first = next((i for i, norm in enumerate(self.ran) if norm), 0) if self.reverse else 0
        return first if self.ran[first] >= self.least else 0

    @property
    def far(self) -> float:
        """The norm at the step that ran first: what is left of the gradient, or has become of it, at the far end."""
        return self.ran[self.begin]

    @property
    def near(self) -> float:
        """The norm at the last step to run that a gradient reaches; 0 if it reaches none."""
        return next((norm for norm in reversed(self.ran) if norm != 0), 0.0)

    @property
    def least(self) -> float:
        """The least normal number of the dtype. Below it digits are lost, and then everything: an underflow."""
        return float(numpy.finfo(self.dtype).tiny)

    @property
    def rate(self) -> float | None:
        """The factor of every step on the way from :attr:`near` to :attr:`reach`, as a geometric mean.

        ``None`` where there is no way: the gradient reaches a single step, or none.
        """
        sound = self._sound()
        if len(sound) < 2:
            return None
        first, last = sound[0], sound[-1]
        power: float = (math.log2(self.ran[first]) - math.log2(self.ran[last])) / (last - first)
        return math.inf if power > 1000 else 2**power

    @property
    def reach(self) -> int | None:
        """The farthest step at which the norm can be trusted: finite, and not below :attr:`least`."""
        sound = self._sound()
        return (self.steps[::-1] if self.reverse else self.steps)[sound[0]] if sound else None

    def _sound(self) -> list[int]:
        """Where, in the order in which the steps ran, norms can be trusted."""
        return [i for i, norm in enumerate(self.ran) if self.least <= norm < math.inf]

    @property
    def label(self) -> str:
        """Place, part and, from the second on, the call."""
        return f"{self.where} {self.part}".strip()

    @property
    def where(self) -> str:
        """Place and, from the second on, the call."""
        return self.place + (f" (call {self.call})" if self.call > 1 else "")

    @property
    def layer(self) -> str:
        """The same without the direction."""
        return self.where.replace(".fwd", "").replace(".bwd", "")

    @property
    def stack(self) -> str:
        """The module whose layer this is: the place without its last part and the direction."""
        return self.layer.rpartition(".")[0]


class _Met(NamedTuple):
    """A named result inside a step: the steps around it, what is between the step and it, and its gradient."""

    position: tuple[int, ...]
    inner: str
    norm: float
    dtype: str


def lines_of(flow: mg.inspect.GradientFlow) -> list[FlowLine]:
    """A line for each layer, direction and part of the state: first all of ``h``, in the order in which they ran."""
    groups: dict[tuple[str, str], list[_Met]] = {}
    for node in flow.graph:
        if node.kind == "op" and node.name is not None and _steps(node) and node.places[-1][0] != ATTENTION:
            last = max(i for i, (_, step) in enumerate(node.places) if step is not None) + 1
            inner = mg.inspect.place(node.places[last:])
            met = _Met(_steps(node), inner, flow.norms.get(node.id, 0.0), node.dtype)
            groups.setdefault((mg.inspect.place(node.places[:last]), node.name), []).append(met)
    lines = []
    for (place, part), all_met in groups.items():
        for inner, some in _apart(all_met).items():
            where = mg.inspect.place(((place, None), (inner, None)))
            lines += [_line(where, part, call, met) for call, met in enumerate(_calls(some), 1)]
    return sorted(lines, key=lambda line: line.part != "h")


def _steps(node: GraphNode) -> tuple[int, ...]:
    return tuple([step for _, step in node.places if step is not None])


def _apart(met: list[_Met]) -> dict[str, list[_Met]]:
    """Several cells in one step have states of one name: these are told apart by what is between the step and them."""
    positions: dict[tuple[int, ...], set[str]] = {}
    for one in met:
        positions.setdefault(one.position, set()).add(one.inner)
    if all(len(inner) == 1 for inner in positions.values()):
        return {"": met}
    groups: dict[str, list[_Met]] = {}
    for one in met:
        groups.setdefault(one.inner, []).append(one)
    return groups


def _calls(met: list[_Met]) -> Iterator[list[_Met]]:
    """Where a step comes a second time, the layer was called again. Calls of one step each are a stream: one line."""
    calls: list[list[_Met]] = [[]]
    seen: set[tuple[int, ...]] = set()
    for one in met:
        if one.position in seen:
            calls.append([])
            seen.clear()
        seen.add(one.position)
        calls[-1].append(one)
    if len(calls) > 1 and all(len(call) == 1 for call in calls):
        return iter([[one._replace(position=(t,)) for t, (one,) in enumerate(calls)]])
    return iter(calls)


def _line(place: str, part: str, call: int, met: list[_Met]) -> FlowLine:
    ordered = sorted(met, key=lambda one: one.position)
    nested = any(len(one.position) > 1 for one in met)
    steps = tuple(range(len(met)) if nested else [one.position[0] for one in ordered])
    reverse = met[0].position > met[-1].position or (len(met) == 1 and place.endswith(".bwd"))
    return FlowLine(place, part, call, reverse, steps, tuple([one.norm for one in ordered]), met[0].dtype)
