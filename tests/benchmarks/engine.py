"""Cost of an op, of an unrolled RNN, of memory and of the import, beside PyTorch eager, autograd and bare NumPy.

    pip install torch==2.13.0 autograd    # optional: what is missing is left out
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/engine.py

Provenance (source line and scope of every op) is on, as always.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import numpy as np

import minigrad as mg

LENGTH = 300  # x (mul, add, tanh)
rng = np.random.default_rng(0)


def have(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def chain() -> None:
    """300 x (mul, add, tanh) on 16x16 float32: forward and backward, per op."""
    arrays = [rng.normal(size=(16, 16)).astype("f4") for _ in range(3)]
    seed = np.ones((16, 16), "f4")
    x, w, b = (mg.tensor(a, requires_grad=True) for a in arrays)
    gradient = mg.tensor(seed)

    def forward(x, w, b):  # type: ignore[no-untyped-def]
        for _ in range(LENGTH):
            x = x * w
            x = x + b
            x = x.tanh()
        return x

    def numpy_forward():  # type: ignore[no-untyped-def]
        x, w, b = arrays
        for _ in range(LENGTH):
            x = x * w
            x = x + b
            x = np.tanh(x)

    def numpy_both():  # type: ignore[no-untyped-def]
        x, w, b = arrays
        kept = []
        for _ in range(LENGTH):
            kept.append(x)
            x = np.tanh(x * w + b)
        kept.append(x)
        g, dw, db = seed, np.zeros_like(w), np.zeros_like(b)
        for t in range(LENGTH, 0, -1):
            g = g * (1 - kept[t] * kept[t])
            db += g
            dw += g * kept[t - 1]
            g = g * w

    def no_grad():  # type: ignore[no-untyped-def]
        with mg.no_grad():
            forward(x, w, b)

    both = {"minigrad": lambda: forward(x, w, b).backward(gradient)}
    only = {"minigrad": lambda: forward(x, w, b)}
    plain = {"minigrad": no_grad}
    if have("torch"):
        import torch

        torch.set_num_threads(1)
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        ones = torch.tensor(seed)
        both["PyTorch"] = lambda: forward(*tensors).backward(ones)
        only["PyTorch"] = lambda: forward(*tensors)

        def torch_no_grad():  # type: ignore[no-untyped-def]
            with torch.no_grad():
                forward(*tensors)

        plain["PyTorch"] = torch_no_grad
    if have("autograd"):
        import autograd.numpy as anp
        from autograd import make_vjp

        def autograd_forward(arguments):  # type: ignore[no-untyped-def]
            x, w, b = arguments
            for _ in range(LENGTH):
                x = anp.tanh(x * w + b)
            return x

        both["autograd"] = lambda: make_vjp(autograd_forward)(tuple(arrays))[0](seed)
    both["bare NumPy"] = numpy_both
    only["bare NumPy"] = plain["bare NumPy"] = numpy_forward
    per_op = 1e6 / (3 * LENGTH)
    for title, contenders in (("forward and backward", both), ("forward", only), ("forward, no_grad", plain)):
        times = measure.compare(contenders, rounds=60)
        measure.table(f"300 x (mul, add, tanh), 16x16 float32: {title}, per op", times, per_op, "us", "PyTorch")


def rnn() -> None:
    """Unrolled Elman RNN, T=50 B=16 H=64: forward and backward of sum(h_T^2), gradients of all weights and inputs."""
    steps, batch, size = 50, 16, 64
    xs = rng.normal(size=(steps, batch, size)).astype("f4")
    arrays = [(rng.normal(size=s) / 8).astype("f4") for s in ((size, size), (size, size), (size,))]
    w, u, b = (mg.tensor(a, requires_grad=True) for a in arrays)
    x = mg.tensor(xs)
    zeros = np.zeros((batch, size), "f4")
    h0 = mg.tensor(zeros)

    def unrolled(x, h, w, u, b):  # type: ignore[no-untyped-def]
        for x_t in x:
            h = (x_t @ w + h @ u + b).tanh()
        return (h * h).sum()

    def by_hand():  # type: ignore[no-untyped-def]
        w, u, b = arrays
        states = [zeros]
        for t in range(steps):
            states.append(np.tanh(xs[t] @ w + states[-1] @ u + b))
        g = 2 * states[-1]
        dw, du, db = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
        for t in range(steps - 1, -1, -1):
            h = states[t + 1]
            g = g * (1 - h * h)
            dw += xs[t].T @ g
            du += states[t].T @ g
            db += g.sum(0)
            g = g @ u.T

    contenders = {"minigrad": lambda: unrolled(x, h0, w, u, b).backward(), "NumPy by hand": by_hand}
    if have("torch"):
        import torch

        torch.set_num_threads(1)
        tw, tu, tb = (torch.tensor(a, requires_grad=True) for a in arrays)
        tx, th = torch.tensor(xs), torch.tensor(zeros)
        contenders["PyTorch"] = lambda: unrolled(tx, th, tw, tu, tb).backward()
    times = measure.compare(contenders, rounds=100)
    measure.table("unrolled RNN, T=50 B=16 H=64, forward and backward", times, 1e3, "ms", "NumPy by hand")


def memory() -> None:
    """Resident memory over 1,000 training steps, and what the garbage collector finds afterwards."""
    w = mg.tensor(rng.normal(size=(64, 64)).astype("f4"), requires_grad=True)
    x = mg.tensor(rng.normal(size=(16, 64)).astype("f4"))
    gc.collect()
    gc.disable()
    marks = []
    for step in range(1001):
        h = x
        for _ in range(10):
            h = (h @ w).tanh()
        (h * h).mean().backward()
        w.grad = None
        if step in (100, 1000):
            marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    del h
    found = gc.collect()
    gc.enable()
    early, late = (mark / 1024 for mark in marks)
    print(f"\n1,000 steps: peak resident memory {early:.1f} MB at step 100, {late:.1f} MB at 1,000;"
          f" gc.collect() finds {found} objects")


def import_time() -> None:
    """Seconds that importing minigrad adds to importing NumPy, in fresh processes in turn, from compiled files."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def run(statement: str) -> float:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
            return time.perf_counter() - start

        run("import minigrad")
        pairs = [(run("import numpy"), run("import minigrad")) for _ in range(15)]
    numpy_time, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    added = statistics.median(b - a for a, b in pairs)
    print(f"\nimport: numpy {numpy_time:.3f} s, minigrad {ours:.3f} s, added {added:.3f} s")


if __name__ == "__main__":
    versions = {}
    for name in ("torch", "autograd"):
        if have(name):
            versions[name] = importlib.import_module(name).__version__ if name == "torch" else ""
    measure.environment(**versions)
    chain()
    rnn()
    memory()
    import_time()
