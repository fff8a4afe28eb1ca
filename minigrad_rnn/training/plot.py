"""Curves of training runs, from their logs."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad.files import replace_file

from .history import Report, read_log

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D1F", "#56B4E9", "#5F5F5F")
_NO_FIGURES = {"kind", "epoch", "step", "best", "seconds", "message"}
_IF_ASKED_FOR = {"clipped", "largest_norm", "items_per_second"}
_NAMES = {"norm": "gradient norm", "lr": "learning rate"}


def plot_logs(logs: Sequence[str | Path], out: str | Path, *, figures: Sequence[str] = (), over: str = "step") -> Path:
    """Draw the figures of one training run, or of several side by side in colour, and save the picture.

    There is a panel for each figure: a thin line for what was reported within epochs, a strong one with a dot for each
    epoch, dashed in training where there is validation, and a ring around the best epoch.

    Args:
        logs: the logs (``log.jsonl``), or the folders they are in.
        out: the picture; its suffix says the format: ``.png``, ``.svg`` or ``.pdf``.
        figures: which, by name: ``loss``, ``norm``, ``lr``, ``clipped``, ``items_per_second``, or what was measured;
            left out, the usual ones that change.
        over: what stands on the horizontal axis: ``"step"``, ``"epoch"`` or ``"seconds"``.

    Returns:
        The path written to.

    Raises:
        FileError: a log cannot be read, or the picture not be written.
        MinigradError: there is no matplotlib, or no such figure in any of the logs.
    """
    runs = [(_name(Path(log)), read_log(log)) for log in logs]
    known = _known(runs)
    if not known:
        raise mg.MinigradError("there is nothing to draw in these logs yet")
    for name in figures:
        if name not in known:
            raise mg.MinigradError(f"no figure {name!r} in these logs; there are {', '.join(known)}")
    if over not in ("step", "epoch", "seconds"):
        raise mg.MinigradError(f'over is "step", "epoch" or "seconds", not {over!r}')
    usual = [name for name in known if name not in _IF_ASKED_FOR and _changes(runs, name)]
    return _saved(_drawn(runs, list(figures) or usual or known[:1], over), Path(out))


def _name(path: Path) -> str:
    """What a run is called: its folder."""
    folder = path if path.is_dir() or path.name != "log.jsonl" else path.parent
    return folder.resolve().name


def _known(runs: Iterable[tuple[str, list[Report]]]) -> list[str]:
    """The names of all figures, loss first; the validation's stand in the panel of the training's."""
    names = {name.removeprefix("valid_"): None for _, reports in runs for report in reports for name in report}
    return sorted(names.keys() - _NO_FIGURES, key=lambda name: (name != "loss", name in _NAMES, name))


def _changes(runs: Iterable[tuple[str, list[Report]]], name: str) -> bool:
    values = {report.get(key) for _, reports in runs for report in reports for key in (name, f"valid_{name}")}
    return len(values - {None}) > 1


def _drawn(runs: list[tuple[str, list[Report]]], names: list[str], over: str) -> Any:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        raise mg.MinigradError('drawing curves needs matplotlib: pip install "minigrad[plot]"') from None
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4.6 * columns + 0.6, 3.4 * rows), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.remove()
    for panel, name in zip(panels, names, strict=False):
        for number, (run, reports) in enumerate(runs):
            _curve(panel, reports, name, over, COLOURS[number % len(COLOURS)], run if len(runs) > 1 else "")
        _finish(panel, name, over)
    figure.supxlabel("thin line: within epochs   dot: a whole epoch   ring: the best", fontsize=8, color="#6B7480")
    return figure


def _curve(panel: Any, reports: list[Report], name: str, over: str, colour: str, run: str) -> None:
    """One figure of one run."""
    label = f"{run}: " if run else ""
    within, epochs, valid = (
        [(r[over], r[key], r.get("best")) for r in reports if r.get("kind") == kind and _number(r.get(key))]
        for kind, key in (("train", name), ("epoch", name), ("epoch", f"valid_{name}"))
    )
    if within and over != "epoch":
        panel.plot(*list(zip(*within, strict=True))[:2], color=colour, linewidth=0.8, alpha=0.45)
    for points, what, style in ((epochs, "training", "--" if valid else "-"), (valid, "validation", "-")):
        if not points:
            continue
        x, y, best = zip(*points, strict=True)
        shown = label + what if valid else run
        panel.plot(x, y, color=colour, linestyle=style, linewidth=1.7, marker="o", markersize=3.5, label=shown or None)
        if points is (valid or epochs) and any(best):
            last = max(i for i, is_best in enumerate(best) if is_best)
            panel.plot(x[last], y[last], "o", color="none", markeredgecolor=colour, markersize=10, markeredgewidth=1.3)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _finish(panel: Any, name: str, over: str) -> None:
    panel.set_title(_NAMES.get(name, name.replace("_", " ")), loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel(over)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="#E8EBEE", linewidth=0.8)
    panel.set_axisbelow(True)
    values = [value for line in panel.lines for value in line.get_ydata()]
    if name == "norm" and values and min(values) > 0 and max(values) > 20 * min(values):
        panel.set_yscale("log")
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize=9)


def _saved(figure: Any, out: Path) -> Path:
    picture = io.BytesIO()
    try:
        figure.savefig(picture, format=out.suffix.lstrip(".") or "png", dpi=150)
    except ValueError as error:
        raise mg.MinigradError(f"{out}: {error}") from None
    return replace_file(out, picture.getvalue())
