"""Time of a training step over trees, beside PyTorch node by node.

    pip install torch==2.13.0    # optional
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS=1 python tests/benchmarks/trees.py

Binary trees with a word at each leaf, cut at random places; the sum of the roots is differentiated with respect to
inputs and weights. PyTorch gets as many threads as OpenBLAS and computes one node after the other, as users write it
there. Ours computes level by level: with the batch at hand, as in the second epoch, and with trees never seen before,
whose arrangement is worked out first. Beside it stand its node-by-node way, and the matrix products of the same step
and nothing else. Arguments: ``--trees 25 1 100``, ``--leaves 19``, ``--hidden 150``, ``--rounds N``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import random
from collections.abc import Callable
from typing import Any

import measure
import numpy as np

import minigrad as mg
from minigrad_rnn.tree import ChildSumTreeLSTM, NaryTreeLSTM, Tree, TreeBatch

THREADS = int(os.environ.get("OPENBLAS_NUM_THREADS", "1"))
KINDS = {"N-ary": lambda size: NaryTreeLSTM(2, size, size), "child-sum": lambda size: ChildSumTreeLSTM(size, size)}


def binary(leaves: int, rng: random.Random) -> Tree:
    """A binary tree, cut at random places."""
    if leaves == 1:
        return Tree(word="w")
    left = rng.randint(1, leaves - 1)
    return Tree(None, [binary(left, rng), binary(leaves - left, rng)])


def ours(kind: str, trees: list[Tree], x: Any, ready: bool = True, batched: bool = True) -> Callable[[], object]:
    network = KINDS[kind](x.shape[1])
    network.batched = batched
    batch, inputs = TreeBatch(trees), mg.tensor(x, requires_grad=True)

    def run() -> None:
        network.zero_grad()
        inputs.grad = None
        _, (h, _) = network(batch if ready else TreeBatch(map(again, trees)), inputs)
        h.sum().backward()

    return run


def again(tree: Tree) -> Tree:
    """A new tree that is equal to a tree."""
    return tree.fold(lambda node, children: Tree(node.label, children, node.word))


def theirs(kind: str, trees: list[Tree], x: Any) -> Callable[[], object]:
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    size = x.shape[1]
    shapes = {"N-ary": (5 * size, 2 * size), "child-sum": (4 * size, size)}
    by_word = torch.nn.Linear(size, 3 * size)
    states, bias = (torch.nn.Parameter(torch.randn(*shape) * 0.05) for shape in (shapes[kind], shapes[kind][:1]))
    inputs = torch.tensor(x, requires_grad=True)

    def remembered(i: Any, o: Any, g: Any, kept: list[Any]) -> tuple[Any, Any]:
        c = i.sigmoid() * g.tanh()
        for f, c_k in kept:
            c = c + f.sigmoid() * c_k
        return o.sigmoid() * c.tanh(), c

    def nary(left: Any, right: Any) -> tuple[Any, Any]:
        a = torch.nn.functional.linear(torch.cat((left[0], right[0]), 1), states, bias)
        i, o, g, f, second = a.chunk(5, 1)
        return remembered(i, o, g, [(f, left[1]), (second, right[1])])

    def child_sum(left: Any, right: Any) -> tuple[Any, Any]:
        whole = torch.nn.functional.linear(left[0] + right[0], states[: 3 * size], bias[: 3 * size])
        pair = torch.cat((left[0], right[0]))
        f, second = torch.nn.functional.linear(pair, states[3 * size :], bias[3 * size :]).split(1)
        return remembered(*whole.chunk(3, 1), [(f, left[1]), (second, right[1])])

    compose = {"N-ary": nary, "child-sum": child_sum}[kind]

    def state(tree: Tree, words: Any) -> tuple[Any, Any]:
        if tree.is_leaf:
            return remembered(*by_word(next(words)).chunk(3, 1), [])
        return compose(*[state(child, words) for child in tree.children])  # type: ignore[arg-type]

    def run() -> None:
        inputs.grad = states.grad = bias.grad = None
        by_word.zero_grad()
        words = iter(inputs.split(1))
        torch.cat([state(tree, words)[0] for tree in trees]).sum().backward()

    return run


def products(kind: str, trees: list[Tree], x: Any) -> Callable[[], object]:
    """The matrix products of the same step and nothing else."""
    size, levels = x.shape[1], [len(level.nodes) for level in TreeBatch(trees).levels]
    rng = np.random.default_rng(0)
    shapes = {"N-ary": [(5 * size, 2 * size, 1)], "child-sum": [(3 * size, size, 1), (size, size, 2)]}[kind]
    by_word = rng.normal(size=(3 * size, size)).astype("f4")
    at_leaves = rng.normal(size=(len(x), 3 * size)).astype("f4")
    steps = []
    for rows, columns, children in shapes:
        weight = rng.normal(size=(rows, columns)).astype("f4")
        pairs = [[rng.normal(size=(n * children, m)).astype("f4") for m in (rows, columns)] for n in levels]
        together = [np.concatenate(side) for side in zip(*pairs, strict=True)]
        steps.append((weight, np.ascontiguousarray(weight.T), pairs, together))

    def run() -> None:
        x @ by_word.T
        at_leaves @ by_word
        at_leaves.T @ x
        for weight, transposed, pairs, (all_g, all_h) in steps:
            for g, h in pairs:
                h @ transposed
                g @ weight
            all_g.T @ all_h

    return run


def has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, nargs="+", default=[25, 1], help="how many at once")
    parser.add_argument("--leaves", type=int, default=19, help="of each tree")
    parser.add_argument("--hidden", type=int, default=150, help="features of words and states")
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    measure.environment(
        torch=importlib.metadata.version("torch") if has_torch() else "missing", threads=str(THREADS)
    )
    for count in options.trees:
        rng = random.Random(0)  # noqa: S311 - any shapes will do
        trees = [binary(options.leaves, rng) for _ in range(count)]
        x = np.random.default_rng(0).normal(size=(count * options.leaves, options.hidden)).astype("f4")
        for kind in KINDS:
            contenders = {"level by level": ours(kind, trees, x)}
            if has_torch():
                contenders["PyTorch, node by node"] = theirs(kind, trees, x)
            contenders["the trees new"] = ours(kind, trees, x, ready=False)
            contenders["ours, node by node"] = ours(kind, trees, x, batched=False)
            contenders["products alone"] = products(kind, trees, x)
            title = f"{kind} Tree-LSTM, {count} trees of {options.leaves} leaves, hidden {options.hidden}"
            times = measure.compare(contenders, options.rounds, warmup=2)
            measure.table(title, times, 1e3, "ms", "PyTorch, node by node")
