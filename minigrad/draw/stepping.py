"""One picture in many states: boxes that wait, one that is lit, and those that are done.

Only colours change from state to state, so that the layout is the same in all of them. A picture that moves is the
picture of what waits, with that of what is done laid over it piece by piece, each piece shown when its time has come.
"""

from __future__ import annotations

import hashlib
import html
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import GraphError
from .colours import QUIET, Shade
from .diagram import Arrow, Box, Diagram
from .drawing import Drawing, path_of
from .render import render
from .sheet import Line, Shape, Sheet, Stroke
from .style import ARROWS, GRADIENT, INK, PALETTE, VERMILION

WAITING, LIT = QUIET, Shade(GRADIENT, "#FFFFFF", VERMILION)
DONE = Shade(PALETTE["op"].fill, INK, PALETTE["op"].stroke)
SECONDS, LONGEST, HOLD = 0.8, 60.0, 3.0  # of a step, of all of them together, and of the end
Steps = Mapping[str, int]  # the step at which each box has its turn, from 1; a box without one waits for ever


class Stepped(Drawing):
    """A drawing whose boxes light up one after the other. As an image it is the end; as SVG it moves.

    Attributes:
        steps: for the id of each box that has its turn the number of the step, from 1.
        count: how many steps there are.
    """

    def __init__(
        self, picture: Diagram | Sheet, steps: Steps, timeout: float = 20.0, numbered: Collection[str] = ()
    ) -> None:
        self.steps, self.count = dict(steps), max(steps.values(), default=0)
        self._picture, self._numbered = picture, frozenset(numbered)
        super().__init__(self._at(self.count + 1), timeout)

    def frames(self) -> list[Drawing]:
        """A drawing of the state before the first step, and of that after each: all of one layout."""
        return [Drawing(self._at(step), self.timeout) for step in range(self.count + 1)]

    def save_frames(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write the frames to files.

        Args:
            path: with ``{}`` where the number goes: ``"slides/step-{}.png"`` becomes ``step-00.png``, ``step-01.png``
                and so on.

        Returns:
            The paths written to.

        Raises:
            GraphError: there is no ``{}`` in the path.
            RenderError: a suffix that stands for no format, or Graphviz did not draw it.
            FileError: it is no path, or a file cannot be written.
        """
        text = str(path_of(path))
        if "{}" not in text:
            raise GraphError(f'save_frames: where in {text!r} does the number go? Write {{}} there: "step-{{}}.png"')
        digits = len(str(self.count))
        return [
            drawing.save(text.replace("{}", f"{step:0{digits}}")) for step, drawing in enumerate(self.frames())
        ]

    def svg(self) -> str:
        """The picture as SVG that moves by itself, over and over, without a script.

        It stands still, at its end, for readers who ask for reduced motion and in programs that know no animation, and
        pauses under the mouse.
        """
        waiting, lit, done = (self._rendered(state) for state in (0, 1, 2))
        name = f"s{hashlib.sha256(self.dot.encode()).hexdigest()[:8]}"
        turned = isinstance(self._picture, Sheet)
        over = [*_layer(done, self.steps, f"{name}d", turned)]
        over += _layer(lit, self.steps, f"{name}l", turned, ' opacity="0"')
        body, tail = waiting[: (end := waiting.rindex("</g>"))], waiting[end:]
        start = body.index("<g id=")
        style = f"<style>{self._style(name)}</style>\n"
        return f"{body[:start]}{style}{body[start:]}{''.join(over)}{tail}".replace("<svg ", f'<svg class="{name}" ', 1)

    def _at(self, step: int) -> Diagram | Sheet:
        """The picture after a step."""
        states = {id: 0 if step < turn else 1 if step == turn else 2 for id, turn in self.steps.items()}
        return in_states(self._picture, states, self._numbered)

    def _rendered(self, state: int) -> str:
        """The picture with all that have their turn in one state."""
        diagram = in_states(self._picture, dict.fromkeys(self.steps, state), self._numbered)
        return render(Drawing(diagram).dot, "svg", self.timeout).decode()

    def _style(self, name: str) -> str:
        """The rules of the animation: at each step something appears for good, and something else for that step."""
        each = min(SECONDS, LONGEST / max(self.count, 1))
        whole = each * (self.count + 1) + HOLD
        rules = [f".{name} [class^={name}]{{animation:{whole:.2f}s step-end infinite}}"]
        for step in range(1, self.count + 1):
            a, b = (f"{100 * each * when / whole:.3f}%" for when in (step, step + 1))
            rules.append(f"@keyframes {name}d{step}{{0%{{opacity:0}}{a}{{opacity:1}}}}")
            rules.append(f"@keyframes {name}l{step}{{0%{{opacity:0}}{a}{{opacity:1}}{b}{{opacity:0}}}}")
            rules += [f".{name} .{name}{kind}{step}{{animation-name:{name}{kind}{step}}}" for kind in "dl"]
        rules.append(f".{name}:hover *{{animation-play-state:paused!important}}")
        rules.append(f"@media(prefers-reduced-motion:reduce){{.{name} *{{animation:none!important}}}}")
        return "".join(rules)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1].partition(';')[0]}, {self.count} steps>"


_PIECE = re.compile(  # a box or an arrow of Graphviz: each follows a comment, and the last is followed by the end
    r'<g id="\w+" class="(?:node|edge)">\n<title>(.*?)</title>\n.*?\n</g>\n(?=<!--|</g>\n</svg>)', re.DOTALL
)


def _layer(svg: str, steps: Steps, name: str, turned: bool, more: str = "") -> Iterator[str]:
    """The boxes and arrows of a picture that have their turn, each with the class of its step."""
    for piece in _PIECE.finditer(svg):
        ends = [end.partition(":")[0] for end in re.split("->", html.unescape(piece[1]))]
        turn = steps.get(ends[0] if turned else ends[-1])  # an arrow has that of the box that the gradient comes from
        if turn is not None and (len(ends) == 1 or ends[0] in steps):
            inside = re.sub(r'^<g id="\w+" class="\w+">|(?<=<g) id="\w+"', "", piece[0])
            yield f'<g class="{name}{turn}"{more}>{inside}'


# ---- states --------------------------------------------------------------------------------------------------------


def in_states(picture: Diagram | Sheet, states: Mapping[str, int], numbered: Collection[str] = ()) -> Diagram | Sheet:
    """The picture with each box in its state: 0 waiting, 1 lit, 2 done. An arrow is in that of its head.

    Args:
        picture: with all boxes done.
        states: by the ids of the boxes; the others wait.
        numbered: ids of shapes whose last line is a number, which is not yet known while they wait.
    """
    if isinstance(picture, Diagram):
        boxes = tuple([_box(box, states.get(box.id, 0)) for box in picture.boxes])
        arrows = tuple([_arrow(arrow, states.get(arrow.head, 0)) for arrow in picture.arrows])
        return replace(picture, boxes=boxes, arrows=arrows)
    ends = {end for line in picture.lines for end in (line.tail, line.head)}
    shapes = [
        _shape(s, states.get(s.id, 0), s.id in numbered) if s.id in states or (s.id in ends and s.fill) else s
        for s in picture.shapes
    ]
    drawn = {shape.id for shape in picture.shapes if shape.fill or shape.stroke}
    lines = [
        _line(x, states.get(x.head, 0), x.tail in states) if x.tail in drawn and x.head in drawn else x
        for x in picture.lines
    ]
    return Sheet(tuple(shapes), tuple(lines))


def _box(box: Box, state: int) -> Box:
    if state:
        return box if state == 2 else replace(box, shade=LIT)
    rows = tuple([row._replace(look="hidden") if row.look == "grad" else row for row in box.rows])
    return replace(box, shade=WAITING, rows=rows)


def _arrow(arrow: Arrow, state: int) -> Arrow:
    return replace(arrow, look=("waiting", "lit", "gradient")[state]) if arrow.look == "gradient" else arrow


def _shape(shape: Shape, state: int, numbered: bool) -> Shape:
    if state == 2:
        return shape
    fill, ink, stroke = LIT if state else WAITING
    lines = (*shape.lines[:-1], " ") if numbered and not state else shape.lines
    return replace(shape, lines=lines, fill=fill, stroke=stroke, colour=ink)


def _line(line: Line, state: int, reached: bool) -> Line:
    """A line, turned round: a gradient goes from head to tail."""
    if not state or not reached:
        waits = ARROWS["waiting"]
        return replace(line, stroke=Stroke(waits.colour, waits.width), arrow=line.arrow and not reached)
    stroke = Stroke(VERMILION, 3.0) if state == 1 else line.stroke
    path = tuple(reversed(line.path))
    return replace(line, tail=line.head, head=line.tail, path=path, stroke=stroke, arrow=True)
