"""Write trees.npz: what PyTorch computes, node by node and gate by gate, for every network. The tests do without it.

python tests/tree/make_tree_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

INPUT, HIDDEN, ARITY = 3, 4, 3
# a node is [has a word, [children, null where one is missing]]
LEAF, EMPTY = [1, []], [0, []]
TREES = [
    [0, [[0, [LEAF, LEAF]], LEAF]],
    LEAF,
    [1, [LEAF, [1, [LEAF]], [0, [LEAF, LEAF, LEAF]]]],
    [0, [None, LEAF, None]],
    [1, [[0, [[1, [[0, [LEAF]]]]]], None, EMPTY]],
]
generator = torch.Generator().manual_seed(0)


def draw(*shape: int) -> torch.Tensor:
    return (0.6 * torch.randn(*shape, dtype=torch.float64, generator=generator)).requires_grad_()


def blocks(rows: torch.Tensor, names: str) -> dict[str, torch.Tensor]:
    return dict(zip(names, rows.split(HIDDEN), strict=True))


def child_sum_lstm(w, x, children):
    W, U, b = (blocks(w[name], "ifgo") for name in ("weight_ih", "weight_hh", "bias"))
    there = [child for child in children if child is not None]
    h = sum((h_k for h_k, _ in there), torch.zeros(HIDDEN, dtype=torch.float64))
    i = torch.sigmoid(W["i"] @ x + U["i"] @ h + b["i"])
    g = torch.tanh(W["g"] @ x + U["g"] @ h + b["g"])
    o = torch.sigmoid(W["o"] @ x + U["o"] @ h + b["o"])
    c = i * g
    for h_k, c_k in there:
        c = c + torch.sigmoid(W["f"] @ x + U["f"] @ h_k + b["f"]) * c_k
    return o * torch.tanh(c), c


def nary_lstm(w, x, children):
    shared = len(w["bias"]) == 4 * HIDDEN
    W, b = (w[name].split(HIDDEN) for name in ("weight_ih", "bias"))
    U = [row.split(HIDDEN, 1) for row in w["weight_hh"].split(HIDDEN)]
    children = [*children, *[None] * (ARITY - len(children))]
    argument = [sum((U[row][k] @ child[0] for k, child in enumerate(children) if child), 0) for row in range(len(U))]
    by_word = [0] + [1] * ARITY + [2, 3] if shared else range(len(U))
    i, *f, g, o = [argument[row] + W[j] @ x + b[j] for row, j in enumerate(by_word)]
    c = torch.sigmoid(i) * torch.tanh(g)
    for k, child in enumerate(children):
        if child:
            c = c + torch.sigmoid(f[k]) * child[1]
    return torch.sigmoid(o) * torch.tanh(c), c


def gru(w, x, children):
    W, U, b = (blocks(w[name], "rzn") for name in ("weight_ih", "weight_hh", "bias"))
    there = [child[0] for child in children if child is not None]
    zeros = torch.zeros(HIDDEN, dtype=torch.float64)
    h = sum(there, zeros)
    read = sum((torch.sigmoid(W["r"] @ x + U["r"] @ h_k + b["r"]) * h_k for h_k in there), zeros)
    z = torch.sigmoid(W["z"] @ x + U["z"] @ h + b["z"])
    n = torch.tanh(W["n"] @ x + U["n"] @ read + b["n"])
    return ((1 - z) * n + z * h,)


def recursive(w, x, children):
    children = [*children, *[None] * (ARITY - len(children))]
    h = torch.cat([torch.zeros(HIDDEN, dtype=torch.float64) if child is None else child[0] for child in children])
    argument = w["weight_ih"] @ x + w["weight_hh"] @ h + w["bias"]
    if "weight_tensor" in w:
        argument = argument + torch.stack([h @ V @ h for V in w["weight_tensor"]])
    return (torch.tanh(argument),)


def case(name, node, rows, states, columns, **more):
    """Weights, inputs, the states of all nodes in the order parents first, and all gradients."""
    w = {"weight_ih": draw(rows * HIDDEN, INPUT), "weight_hh": draw(states * HIDDEN, columns * HIDDEN)}
    w |= {"bias": draw(rows * HIDDEN), **more}
    x = draw(WORDS, INPUT)
    words, found = iter(x), []

    def walk(tree):
        if tree is None:
            return None
        has_word, children = tree
        place = len(found)
        found.append(None)
        here = next(words) if has_word else torch.zeros(INPUT, dtype=torch.float64)
        found[place] = node(w, here, [walk(child) for child in children])
        return found[place]

    roots = [walk(tree) for tree in TREES]
    parts = [torch.stack(part) for part in zip(*found, strict=True)]
    root = [torch.stack(part) for part in zip(*roots, strict=True)]
    cotangents = [draw(*part.shape).detach() for part in (*parts, *root)]
    torch.autograd.backward([*parts, *root], cotangents)
    arrays = {**{f"w.{key}": value for key, value in w.items()}, "x": x}
    arrays |= {f"grad.{key}": value.grad for key, value in (*w.items(), ("x", x))}
    for kind, values in (("state", parts), ("root", root), ("cotangent", cotangents)):
        arrays |= {f"{kind}{i}": value for i, value in enumerate(values)}
    return {f"{name}.{key}": value.detach().numpy() for key, value in arrays.items()}


def count(tree):
    return 0 if tree is None else tree[0] + sum(map(count, tree[1]))


WORDS = sum(map(count, TREES))
arrays = case("ChildSumTreeLSTM", child_sum_lstm, 4, 4, 1)
arrays |= case("NaryTreeLSTM", nary_lstm, 4, 3 + ARITY, ARITY)
arrays |= case("NaryTreeLSTM.each", nary_lstm, 3 + ARITY, 3 + ARITY, ARITY)
arrays |= case("TreeGRU", gru, 3, 3, 1)
arrays |= case("RecursiveNet", recursive, 1, 1, ARITY)
both = ARITY * HIDDEN
arrays |= case("RNTN", recursive, 1, 1, ARITY, weight_tensor=draw(HIDDEN, both, both))
np.savez_compressed(Path(__file__).with_name("trees.npz"), trees=json.dumps(TREES), **arrays)
