"""``draw(y)`` and what it returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import FileError, GraphError
from ..files import replace_file
from ..graph import Graph, graph, uncollected
from ..nn import Module
from .diagram import Diagram
from .dot import to_dot
from .fit import READABLE, fitted
from .measure import computed, measure
from .ops import op_diagram
from .options import check_options, check_timeout, is_count
from .overview import module_diagram
from .paint import painted
from .render import FORMATS, RenderError, render
from .sheet import Sheet, sheet_dot
from .values import Values, values_of, with_values
from .whole import Whole, unpainted, weakly

SHOW = ("shape", "params", "grad", "scope")
ALSO = ("dtype", "line", "value")
LARGEST_OUTPUT = 1_000_000  # characters of SVG that a notebook is given


class Drawing:
    """A diagram that can be shown in a notebook, saved, or looked at as DOT text.

    Attributes:
        diagram: boxes and arrows, as data: a :class:`Diagram`, or a :class:`Sheet` where the places are known.
        dot: the text for Graphviz.
        timeout: seconds that the program ``dot`` may take.
        whole: what a page can open and look into, if that is more than the diagram.
    """

    def __init__(self, diagram: Diagram | Sheet, timeout: float = 20.0, whole: Whole | None = None) -> None:
        if not isinstance(diagram, (Diagram, Sheet)):
            raise GraphError(f"Drawing takes a Diagram or a Sheet, not {type(diagram).__name__}")
        check_timeout(timeout)
        self.diagram, self.timeout, self.whole = diagram, timeout, whole
        self.dot = to_dot(diagram) if isinstance(diagram, Diagram) else sheet_dot(diagram)

    def svg(self) -> str:
        """The picture as SVG: with tooltips, and on a transparent page."""
        return render(self.dot, "svg", self.timeout).decode()

    def png(self) -> bytes:
        """The picture as PNG."""
        return render(self.dot, "png", self.timeout)

    def pdf(self) -> bytes:
        """The picture as PDF."""
        return render(self.dot, "pdf", self.timeout)

    def html(self, title: str = "Drawing") -> str:
        """A page to move, zoom and search in, on which modules and time steps open and close at a click.

        It is one file that opens from disk without a network, and needs no Graphviz here: it brings its own. It tells
        the values of a graph as long as somebody holds the tensor that was drawn.

        Raises:
            GraphError: the page would be larger than 5 MB, or ``title`` is no text.
        """
        if not isinstance(title, str):
            raise GraphError(f"draw: title is a text, not {type(title).__name__}")
        from .html import html_page  # noqa: PLC0415  (only on demand)

        return html_page(self.whole or self.diagram, title, self.timeout)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file whose suffix says the format: ``.svg``, ``.png``, ``.pdf``, ``.html``, ``.dot``.

        The file appears whole or not at all.

        Raises:
            RenderError: another suffix, or Graphviz did not draw it.
            FileError: the file cannot be written.
        """
        path = path_of(path)
        format = path.suffix[1:].lower()
        if format not in (*FORMATS, "html", "dot"):
            known = ", ".join(f".{name}" for name in (*FORMATS, "html", "dot"))
            raise RenderError(f"cannot tell a format from {path.name!r}; the suffix must be one of {known}", self.dot)
        if format == "html":
            return replace_file(path, self.html(path.stem))
        if format == "svg":
            return replace_file(path, self.svg())
        return replace_file(path, self.dot if format == "dot" else render(self.dot, format, self.timeout))

    def to_graphviz(self) -> Any:
        """The drawing as a ``graphviz.Source``, for what the package of that name can do with it.

        Raises:
            RenderError: that package is not installed.
        """
        try:
            import graphviz  # noqa: PLC0415  (only here, and only on demand)
        except ImportError as error:
            raise RenderError(
                f"to_graphviz needs the package graphviz: {error}\n"
                "  hint: pip install graphviz; all else of a drawing works without it",
                self.dot,
            ) from None
        return graphviz.Source(self.dot)

    def __repr__(self) -> str:
        if isinstance(self.diagram, Diagram):
            notes = "".join(f"; {item.text}" for item in self.diagram.key if not item.shades)
            return f"<drawing: {len(self.diagram.boxes)} boxes, {len(self.diagram.arrows)} arrows{notes}>"
        width, height = self.diagram.size()
        shapes, lines = len(self.diagram.shapes), len(self.diagram.lines)
        return f"<drawing: {shapes} shapes, {lines} lines, {width:.0f} × {height:.0f} points>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows: the SVG, unless it is so large that the notebook would suffer."""
        picture = self.svg()
        if len(picture) > LARGEST_OUTPUT:
            return {"text/plain": f"{self!r}: {len(picture) / 1e6:.1f} MB of SVG; use .save('graph.svg') to look at it"}
        return {"image/svg+xml": picture, "text/plain": repr(self)}


def draw(
    y: Any,
    inputs: Any = None,
    *,
    direction: str | None = None,
    show: Sequence[str] = SHOW,
    color_by: Any = None,
    depth: int | None = None,
    max_nodes: int | None = READABLE,
    timeout: float = 20.0,
) -> Drawing:
    """Draw the graph that computes ``y``.

    Each op is one box with its result; leaves that ask for a gradient are yellow, named constants blue, others grey,
    the output red if it is a number and pink if not. Where order matters, numbers at the arrows tell the operands.
    Panels are the places of the model (modules, :func:`minigrad.scope`, time steps). A parameter used in several
    time steps is drawn in full in the first, and as a small dashed alias in the others.

    Args:
        y: a tensor, a sequence of tensors, or the data that :func:`minigrad.graph` returned; or a function without
            arguments that computes one of these. With ``inputs``, a module: it is run on these, in evaluation mode, and
            its modules are drawn instead of ops.
        inputs: of a module: a tuple of positional arguments, a dictionary of keyword arguments, or the one argument.
        direction: where the arrows point: ``"LR"`` (of ops, and of few modules in a row, if left out), ``"TB"``,
            ``"RL"`` or ``"BT"``.
        show: which of ``"shape"``, ``"params"``, ``"grad"``, ``"scope"``, ``"dtype"``, ``"line"``, ``"value"`` to show;
            an element type other than float32 is shown with the shape in any case. Of many values it is the smallest,
            the largest and the mean; a gradient of few is then shown too, in the place of its norm.
        color_by: give each box the colour of a number, and print it: ``"gradient"`` and ``"value"`` (norms),
            ``"time"`` (``y`` is a function then), ``"bytes"``; ``"nan"`` shows what is not finite, where it began and
            which way it took; a function of a :class:`~minigrad.graph.GraphNode`, or numbers by node, name or place.
        depth: draw what lies in panels (of a module, the modules) nested this deep as one box each. Left out, it is
            the largest that is readable.
        max_nodes: how many boxes are readable: of more, the middle of long loops is folded and modules are collapsed,
            and what is still four times as large is refused; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take to lay it out.

    Raises:
        GraphError: ``y`` has no graph, or too large a graph; the message says how to see less of it.

    >>> import minigrad as mg
    >>> x = mg.ones(3, requires_grad=True)
    >>> mg.draw((x * x).tanh())
    <drawing: 3 boxes, 3 arrows>
    """
    check_options("draw", "LR" if direction is None else direction, max_nodes)
    _check_content(show, depth)
    if isinstance(y, Module) or inputs is not None:
        return Drawing(module_diagram(y, inputs, depth, show, direction, max_nodes, color_by), timeout)
    values = Values()
    if "value" in show:
        _check_time(color_by)
        y, values = values_of(y, "grad" in show)
    roots = weakly(y)
    numbers = None if color_by is None else measure(y, color_by)
    y = computed(y) if numbers is None else numbers.graph
    data = y if isinstance(y, Graph) else graph(y, grads="grad" in show)
    with uncollected():
        whole = with_values(op_diagram(data, show, direction or "LR"), values)
        diagram, depth = fitted(whole, depth, max_nodes)
    paint = unpainted if numbers is None else partial(painted, numbers=numbers)
    return Drawing(paint(diagram), timeout, Whole(whole, depth, paint, roots))


def _check_time(color_by: Any) -> None:
    if isinstance(color_by, str) and color_by == "time":
        raise GraphError(
            "draw: show 'value' and color_by='time' cannot be had in one drawing: to look at values takes time\n"
            "  hint: make two"
        )


def path_of(path: Any) -> Path:
    """The path of a file.

    Raises:
        FileError: it is something else.
    """
    try:
        return Path(path)
    except TypeError:
        raise FileError(f"draw: a path is expected, not {type(path).__name__}") from None


def _check_content(show: Any, depth: Any) -> None:
    if not isinstance(show, (tuple, list, set, frozenset)) or any(name not in (*SHOW, *ALSO) for name in show):
        raise GraphError(f"draw: show is a tuple of {', '.join((*SHOW, *ALSO))}; got {show!r}")
    if depth is not None and not is_count(depth):
        raise GraphError(f"draw: depth is 1 for the outermost modules, 2 for those in them, and so on; not {depth!r}")
