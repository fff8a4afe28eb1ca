"""Time of one recurrent layer, forward and backward with all gradients, beside PyTorch's on the CPU.

    pip install torch==2.13.0    # optional
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/layers.py
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=2 python tests/benchmarks/layers.py

PyTorch gets as many threads as OpenBLAS. Beside each layer stand the bare products of the same step in NumPy: nothing
built on them can be quicker. Arguments choose layers by name, and ``--rounds N``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import statistics
from collections.abc import Callable
from typing import Any

import measure
import numpy as np

import minigrad as mg
import minigrad_rnn

SHAPES = [
    (25, 1, 65, 100),
    (10, 32, 64, 128),
    (50, 50, 128, 128),
    (35, 20, 200, 200),
    (35, 20, 650, 650),
    (100, 64, 512, 512),
]
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
THREADS = int(os.environ.get("OPENBLAS_NUM_THREADS", "1"))


def ours(kind: str, x: Any, cotangent: Any, hidden: int, weights: dict[str, Any]) -> Callable[[], object]:
    layer = getattr(minigrad_rnn, kind)(x.shape[2], hidden)
    layer.load_state_dict(weights)
    inputs, seed = mg.tensor(x, requires_grad=True), mg.tensor(cotangent)

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        output, _ = layer(inputs)
        output.backward(seed)

    return run


def theirs(kind: str, x: Any, cotangent: Any, hidden: int) -> tuple[Callable[[], object], dict[str, Any]]:
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(x.shape[2], hidden)
    inputs, seed = torch.tensor(x, requires_grad=True), torch.tensor(cotangent)

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        output, _ = layer(inputs)
        output.backward(seed)

    return run, {name: value.detach().numpy() for name, value in layer.state_dict().items()}


def products(kind: str, x: Any, hidden: int) -> Callable[[], object]:
    """The matrix products of the same step and nothing else, feature-major."""
    steps, size, features = x.shape
    rows = GATES[kind] * hidden
    rng = np.random.default_rng(0)
    columns = np.ascontiguousarray(x.reshape(-1, features).T)
    w, u = (rng.normal(size=(rows, n)).astype("f4") for n in (features, hidden))
    gates, h = (rng.normal(size=(n, size)).astype("f4") for n in (rows, hidden))
    all_gates, all_h = (rng.normal(size=(n, steps * size)).astype("f4") for n in (rows, hidden))
    back_u, up, down = np.ascontiguousarray(u.T), np.empty_like(gates), np.empty_like(h)

    def run() -> None:
        w @ columns
        for _ in range(steps):
            np.matmul(u, h, out=up)
        for _ in range(steps):
            np.matmul(back_u, gates, out=down)
        all_gates @ columns.T
        all_gates @ all_h.T
        all_gates.T @ w

    return run


def layers(kinds: list[str], rounds: int) -> None:
    """One line for each layer and shape: medians in ms and ratios of times measured in turn."""
    titles = f"{'minigrad':>10}{'PyTorch':>10}{'ratio':>8}{'products':>10}{'ratio':>8}"
    print(f"\n{'layer':<6}{'T, N, input, hidden':<22}{titles}")
    rng = np.random.default_rng(0)
    for kind in kinds:
        for steps, size, features, hidden in SHAPES:
            x = rng.normal(size=(steps, size, features)).astype("f4")
            cotangent = rng.normal(size=(steps, size, hidden)).astype("f4")
            contenders, weights = {}, {}
            if importlib.util.find_spec("torch"):
                contenders["PyTorch"], weights = theirs(kind, x, cotangent, hidden)
            weights = weights or minigrad_rnn.__dict__[kind](features, hidden).state_dict()
            contenders = {"minigrad": ours(kind, x, cotangent, hidden, weights), **contenders}
            contenders["products"] = products(kind, x, hidden)
            times = measure.compare(contenders, rounds * (8 if hidden <= 128 else 1), warmup=2)
            cells = [f"{statistics.median(times['minigrad']) * 1e3:10.2f}"]
            for name in ("PyTorch", "products"):
                if name in times:
                    ratio = statistics.median(a / b for a, b in zip(times["minigrad"], times[name], strict=True))
                    cells.append(f"{statistics.median(times[name]) * 1e3:10.2f}{ratio:8.2f}")
                else:
                    cells.append(f"{'':18}")
            print(f"{kind:<6}{f'{steps}, {size}, {features}, {hidden}':<22}" + "".join(cells), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(GATES), help="LSTM, GRU, RNN")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch = importlib.import_module("torch").__version__ if importlib.util.find_spec("torch") else "missing"
    measure.environment(torch=torch, threads=str(THREADS))
    layers(options.kinds, options.rounds)
