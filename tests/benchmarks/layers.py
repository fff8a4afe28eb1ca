"""Time of one recurrent layer, forward and backward with all gradients, beside PyTorch's on the CPU.

    pip install torch==2.13.0    # optional
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/layers.py
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=2 python tests/benchmarks/layers.py

PyTorch gets as many threads as OpenBLAS. Beside each layer stand the bare products of the same step in NumPy, laid out
and cut as the compiled layer does it, which is the quickest way known; and, where Numba is installed, the layer that
NumPy computes alone. Arguments choose layers by name; ``--forward`` times the
forward alone, without a graph; ``--memory`` measures the peak of memory of training steps, each layer in a process of
its own; ``--options`` compares layers with lengths, layer normalisation and the regularisers with the plain one;
``--long`` adds the shapes that take long; ``--shape T,N,input,hidden`` takes that one; ``--rounds N``.
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
import minigrad_rnn
from minigrad_rnn import compiled
from minigrad_rnn.compiled.products import Hoisted, Product, gradient

Shape = tuple[int, ...]
SHAPES: list[Shape] = [
    (25, 1, 65, 100),
    (10, 32, 64, 128),
    (50, 50, 128, 128),
    (35, 20, 200, 200),
    (35, 20, 650, 650),
    (100, 64, 512, 512),
]
LONG: list[Shape] = [(100, 64, 1024, 1024), (784, 64, 1, 128)]
OPTIONS: dict[str, dict[str, Any]] = {
    "lengths": {},
    "layer norm": {"layer_norm": "ba"},
    "zoneout": {"zoneout": 0.1},
    "variational": {"variational": 0.3},
}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
THREADS = int(os.environ.get("OPENBLAS_NUM_THREADS", "1"))


def data(shape: Shape) -> tuple[Any, Any]:
    """An input and a cotangent of the output."""
    steps, size, features, hidden = shape
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(steps, size, n)).astype("f4") for n in (features, hidden))


def ours(
    kind: str, x: Any, cotangent: Any, weights: dict[str, Any], forward: bool, lengths: Any = None, **options: Any
) -> Callable[[], object]:
    layer = getattr(minigrad_rnn, kind)(x.shape[2], cotangent.shape[2], **options)
    if weights:
        layer.load_state_dict(weights)
    inputs, seed = mg.tensor(x, requires_grad=True), mg.tensor(cotangent)

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        output, _ = layer(inputs, lengths=lengths)
        output.backward(seed)

    return mg.no_grad()(lambda: layer(inputs, lengths=lengths)) if forward else run


def alone(run: Callable[[], object]) -> Callable[[], object]:
    """Without compiled steps."""
    return minigrad_rnn.uncompiled()(run)


def theirs(kind: str, x: Any, cotangent: Any, forward: bool) -> tuple[Callable[[], object], dict[str, Any]]:
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)(x.shape[2], cotangent.shape[2])
    inputs, seed = torch.tensor(x, requires_grad=True), torch.tensor(cotangent)

    def run() -> None:
        layer.zero_grad()
        inputs.grad = None
        output, _ = layer(inputs)
        output.backward(seed)

    weights = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
    return torch.no_grad()(lambda: layer(inputs)) if forward else run, weights


def products(kind: str, x: Any, hidden: int, forward: bool) -> Callable[[], object]:
    """The matrix products of the same step and nothing else."""
    steps, size, features = x.shape
    rows = GATES[kind] * hidden
    rng = np.random.default_rng(0)
    w, u = (rng.normal(size=(rows, n)).astype("f4") for n in (features, hidden))
    gates, hs = (rng.normal(size=(steps, size, n)).astype("f4") for n in (rows, hidden))
    project, up, down, back = Hoisted(w.T, size), Product(u.T, size), Hoisted(w, size), Product(u, size)
    all_gates, all_x, all_h, out = (a.reshape(steps * size, -1) for a in (gates, x, hs, np.empty_like(x)))

    def run() -> None:
        project(x, gates)
        for h in hs:
            up(h)
        if forward:
            return
        for d in gates:
            back(d)
        gradient(all_gates, all_x)
        gradient(all_gates, all_h)
        down(gates, out.reshape(x.shape))

    return run


def enough(shape: Shape, rounds: int) -> int:
    """How many rounds a shape needs: what is soon done is measured more often, as Python first warms up."""
    return rounds * (8 if shape[0] * shape[-1] <= 128 * 50 else 1)


def has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def times(kinds: list[str], shapes: list[Shape], rounds: int, forward: bool) -> None:
    """One line for each layer and shape: medians in ms and ratios of times measured in turn."""
    print(f"\n{'forward alone' if forward else 'forward and backward'}, ms")
    print(f"{'layer':<6}{'T, N, input, hidden':<22}"
          f"{'minigrad':>10}{'PyTorch':>10}{'ratio':>8}{'products':>10}{'ratio':>8}"
          + ("" if compiled.lacking() else f"{'NumPy':>10}{'/ PyTorch':>10}"))
    for kind in kinds:
        for shape in shapes:
            x, cotangent = data(shape)
            contenders, weights = {}, {}
            if has_torch():
                contenders["PyTorch"], weights = theirs(kind, x, cotangent, forward)
            contenders = {"minigrad": ours(kind, x, cotangent, weights, forward), **contenders}
            contenders["products"] = products(kind, x, shape[-1], forward)
            if not compiled.lacking():
                contenders["NumPy"] = alone(ours(kind, x, cotangent, weights, forward))
            measured = measure.compare(contenders, enough(shape, rounds), warmup=2)
            cells = [f"{statistics.median(measured['minigrad']) * 1e3:10.2f}"]
            for name in ("PyTorch", "products"):
                if name in measured:
                    pairs = zip(measured["minigrad"], measured[name], strict=True)
                    ratio = statistics.median(a / b for a, b in pairs)
                    cells.append(f"{statistics.median(measured[name]) * 1e3:10.2f}{ratio:8.2f}")
                else:
                    cells.append(f"{'':18}")
            if "NumPy" in measured:
                cells.append(f"{statistics.median(measured['NumPy']) * 1e3:10.2f}")
                if "PyTorch" in measured:
                    pairs = zip(measured["NumPy"], measured["PyTorch"], strict=True)
                    cells.append(f"{statistics.median(a / b for a, b in pairs):10.2f}")
            print(f"{kind:<6}{', '.join(map(str, shape)):<22}" + "".join(cells), flush=True)


def options_beside_plain(kinds: list[str], shapes: list[Shape], rounds: int, forward: bool) -> None:
    """One line for each layer and shape: the plain layer in ms, and how many times as long each option takes."""
    print(f"\n{'forward alone' if forward else 'forward and backward'}: times that of the plain layer")
    print(f"{'layer':<6}{'T, N, input, hidden':<22}{'plain ms':>10}" + "".join(f"{name:>14}" for name in OPTIONS))
    for kind in kinds:
        for shape in shapes:
            x, cotangent = data(shape)
            drawn = np.random.default_rng(0).integers(shape[0] // 2, shape[0] + 1, shape[1]).tolist()
            contenders = {"plain": ours(kind, x, cotangent, {}, forward)}
            for name, option in OPTIONS.items():
                lengths = drawn if name == "lengths" else None
                contenders[name] = ours(kind, x, cotangent, {}, forward, lengths, **option)
            measured = measure.compare(contenders, enough(shape, rounds), warmup=2)
            cells = []
            for name in OPTIONS:
                ratios = [a / b for a, b in zip(measured[name], measured["plain"], strict=True)]
                cells.append(f"{statistics.median(ratios):14.2f}")
            plain = statistics.median(measured["plain"]) * 1e3
            print(f"{kind:<6}{', '.join(map(str, shape)):<22}{plain:10.2f}" + "".join(cells), flush=True)


def memory(kinds: list[str], shapes: list[Shape]) -> None:
    """One line for each layer and shape: how far training steps raise the resident memory, in MB."""
    print(f"\npeak of memory of three training steps, MB\n{'layer':<6}{'T, N, input, hidden':<22}"
          f"{'minigrad':>10}{'PyTorch':>10}{'ratio':>8}")
    for kind in kinds:
        for shape in shapes:
            line = f"{kind:<6}{', '.join(map(str, shape)):<22}"
            peaks = []
            for library in ["minigrad", *(["PyTorch"] if has_torch() else [])]:
                command = [sys.executable, __file__, kind, "--peak", library, "--shape", ",".join(map(str, shape))]
                peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            ratio = f"{peaks[0] / peaks[1]:8.2f}" if len(peaks) > 1 and peaks[1] else ""
            print(line + "".join(f"{peak:10.1f}" for peak in peaks) + ratio, flush=True)


def peak(library: str, kind: str, shape: Shape) -> float:
    """In a fresh process: MB by which the peak of three steps is above what was there before."""

    def step(shape: Shape) -> Callable[[], object]:
        x, cotangent = data(shape)
        if library == "minigrad":
            return ours(kind, x, cotangent, {}, False)
        return theirs(kind, x, cotangent, False)[0]

    step((2, 2, 2, 2))()  # what is loaded or set up once is not the step's
    return measure.peak(step(shape))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(GATES), help="LSTM, GRU, RNN")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--forward", action="store_true", help="time the forward alone")
    parser.add_argument("--memory", action="store_true", help="measure peaks of memory, not times")
    parser.add_argument("--options", action="store_true", help="compare layers with options with the plain one")
    parser.add_argument("--long", action="store_true", help="take the shapes that take long, too")
    parser.add_argument("--shape", action="append", help="T,N,input,hidden: instead of the usual ones")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    chosen = SHAPES + (LONG if options.long else [])
    if options.shape:
        chosen = [tuple(map(int, shape.split(","))) for shape in options.shape]
    if options.peak:
        print(peak(options.peak, options.kinds[0], chosen[0]))
    else:
        version = importlib.metadata.version("torch") if has_torch() else "missing"
        numba = importlib.metadata.version("numba") if not compiled.lacking() else "missing"
        measure.environment(torch=version, numba=numba, threads=str(THREADS))
        if options.memory:
            memory(options.kinds, chosen)
        elif options.options:
            options_beside_plain(options.kinds, chosen, options.rounds, options.forward)
        else:
            times(options.kinds, chosen, options.rounds, options.forward)
