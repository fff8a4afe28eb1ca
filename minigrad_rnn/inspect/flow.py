"""How the gradient grows or shrinks on its way back through time."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.graph import Graph, GraphNode, align

from ..layers.path import unrolled
from .fused import fused_ops
from .plot import plot

VANISHING, EXPLODING = 1e-3, 1e3
ATTENTION = "weights"  # the scope of the weights of an attention, which have a name and are no state
BARS = 40  # characters of all the longest bars beside each other


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
    """

    place: str
    part: str
    call: int
    reverse: bool
    steps: tuple[int, ...]
    norms: tuple[float, ...]

    @property
    def ran(self) -> tuple[float, ...]:
        """The norms in the order in which the steps ran: the far end, as the gradient sees it, first."""
        return self.norms[::-1] if self.reverse else self.norms

    @property
    def far(self) -> float:
        """The norm at the step that ran first: what is left of the gradient, or has become of it, at the far end."""
        return self.ran[0]

    @property
    def near(self) -> float:
        """The norm at the last step to run that a gradient reaches; 0 if it reaches none."""
        return next((norm for norm in reversed(self.ran) if norm != 0), 0.0)

    @property
    def rate(self) -> float:
        """The factor of every step on the way from :attr:`near` to :attr:`far`, as a geometric mean."""
        count = max((i for i, norm in enumerate(self.ran) if norm != 0), default=0)
        return (self.far / self.near) ** (1 / count) if count else 1.0

    @property
    def label(self) -> str:
        """Place, part and, from the second on, the call."""
        return f"{self.where} {self.part}".strip()

    @property
    def where(self) -> str:
        """Place and, from the second on, the call."""
        return self.place + (f" (call {self.call})" if self.call > 1 else "")


class Flag(NamedTuple):
    """Something to look at: what it is, where, and in which numbers it shows.

    Attributes:
        kind: ``"vanishing"``, ``"exploding"``, ``"not finite"``, ``"no gradient"`` or ``"outside the graph"``.
        where: label of a line, or name of a parameter.
        told: a sentence.
    """

    kind: str
    where: str
    told: str


@dataclass(frozen=True)
class StepFlow:
    """The gradients of one backward pass through time. Made by :func:`gradient_flow`; printing it prints a table.

    Attributes:
        lines: a :class:`FlowLine` for each layer, direction and part of the state.
        parameters: for each parameter of the model, by name, the norm of its gradient; ``None``: outside the graph.
        fused: places of layers that ran as one op, so that their steps cannot be seen.
        vanishing, exploding: the thresholds, see :func:`gradient_flow`.
    """

    lines: tuple[FlowLine, ...]
    parameters: dict[str, float | None]
    fused: tuple[str, ...]
    vanishing: float = VANISHING
    exploding: float = EXPLODING

    def __getitem__(self, key: tuple[str, str]) -> FlowLine:
        """The line of a place and a part, ``flow["lstm.layer0", "h"]``: that of the first call."""
        for line in self.lines:
            if (line.place, line.part) == key:
                return line
        known = ", ".join(repr((line.place, line.part)) for line in self.lines if line.call == 1)
        raise KeyError(f"{key!r}; there are {known}")

    def flags(self) -> list[Flag]:
        """What to look at."""
        flags = [flag for line in self.lines for flag in self._flags_of(line)]
        for name, norm in self.parameters.items():
            if norm is None:
                told = "nothing that was computed from it is part of the loss: no gradient reaches it"
                flags.append(Flag("outside the graph", name, told))
            elif not math.isfinite(norm):
                flags.append(Flag("not finite", name, f"its gradient has the norm {norm}"))
        return flags

    def _flags_of(self, line: FlowLine) -> Iterator[Flag]:
        broken = [step for step, norm in zip(line.steps, line.norms, strict=True) if not math.isfinite(norm)]
        if broken:
            first = broken[0] if line.reverse else broken[-1]
            yield Flag("not finite", line.label, f"from t={first} on, on the way back")
            return
        largest = max(line.norms)
        peak = line.steps[line.norms.index(largest)]
        entering = max((line.near for line in self.lines if math.isfinite(line.near)), default=math.inf)
        if not largest:
            yield Flag("no gradient", line.label, "it is zero at every step")
        elif line.far < self.vanishing * largest:
            end = f"{line.far:.2g} at t={line.steps[-1 if line.reverse else 0]}"
            yield Flag("vanishing", line.label, f"‖g‖ falls from {largest:.2g} at t={peak} to {end}")
        elif largest > self.exploding * entering:
            yield Flag("exploding", line.label, f"‖g‖ grows from {entering:.2g} to {largest:.2g} at t={peak}")

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        lines = [{**line._asdict(), "rate": line.rate} for line in self.lines]
        flags = [flag._asdict() for flag in self.flags()]
        return {"lines": lines, "parameters": dict(self.parameters), "fused": list(self.fused), "flags": flags}

    def to_json(self) -> str:
        """The same as JSON; NaN and infinities, which JSON has no words for, are strings."""
        return json.dumps(_finite(self.to_dict()), allow_nan=False)

    def to_text(self, steps: int = 8) -> str:
        """A table for each layer and direction, with bars on one logarithmic scale; the parameters; the flags.

        Args:
            steps: how many steps to show at most.
        """
        norms = [norm for line in self.lines for norm in line.norms]
        places: dict[tuple[str, int], list[FlowLine]] = {}
        for line in self.lines:
            places.setdefault((line.place, line.call), []).append(line)
        parts = [_table(lines, steps, norms) for lines in places.values()]
        if self.fused:
            parts.append(f"not shown, because it ran as one op: {', '.join(self.fused)}")
        if self.parameters:
            told = [(name, "outside" if norm is None else f"{norm:.3g}") for name, norm in self.parameters.items()]
            parts.append(align([("parameter", "‖g‖"), *told], right=(1,)))
        flags = self.flags()
        parts.append(align(flags) if flags else "nothing vanishes, explodes or is left out")
        return "\n\n".join(parts)

    __str__ = to_text

    def plot(self, file: Any, **options: Any) -> None:
        """Draw norm against step, on a logarithmic axis: a panel for each part, a line for each layer and direction.

        Args:
            file: a path (``.png``, ``.svg``, ``.pdf``) or a file object.
            options: for matplotlib's ``savefig``, such as ``dpi`` or ``format``.

        Raises:
            MinigradError: matplotlib is not installed.
        """
        plot(self.lines, file, **options)


def gradient_flow(
    loss: mg.Tensor | Callable[[], mg.Tensor],
    model: mg.nn.Module | None = None,
    *,
    gradient: Any = None,
    vanishing: float = VANISHING,
    exploding: float = EXPLODING,
) -> StepFlow:
    r"""Run a backward pass, and report the norm of :math:`\partial L/\partial h_t` at every step, layer and direction.

    For an LSTM the same for the cell, :math:`\partial L/\partial c_t`. Nothing is accumulated in ``grad``, and the
    graph can be used again.

    In loops of one's own, give steps a scope, ``mg.scope(step=t)``, and what is to be seen a name, ``h.name = "h"``;
    the cells of this library name their states themselves.

    Args:
        loss: a function without arguments that computes the loss, ``lambda: loss(model(x), y)``; it is called inside
            :func:`~minigrad_rnn.unrolled`. Or a tensor that was computed there, before ``backward``.
        model: whose parameters are looked for, to tell which of them are outside the graph.
        gradient: of the shape of the loss; may be left out for a loss of one element, where it is 1.
        vanishing: a line is flagged if the norm at its far end, the step that ran first, is less than this times the
            largest of the line.
        exploding: and if its largest norm is more than this times the largest that any line has at its near end, where
            the gradient comes in.

    Raises:
        GraphError: no time step is recorded in the graph: layers took the fused path; the graph was freed by a
            backward; nothing was recorded; or ``gradient`` is missing.

    >>> import minigrad as mg
    >>> from minigrad_rnn import RNN
    >>> rnn = RNN(1, 1, nonlinearity="relu")
    >>> for weight, value in zip(rnn.parameters(), (1.0, 0.5, 0.0, 0.0)):
    ...     weight.data = weight.data * 0 + value
    >>> flow = gradient_flow(lambda: rnn(mg.ones(4, 1, 1))[0][-1].sum(), rnn)
    >>> flow["rnn.layer0", "h"].norms
    (0.125, 0.25, 0.5, 1.0)
    """
    if isinstance(loss, mg.nn.Module):
        raise TypeError(f"gradient_flow takes the loss first, then the model; the first is a {type(loss).__name__}")
    if callable(loss):
        with unrolled():
            loss = loss()
    flow = mg.inspect.gradient_flow(loss, gradient, model)
    fused = _fused(flow.graph)
    lines = tuple(sorted(_lines(flow), key=lambda line: line.part != "h"))
    if not lines:
        raise _no_steps(fused)
    return StepFlow(lines, flow.parameters, tuple(fused), vanishing, exploding)


class _Met(NamedTuple):
    """A named result inside a step: the steps around it, what is between the step and it, and its gradient."""

    position: tuple[int, ...]
    inner: str
    norm: float


def _lines(flow: mg.inspect.GradientFlow) -> Iterator[FlowLine]:
    groups: dict[tuple[str, str], list[_Met]] = {}
    for node in flow.graph:
        if node.kind == "op" and node.name is not None and _steps(node) and node.places[-1][0] != ATTENTION:
            last = max(i for i, (_, step) in enumerate(node.places) if step is not None) + 1
            met = _Met(_steps(node), mg.inspect.place(node.places[last:]), flow.norms.get(node.id, 0.0))
            groups.setdefault((mg.inspect.place(node.places[:last]), node.name), []).append(met)
    for (place, part), all_met in groups.items():
        for inner, some in _apart(all_met).items():
            where = mg.inspect.place(((place, None), (inner, None)))
            yield from (_line(where, part, call, met) for call, met in enumerate(_calls(some), 1))


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
    reverse = met[0].position > met[-1].position
    return FlowLine(place, part, call, reverse, steps, tuple([one.norm for one in ordered]))


def _fused(graph: Graph) -> list[str]:
    """Places of layers that ran as one op."""
    ops = fused_ops()
    found = [f"{node.scope or 'a recurrent layer'} ({node.op})" for node in graph if node.op in ops]
    return [f"{place}, {count} times" if count > 1 else place for place, count in Counter(found).items()]


def _no_steps(fused: list[str]) -> mg.GraphError:
    if fused:
        return mg.GraphError(
            f"gradient_flow: the steps cannot be seen, because every layer ran as one op: {', '.join(fused)}\n"
            "  hint: hand over a function, gradient_flow(lambda: loss(model(x), y), model), or compute the loss inside"
            " `with minigrad_rnn.unrolled():`"
        )
    return mg.GraphError(
        "gradient_flow: there is no state of a recurrent layer in the graph of this loss\n"
        '  hint: in loops of your own, run each step in mg.scope(step=t) and name the state, h.name = "h"; for other'
        " models there is minigrad.inspect.gradient_flow"
    )


# ---- text --------------------------------------------------------------------------------------------------------


def _table(lines: list[FlowLine], limit: int, norms: list[float]) -> str:
    """The parts of the state of one place side by side."""
    steps = sorted({step for line in lines for step in line.steps})
    shown = _spread(len(steps), limit)
    head, width = ["t"], max(BARS // len(lines), 8)
    columns = []
    for line in lines:
        head += [f"‖∂L/∂{line.part}‖", "log"]
        columns.append(dict(zip(line.steps, line.norms, strict=True)))
    rows: list[list[Any]] = [head]
    for step in (steps[i] for i in shown):
        row: list[Any] = [step]
        for column in columns:
            norm = column.get(step)
            row += ["", ""] if norm is None else [f"{norm:.3g}", mg.inspect.log_bar(norm, norms, width)]
        rows.append(row)
    table = align(rows, right=(0, *range(1, len(head), 2))).replace("\n", "\n  ")
    left_out = f"\n  ({len(steps) - len(shown)} of {len(steps)} steps left out)" if len(steps) > len(shown) else ""
    way = ", from the end" if lines[0].reverse else ""
    rates = ", ".join(f"{line.part} ×{line.rate:.3g}" for line in lines)
    return f"{lines[0].where or 'steps'}{way}: {rates} at every step back\n  {table}{left_out}"


def _spread(count: int, limit: int) -> list[int]:
    """At most ``limit`` of ``count`` places, evenly spread, the first and the last among them."""
    limit = max(limit, 2)
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (tuple, list)) else value
