"""Copy memory: an LSTM repeats five symbols after a pause, a plain RNN only knows when to begin.

    python examples/copy_memory.py [--plot FILE]

Five symbols out of eight, then blanks, then a signal to begin, and five more blanks. Wanted are blanks throughout,
and after the signal the five symbols (Hochreiter and Schmidhuber 1997; as here in Arjovsky, Shah and Bengio, "Unitary
evolution recurrent neural networks", 2016, section 4.1). Who gives blanks until the signal and then guesses has a
cross entropy of 5 log 8 / 30 = 0.347 and recalls 0.125 of the symbols.

With --seed 0 and Numba, in two minutes on one busy core:

    guessing: cross entropy 0.347, recall 0.125
    RNN          cross entropy 0.274, recall 0.279 (never 0.9; 4,000 updates, 18 s)
    LSTM         cross entropy 0.193, recall 0.467 (never 0.9; 4,000 updates, 54 s)
    LSTM, chrono cross entropy 0.015, recall 0.962 (0.9 after 2,566 updates; 4,000 updates, 59 s)

The RNN guesses for 3,200 updates here, and in four trainings of six to the end: docs/experiments.md has other seeds,
and figures without Numba, where layers round otherwise, which training amplifies.

"LSTM" has a forget bias of 1 and needs far more updates; "LSTM, chrono" starts with gates that keep (networks.py).
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
from ctrl_c import CtrlC
from curves import Curve, smoothed
from networks import recurrent
from plotting import COLOURS, legend, level, new_figure, save

import minigrad as mg
from minigrad import nn

SYMBOLS = 8
BLANK, BEGIN = 8, 9
NETWORKS = ["RNN", "LSTM", "LSTM, chrono"]


class EveryStepReader(nn.Module):
    """A recurrent layer, and a linear layer that reads each of its outputs."""

    def __init__(self, layer: nn.Module, output_size: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size, output_size)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        outputs, _ = self.layer(x)
        return self.head(outputs)


def batch(rng: np.random.Generator, options: argparse.Namespace) -> tuple[mg.Tensor, mg.Tensor]:
    """One-hot inputs (T, N, 10) and wanted symbols (T, N), for T = 2 * count + delay."""
    shape = 2 * options.count + options.delay, options.batch
    given, wanted = np.full(shape, BLANK), np.full(shape, BLANK)
    given[: options.count] = wanted[-options.count :] = rng.integers(0, SYMBOLS, (options.count, options.batch))
    given[-options.count - 1] = BEGIN
    return mg.tensor(np.eye(SYMBOLS + 2, dtype=np.float32)[given]), mg.tensor(wanted)


def train(kind: str, options: argparse.Namespace, ctrl_c: CtrlC) -> tuple[list[float], float]:
    """The share of symbols recalled in every update, and the last loss."""
    mg.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    layer = recurrent(kind, SYMBOLS + 2, options.hidden, longest=2 * options.count + options.delay)
    model = EveryStepReader(layer, SYMBOLS + 1)
    optimizer = mg.optim.Adam(model.parameters(), lr=options.lr)
    recalled: list[float] = []
    latest = math.nan
    with ctrl_c:
        for _ in range(options.steps):
            x, wanted = batch(rng, options)
            logits = model(x)
            loss = nn.functional.cross_entropy(logits, wanted, dim=-1)
            optimizer.zero_grad()
            loss.backward()
            mg.optim.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            right = logits.numpy().argmax(-1) == wanted.numpy()
            recalled.append(right[-options.count :].mean())
            latest = loss.item()
    return recalled, latest


def plot(curves: dict[str, Curve], path: Path) -> None:
    figure, (axes,) = new_figure("Copy memory: symbols recalled")
    level(axes, 1 / SYMBOLS, "guessing", right=True)
    for kind, curve in curves.items():
        style = {"color": COLOURS[kind.split(",")[0]], "linestyle": "--" if "chrono" in kind else "-"}
        axes.plot(*curve, linewidth=1.8, label=kind, **style)
    axes.set(ylim=(0, 1.02), xlabel="updates", ylabel="share, mean of 50 updates")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    legend(axes, loc="upper left")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--count", type=int, default=5, help="symbols to remember (%(default)s)")
    parser.add_argument("--delay", type=int, default=20, help="steps from them to the answer (%(default)s)")
    parser.add_argument("--steps", type=int, default=4000, help="updates (%(default)s)")
    parser.add_argument("--hidden", type=int, default=64, help="units (%(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="sequences of an update (%(default)s)")
    parser.add_argument("--lr", type=float, default=5e-3, help="learning rate of Adam (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the share recalled")
    options = parser.parse_args()

    guessing = options.count * math.log(SYMBOLS) / (2 * options.count + options.delay)
    print(f"guessing: cross entropy {guessing:.3f}, recall {1 / SYMBOLS:.3f}")
    ctrl_c, curves = CtrlC(), {}
    for kind in options.networks:
        started = time.perf_counter()
        recalled, loss = train(kind, options, ctrl_c)
        seconds = time.perf_counter() - started
        if recalled:
            updates, means = curves[kind] = smoothed(recalled)
            above = updates[means >= 0.9]
            reached = f"0.9 after {above[0]:,} updates" if len(above) else "never 0.9"
            told = f"recall {means[-1]:.3f} ({reached}; {len(recalled):,} updates, {seconds:.0f} s)"
            print(f"{kind:12} cross entropy {loss:.3f}, {told}", flush=True)
        if ctrl_c.pressed:
            break
    if options.plot and curves:
        plot(curves, options.plot)
    ctrl_c.leave()


if __name__ == "__main__":
    main()
