"""Where time is in a graph: in which step each op ran, and which dimension of what lies between the layers is time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from minigrad.graph import Graph, Source

from .axes import Span
from .spans import Clocks, spans, unturned
from .steps import Loop, Spot, locate


@dataclass(frozen=True)
class Times:
    """The loops over time of a graph, and for each node where in time it is.

    Attributes:
        loops: one for each run of a layer, in one direction, and for each loop of one's own.
        spots: for each node the loop and the step it ran in; ``None`` outside of steps.
        spans: for each node the steps that it holds, and along which dimension.
        clocks: which loops go through the same steps.
    """

    loops: list[Loop]
    spots: list[Spot | None]
    spans: list[Span | None]
    clocks: Clocks

    def label(self, loop: int) -> str:
        """The place of a loop in the model and, from the second on, the call."""
        place, call = self.loops[loop]
        return ".".join(place) + (f" (call {call + 1})" if call else "")


def times(graph: Graph) -> Times:
    """Where time is in a graph. Loops that read a sequence that was turned round count their steps from its end."""
    loops, spots = locate(graph)
    found, clocks, turned = spans(graph, loops, spots)
    if turned:
        others = {clocks.of(loop) for loop in turned}
        falling = [loop for loop in range(len(loops)) if clocks.of(loop) in others]
        spots = unturned(spots, falling)
        found, clocks, _ = spans(graph, loops, spots, falling)
    return Times(loops, spots, found, clocks)


def rejoined(graph: Graph) -> Graph:
    """The graph with an op ``detach`` in the place of each constant that was cut off from an op in it.

    So the steps before and after a cut are one network; no gradient passes, but values do.
    """
    cut = {node.id: tuple(map(Source, node.cut_from)) for node in graph if node.cut_from}
    if not cut:
        return graph
    nodes = [replace(node, kind="op", op="detach", inputs=cut[node.id]) if node.id in cut else node for node in graph]
    return Graph(tuple(nodes), graph.outputs)
