"""Where something that is not finite came into a recurrent network, and which way it took."""

from __future__ import annotations

import math
from dataclasses import replace

from minigrad.draw.colours import BROKEN, QUIET
from minigrad.draw.measure import Numbers
from minigrad.draw.sheet import Line, Point, Shape, Sheet, Stroke, text_width
from minigrad.draw.style import ALARM, ARROWS

from .names import box_id
from .network import Network

_QUIET = Stroke(ARROWS["quiet"].colour, ARROWS["quiet"].width)


def nan_sheet(sheet: Sheet, network: Network, numbers: Numbers) -> Sheet:
    """The sheet of an unrolled network with all quiet but what is not finite and the lines between that.

    What is computed for all steps at once has one number for all of them: where something black goes in at some of
    them, it is black at these.
    """
    bad = _bad_boxes(network, numbers)
    first = (max if numbers.backward else min)(bad, key=bad.__getitem__, default="")
    drawn = {shape.id for shape in sheet.shapes if shape.fill}
    folded = {f"{id.partition('_')[0]}_folded" for id in bad if id not in drawn}  # strips that a black one is in
    ends = {end for line in sheet.lines for end in (line.tail, line.head)} & drawn
    shapes = []
    for shape in sheet.shapes:
        if shape.id in bad:
            shapes.append(_broken(shape, shape.id == first))
        elif shape.id in folded:
            shapes.append(replace(shape, fill=QUIET.fill, stroke=ALARM))
        elif shape.id in ends:
            shapes.append(replace(shape, fill=QUIET.fill, colour=QUIET.text, stroke=QUIET.stroke))
        elif shape.id == "scale":
            shapes.append(_told(shape, network, first, numbers.scale.words))
        elif bad or shape.id != "scale0":
            shapes.append(shape)
    black = {*bad, *folded}
    lines = [
        _line(line, {line.tail, line.head} <= black, numbers.backward) if {line.tail, line.head} <= drawn else line
        for line in sheet.lines
    ]
    return Sheet(tuple(shapes), tuple(lines))


def _bad_boxes(network: Network, numbers: Numbers) -> dict[str, int]:
    """The boxes that are not finite, with the numbers of their nodes."""
    bad: dict[str, int] = {}
    for row in network.rows:  # from the bottom up
        into: dict[int | None, set[str]] = {}
        for link in network.links:
            for a, b in link.pairs if link.head == row.id else ():
                into.setdefault(b, set()).add(box_id(network.row(link.tail), a))
        together = len(set(row.nodes)) < len(row.nodes)
        fed = {step: not tails.isdisjoint(bad) for step, tails in into.items()}
        for step, node in zip(row.steps or (None,), row.nodes, strict=True):
            spared = row.kind == "input" or (any(fed.values()) and not fed.get(step))
            spared = spared and together and not numbers.backward
            if not spared and not math.isfinite(numbers.values.get(node, 1.0)):
                bad[box_id(row, step)] = node
    return bad


def _broken(shape: Shape, first: bool) -> Shape:
    fill, ink, stroke = BROKEN
    return replace(shape, fill=fill, colour=ink, stroke=stroke, border=5 if first else 2, dashed=False)


def _told(words: Shape, network: Network, first: str, what: str) -> Shape:
    """What the colours mean, and where it began."""
    text = "everything is finite"
    for row in network.rows:
        for step in row.steps or (None,):
            if first and box_id(row, step) == first:
                text = f"{what}, first in {row.place or row.kind}" + (f" at t = {step}" if step is not None else "")
    width = text_width(text, words.size) + 10
    left = words.at.x - words.width / 2 + (36 if first else 0)  # right of the swatch
    return replace(words, lines=(text,), width=width, at=Point(left + width / 2, words.at.y))


def _line(line: Line, bad: bool, backward: bool) -> Line:
    """A line, red if something bad goes along it: if that is a gradient, from head to tail."""
    if not bad:
        return replace(line, stroke=_QUIET)
    line = replace(line, stroke=Stroke(ALARM, 2.8), arrow=line.arrow or backward)
    return replace(line, tail=line.head, head=line.tail, path=line.path[::-1]) if backward else line
