"""Draw the two LSTM cells of docs/equations.md into docs/figures/.

python docs/make_equation_figures.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from make_figures import FIGURES, named, squeezed

import minigrad as mg
from minigrad.draw import Drawing, render


def given(name: str) -> mg.Tensor:
    """A gate, an argument or the cell before: where a drawing begins."""
    return named(mg.zeros(2, requires_grad=True), name)


def lstm_as_printed() -> Drawing:
    """The candidate is called the cell, and nothing updates the cell: two gates and the old cell reach nothing."""
    c = named(given("W[h, x] + b").tanh(), "C[t]")
    return mg.draw(named(given("o[t]") * c.tanh(), "h[t]"), show=())


def lstm() -> Drawing:
    """The cell is changed by gated addition."""
    candidate = named(given("W[h, x] + b").tanh(), "candidate")
    c = named(given("f[t]") * given("c[t-1]") + given("i[t]") * candidate, "c[t]")
    return mg.draw(named(given("o[t]") * c.tanh(), "h[t]"), show=())


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for figure in (lstm_as_printed, lstm):
        picture = squeezed(render(figure().dot, "svg").decode())
        (folder / f"{figure.__name__}.svg").write_text(picture, encoding="utf-8")
        print(f"{figure.__name__}.svg: {len(picture) / 1000:.0f} kB")
