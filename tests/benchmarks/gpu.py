"""Time of one recurrent layer on a GPU, forward and backward with all gradients, beside PyTorch's, which is cuDNN's.

    pip install "minigrad[cuda13]" torch
    python tests/benchmarks/gpu.py
    python tests/benchmarks/gpu.py LSTM --shape 100,64,512,512 --forward

Both compute in float32 without TF32. A time ends when the GPU has finished. Beside each layer
stand the bare products of the same step with CuPy, and, last, the host's share: the time until everything has been
handed to the GPU. Where that is nearly all of the time, it is launches that cost, not computing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import measure
from layers import GATES, SHAPES, Shape, data

import minigrad as mg
import minigrad_rnn
from minigrad import backend

Run = Callable[[], object]


def ours(kind: str, shape: Shape, forward: bool, weights: dict[str, Any]) -> Run:
    """A step of ours."""
    x, cotangent = data(shape)
    layer = getattr(minigrad_rnn, kind)(x.shape[2], cotangent.shape[2])
    if weights:
        layer.load_state_dict(weights)
    layer.to("cuda")
    inputs, seed = mg.tensor(x, device="cuda", requires_grad=True), mg.tensor(cotangent, device="cuda")

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        layer(inputs)[0].backward(seed)

    return mg.no_grad()(lambda: layer(inputs)) if forward else run


def theirs(kind: str, shape: Shape, forward: bool) -> tuple[Run, Run, dict[str, Any]]:
    """A step of PyTorch's, what waits for the GPU, and the weights."""
    import torch

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    x, cotangent = data(shape)
    layer = getattr(torch.nn, kind)(x.shape[2], cotangent.shape[2]).cuda()
    inputs, seed = torch.tensor(x, device="cuda", requires_grad=True), torch.tensor(cotangent, device="cuda")

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        layer(inputs)[0].backward(seed)

    weights = {name: value.detach().cpu().numpy() for name, value in layer.state_dict().items()}
    return torch.no_grad()(lambda: layer(inputs)) if forward else run, torch.cuda.synchronize, weights


def products(kind: str, shape: Shape, forward: bool) -> Run:
    """The matrix products of the same step and nothing else."""
    steps, size, features, hidden = shape
    module, rows = backend.on("cuda").module, GATES[kind] * hidden

    def zeros(*shape: int) -> Any:
        return module.zeros(shape, "float32")

    w, u, columns = zeros(rows, features), zeros(rows, hidden), zeros(features, steps * size)
    gates, h, all_gates, all_h = zeros(rows, size), zeros(hidden, size), w @ columns, zeros(hidden, steps * size)

    def run() -> None:
        module.matmul(w, columns)
        for _ in range(steps):
            module.matmul(u, h, out=gates)
        if forward:
            return
        for _ in range(steps):
            module.matmul(u.T, gates, out=h)
        for other in (columns.T, all_h.T):
            module.matmul(all_gates, other)
        module.matmul(all_gates.T, w)

    return run


def waiting(run: Run, wait: Run) -> Run:
    """``run``, until the GPU has finished."""

    def both() -> None:
        run()
        wait()

    return both


def handed_over(run: Run, rounds: int) -> float:
    """The median of the seconds that the host takes, while the GPU goes on."""
    times = []
    for _ in range(rounds):
        backend.on("cuda").synchronize()
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    backend.on("cuda").synchronize()
    return statistics.median(times)


def line(kind: str, shape: Shape, rounds: int, forward: bool, beside: bool) -> str:
    """Medians in ms, and the medians of ratios of times measured in turn."""
    contenders, weights, wait = {}, {}, backend.on("cuda").synchronize
    if beside:
        run, their_wait, weights = theirs(kind, shape, forward)
        contenders["cuDNN"] = waiting(run, their_wait)
    mine = ours(kind, shape, forward, weights)
    contenders = {"minigrad": waiting(mine, wait), **contenders}
    contenders["products"] = waiting(products(kind, shape, forward), wait)
    measured = measure.compare(contenders, rounds)
    cells = [f"{statistics.median(measured['minigrad']) * 1e3:10.3f}"]
    for name in ("cuDNN", "products"):
        if name in measured:
            ratios = [a / b for a, b in zip(measured["minigrad"], measured[name], strict=True)]
            cells.append(f"{statistics.median(measured[name]) * 1e3:10.3f}{statistics.median(ratios):8.2f}")
        else:
            cells.append(f"{'':18}")
    cells.append(f"{handed_over(mine, rounds) * 1e3:10.3f}")
    return f"{kind:<6}{', '.join(map(str, shape)):<22}" + "".join(cells)


def has_cudnn() -> bool:
    """Whether PyTorch can use a GPU."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def main() -> None:
    """Print a line for each layer and shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(GATES), help="LSTM, GRU, RNN")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--forward", action="store_true", help="time the forward alone, without a graph")
    parser.add_argument("--shape", action="append", help="T,N,input,hidden: instead of the usual ones")
    options = parser.parse_args()
    try:
        backend.on("cuda")
    except mg.DeviceError as error:
        print(f"Nothing to measure: {str(error).splitlines()[0]}.")
        return
    beside = has_cudnn()
    versions = {name: importlib.metadata.version(name) for name in ("torch",) if beside}
    measure.environment(cupy=getattr(backend.on("cuda").module, "__version__", "?"), **versions)
    if not beside:
        print("There is no PyTorch that can use the GPU, so its column is empty.")
    print(f"\n{'forward alone' if options.forward else 'forward and backward'}, ms\n{'layer':<6}"
          f"{'T, N, input, hidden':<22}{'minigrad':>10}{'cuDNN':>10}{'ratio':>8}"
          f"{'products':>10}{'ratio':>8}{'host':>10}")
    shapes = [tuple(map(int, shape.split(","))) for shape in options.shape] if options.shape else SHAPES
    for kind in options.kinds:
        for shape in shapes:
            print(line(kind, shape, options.rounds, options.forward, beside), flush=True)


if __name__ == "__main__":
    main()
