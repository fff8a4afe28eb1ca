"""``mg.draw(y)`` draws the graph that computes ``y``: see :func:`minigrad.draw.draw`.

Each stage on the way is plain data and a function, and can be used alone::

    graph = mg.graph(y)                            # minigrad.graph: what was computed
    diagram = op_diagram(graph, show=("shape",))   # minigrad.draw.ops: boxes and arrows
    diagram = alias_shared(diagram)                # minigrad.draw.transforms: a more readable one
    text = to_dot(diagram)                         # minigrad.draw.dot: for Graphviz
    picture = render(text, "svg")                  # minigrad.draw.render: drawn

``mg.draw.backward(loss)`` draws the backward pass step by step, ``mg.draw.diff(a, b)`` what changed from one graph to
another.

Where the layout is known from what is drawn, a :class:`~minigrad.draw.sheet.Sheet` of shapes at coordinates takes the
place of the diagram.
"""

import sys
from types import ModuleType
from typing import Any

from .backward import backward
from .compare import Difference, compare
from .diff import diff
from .drawing import Drawing, draw
from .render import RendererNotFound, RenderError, render

__all__ = ["Difference", "Drawing", "RenderError", "RendererNotFound", "backward", "compare", "diff", "draw", "render"]


class _Callable(ModuleType):
    """The package is called like its function, and is imported when it is first asked for: so it is the function too.

    A function in the place of the package would be replaced by it at the first ``import minigrad.draw``.
    """

    def __call__(self, y: Any, inputs: Any = None, **options: Any) -> Drawing:
        return draw(y, inputs, **options)


sys.modules[__name__].__class__ = _Callable
