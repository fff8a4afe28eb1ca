"""``draw(loss)``: from what was computed to a picture of the network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import minigrad as mg
from minigrad.draw import Drawing
from minigrad.draw.colours import fitting
from minigrad.draw.diagram import Diagram
from minigrad.draw.measure import measure
from minigrad.draw.options import check_timeout, is_count
from minigrad.draw.sheet import Point, Sheet
from minigrad.graph import Graph, uncollected

from ..cells.ends import NotRecordedError, recording_ends
from ..inspect import StepFlow, gradient_flow
from ..inspect.fused import fused_ops
from .asked import called, check_steps, computed, is_program, timeless
from .assemble import read
from .cell import cell_picture
from .flow import flow_sheet
from .folded import folded
from .grid import FIRST
from .looks import Looks
from .nan import nan_sheet
from .network import Network, Row
from .numbers import Values, given_values, values_of
from .rails import laid_out, on_rails, rails_of
from .shades import RELATIVE
from .terms import rail_terms
from .unrolled import unrolled

VIEWS = ("unrolled", "folded", "both", "cell", "flow")
MAX_SHAPES = 3000  # Graphviz draws them in about a second; nobody reads more
BETWEEN = 40.0  # points between the two halves of a drawing


def draw(
    y: Any,
    *inputs: Any,
    view: str = "unrolled",
    steps: int = 12,
    layer: str | None = None,
    weights: str | None = None,
    color_by: Any = None,
    max_shapes: int | None = MAX_SHAPES,
    timeout: float = 20.0,
) -> Drawing:
    """Draw the recurrent network that computes ``y``.

    Time goes from left to right and layers from the bottom up; each cell is one box at each step. A weight has the
    same colour and line wherever it is used; the legend tells its name, its shape and how often that is. Dashed boxes
    are the states before the first step.

    Args:
        y: a function without arguments that computes an output or a loss, ``lambda: loss(model(x), target)``; it is
            called where every op is recorded. Or what was computed there: a tensor, a list of tensors, or their graph.
            For the view ``"flow"`` also what :func:`minigrad_rnn.inspect.gradient_flow` returned, or a dictionary of
            several of all these by title, to be compared.
        inputs: with a model as ``y``, what it is called with: ``draw(model, x)`` is ``draw(lambda: model(x))``.
        view: ``"unrolled"``; ``"folded"``, each layer one box, where ■ takes a step of time; ``"both"``, side by side;
            ``"cell"``, the ops inside a cell; or ``"flow"``, where each step has the colour of the norm of the loss's
            gradient by its state.
        steps: how many steps to draw in full. Of a longer sequence it is the first three and the last two, and a strip
            between them.
        layer: of the view ``"cell"``: the place of the layer, or its end, ``"layer1"``; left out, the first one.
        weights: of the view ``"unrolled"``: ``"color"`` tells weights apart by the colours of arrows; ``"rail"`` ties
            the small aliases of a weight, one at each step, to the weight in full.
        color_by: of the view ``"unrolled"``: gives each box at each step the colour of a number, and prints it.
            ``"gradient"``: of cells, the norm of the gradient by their output, divided by that at the last step;
            ``"value"``: the norm of the output; ``"time"``, ``"bytes"``: of all that is computed in it; ``"nan"``: what
            is not finite is black; a function of place and step, ``lambda place, t: ...``; or a mapping from
            ``(place, step)`` to numbers. ``"terms"``, on rails: of each alias of a weight, the norm of what its step
            adds to the gradient of the weight, divided by that of the last step; see
            :func:`minigrad_rnn.inspect.gradient_terms`.
        max_shapes: refuse to draw more than this; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take.

    Raises:
        GraphError: no time step is recorded in the graph, or a layer ran as one op; or it is too much to draw.

    >>> import minigrad as mg
    >>> import minigrad_rnn as mr
    >>> rnn = mr.RNN(3, 4)
    >>> mr.draw(lambda: rnn(mg.ones(5, 1, 3))[0].sum(), view="folded")
    <drawing: 9 shapes, 5 lines, 478 × 136 points>
    """
    _check(view, steps, layer, max_shapes)
    if inputs:
        y = called(y, inputs)
    if color_by is not None and view != "unrolled":
        raise mg.GraphError(f'draw: color_by is for the view "unrolled", not for {view!r}')
    rail = on_rails(weights, color_by, view)
    check_timeout(timeout)
    with uncollected():
        if view == "flow":
            sheet: Sheet | Diagram = flow_sheet(_flows(y), steps)
        elif view == "cell":
            sheet = cell_picture(graph_of(_ends(y, steps)), layer)
        elif color_by is not None:
            sheet = _coloured(y, color_by, steps, rail)
        else:
            sheet = _sheet(network_of(graph_of(_ends(y, steps))), view, steps, rail)
    if max_shapes is not None and isinstance(sheet, Sheet) and len(sheet.shapes) > max_shapes:
        raise mg.GraphError(
            f"draw: {len(sheet.shapes):,} shapes and {len(sheet.lines):,} lines are more than anyone can read"
            f" (max_shapes={max_shapes})\n"
            f'  hint: steps={min(steps, 12)} draws the ends of the sequence and folds the rest; view="folded" draws'
            " each layer once; max_shapes=None draws it all the same"
        )
    return Drawing(sheet, timeout)


def _check(view: Any, steps: Any, layer: Any, max_shapes: Any) -> None:
    if not isinstance(view, str) or view not in VIEWS:
        raise mg.GraphError(f"draw: view is one of {', '.join(map(repr, VIEWS))}, not {view!r}")
    check_steps("draw", steps)
    if layer is not None and not isinstance(layer, str):
        raise mg.GraphError(f'draw: layer is the place of a layer or its end, such as "layer1", not {layer!r}')
    if max_shapes is not None and not is_count(max_shapes):
        raise mg.GraphError(f"draw: max_shapes is how many shapes are readable, from 1, or None; not {max_shapes!r}")


def graph_of(y: Any) -> Graph:
    """The graph of what :func:`draw` was given, with every step of its layers."""
    graph = y if isinstance(y, Graph) else mg.graph(computed(y))
    fused = _fused(graph)
    if fused:
        raise mg.GraphError(
            f"draw: the steps of {', '.join(fused)} cannot be drawn: they ran as one op\n"
            "  hint: hand over a function, draw(lambda: loss(model(x), y)), or compute it inside"
            " `with minigrad_rnn.unrolled():`"
        )
    return graph


def network_of(graph: Graph) -> Network:
    """The network in a graph.

    Raises:
        GraphError: no time step is recorded in it.
    """
    network = read(graph)
    if not any(row.kind == "state" for row in network.rows):
        raise timeless()
    return network


def _ends(y: Any, steps: int) -> Any:
    """What a function computes, with no more steps of long sequences recorded than are drawn."""
    try:
        with recording_ends(max(steps // 2 + 1, FIRST + 1)):
            return computed(y)
    except mg.GraphError as error:
        if not isinstance(error.__cause__, NotRecordedError):
            raise
        return computed(y)  # it runs a backward pass itself, which needs all steps


def _fused(graph: Graph) -> list[str]:
    """Places of layers that ran as one op."""
    ops = fused_ops()
    return list(dict.fromkeys(node.scope or node.op or "" for node in graph if node.op in ops))


def _flows(y: Any) -> dict[str, StepFlow]:
    """Gradient flows by title."""
    flows = y if isinstance(y, Mapping) else {"": y}
    if not flows:
        raise mg.GraphError(
            "draw: there is no flow to draw in an empty dictionary\n"
            '  hint: {"LSTM": lambda: loss(lstm(x)), "RNN": lambda: loss(rnn(x))} compares two'
        )
    return {str(title): _flow(flow) for title, flow in flows.items()}


def _flow(y: Any) -> StepFlow:
    if isinstance(y, StepFlow):
        return y
    return gradient_flow(partial(computed, y) if is_program(y) else y)


def _coloured(y: Any, color_by: Any, steps: int, rail: bool) -> Sheet:
    """The unrolled network in the colours of numbers."""
    if isinstance(color_by, str) and color_by == "terms":
        return _in_terms(y, steps)
    if isinstance(color_by, str) and color_by != "gradient":
        numbers = measure(partial(computed, y) if is_program(y) else y, color_by)
        network = network_of(graph_of(numbers.graph))
        values, colours = values_of(network, numbers), numbers.scale
        if numbers.adds:
            colours = fitting(colours.words, [x for row in values.values() for x in row.values()], colours.unit)
    elif isinstance(color_by, str):
        network, values, colours = *gradients(y), RELATIVE
    else:
        network = network_of(graph_of(y))
        values, colours = given_values(network, color_by)
    looks = Looks(network)
    rails = laid_out(network, rails_of(network, looks)) if rail else None
    sheet = unrolled(network, looks, steps, values, colours=colours, rails=rails)
    return nan_sheet(sheet, network, numbers) if color_by == "nan" else sheet


def _in_terms(y: Any, steps: int) -> Sheet:
    """The unrolled network with the terms of its weights' gradients."""
    loss = computed(y)
    if not isinstance(loss, mg.Tensor):
        raise mg.GraphError("draw: a gradient needs the loss itself, or a function that computes it, not its graph")
    graph = graph_of(loss)
    network = network_of(graph)
    looks = Looks(network)
    rails = rails_of(network, looks, numbered=True)
    return unrolled(network, looks, steps, rails=laid_out(network, rails, rail_terms(loss, graph, network, rails)))


def gradients(y: Any) -> tuple[Network, Values]:
    """The network, and for each of its cells the norms of the gradients, divided by the last."""
    if isinstance(y, Graph):
        raise mg.GraphError("draw: a gradient needs the loss itself, or a function that computes it, not its graph")
    flow = mg.inspect.gradient_flow(computed(y))
    network = network_of(graph_of(flow.graph))
    return network, {row.id: relative(row, flow.norms) for row in network.rows if row.kind == "state"}


def relative(row: Row, norms: Mapping[int, float]) -> dict[int, float]:
    """The norm at each step, divided by that at the last step that ran and that a gradient reaches."""
    found = {step: norms.get(node, 0.0) for step, node in zip(row.steps, row.nodes, strict=True)}
    near = next((norm for norm in list(found.values())[:: 1 if row.reverse else -1] if norm), 1.0)
    return {step: norm / near for step, norm in found.items()}


def _sheet(network: Network, view: str, steps: int, rail: bool) -> Sheet:
    looks = Looks(network)
    if view == "unrolled":
        return unrolled(network, looks, steps, rails=laid_out(network, rails_of(network, looks)) if rail else None)
    if view == "folded":
        return folded(network, looks)
    left = folded(network, looks, with_legend=False)
    right = unrolled(network, looks, steps, names=False, loops=True)
    edge = max(shape.at.x + shape.width / 2 for shape in left.shapes)
    start = min(shape.at.x - shape.width / 2 for shape in right.shapes)
    right = right.moved(Point(edge + BETWEEN - start, 0))
    return Sheet(left.shapes + right.shapes, left.lines + right.lines)
