"""How the figures of docs/experiments.md look. Not a script: the others import it where --plot is given."""

from pathlib import Path

COLOURS = {"RNN": "#C44E29", "IRNN": "#C9971C", "GRU": "#2A8C6E", "LSTM": "#2B6CB0"}
INK, FAINT = "#2F3640", "#8A939E"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.axisbelow": True,
    "axes.edgecolor": "#B4BBC4",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#E8EBEE",
    "xtick.color": "#B4BBC4",
    "xtick.labelcolor": INK,
    "ytick.color": "#B4BBC4",
    "ytick.labelcolor": INK,
}


def new_figure(*titles: str, width: float = 7.0, height: float = 3.8):
    """A figure, and its axes side by side, one for each title. Its ground is opaque, to be read on a dark page too."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - optional, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise SystemExit('--plot needs matplotlib: pip install "minigrad[plot]"') from None
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
        axes = figure.subplots(1, len(titles), squeeze=False)[0]
    for one, title in zip(axes, titles, strict=True):
        one.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=10)
    return figure, axes


def level(axes, height: float, name: str, right: bool = False, below: bool = False) -> None:
    """A dotted line across, with its name on it."""
    axes.axhline(height, color=FAINT, linewidth=1.2, linestyle=":", zorder=1)
    axes.annotate(
        name,
        xy=(1 if right else 0, height),
        xytext=(-4 if right else 4, -4 if below else 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top" if below else "bottom",
        color=FAINT,
        fontsize=9,
    )


def legend(axes, **options) -> None:
    """Which line is which."""
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, **options)


def save(figure, path: Path) -> None:
    """Write the picture; its format follows from the name. Nothing in it says when it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
    print("written", path)
