"""The terms of a shared weight's gradient: what each time step adds to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import minigrad as mg
from minigrad.backend import xp
from minigrad.graph import Graph, Source, align, numbered
from minigrad.inspect import Use, uses

from ..layers.path import unrolled
from .fused import fused_ops
from .times import Times, times

Key = tuple[str, "int | None"]


class Term(NamedTuple):
    """What one step adds to the gradient of a weight.

    Attributes:
        place: of the layer and direction, or of the module, that uses the weight.
        step: the time step; ``None``: outside of time.
        norm: the Euclidean norm of the term.
        gradient: the term itself, of the shape of the weight; ``None`` if only norms were asked for.
    """

    place: str
    step: int | None
    norm: float
    gradient: mg.Tensor | None = None


@dataclass(frozen=True)
class GradientTerms:
    """The terms of a weight's gradient. Made by :func:`gradient_terms`; printing it prints a table.

    Attributes:
        name: of the weight.
        terms: by place, in order of time.
        gradient: their sum, the gradient of the weight.
    """

    name: str
    terms: tuple[Term, ...]
    gradient: mg.Tensor

    @property
    def norm(self) -> float:
        """The norm of the sum. Where terms cancel, it is less than theirs."""
        return norm_of(self.gradient)

    def norms(self) -> dict[str, dict[int | None, float]]:
        """The norms of the terms by place, and then by step."""
        found: dict[str, dict[int | None, float]] = {}
        for term in self.terms:
            found.setdefault(term.place, {})[term.step] = term.norm
        return found

    def to_text(self) -> str:
        """A table, with bars on a logarithmic scale, and the norm of the sum below."""
        norms = [term.norm for term in self.terms]
        rows: list[tuple[Any, ...]] = [("place", "t", "‖term‖", "log")]
        for term in self.terms:
            step = "" if term.step is None else term.step
            rows.append((term.place or "-", step, f"{term.norm:.3g}", mg.inspect.log_bar(term.norm, norms)))
        rows.append(("sum", "", f"{self.norm:.3g}", ""))
        return f"∂L/∂({self.name})\n{align(rows, right=(1, 2))}"

    __str__ = to_text


def gradient_terms(
    loss: mg.Tensor | Callable[[], mg.Tensor], weight: mg.Tensor, *, gradient: Any = None, norms_only: bool = False
) -> GradientTerms:
    r"""Run a backward pass, and take the gradient of a shared weight apart into what each step adds to it.

    A weight :math:`W` that is used at every step gets :math:`\partial L/\partial W = \sum_t (\partial a_t/\partial W)^T
    \,\partial L/\partial a_t`, where :math:`a_t` is what was computed from it at step t; here are the terms of this sum
    (for :math:`a_t = W h_{t-1}` they are :math:`(\partial L/\partial a_t)\, h_{t-1}^T`). Nothing is accumulated in
    ``grad``, and the graph can be used again.

    A weight that is applied to all steps at once, as those of the input are, has its terms by the parts of that op's
    gradient: as many runs of its rule as there are steps.

    Args:
        loss: a function without arguments that computes the loss, ``lambda: loss(model(x), y)``; it is called inside
            :func:`~minigrad_rnn.unrolled`. Or a tensor that was computed there, before ``backward``.
        weight: a parameter, or any other leaf, that the loss depends on.
        gradient: of the shape of the loss; may be left out for a loss of one element, where it is 1.
        norms_only: forget each term once its norm is known: together they take as much memory as the weight at every
            step.

    Raises:
        GraphError: the loss does not depend on the weight; a layer took the fused path, so that its steps cannot be
            seen; the graph was freed by a backward; or ``gradient`` is missing.

    >>> import minigrad as mg
    >>> w, h = mg.tensor(0.5, requires_grad=True), mg.tensor(8.0)
    >>> for t in range(3):
    ...     with mg.scope(step=t):
    ...         h = w * h
    >>> [(term.step, term.norm) for term in gradient_terms(h, w).terms]
    [(0, 2.0), (1, 2.0), (2, 2.0)]
    """
    _check(loss, weight)
    if callable(loss):
        with unrolled():
            loss = loss()
    graph = mg.graph(loss)
    number = numbered([loss.node]).get(weight.node)  # type: ignore[list-item, arg-type]
    if number is None:
        raise mg.GraphError("gradient_terms: the loss does not depend on this weight")
    total, terms = mg.zeros_like(weight), []
    for (place, step), term in terms_of(loss, weight.node, graph, times(graph), gradient=gradient):
        total = total + term
        terms.append(Term(place, step, norm_of(term), None if norms_only else term))
    return GradientTerms(graph.nodes[number].name or f"leaf {number}", tuple(terms), total)


def terms_of(
    loss: mg.Tensor,
    leaf: Any,
    graph: Graph,
    reading: Times,
    group: Callable[[str, int], str] = lambda place, _: place,
    gradient: Any = None,
) -> Iterator[tuple[Key, mg.Tensor]]:
    """The terms one after the other, by place and step.

    Args:
        loss: as in :func:`gradient_terms`.
        leaf: the node of the weight.
        graph: ``mg.graph(loss)``.
        reading: ``times(graph)``.
        group: gives a name for a place and a loop (-1: none); terms of the same name and step are added up.
        gradient: as in :func:`gradient_terms`.
    """
    number = numbered([loss.node])[leaf]  # type: ignore[list-item]
    found: dict[Key, list[tuple[Use, tuple[Any, ...] | None]]] = {}
    ops, feeds = fused_ops(), _feeds(graph, reading)
    for use in uses(loss, leaf, _preparing(graph, reading, number) - {n.id for n in graph if n.op in ops}, gradient):
        node = graph.nodes[use.node]
        if node.op in ops:
            raise mg.GraphError(
                f"gradient_terms: {node.scope or 'a recurrent layer'} ran as one op ({node.op}), whose steps cannot be"
                " seen\n  hint: hand over a function, gradient_terms(lambda: loss(model(x), y), weight), or compute the"
                " loss inside `with minigrad_rnn.unrolled():`"
            )
        place, steps, axis = _where(graph, reading, feeds, use.node)
        spot = reading.spots[use.node] or reading.spans[use.node]
        name = group(place, -1 if spot is None else spot.loop)
        for i, step in enumerate(steps):
            part = None if axis is None else (*[slice(None)] * axis, i)
            found.setdefault((name, step), []).append((use, part))
    for key in sorted(found, key=lambda key: (key[0], key[1] is None, key[1] or 0)):
        with mg.no_grad():
            terms = [use.adds(None if part is None else _only(use.gradient, part)) for use, part in found[key]]
            yield key, sum(terms[1:], terms[0])


def norm_of(term: mg.Tensor) -> float:
    """The Euclidean norm, in a type that does not overflow when squared."""
    return math.sqrt(float((term.data.astype("float64") ** 2).sum()))


def _check(loss: Any, weight: Any) -> None:
    if isinstance(loss, mg.nn.Module) or not (callable(loss) or isinstance(loss, mg.Tensor)):
        raise TypeError(
            f"gradient_terms takes the loss first, a tensor or a function that computes it; not {type(loss).__name__}"
        )
    if not isinstance(weight, mg.Tensor) or not weight.requires_grad or not weight.is_leaf:
        result = isinstance(weight, mg.Tensor) and weight.requires_grad
        raise mg.GraphError(
            "gradient_terms: the second argument is a parameter, or another leaf that requires a gradient, not"
            f" {'the result of an op' if result else f'a {type(weight).__name__} that requires none'}\n"
            "  hint: gradient_terms(loss, model.rnn.weight_hh_l0)"
        )


def _preparing(graph: Graph, reading: Times, number: int) -> set[int]:
    """The ops that make what is used out of a weight, before the first step: a transposition, a mask, a norm."""
    spots, spans = reading.spots, reading.spans
    before = [node.kind != "op" or (spots[node.id] is None and spans[node.id] is None) for node in graph]
    made, roots = {number}, {output.node for output in graph.outputs}
    for node in graph:
        sources = [x.node for x in node.inputs if isinstance(x, Source)]
        before[node.id] = before[node.id] and all(before[source] for source in sources)
        if node.kind == "op" and before[node.id] and node.id not in roots and made.intersection(sources):
            made.add(node.id)
    return made - {number}


def _feeds(graph: Graph, reading: Times) -> list[int]:
    """For each node outside of steps a loop whose steps use what it gives; -1: none."""
    feeds = [-1] * len(graph)
    for node in reversed(graph.nodes):
        spot = reading.spots[node.id]
        loop = feeds[node.id] if spot is None else spot.loop
        for x in node.inputs:
            if isinstance(x, Source) and reading.spots[x.node] is None and loop >= 0:
                feeds[x.node] = loop
    return feeds


def _where(
    graph: Graph, reading: Times, feeds: list[int], number: int
) -> tuple[str, tuple[int | None, ...], int | None]:
    """The place of an op, its steps, and along which dimension they are."""
    node, spot, span = graph.nodes[number], reading.spots[number], reading.spans[number]
    if spot is not None:
        return reading.label(spot.loop), (spot.step,), None
    path = tuple([name for name, _ in node.places if name])
    if span is None:
        return ".".join(path), (None,), None
    around = reading.loops[feeds[number]].place if feeds[number] >= 0 else ()
    inside = around and path[: len(around)] == around
    return reading.label(feeds[number]) if inside else ".".join(path), span.steps, span.axis


def _only(gradient: Any, part: tuple[Any, ...]) -> Any:
    """Zeros, but for one part."""
    masked = xp(gradient).zeros_like(gradient)
    masked[part] = gradient[part]
    return masked
