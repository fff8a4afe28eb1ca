"""The setting of min-char-rnn, step by step: a plain RNN learns to spell from Shakespeare.

    python examples/min_char_rnn.py input.txt [--plot FILE]

The text is the tiny Shakespeare of karpathy/char-rnn (data/tinyshakespeare/input.txt there; 1,115,394 characters), or
any other. As in Karpathy's min-char-rnn of 2015: 100 tanh units, one sequence, 25 characters at a time with the state
carried over, Adagrad with learning rate 0.1, every number of the gradient clipped to 5. The loss is the sum over 25
characters in nats, smoothed as 0.999 old + 0.001 new; guessing is 25 log 65 = 104.4.

With --seed 0 and Numba, on one busy core (a quieter one took 94 s):

    1,115,394 characters, 65 different; guessing is 104.4
    iteration   1,000  smoothed loss  86.28     5 s
    iteration   5,000  smoothed loss  56.10    16 s
    iteration  10,000  smoothed loss  52.37    29 s
    iteration  20,000  smoothed loss  50.56    51 s
    iteration  50,000  smoothed loss  48.23   135 s
    iteration 100,000  smoothed loss  45.60   277 s

Runs differ: with seeds 1 to 4 the last is 48.08, 48.54, 46.25 and 47.11. Without Numba, where layers round otherwise,
seeds 0 to 4 end at 48.07, 48.12, 48.59, 47.27 and 47.20.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ctrl_c import CtrlC
from plotting import COLOURS, level, new_figure, save
from shakespeare import WHERE, read

import minigrad as mg
from minigrad import nn
from minigrad_rnn import RNN

STEPS = 25
GOAL = 48.5


class CharacterRNN(nn.Module):
    """h' = tanh(W x + U h + b), logits = V h' + c for one-hot characters x; small weights and no biases at first."""

    def __init__(self, symbols: int, hidden_size: int) -> None:
        super().__init__()
        self.rnn = RNN(symbols, hidden_size)
        self.head = nn.Linear(hidden_size, symbols)
        self.rnn.bias_hh_l0.requires_grad_(False)  # PyTorch's layers have two biases, min-char-rnn has one
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: mg.Tensor, h: mg.Tensor | None) -> tuple[mg.Tensor, mg.Tensor]:
        outputs, h = self.rnn(x, h)
        return self.head(outputs), h


def pieces(numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """The text piece by piece, again and again: characters, those that follow them, and whether the text begins."""
    while True:
        for start in range(0, len(numbers) - STEPS, STEPS):
            yield numbers[start : start + STEPS], numbers[start + 1 : start + STEPS + 1], start == 0


def train(text: str, options: argparse.Namespace, ctrl_c: CtrlC) -> list[float]:
    """The smoothed loss, at first and after every iteration."""
    mg.manual_seed(options.seed)
    symbols, numbers = np.unique(list(text), return_inverse=True)
    one_hot = np.eye(len(symbols), dtype=np.float32)
    model = CharacterRNN(len(symbols), options.hidden)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = mg.optim.Adagrad(parameters, lr=0.1)
    h, smooth = None, [STEPS * math.log(len(symbols))]
    print(f"{len(text):,} characters, {len(symbols)} different; guessing is {smooth[0]:.1f}")
    started = time.perf_counter()
    with ctrl_c:
        for iteration, (now, after, begins) in zip(range(1, options.iterations + 1), pieces(numbers), strict=False):
            logits, h = model(mg.tensor(one_hot[now][:, None]), None if begins else h.detach())
            loss = nn.functional.cross_entropy(logits.squeeze(1), mg.tensor(after), reduction="sum")
            optimizer.zero_grad()
            loss.backward()
            mg.optim.clip_grad_value_(parameters, 5.0)
            optimizer.step()
            smooth.append(0.999 * smooth[-1] + 0.001 * loss.item())
            if iteration in (1000, 5000, 10_000, 20_000, 50_000, options.iterations):
                report(smooth, started)
    if ctrl_c.pressed:
        report(smooth, started)
    return smooth


def report(smooth: list[float], started: float) -> None:
    seconds = time.perf_counter() - started
    print(f"iteration {len(smooth) - 1:7,}  smoothed loss {smooth[-1]:6.2f}  {seconds:4.0f} s", flush=True)


def plot(smooth: list[float], path: Path) -> None:
    figure, (axes,) = new_figure("min-char-rnn's setting on tiny Shakespeare")
    level(axes, smooth[0], "guessing", right=True)
    level(axes, GOAL, "goal", right=True)
    axes.plot(smooth, color=COLOURS["RNN"], linewidth=1.8)
    axes.xaxis.set_major_formatter(lambda iteration, _: f"{iteration:,.0f}")
    axes.set(ylim=(40, 110), xlabel="iterations", ylabel="smoothed loss of 25 characters, nats")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help=WHERE)
    parser.add_argument("--iterations", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--hidden", type=int, default=100, help="units (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the smoothed loss")
    options = parser.parse_args()
    text = read(options.text)
    if len(text) <= STEPS:
        raise SystemExit(f"{options.text} has {len(text)} characters; at least {STEPS + 1} are needed")
    ctrl_c = CtrlC()
    smooth = train(text, options, ctrl_c)
    if options.plot:
        plot(smooth, options.plot)
    ctrl_c.leave()


if __name__ == "__main__":
    main()
