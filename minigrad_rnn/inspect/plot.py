"""Norm of the gradient against time step, drawn by matplotlib."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import minigrad as mg

if TYPE_CHECKING:
    from .flow import FlowLine

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito's that are dark enough for lines on white
INK, GRID = "#1B1F24", "#E4E4E4"


def plot(lines: Sequence[FlowLine], file: Any, **options: Any) -> None:
    """Draw lines into a file; see :meth:`StepFlow.plot`."""
    figure_module: Any = _matplotlib("matplotlib.figure")
    parts = list(dict.fromkeys(line.part for line in lines))
    figure = figure_module.Figure(figsize=(2.2 + 3.9 * len(parts), 3.6), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    colours = _colours([_layer(line) for line in lines])
    for panel, part in zip(panels, parts, strict=True):
        for line in lines:
            if line.part == part:
                _draw(panel, line, colours[_layer(line)])
        _dress(panel, f"$\\|\\partial L\\,/\\,\\partial {part}_t\\|$" if len(part) == 1 else part)
    panels[0].set_ylim(*_limits(lines))
    handles = {h.get_label(): h for panel in panels for h in panel.get_legend_handles_labels()[0]}
    figure.legend(
        handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=8, labelcolor=INK
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


def _layer(line: FlowLine) -> str:
    """The layer, whatever the direction: both have one colour."""
    return line.where.replace(".fwd", "").replace(".bwd", "")


def _colours(names: Sequence[str]) -> dict[str, Any]:
    """A colour for each name: distinct ones for a few, a scale from first to last for many."""
    names = list(dict.fromkeys(names))
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS, strict=False))
    scale = _matplotlib("matplotlib").colormaps["viridis"]
    return {name: scale(0.9 * i / (len(names) - 1)) for i, name in enumerate(names)}


def _draw(panel: Any, line: FlowLine, colour: Any) -> None:
    norms = [norm if _drawable(norm) else math.nan for norm in line.norms]
    style: dict[str, Any] = {"color": colour, "linestyle": (0, (4, 1.5)) if line.reverse else "-", "linewidth": 1.6}
    few = len(norms) <= 30 or sum(map(_drawable, norms)) == 1
    marker = {"marker": "o", "markersize": 3.5} if few else {}
    panel.plot(line.steps, norms, label=line.where or line.part, **style, **marker)


def _drawable(norm: float) -> bool:
    """Whether a logarithmic axis has a place for it."""
    return 0 < norm < math.inf


def _limits(lines: Sequence[FlowLine]) -> tuple[float, float]:
    """Ends of the axis: at least two powers of ten, so that a small wobble looks small."""
    logs = [math.log10(norm) for line in lines for norm in line.norms if _drawable(norm)] or [0.0]
    low, high = min(logs), max(logs)
    room = max((2.0 - (high - low)) / 2, 0.04 * (high - low))
    return 10 ** (low - room), 10 ** (high + room)


def _dress(panel: Any, title: str) -> None:
    panel.set_yscale("log")
    panel.set_title(title, color=INK, fontsize=11)
    panel.set_xlabel("time step t", color=INK, fontsize=9)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(True, color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(colors=INK, labelsize=8, length=0, which="both")
    for side, spine in panel.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#8C8C8C")
