"""``draw(y)`` and what it returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import GraphError
from ..files import replace_file
from ..graph import Graph, graph
from .diagram import Diagram
from .dot import to_dot
from .ops import op_diagram
from .render import FORMATS, RenderError, render
from .sheet import Sheet, sheet_dot
from .transforms import alias_shared, collapse, dissolve_lone

SHOW = ("shape", "params", "grad", "scope")
ALSO = ("dtype", "line")
DIRECTIONS = ("LR", "TB", "RL", "BT")
LARGEST_OUTPUT = 1_000_000  # characters of SVG that a notebook is given
MAX_COST = 12_000  # layout cost (Diagram.layout_cost) beyond which Graphviz takes minutes


class Drawing:
    """A diagram that can be shown in a notebook, saved, or looked at as DOT text.

    Attributes:
        diagram: boxes and arrows, as data: a :class:`Diagram`, or a :class:`Sheet` where the places are known.
        dot: the text for Graphviz.
        timeout: seconds that the program ``dot`` may take.
    """

    def __init__(self, diagram: Diagram | Sheet, timeout: float = 20.0) -> None:
        self.diagram, self.timeout = diagram, timeout
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

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file whose suffix says the format: ``.svg``, ``.png``, ``.pdf``, or ``.dot``.

        The file appears whole or not at all.

        Raises:
            RenderError: another suffix, or Graphviz did not draw it.
            FileError: the file cannot be written.
        """
        path = Path(path)
        format = path.suffix[1:].lower()
        if format not in (*FORMATS, "dot"):
            known = ", ".join(f".{name}" for name in (*FORMATS, "dot"))
            raise RenderError(f"cannot tell a format from {path.name!r}; the suffix must be one of {known}", self.dot)
        return replace_file(path, self.dot if format == "dot" else render(self.dot, format, self.timeout))

    def to_graphviz(self) -> Any:
        """The drawing as a ``graphviz.Source``, for what the package of that name can do with it."""
        import graphviz  # noqa: PLC0415  (only here, and only on demand)

        return graphviz.Source(self.dot)

    def __repr__(self) -> str:
        if isinstance(self.diagram, Diagram):
            return f"<drawing: {len(self.diagram.boxes)} boxes, {len(self.diagram.arrows)} arrows>"
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
    *,
    direction: str = "LR",
    show: Sequence[str] = SHOW,
    depth: int | None = None,
    max_nodes: int | None = 150,
    timeout: float = 20.0,
) -> Drawing:
    """Draw the graph that computes ``y``.

    Each op is one box with its result; leaves that ask for a gradient are yellow, named constants blue, others grey,
    the output red if it is a number and pink if not. Where order matters, numbers at the arrows tell the operands.
    Panels are the places of the model (modules, :func:`minigrad.scope`, time steps). A parameter used in several
    time steps is drawn in full in the first, and as a small dashed alias in the others.

    Args:
        y: a tensor, a sequence of tensors, or the data that :func:`minigrad.graph` returned.
        direction: where the arrows point: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        show: which of ``"shape"``, ``"params"``, ``"grad"``, ``"scope"``, ``"dtype"``, ``"line"`` to show; an element
            type other than float32 is shown with the shape in any case.
        depth: draw what lies in panels nested this deep as one box per panel.
        max_nodes: refuse to draw more boxes than this; ``None`` draws whatever it is.
        timeout: seconds that the program ``dot`` may take to lay it out.

    Raises:
        GraphError: ``y`` has no graph, or too large a graph; the message says how to see less of it.

    >>> import minigrad as mg
    >>> x = mg.ones(3, requires_grad=True)
    >>> mg.draw((x * x).tanh())
    <drawing: 3 boxes, 3 arrows>
    """
    if direction not in DIRECTIONS:
        raise GraphError(f"draw: direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
    if depth is not None and depth < 1:
        raise GraphError(f"draw: depth is 1 for the outermost modules, 2 for those in them, and so on; not {depth}")
    unknown = [name for name in ([show] if isinstance(show, str) else show) if name not in (*SHOW, *ALSO)]
    if unknown or isinstance(show, str):
        raise GraphError(f"draw: show is a tuple of {', '.join((*SHOW, *ALSO))}; got {show!r}")
    data = y if isinstance(y, Graph) else graph(y, grads="grad" in show)
    whole = op_diagram(data, show, direction)
    diagram = whole if depth is None else collapse(whole, depth)
    if max_nodes is not None and len(diagram.boxes) > max_nodes:
        raise _too_large(whole, len(diagram.boxes), max_nodes)
    diagram = dissolve_lone(alias_shared(diagram))
    if max_nodes is not None and (cost := diagram.layout_cost()) > MAX_COST:
        raise GraphError(
            f"draw: {len(diagram.boxes)} boxes whose arrows jump over {cost:,} ranks would take Graphviz minutes\n"
            "  hint: depth=1 draws each module as one box; max_nodes=None draws it all the same"
        )
    return Drawing(diagram, timeout)


def _too_large(whole: Diagram, boxes: int, max_nodes: int) -> GraphError:
    levels = sorted({len(box.panel) for box in whole.boxes} - {0}, reverse=True)
    sizes = {level: len(collapse(whole, level).boxes) for level in levels}
    hints = [f"depth={level} draws {size} boxes" for level, size in sizes.items() if size < boxes]
    hints = hints or ["compute it for fewer time steps, or put its parts under mg.scope(...) and use depth=1"]
    return GraphError(
        f"draw: {boxes:,} boxes are more than anyone can read (max_nodes={max_nodes})\n"
        f"  hint: {'; '.join(hints)}; max_nodes=None draws them all the same"
    )
