"""Norm of the gradient against time step, drawn by matplotlib."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad as mg

from .lines import FlowLine

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito's that are dark enough for lines on white
INK, GRID, PALE = "#1B1F24", "#E4E4E4", "#8C8C8C"
PANEL = (4.6, 3.4)  # inches
ACROSS = 3  # panels side by side
FEW = 30  # steps up to which each has a marker
LETTER, ENTRY, ROW = 0.062, 0.62, 0.165  # inches: of a letter of the legend, what else an entry has, and a row


def plot(lines: Sequence[FlowLine], file: Any, **options: Any) -> None:
    """Draw lines into a file; see :meth:`StepFlow.plot`."""
    figure_module: Any = _matplotlib("matplotlib.figure")
    parts = list(dict.fromkeys(line.part for line in lines))
    across = min(len(parts), ACROSS)
    down = -(-len(parts) // across)
    scale, colours = _scale(lines), _colours([line.layer for line in lines])
    names = {line.where or line.part for line in lines} | set(scale.ends)
    width = PANEL[0] * across + 1.2
    columns = max(1, int(width / (LETTER * max(map(len, names)) + ENTRY)))
    height = PANEL[1] * down + ROW * (1 + len(names) // columns)
    figure = figure_module.Figure(figsize=(width, height), layout="constrained", facecolor="white")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flatten()
    for panel, part in zip(panels, parts, strict=False):
        for line in lines:
            if line.part == part:
                _draw(panel, line, scale, colours[line.layer])
        _dress(panel, f"$\\|\\partial L\\,/\\,\\partial {part}_t\\|$" if len(part) == 1 else part)
    for panel in panels[len(parts) :]:
        panel.set_visible(False)
    _span(panels[0], lines, scale)
    handles = {h.get_label(): h for panel in panels for h in panel.get_legend_handles_labels()[0]}
    line_of: Any = _matplotlib("matplotlib.lines").Line2D
    for words, end in scale.ends.items():
        handles[words] = line_of([], [], marker=end.marker, markersize=5, color=PALE, linestyle="none")
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
        handlelength=2.8,
        labelcolor=INK,
    )
    figure.savefig(file, **{"dpi": 150, **options})


def _matplotlib(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise mg.MinigradError(
            'plot() draws with matplotlib, which is not installed: pip install matplotlib, or "minigrad[plot]"\n'
            "  hint: the same as text: print(flow); as data: flow.lines"
        ) from error


def _colours(names: Sequence[str]) -> dict[str, Any]:
    """A colour for each name: distinct ones for a few, a scale from first to last for many."""
    names = list(dict.fromkeys(names))
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS, strict=False))
    scale = _matplotlib("matplotlib").colormaps["viridis"]
    return {name: scale(0.85 * i / (len(names) - 1)) for i, name in enumerate(names)}


class _End(NamedTuple):
    """A place for what a logarithmic axis has none for: how high, its tick, and how it is marked."""

    height: float
    tick: str
    marker: str


class _Scale(NamedTuple):
    """The vertical axis: from which power of ten to which, and what is beyond, by what it means."""

    low: float
    high: float
    ends: dict[str, _End]

    def height(self, line: FlowLine, norm: float) -> float:
        """Where a norm is drawn."""
        words = _beyond(line, norm)
        return self.ends[words].height if words else math.log10(norm)


def _beyond(line: FlowLine, norm: float) -> str:
    """What is to be said of a norm that a logarithmic axis has no place for."""
    if not math.isfinite(norm):
        return "NaN or infinite"
    return "" if norm >= line.least else f"0, or too small for {line.dtype}"


def _scale(lines: Sequence[FlowLine]) -> _Scale:
    """At least two powers of ten, so that a small wobble looks small."""
    met = [(norm, _beyond(line, norm)) for line in lines for norm in line.norms]
    logs = [math.log10(norm) for norm, words in met if not words] or [0.0]
    low, high = min(logs), max(logs)
    room = max((2.0 - (high - low)) / 2, 0.04 * (high - low))
    low, high = low - room, high + room
    gap = 0.07 * (high - low)
    below, above = _End(low - gap, "0", "v"), _End(high + gap, "not finite", "x")
    words = sorted({words for _, words in met if words})
    return _Scale(low, high, {text: below if text.startswith("0") else above for text in words})


def _draw(panel: Any, line: FlowLine, scale: _Scale, colour: Any) -> None:
    heights = [scale.height(line, norm) for norm in line.norms]
    inside = [height if scale.low <= height <= scale.high else math.nan for height in heights]
    few = len(heights) <= FEW
    style: dict[str, Any] = {"color": colour, "linestyle": (0, (4, 1.5)) if line.reverse else "-"}
    panel.plot(line.steps, heights, **style, linewidth=0.8, alpha=0.6)
    marker: dict[str, Any] = {"marker": "o", "markersize": 3.5}
    if line.reverse:  # a ring, which is seen around the dot of a forward direction
        marker |= {"markersize": 5.5, "markerfacecolor": "white", "zorder": 1.9}
    if not few:
        marker["markevery"] = _alone(inside)
    shown = marker if few or marker["markevery"] else {}
    panel.plot(line.steps, inside, label=line.where or line.part, **style, linewidth=1.6, **shown)
    for end in set(scale.ends.values()):
        steps = [step for step, height in zip(line.steps, heights, strict=True) if height == end.height]
        steps = steps if few else _edges(steps)
        panel.plot(
            steps, [end.height] * len(steps), marker=end.marker, markersize=5, color=colour, linestyle="none"
        )


def _alone(heights: Sequence[float]) -> list[int]:
    """Where a point has no neighbour, so that no line shows it."""
    there = [False, *(not math.isnan(height) for height in heights), False]
    return [i for i in range(len(heights)) if there[i : i + 3] == [False, True, False]]


def _edges(steps: Sequence[int]) -> list[int]:
    """The first and the last of each run of steps."""
    there = set(steps)
    return [step for step in steps if step - 1 not in there or step + 1 not in there]


def _span(panel: Any, lines: Sequence[FlowLine], scale: _Scale) -> None:
    """Ends and ticks of the axes that all panels share: all steps, and whole powers of ten."""
    locator: Any = _matplotlib("matplotlib.ticker").MaxNLocator
    first, last = min(min(line.steps) for line in lines), max(max(line.steps) for line in lines)
    room = 0.02 * (last - first) or 0.5
    panel.set_xlim(first - room, last + room)
    panel.set_xticks(_whole(locator, first, last))
    powers = _whole(locator, math.ceil(scale.low), math.floor(scale.high))
    ticks: dict[float, str] = {power: f"$10^{{{power}}}$" for power in powers}
    ticks |= {end.height: end.tick for end in scale.ends.values()}
    panel.set_yticks(list(ticks), list(ticks.values()))
    gap = 0.035 * (scale.high - scale.low)
    panel.set_ylim(min(scale.low, *(tick - gap for tick in ticks)), max(scale.high, *(tick + gap for tick in ticks)))


def _whole(locator: Any, first: int, last: int) -> list[int]:
    """Round whole numbers from one to another."""
    if first == last:
        return [first]
    ticks = locator(8, integer=True, steps=[1, 2, 5, 10]).tick_values(first, last)
    return [int(tick) for tick in ticks if first <= tick <= last]


def _dress(panel: Any, title: str) -> None:
    panel.set_title(title, color=INK, fontsize=11)
    panel.set_xlabel("time step t", color=INK, fontsize=9)
    panel.grid(True, color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(colors=INK, labelsize=8, length=0, which="both")
    for side, spine in panel.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(PALE)
