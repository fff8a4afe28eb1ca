"""Draw the pictures of the README, of docs/design.md and of docs/drawing.md into docs/figures/.

python docs/make_figures.py [FOLDER]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
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


class Model(nn.Module):
    """A language model: embedding, recurrent layers, linear head."""

    def __init__(self, kind: Callable[..., nn.Module], layers: int = 1, **options: bool) -> None:
        self.emb = nn.Embedding(10, 8)
        self.rnn = kind(8, 16, layers, **options)
        self.out = nn.Linear(32 if options.get("bidirectional") else 16, 10)

    def forward(self, words: mg.Tensor) -> mg.Tensor:
        return self.out(self.rnn(self.emb(words))[0])


def loss(kind: Callable[..., nn.Module], layers: int = 1, steps: int = 4, **options: bool) -> Callable[[], mg.Tensor]:
    model, words = Model(kind, layers, **options), mg.tensor([[1]] * steps)
    return lambda: nn.functional.cross_entropy(model(words), words, dim=-1)


class LeakyCell(nn.Module):
    """A cell of one's own."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.both = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: mg.Tensor, h: mg.Tensor) -> mg.Tensor:
        return 0.9 * h + 0.1 * mg.tanh(self.both(mg.concat([x, h], -1)))


def flows(steps: int = 12) -> dict[str, Callable[[], mg.Tensor]]:
    """Three networks whose last output is judged: gradients vanish, explode and survive."""
    rng = np.random.default_rng(0)
    square = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype("f4")
    small, large, lstm = mr.RNN(4, 16), mr.RNN(4, 16), mr.LSTM(4, 16, forget_bias=3.0)
    small.weight_hh_l0.data, large.weight_hh_l0.data = mg.tensor(0.6 * square), mg.tensor(1.5 * square)
    large.weight_ih_l0.data = 0.001 * large.weight_ih_l0.data  # so small that tanh stays straight
    large.bias_ih_l0.data, large.bias_hh_l0.data = mg.zeros(16), mg.zeros(16)
    x = mg.tensor(rng.normal(size=(steps, 1, 4)).astype("f4"))
    networks = {"spectral radius 0.6: vanishes": small, "1.5: explodes": large, "forget gates open: survives": lstm}
    return {title: lambda layer=layer: layer(x)[0][-1].sum() for title, layer in networks.items()}


def long() -> dict[str, Callable[[], mg.Tensor]]:
    """One network over many steps."""
    layer, x = mr.LSTM(4, 16, forget_bias=3.0), mg.randn(200, 1, 4)
    return {"": lambda: layer(x)[0][-1].sum()}


PICTURES: dict[str, Callable[[], Drawing]] = {
    "graph": graph,
    "rnn": rnn,
    "unrolled": lambda: mr.draw(loss(mr.LSTM, 2)),
    "folded_unrolled": lambda: mr.draw(loss(mr.RNN), view="both"),
    "bidirectional": lambda: mr.draw(loss(mr.GRU, bidirectional=True)),
    "residual": lambda: mr.draw(loss(mr.RNN, 3, residual=True)),
    "time_skips": lambda: mr.draw(lambda: mr.RNN(8, 16, time_skips=(2, 4))(mg.ones(6, 1, 8))[0]),
    "long": lambda: mr.draw(loss(mr.LSTM, steps=200)),
    "cell_lstm": lambda: mr.draw(loss(mr.LSTM), view="cell"),
    "cell_gru": lambda: mr.draw(loss(mr.GRU), view="cell"),
    "cell_own": lambda: mr.draw(lambda: mr.RecurrentLayer(LeakyCell(8, 16))(mg.ones(4, 1, 8))[0], view="cell"),
    "flow": lambda: mr.draw(flows(), view="flow"),
    "flow_long": lambda: mr.draw(long(), view="flow"),
}


def page_wide(dot: str) -> str:
    """The same drawing with its boxes closer together, so that a page 800 pixels wide leaves the letters legible."""
    return re.sub(r"nodesep=\S+ ranksep=[\d.]+", "nodesep=0.16 ranksep=0.18", dot)


def squeezed(svg: str) -> str:
    """Without comments and the names of the boxes, which nobody sees."""
    return re.sub(r"<!--.*?-->\n|<title>.*?</title>\n", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in PICTURES.items():
        mg.manual_seed(0)
        dot = drawn().dot
        picture = squeezed(render(page_wide(dot) if name == "rnn" else dot, "svg").decode())
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}.svg: {len(picture) / 1000:.0f} kB")
