"""Making a large graph fit a page: what is left out, merged or cut, and when a drawing is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import GraphError
from .diagram import Diagram, KeyItem
from .transforms import alias_far, alias_shared, collapse, dissolve_lone, fold_time, tunnel

READABLE = 150  # boxes
LARGEST = 4  # times as many are drawn all the same, if there is nothing to collapse
COSTLY = 4_000  # layout cost (Diagram.layout_cost) that is brought down: about a second of Graphviz
MAX_COST = 12_000  # layout cost beyond which Graphviz takes minutes


def fitted(whole: Diagram, depth: int | None, max_nodes: int | None) -> tuple[Diagram, int | None]:
    """Make a diagram readable; the key below it says what was done.

    Of more than ``max_nodes`` boxes, the middle of long loops is folded; if that is not enough, modules are collapsed,
    as few levels of them as will do. Leaves are drawn again where they are used far away, and if the layout is still
    costly, long arrows are cut.

    Args:
        whole: all ops.
        depth: draw what lies in panels nested this deep as one box per panel, and fold no loop; ``None``: see above.
        max_nodes: how many boxes are readable; ``None``: draw whatever it is.

    Returns:
        The diagram, and the depth at which modules are collapsed, if they are.

    Raises:
        GraphError: more than four times as many boxes are left, or Graphviz would take minutes.
    """
    diagram, said = (whole, []) if depth is None else (collapse(whole, depth), [f"modules at depth {depth}"])
    if depth is None and max_nodes is not None and len(whole.boxes) > max_nodes:
        diagram, said, depth = _smaller(whole, max_nodes)
    if max_nodes is not None and len(diagram.boxes) > LARGEST * max_nodes:
        check_size(diagram, max_nodes, {level: len(collapse(whole, level).boxes) for level in _depths(whole)})
    diagram = dissolve_lone(alias_shared(diagram))
    if max_nodes is not None:
        diagram, words = affordable(diagram)
        said += words
    return (replace(diagram, key=(_told(diagram, said),)) if said else diagram), depth


def affordable(diagram: Diagram) -> tuple[Diagram, list[str]]:
    """A diagram whose arrows Graphviz can lay out in a second or two, and what was done to get there.

    Raises:
        GraphError: there is no such way.
    """
    said = []
    for cheaper, words in ((alias_far, []), (tunnel, ["long arrows cut: #1 → #1"])):
        if diagram.layout_cost() > COSTLY:
            diagram = cheaper(diagram)
            said += words
    if (cost := diagram.layout_cost()) > MAX_COST:
        raise GraphError(
            f"draw: {len(diagram.boxes):,} boxes whose arrows jump over {cost:,} ranks would take Graphviz minutes\n"
            "  hint: depth=1 draws each module as one box; max_nodes=None draws it all the same"
        )
    return diagram, said


def check_size(diagram: Diagram, max_nodes: int, sizes: Mapping[int, int]) -> None:
    """Refuse a diagram of too many boxes.

    Args:
        diagram: to be drawn.
        max_nodes: how many boxes are readable.
        sizes: how many there would be at other depths.

    Raises:
        GraphError: there are more than four times as many.
    """
    boxes = len(diagram.boxes)
    if boxes <= LARGEST * max_nodes:
        return
    hints = [f"depth={level} draws {size:,} boxes" for level, size in sizes.items() if size < boxes]
    hints = hints or ["compute it for fewer time steps, or put its parts under mg.scope(...)"]
    raise GraphError(
        f"draw: {boxes:,} boxes are more than anyone can read: at most {LARGEST} × {max_nodes} (max_nodes) are drawn\n"
        f"  hint: {'; '.join(hints)}; max_nodes=None draws them all the same"
    )


def _smaller(whole: Diagram, max_nodes: int) -> tuple[Diagram, list[str], int | None]:
    """The largest diagram that is readable, or the smallest there is; what was done, and the depth of that."""
    apart = alias_shared(whole)
    diagram = folded = fold_time(apart)
    said, depth = ["steps folded"] if folded is not apart else [], None
    for level in _depths(folded):
        if len(diagram.boxes) <= max_nodes:
            break
        smaller = collapse(folded, level)
        if len(smaller.boxes) < len(diagram.boxes):
            diagram, depth = smaller, level
    return diagram, said + [f"modules at depth {depth}"] * (depth is not None), depth


def _depths(diagram: Diagram) -> range:
    """The levels of panels, the innermost first."""
    return range(max((len(box.panel) for box in diagram.boxes), default=0), 0, -1)


def _told(diagram: Diagram, said: list[str]) -> KeyItem:
    groups = [box for box in diagram.boxes if box.role == "group"]
    ops = sum(box.ops for box in diagram.boxes)
    inside = sum(box.ops for box in groups)
    counts = f": {inside:,} of {ops:,} ops in {len(groups)} box{'es' * (len(groups) != 1)}" if groups else ""
    return KeyItem(", ".join(said) + counts)
