"""``minigrad_rnn.draw(y)`` draws the recurrent network that computes ``y``: see :func:`minigrad_rnn.draw.draw`.

Each stage on the way is plain data and a function, and can be used alone::

    graph = mg.graph(loss)              # minigrad.graph: every op that was recorded
    network = read(graph)               # minigrad_rnn.draw.assemble: rows of boxes over time, and what links them
    looks = Looks(network)              # minigrad_rnn.draw.looks: a colour and a style for each weight
    sheet = unrolled(network, looks)    # minigrad_rnn.draw.unrolled, .folded, .flow, .cell: shapes at coordinates
    text = sheet_dot(sheet)             # minigrad.draw.sheet: for Graphviz

``minigrad_rnn.draw.backward(y)`` draws backward through time, step by step.
"""

import sys
from types import ModuleType
from typing import Any

from minigrad.draw import Drawing

from .attending import attention
from .backward import backward
from .drawing import draw
from .trees import tree

__all__ = ["Drawing", "attention", "backward", "draw", "tree"]


class _Callable(ModuleType):
    """The package is called like its function, as :mod:`minigrad.draw` is, and for the same reason."""

    def __call__(self, y: Any, *inputs: Any, **options: Any) -> Drawing:
        return draw(y, *inputs, **options)


sys.modules[__name__].__class__ = _Callable
