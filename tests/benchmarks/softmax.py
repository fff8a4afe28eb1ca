"""Time and peak of memory of the last layer of a word model: a linear map to all words and its cross-entropy.

    pip install torch==2.13.0    # optional
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/softmax.py

Forward and backward with the gradients of rows, weight and bias, beside PyTorch's linear and cross_entropy with as many
threads as OpenBLAS. Each peak is measured in a process of its own, above what the arguments and the first small step
take. The adaptive softmax has the words of Zipf's law, of which most are frequent. ``--rows 700`` and the like instead
of the usual numbers of rows; ``--rounds N``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import measure
import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F  # noqa: N812

FEATURES, WORDS, CUTOFFS = 200, 10_000, [1000, 4000]
ROWS = [35 * 20, 35 * 80, 35 * 320]
THREADS = int(os.environ.get("OPENBLAS_NUM_THREADS", "1"))


def data(rows: int) -> tuple[Any, Any, Any, Any]:
    """Rows, weight, bias, and words by Zipf's law."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, WORDS + 1)
    words = rng.choice(WORDS, rows, p=frequency / frequency.sum())
    x, weight = rng.normal(size=(rows, FEATURES)), rng.normal(size=(WORDS, FEATURES)) / 10
    return x.astype("f4"), weight.astype("f4"), np.zeros(WORDS, "f4"), words


def chunked(x: Any, weight: Any, bias: Any, words: Any) -> Callable[[], object]:
    leaves = [mg.tensor(a, requires_grad=True) for a in (x, weight, bias)]

    def run() -> None:
        forget(leaves)
        F.linear_cross_entropy(leaves[0], leaves[1], words, leaves[2]).backward()

    return run


def whole(x: Any, weight: Any, bias: Any, words: Any) -> Callable[[], object]:
    leaves = [mg.tensor(a, requires_grad=True) for a in (x, weight, bias)]

    def run() -> None:
        forget(leaves)
        F.cross_entropy(F.linear(*leaves), words).backward()

    return run


def adaptive(x: Any, weight: Any, bias: Any, words: Any) -> Callable[[], object]:
    layer = nn.AdaptiveLogSoftmaxWithLoss(FEATURES, len(weight), CUTOFFS)
    rows = mg.tensor(x, requires_grad=True)

    def run() -> None:
        forget([rows, *layer.parameters()])
        layer(rows, words).loss.backward()

    return run


def torch_whole(x: Any, weight: Any, bias: Any, words: Any) -> Callable[[], object]:
    torch = import_torch()
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    target = torch.tensor(words)

    def run() -> None:
        forget(leaves)
        torch.nn.functional.cross_entropy(torch.nn.functional.linear(*leaves), target).backward()

    return run


def torch_adaptive(x: Any, weight: Any, bias: Any, words: Any) -> Callable[[], object]:
    torch = import_torch()
    layer = torch.nn.AdaptiveLogSoftmaxWithLoss(FEATURES, len(weight), CUTOFFS)
    rows, target = torch.tensor(x, requires_grad=True), torch.tensor(words)

    def run() -> None:
        forget([rows, *layer.parameters()])
        layer(rows, target).loss.backward()

    return run


def import_torch() -> Any:
    import torch

    torch.set_num_threads(THREADS)
    return torch


def forget(leaves: list[Any]) -> None:
    for leaf in leaves:
        leaf.grad = None


CONTENDERS = {
    "linear_cross_entropy": chunked,
    "linear, cross_entropy": whole,
    "PyTorch": torch_whole,
    "adaptive": adaptive,
    "PyTorch adaptive": torch_adaptive,
}


def contenders() -> dict[str, Callable[..., Any]]:
    present = importlib.util.find_spec("torch") is not None
    return {name: make for name, make in CONTENDERS.items() if present or "PyTorch" not in name}


def compared(rows: int, rounds: int) -> None:
    """A line for each contender: its time, how many times as long PyTorch takes for the same, and its peak."""
    given = data(rows)
    times = measure.compare({name: make(*given) for name, make in contenders().items()}, rounds, warmup=1)
    print(f"\n{rows} rows of {FEATURES}, {WORDS} words: all scores are {rows * WORDS * 4 / 2**20:.0f} MB")
    print(f"  {'':<24}{'ms':>8}{'PyTorch / it':>14}{'peak, MB':>10}")
    for name, seconds in times.items():
        peer = times.get("PyTorch adaptive" if "adaptive" in name else "PyTorch", seconds)
        ratio = statistics.median(b / a for a, b in zip(seconds, peer, strict=True))
        command = [sys.executable, __file__, "--rows", str(rows), "--peak", name]
        peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"  {name:<24}{statistics.median(seconds) * 1e3:8.0f}{ratio:14.2f}{peak:10.0f}", flush=True)


def peak(name: str, rows: int) -> float:
    """In a fresh process: MB by which the peak of three steps is above what was there before."""
    make = CONTENDERS[name]
    x, weight, bias, words = data(rows)
    few = max(CUTOFFS) + 1
    make(x[:2], weight[:few], bias[:few], words[:2] % few)()  # what is loaded or set up once is not the step's
    return measure.peak(make(x, weight, bias, words))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, action="append", help="instead of the usual numbers of rows")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(peak(options.peak, options.rows[0]))
    else:
        measure.environment(
            torch=importlib.metadata.version("torch") if "PyTorch" in contenders() else "missing", threads=str(THREADS)
        )
        for count in options.rows or ROWS:
            compared(count, options.rounds)
