"""Time of drawing: from a recorded graph to SVG, stage by stage, beside what it may take.

    pip install "minigrad[draw]"
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/drawing.py

Seconds of processor time, the least of a few rounds: other programs on the machine make it longer, never shorter.
``--rounds N``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import time
from collections.abc import Callable
from typing import Any

import measure

import minigrad as mg
import minigrad_rnn as mr

Stages = dict[str, Callable[[Any], Any]]


def recorded(layer: Any, steps: int) -> Any:
    """The output of a layer, with the graph of every op."""
    with mr.unrolled():
        return layer(mg.ones(steps, 1, layer.input_size))[0]


def function(layer: Any, steps: int) -> Callable[[], Any]:
    """What computes the output of a layer."""
    x = mg.ones(steps, 1, layer.input_size)
    return lambda: layer(x)[0]


def chain(nodes: int) -> Any:
    y = mg.ones(1, requires_grad=True)
    for _ in range(nodes):
        y = y * 1.0
    return y


def modules(count: int, ops: int) -> Any:
    """Modules one behind the other, in blocks of ten, with a skip past each."""
    y = mg.ones(1, requires_grad=True)
    for i in range(count):
        with mg.scope(f"block{i // 10}"), mg.scope(f"[{i % 10}]"):
            x = y
            for _ in range(ops - 1):
                y = y * 1.0
            y = y - x
    return y


def loop(steps: int, ops: int) -> Any:
    y, w = mg.ones(1, requires_grad=True), mg.ones(1, requires_grad=True)
    for t in range(steps):
        with mg.scope("loop", step=t):
            for _ in range(ops):
                y = y * w
    return y


def tangled(ops: int) -> Any:
    """A leaf used everywhere, and long skips, in no modules."""
    x = mg.ones(1, requires_grad=True)
    ys = [x * 1.0]
    for i in range(ops // 3):
        ys.append((ys[-1] * x + ys[i // 60 * 60]).tanh())
    return ys[-1]


OPS: Stages = {"graph data, what to draw": mg.draw, "Graphviz": lambda drawing: (drawing, drawing.svg())[0]}


def pictured(steps: int) -> Stages:
    """All stages to an SVG of a network of which that many steps are drawn. ``draw`` runs what is a function."""
    return {
        "draw": lambda y: mr.draw(y, steps=steps, max_shapes=None),
        "Graphviz": lambda drawing: (drawing, drawing.svg())[0],
    }


CASES: list[tuple[str, float, Callable[[], Any], Stages]] = [
    ("LSTM, 3 layers, 50 steps, unrolled", 0.3, lambda: recorded(mr.LSTM(3, 4, 3), 50), pictured(50)),
    ("the same, 350 steps", 1.0, lambda: recorded(mr.LSTM(3, 4, 3), 350), pictured(350)),
    ("RNN, 10,000 steps, folded in the middle", 2.0, lambda: function(mr.RNN(3, 4), 10_000), pictured(12)),
    ("LSTM, 10,000 steps, folded in the middle", 2.0, lambda: function(mr.LSTM(3, 4), 10_000), pictured(12)),
    ("the same, every step recorded before", 4.0, lambda: recorded(mr.LSTM(3, 4), 10_000), pictured(12)),
    ("10,000 ops in 1,000 modules, collapsed by itself", 2.0, lambda: modules(1000, 10), OPS),
    ("10,000 ops in 1,000 steps, folded by itself", 2.0, lambda: loop(1000, 10), OPS),
    ("570 ops in no modules, long arrows cut", 2.0, lambda: tangled(570), OPS),
    ("graph data of a chain of 100,000 ops", 2.0, lambda: chain(100_000), {"graph data": mg.graph}),
]


def least(made: Any, stages: Stages, rounds: int) -> tuple[dict[str, float], Any]:
    """The least seconds of each stage, and what the last one gave."""
    seconds = dict.fromkeys(stages, float("inf"))
    value = made
    for _ in range(rounds):
        value = made
        for name, stage in stages.items():
            start = time.process_time()
            value = stage(value)
            seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    measure.environment(pygraphviz=importlib.metadata.version("pygraphviz"))
    for title, limit, make, stages in CASES:
        seconds, value = least(make(), stages, rounds)
        total = sum(seconds.values())
        shown = f"; {value!r}" if hasattr(value, "dot") else ""
        print(f"\n{title}: {total:.2f} s, {'within' if total <= limit else 'OVER'} {limit:g} s{shown}")
        for name, spent in seconds.items():
            print(f"  {name:<20}{spent:7.3f} s")


if __name__ == "__main__":
    main()
