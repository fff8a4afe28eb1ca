"""Diagrams of computational graphs: graph data, to a diagram, to DOT, to a picture.

Each stage is plain data and a function, and can be used alone::

    graph = mg.graph(y)                            # minigrad.graph: what was computed
    diagram = op_diagram(graph, show=("shape",))  # minigrad.draw.ops: boxes and arrows
    diagram = alias_shared(diagram)                # minigrad.draw.transforms: a more readable one
    text = to_dot(diagram)                         # minigrad.draw.dot: for Graphviz
    picture = render(text, "svg")                  # minigrad.draw.render: drawn

:func:`draw` does it all.
"""

from .drawing import Drawing, draw
from .render import RendererNotFound, RenderError, render

__all__ = ["Drawing", "RenderError", "RendererNotFound", "draw", "render"]
