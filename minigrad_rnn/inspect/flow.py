"""How the gradient grows or shrinks on its way back through time."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import minigrad as mg
from minigrad.graph import Graph, align

from ..cells.cell import Cell
from ..layers.path import unrolled
from ..layers.stack import Stack
from .flags import Flag, flags_of_lines, flags_of_parameters
from .flow_text import filled, tables, told
from .fused import fused_ops
from .lines import FlowLine, lines_of
from .plot import plot

VANISHING, EXPLODING = 1e-3, 1e3
OWN = 'loops of your own, run each step in mg.scope(step=t) and name the state, h.name = "h"'
NO_STATE = "no state of a recurrent layer is in the graph of this loss"
NOTHING = (
    "No step to show: nothing of this loss is recorded, because all that it was computed from is detached, is frozen,"
    " or ran under no_grad()."
)


@dataclass(frozen=True)
class StepFlow:
    """The gradients of one backward pass through time. Made by :func:`gradient_flow`; printing it prints a table.

    Attributes:
        lines: a :class:`FlowLine` for each layer, direction and part of the state.
        parameters: for each parameter of the model, by name, the norm of its gradient; ``None``: outside the graph.
        fused: places of layers that ran as one op, so that their steps cannot be seen.
        vanishing, exploding: the thresholds, see :func:`gradient_flow`.
        note: why there are no lines, if there are none.
    """

    lines: tuple[FlowLine, ...]
    parameters: dict[str, float | None]
    fused: tuple[str, ...]
    vanishing: float = VANISHING
    exploding: float = EXPLODING
    note: str = ""

    def __getitem__(self, key: tuple[str, str]) -> FlowLine:
        """The line of a place and a part, ``flow["lstm.layer0", "h"]``: that of the first call."""
        for line in self.lines:
            if (line.place, line.part) == key:
                return line
        known = ", ".join(repr((line.place, line.part)) for line in self.lines if line.call == 1)
        raise KeyError(f"{key!r}; there are {known or 'none'}")

    def flags(self) -> list[Flag]:
        """What to look at."""
        lines = flags_of_lines(self.lines, self.vanishing, self.exploding)
        single_step = bool(self.lines) and all(len(line.steps) == 1 for line in self.lines)
        return [*lines, *flags_of_parameters(self.parameters, single_step)]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        lines = [{**line._asdict(), "rate": line.rate} for line in self.lines]
        flags = [flag._asdict() for flag in self.flags()]
        parameters, fused = dict(self.parameters), list(self.fused)
        return {"lines": lines, "parameters": parameters, "fused": fused, "flags": flags, "note": self.note}

    def to_json(self) -> str:
        """The same as JSON; NaN and infinities, which JSON has no words for, are strings."""
        return json.dumps(_finite(self.to_dict()), allow_nan=False)

    def to_text(self, steps: int = 8) -> str:
        """A table for each layer and direction, with bars on one logarithmic scale; the parameters; the flags.

        Args:
            steps: how many steps to show at most.
        """
        parts = [filled(self.note)] if self.note else tables(self.lines, steps)
        if self.fused:
            parts.append(f"not shown, because it ran as one op: {', '.join(self.fused)}")
        if self.parameters:
            norms = [(name, "outside" if norm is None else f"{norm:.3g}") for name, norm in self.parameters.items()]
            parts.append(align([("parameter", "‖g‖"), *norms], right=(1,)))
        parts.append(told(self.flags()) or ("" if self.note else "nothing vanishes, explodes or is left out"))
        return "\n\n".join(filter(None, parts))

    __str__ = to_text

    def plot(self, file: Any, **options: Any) -> None:
        """Draw norm against step, on a logarithmic axis: a panel for each part, a line for each layer and direction.

        Norms that such an axis has no place for are marked at its ends: below those that are 0 or underflow, above
        those that are not finite.

        Args:
            file: a path (``.png``, ``.svg``, ``.pdf``) or a file object.
            options: for matplotlib's ``savefig``, such as ``dpi`` or ``format``.

        Raises:
            MinigradError: there are no lines, or matplotlib is not installed.
        """
        if not self.lines:
            raise mg.MinigradError(f"plot: there is nothing to draw: {self.note}")
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

    Flagged is what vanishes or explodes, through time or through depth; what is not finite; a direction from the end
    of which only the first step is used, as by ``output[-1]``; parameters whose gradient is exactly zero, and those
    that the loss does not depend on. If none of the recurrent layers is in the graph, there are no lines, but a note.

    Args:
        loss: a function without arguments that computes the loss, ``lambda: loss(model(x), y)``; it is called inside
            :func:`~minigrad_rnn.unrolled`. Or a tensor that was computed there, before ``backward``.
        model: whose parameters are looked for, to tell which of them are outside the graph.
        gradient: of the shape of the loss; may be left out for a loss of one element, where it is 1.
        vanishing: a line is flagged if the norm at its far end, the step that ran first, is less than this times its
            largest; or if its largest is less than this times what comes in. That is the largest norm that any layer
            above, or on top the layer itself, has at its near end, the step that ran last.
        exploding: and if its largest norm is more than this times what comes in.

    Raises:
        GraphError: no time step is recorded in the graph, and it is not that parameters of the model are outside of it
            or frozen; layers took the fused path; the graph was freed by a backward; or ``gradient`` is missing.

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
    if isinstance(model, mg.nn.Module) and isinstance(loss, mg.Tensor) and not loss.requires_grad:
        outside = dict.fromkeys(name for name, parameter in model.named_parameters() if parameter.requires_grad)
        return StepFlow((), outside, (), vanishing, exploding, NOTHING)
    flow = mg.inspect.gradient_flow(loss, gradient, model)
    fused = _fused(flow.graph)
    lines = tuple(lines_of(flow))
    note = "" if lines or fused or model is None else _note(model, flow.parameters)
    if not lines and not note:
        raise _no_steps(fused)
    return StepFlow(lines, flow.parameters, tuple(fused), vanishing, exploding, note)


def _note(model: mg.nn.Module, norms: Mapping[str, float | None]) -> str:
    """Why no state is in the graph, as far as the model tells; empty if it does not."""
    layers = [module for module in model.modules() if isinstance(module, (Stack, Cell))]
    reasons = []
    if None in norms.values():
        reasons.append(" It does not use what is outside of it, or was cut off from that by detach() or no_grad().")
    if any(not parameter.requires_grad for layer in layers for parameter in layer.parameters()):
        reasons.append(" What is computed from frozen parameters and inputs alone is not recorded.")
    if reasons and not layers:
        reasons.append(f" In {OWN}.")
    return f"No step to show: {NO_STATE}.{''.join(reasons)}" if reasons else ""


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
        f"gradient_flow: {NO_STATE}\n"
        f"  hint: in {OWN}; for other models there is minigrad.inspect.gradient_flow"
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (tuple, list)) else value
