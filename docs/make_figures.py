"""Draw the pictures of the README, of docs/design.md and of docs/drawing.md into docs/figures/.

python docs/make_figures.py [FOLDER]
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn
from minigrad.draw import Drawing, render
from minigrad_rnn.seq2seq import Decoder, DotAttention, Encoder, Seq2Seq
from minigrad_rnn.tree import NaryTreeLSTM, TreeBatch, parse_tree

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


class Reader(nn.Module):
    """A model to look into: a frozen embedding, recurrent layers, a head, and a layer that nobody calls."""

    def __init__(self) -> None:
        self.emb = nn.Embedding(50, 8).requires_grad_(False)
        self.rnn = mr.LSTM(8, 16, 2, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 5))
        self.spare = nn.Linear(16, 5)

    def forward(self, words: mg.Tensor) -> mg.Tensor:
        states, _ = self.rnn(self.emb(words))
        return self.head(states[-1] + states.mean(0))


class Residual(nn.Module):
    """A block with a way past it."""

    def __init__(self, size: int) -> None:
        self.norm, self.lin = nn.LayerNorm(size), nn.Linear(size, size)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return x + self.lin(self.norm(x)).tanh()


def folded_ops() -> Drawing:
    """The ops of a loop of 60 steps."""
    W, h, states = named(mg.ones(4, 4, requires_grad=True), "W"), named(mg.zeros(2, 4), "h₀"), []
    with mg.scope("loop"):
        for t in range(60):
            with mg.scope(step=t):
                h = (h @ W).tanh() * 0.5
                states.append(h)
    return mg.draw(mg.stack(states).sum(), show=("shape", "scope"))


class Parts(nn.Module):
    """A small classifier whose hidden numbers are brought to length 1: those that are all 0 have none."""

    def __init__(self, hidden: int = 8, squash: Callable[[mg.Tensor], mg.Tensor] = mg.tanh, unit: bool = False) -> None:
        self.one, self.two = nn.Linear(4, hidden), nn.Linear(hidden, 3)
        self.squash, self.unit = squash, unit

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        h = self.squash(self.one(x))
        if self.unit:
            with mg.scope("unit"):
                h = h / (h * h).sum(dim=-1, keepdim=True).sqrt()
        return self.two(h)


def squared(zeros: bool = False, **options: Any) -> Callable[[], mg.Tensor]:
    """A loss; with ``zeros``, of a model that is silent about one of its inputs."""
    model, x = Parts(**options), named(mg.randn(5, 4), "x")
    if zeros:
        model.one.bias.data = mg.zeros(model.one.bias.shape[0])
        x.data[2] = 0
    return lambda: (model(x) - 1).square().mean()


def expression() -> mg.Tensor:
    """The squared error of one layer."""
    rng = np.random.default_rng(0)
    W = named(mg.tensor(rng.normal(size=(2, 3)).astype("f4"), requires_grad=True), "W")
    b = named(mg.tensor([0.1, -0.3], requires_grad=True), "b")
    x, y = named(mg.tensor([1.0, -2.0, 0.5]), "x"), named(mg.tensor([0.5, -0.5]), "y")
    return ((W @ x + b).tanh() - y).square().sum()


def nan() -> Drawing:
    with np.errstate(invalid="ignore"):
        return mg.draw(squared(zeros=True, unit=True), color_by="nan", show=("shape", "scope"))


def poisoned() -> Drawing:
    """A recurrent network that is given a NaN at step 2."""
    layer, x = mr.LSTM(4, 8, 2), mg.randn(6, 1, 4)
    x.data[2, 0, 1] = np.nan
    return mr.draw(lambda: layer(x)[0].square().mean(), color_by="nan")


def windows() -> list[mg.Tensor]:
    """Truncated backpropagation: the state goes on from window to window, the gradient does not."""
    rnn, head = mr.LSTM(4, 8), nn.Linear(8, 3)
    state, losses = None, []
    for _ in range(3):
        y, state = rnn(mg.randn(3, 1, 4), state)
        losses.append((head(y) ** 2).sum())
        state = mr.detach_state(state)
    return losses


def padded() -> mg.Tensor:
    """Sequences of different lengths in one batch."""
    model, words = Model(mr.GRU), mg.tensor([[1, 2, 3]] * 5)
    y = model.out(model.rnn(model.emb(words), lengths=[4, 3, 1])[0])
    return nn.functional.cross_entropy(y, words, dim=-1)


SPELLED = "reverse"


@functools.cache
def reverser() -> tuple[Seq2Seq, mg.Tensor, mg.Tensor]:
    """A network that has learned to spell words of seven letters backwards, and one of these, numbered, both ways."""
    rng = np.random.default_rng(0)
    encoder = Encoder(29, mr.GRU(16, 16, bidirectional=True))
    model = Seq2Seq(encoder, Decoder(29, mr.GRU(16, 32), attention=DotAttention(32, 32)))
    optimizer = mg.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        words = rng.integers(3, 29, (len(SPELLED), 32))
        optimizer.zero_grad()
        model.loss(mg.tensor(words), mg.tensor(words[::-1].copy())).backward()
        mg.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    numbers = [[ord(letter) - ord("a") + 3] for letter in SPELLED]
    return model, mg.tensor(numbers), mg.tensor(numbers[::-1])


def attention(step: int | None) -> Drawing:
    model, source, target = reverser()
    letters = list(SPELLED)
    return mr.draw.attention(
        lambda: model(source, target), step=step, source=letters, target=letters[::-1], bidirectional=True
    )


def encoder_decoder() -> Callable[[], mg.Tensor]:
    """Three words are read from both ends, two are written, and END; after each step the decoder looks back."""
    attention = DotAttention(16, 16)
    model = Seq2Seq(Encoder(10, mr.GRU(8, 8, bidirectional=True)), Decoder(10, mr.GRU(8, 16), attention=attention))
    source, target = mg.tensor([[3], [4], [5]]), mg.tensor([[7], [8]])
    return lambda: model.loss(source, target)


def tree() -> Drawing:
    """The gradient of a loss at the root of a sentence."""
    sentence = parse_tree("(S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (DT the) (NN mat)))))")
    network, batch = NaryTreeLSTM(2, 8, 16), TreeBatch([sentence])
    words = mg.randn(len(batch.words), 8)
    return mr.draw.tree(sentence, lambda: network(batch, words)[1][0].square().sum(), network=network)


def ops(backward: bool = False) -> Drawing:
    """A layer and its loss, before and behind backward."""
    x, w, b = named(mg.randn(2, 3), "x"), named(mg.randn(3, 4).requires_grad_(), "w"), mg.zeros(4, requires_grad=True)
    loss = named((x @ w + named(b, "b")).tanh().square().mean(), "loss")
    picture = mg.draw(loss)
    if backward:
        loss.backward()
        picture = mg.draw(loss)
    return picture


def ops_values() -> Drawing:
    """Numbers, and what backward makes of them."""
    a, b, c = (named(mg.tensor(x, requires_grad=True), name) for x, name in ((2.0, "a"), (-3.0, "b"), (7.0, "c")))
    y = named((a * b + c).tanh(), "y")
    y.backward()
    return mg.draw(y, show=("value", "grad"))


def ops_second() -> Drawing:
    """The graph of a derivative."""
    v = named(mg.tensor(0.5, requires_grad=True), "v")
    (dy,) = mg.grad(named(v * v, "v²").tanh(), v, create_graph=True)
    return mg.draw(named(dy, "dy/dv"))


def deep_transition() -> Drawing:
    cell = mr.DeepTransitionCell(8, 16, transition_layers=(16,), shortcut=True)
    return mr.draw(lambda: mr.RecurrentLayer(cell)(mg.ones(4, 1, 8))[0], view="cell")


PICTURES: dict[str, Callable[[], Drawing]] = {
    "graph": graph,
    "ops": ops,
    "ops_backward": lambda: ops(backward=True),
    "ops_values": ops_values,
    "ops_second": ops_second,
    "highway": lambda: mr.draw(loss(mr.RNN, 2, highway=True)),
    "cell_deep": deep_transition,
    "rnn": rnn,
    "unrolled": lambda: mr.draw(loss(mr.LSTM, 2)),
    "folded_unrolled": lambda: mr.draw(loss(mr.RNN), view="both"),
    "bidirectional": lambda: mr.draw(loss(mr.GRU, bidirectional=True)),
    "residual": lambda: mr.draw(loss(mr.RNN, 3, residual=True)),
    "time_skips": lambda: mr.draw(lambda: mr.RNN(8, 16, time_skips=(2, 4))(mg.ones(6, 1, 8))[0]),
    "rail": lambda: mr.draw(loss(mr.RNN), weights="rail"),
    "terms": lambda: mr.draw(flows(8)["spectral radius 0.6: vanishes"], color_by="terms"),
    "windows": lambda: mr.draw(windows),
    "padded": lambda: mr.draw(padded),
    "long": lambda: mr.draw(loss(mr.LSTM, steps=200)),
    "cell_lstm": lambda: mr.draw(loss(mr.LSTM), view="cell"),
    "cell_gru": lambda: mr.draw(loss(mr.GRU), view="cell"),
    "cell_own": lambda: mr.draw(lambda: mr.RecurrentLayer(LeakyCell(8, 16))(mg.ones(4, 1, 8))[0], view="cell"),
    "flow": lambda: mr.draw(flows(), view="flow"),
    "flow_long": lambda: mr.draw(long(), view="flow"),
    "encoder_decoder": lambda: mr.draw(encoder_decoder()),
    "attention": lambda: attention(2),
    "attention_matrix": lambda: attention(None),
    "tree": tree,
    "modules": lambda: mg.draw(Reader(), mg.tensor([[1], [2], [3], [4]])),
    "modules_alike": lambda: mg.draw(nn.Sequential(*[Residual(16) for _ in range(12)]), mg.ones(4, 16), direction="LR"),
    "folded_ops": folded_ops,
    "by_gradient": lambda: mg.draw(squared(), color_by="gradient", show=("shape", "scope")),
    "by_bytes": lambda: mg.draw(squared(), color_by="bytes", show=("shape", "scope")),
    "cells_by_value": lambda: mr.draw(loss(mr.GRU, 2), color_by="value"),
    "nan": nan,
    "nan_cells": poisoned,
    "backward": lambda: mg.draw.backward(expression),
    "backward_cells": lambda: mr.draw.backward(loss(mr.LSTM, 2)),
    "diff": lambda: mg.draw.diff(squared(), squared(hidden=16, squash=mg.relu, unit=True)),
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
        drawing = drawn()
        picture = squeezed(render(page_wide(drawing.dot), "svg").decode() if name == "rnn" else drawing.svg())
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}.svg: {len(picture) / 1000:.0f} kB")
