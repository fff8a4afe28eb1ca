"""How many steps back do recurrent networks remember? Success against lag, for six of them and two tasks.

    python examples/memory_span.py [--plot FILE] [--jobs 2]

What comes at the first step has to be told after the last, however much noise comes in between:

- bit: A or B, then as many random C and D as the lag says (after Hochreiter and Schmidhuber 1997, section 5.2);
- number: a number from -1 to 1, marked as the first, then random ones. An answer within 0.2 counts as right.

The lag is the same throughout a training, so no short sequence shows the way. Every network has 32 units and gets
1,000 updates of 32 sequences; a training ends early once 99 % of the answers of 20 updates are right.

Trainings of three (seeds 0, 1, 2) that succeeded, at lags 10, 30, 100, 300 and 1,000, in eight minutes on two cores
with Numba:

                  a bit        a number
    RNN           3 3 3 2 1    3 0 0 0 0
    IRNN          3 3 3 3 0    3 3 3 1 0
    GRU           3 3 0 0 0    3 0 0 0 0
    LSTM          3 3 0 0 0    3 3 0 0 0
    GRU, chrono   3 3 3 3 3    3 3 3 3 3
    LSTM, chrono  3 3 3 3 3    3 3 3 3 3

Gates that start open (see chrono in networks.py) are what bridges a thousand steps; with the usual start an LSTM learns
none of this at lag 100. A plain RNN can latch a bit, but not keep a number.
Without Numba layers round otherwise, which training amplifies: two RNNs kept the bit over 1,000 steps then, and two
IRNNs over 300.
"""

import argparse
import contextlib
import itertools
import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ctrl_c import CtrlC
from networks import LastReader, recurrent
from plotting import COLOURS, legend, level, new_figure, save

import minigrad as mg
from minigrad import nn

NETWORKS = {  # and the learning rate: of 0.001, 0.003 and 0.01 what did best at lags 30 and 100 with seed 0
    "RNN": 1e-2,
    "IRNN": 1e-3,
    "GRU": 1e-2,
    "LSTM": 1e-3,
    "GRU, chrono": 1e-2,
    "LSTM, chrono": 1e-2,
}
CHANCE = {"bit": 0.5, "number": 0.2}
HIDDEN, BATCH, LATEST = 32, 32, 20


class Training(NamedTuple):
    """What is to be trained, and how many updates at most."""

    task: str
    name: str
    lag: int
    seed: int
    steps: int


def network(task: str, name: str, lag: int) -> LastReader:
    layer = recurrent(name, {"bit": 4, "number": 2}[task], HIDDEN, longest=lag)
    return LastReader(layer, {"bit": 2, "number": 1}[task])


def bits(rng: np.random.Generator, lag: int) -> tuple[mg.Tensor, mg.Tensor]:
    """Symbols (lag + 1, N, 4), one-hot, and the first of each sequence (N,)."""
    symbols = rng.integers(2, 4, (lag + 1, BATCH))
    symbols[0] = first = rng.integers(0, 2, BATCH)
    return mg.tensor(np.eye(4, dtype=np.float32)[symbols]), mg.tensor(first)


def numbers(rng: np.random.Generator, lag: int) -> tuple[mg.Tensor, mg.Tensor]:
    """Numbers and the mark of the first (lag + 1, N, 2), and the first of each sequence (N, 1)."""
    x = np.zeros((lag + 1, BATCH, 2), np.float32)
    x[..., 0] = rng.uniform(-1, 1, (lag + 1, BATCH))
    x[0, :, 1] = 1
    return mg.tensor(x), mg.tensor(x[0, :, :1])


def judge(task: str, answer: mg.Tensor, wanted: mg.Tensor) -> tuple[mg.Tensor, float]:
    """The loss, and the share of right answers."""
    if task == "bit":
        right = answer.numpy().argmax(1) == wanted.numpy()
        return nn.functional.cross_entropy(answer, wanted), float(right.mean())
    right = np.abs(answer.numpy() - wanted.numpy()) < 0.2
    return nn.functional.mse_loss(answer, wanted), float(right.mean())


def train(wanted: Training) -> tuple[float, int]:
    """The share of right answers in the latest updates, and how many updates there were."""
    task, name, lag, seed, steps = wanted
    mg.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = network(task, name, lag)
    optimizer = mg.optim.Adam(model.parameters(), lr=NETWORKS[name])
    shares: list[float] = []
    for _ in range(steps):
        x, wanted = {"bit": bits, "number": numbers}[task](rng, lag)
        loss, share = judge(task, model(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        mg.optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        shares.append(share)
        if len(shares) >= LATEST and np.mean(shares[-LATEST:]) >= 0.99:
            break
    return float(np.mean(shares[-LATEST:])), len(shares)


@contextlib.contextmanager
def trained(wanted: list[Training], jobs: int) -> Iterator[Iterable[tuple[float, int]]]:
    """The results in their order, each as soon as it is there. Ctrl-C is for this process alone, which ends others."""
    if jobs == 1:
        yield map(train, wanted)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        yield pool.imap(train, wanted)


def results(options: argparse.Namespace, ctrl_c: CtrlC) -> dict[str, dict[str, np.ndarray]]:
    """The shares of right answers (lags, seeds) by task and network: of what was done before a Ctrl-C."""
    wanted = itertools.product(options.tasks, options.networks, options.lags, options.seeds, [options.steps])
    tasks: dict[str, dict[str, np.ndarray]] = {}
    with ctrl_c, trained(list(itertools.starmap(Training, wanted)), options.jobs) as found:
        for task, name in itertools.product(options.tasks, options.networks):
            print(f"{task}: {name}", flush=True)
            rows: list[list[float]] = []
            for lag in options.lags:
                row = list(itertools.islice(found, len(options.seeds)))
                rows.append([share for share, _ in row])
                tasks.setdefault(task, {})[name] = np.array(rows)
                told = ", ".join(f"{share:4.0%} after {updates:,}" for share, updates in row)
                print(f"  lag {lag:5,}: {told}", flush=True)
    return tasks


def plot(tasks: dict[str, dict[str, np.ndarray]], lags: list[int], path: Path) -> None:
    titles = [f"A {task} from the first step" for task in tasks]
    figure, axes = new_figure(*titles, width=4.2 * len(titles) + 1.2, height=3.9)
    for one, (task, shares) in zip(axes, tasks.items(), strict=True):
        level(one, CHANCE[task], "chance")
        for i, (name, share) in enumerate(shares.items()):
            kind, *start = name.split(", ")
            places = np.array(lags) * 1.04 ** (i - (len(shares) - 1) / 2)  # side by side, where they would hide others
            style = {"linestyle": (4 * (kind == "GRU"), (4, 4)), "marker": "s"} if start else {"marker": "o"}
            style |= {"color": COLOURS[kind], "linewidth": 1.8, "markersize": 5.5, "markeredgecolor": "white"}
            one.plot(places[: len(share)], share.mean(1), label=name, **style)
        one.set(xscale="log", xlabel="lag, steps", ylim=(0, 1.06), xticks=lags, xticklabels=lags)
        one.minorticks_off()
        one.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes[0].set_ylabel("right answers, mean of the trainings")
    legend(axes[-1], loc="center left", bbox_to_anchor=(1.0, 0.6))
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(CHANCE), choices=list(CHANCE))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS), metavar="NAME")
    parser.add_argument("--lags", nargs="+", type=int, default=[10, 30, 100, 300, 1000], metavar="LAG")
    parser.add_argument("--steps", type=int, default=1000, help="updates at most (%(default)s)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED", help="one training each")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the share of right answers against the lag")
    options = parser.parse_args()

    started = time.perf_counter()
    ctrl_c = CtrlC()
    tasks = results(options, ctrl_c)
    print(f"{time.perf_counter() - started:.0f} s")
    if options.plot and tasks:
        plot(tasks, options.lags, options.plot)
    ctrl_c.leave()


if __name__ == "__main__":
    main()
