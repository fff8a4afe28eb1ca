"""``minigrad_rnn.draw.backward(loss)``: backward through time, step by step, on the picture of the unrolled network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minigrad.draw.backward import backward_pass
from minigrad.draw.options import check_timeout
from minigrad.draw.sheet import Sheet
from minigrad.draw.stepping import Stepped

from .asked import check_steps, computed
from .drawing import graph_of, network_of, relative
from .looks import Looks
from .names import box_id
from .network import Network
from .unrolled import unrolled

RUN = "draw.backward(lambda: loss(model(x), target)) runs it, and back from the loss"


def backward(y: Any, *, steps: int = 12, timeout: float = 20.0) -> Stepped:
    """Draw how backward goes through a recurrent network: from the loss, and from right to left through time.

    The boxes light up in the order in which the engine comes to what they put out. A cell takes the colour of the norm
    of the gradient by its output, divided by that at the last step, and the number is printed. The SVG moves by itself,
    without a script; ``frames()`` gives a drawing for each step: see :func:`minigrad.draw.backward`.

    Args:
        y: a function without arguments that computes the loss; it is called where every op is recorded. Or a tensor
            that was computed there.
        steps: how many time steps to draw in full. Of a longer sequence it is the first three and the last two, and a
            strip between them.
        timeout: seconds that the program ``dot`` may take.

    Raises:
        GraphError: no time step is recorded in the graph, a layer ran as one op, or the graph was freed by a backward.

    >>> import minigrad as mg
    >>> import minigrad_rnn as mr
    >>> rnn = mr.RNN(3, 4)
    >>> mr.draw.backward(lambda: rnn(mg.ones(3, 1, 3))[0][-1].sum())
    <drawing: 65 shapes, 9 lines, 619 × 254 points, 4 steps>
    """
    check_steps("draw.backward", steps)
    check_timeout(timeout)
    run = backward_pass(computed(y, RUN))
    network = network_of(graph_of(run.graph))
    norms = {visit.node: abs(visit.gradient) for visit in run.visits}
    values = {row.id: relative(row, norms) for row in network.rows if row.kind == "state"}
    sheet = unrolled(network, Looks(network), steps, values)
    order = {visit.node: turn for turn, visit in enumerate(run.visits)}
    turns = dict(_turns(network, order, sheet))
    ranks = {turn: rank for rank, turn in enumerate(sorted(set(turns.values())), 1)}
    lit = {id: ranks[turn] for id, turn in turns.items()}
    numbered = {box_id(row, step) for row in network.rows if row.id in values for step in row.steps}
    return Stepped(sheet, lit, timeout, numbered)


def _turns(network: Network, order: dict[int, int], sheet: Sheet) -> Iterator[tuple[str, int]]:
    """For each shape that stands for something with a gradient, when the pass comes to it first."""
    drawn = {shape.id for shape in sheet.shapes}
    for row in network.rows:
        folded = []
        for step, node in zip(row.steps or (None,), row.nodes, strict=True):
            if node in order and box_id(row, step) in drawn:
                yield box_id(row, step), order[node]
            elif node in order:
                folded.append(order[node])
        if folded:
            yield from ((id, min(folded)) for id in drawn if id.startswith((f"{row.id}_folded", f"{row.id}_s")))
