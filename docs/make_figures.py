"""Draw the pictures of the README and of docs/design.md into docs/figures/.

python docs/make_figures.py [FOLDER]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import minigrad as mg
from minigrad.draw import Drawing, render

FIGURES = Path(__file__).parent / "figures"


def named(tensor: mg.Tensor, name: str) -> mg.Tensor:
    tensor.name = name
    return tensor


def graph() -> Drawing:
    """The example of docs/design.md."""
    x = named(mg.ones(2, 3), "x")
    w, b = named(mg.ones(3, 4, requires_grad=True), "w"), named(mg.zeros(4, requires_grad=True), "b")
    y = named((x @ w + b).tanh(), "y")
    return mg.draw(y, show=("shape",))


def rnn() -> Drawing:
    """A recurrent network over three steps: the weights are drawn in full in the first, as aliases in the others."""
    W_xh = named(mg.ones(4, 3, requires_grad=True), "W_xh")
    W_hh = named(mg.ones(4, 4, requires_grad=True), "W_hh")
    b = named(mg.zeros(4, requires_grad=True), "b")
    h = named(mg.zeros(4), "h₀")
    with mg.scope("rnn"):
        for t, index in enumerate("₁₂₃", 1):
            x = named(mg.ones(3), f"x{index}")
            with mg.scope(step=t):
                h = named((W_xh @ x + W_hh @ h + b).tanh(), f"h{index}")
    loss = named((h - named(mg.ones(4), "y")).norm(), "loss")
    return mg.draw(loss, show=("shape", "scope"))


def page_wide(dot: str) -> str:
    """The same drawing with its boxes closer together, so that a page 800 pixels wide leaves the letters legible."""
    return re.sub(r"nodesep=\S+ ranksep=[\d.]+", "nodesep=0.16 ranksep=0.18", dot)


def squeezed(svg: str) -> str:
    """Without comments and the names of the boxes, which nobody sees."""
    return re.sub(r"<!--.*?-->\n|<title>.*?</title>\n", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for name, dot in (("graph", graph().dot), ("rnn", page_wide(rnn().dot))):
        picture = squeezed(render(dot, "svg").decode())
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}.svg: {len(picture) / 1000:.0f} kB")
