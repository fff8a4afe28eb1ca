"""Trees and networks for the tests of this folder."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from minigrad_rnn import GRUCell, LSTMCell
from minigrad_rnn.tree import (
    RNTN,
    ChildSumTreeLSTM,
    NaryTreeLSTM,
    RecursiveNet,
    TopDown,
    Tree,
    TreeBatch,
    TreeGRU,
    parse_trees,
)

ARITY = 3
DEEP = 10_000
NETWORKS = {
    "ChildSumTreeLSTM": lambda **options: ChildSumTreeLSTM(3, 4, **options),
    "NaryTreeLSTM": lambda **options: NaryTreeLSTM(ARITY, 3, 4, **options),
    "NaryTreeLSTM.each": lambda **options: NaryTreeLSTM(ARITY, 3, 4, forget_inputs="each", **options),
    "TreeGRU": lambda **options: TreeGRU(3, 4, **options),
    "RecursiveNet": lambda **options: RecursiveNet(3, 4, ARITY, **options),
    "RNTN": lambda **options: RNTN(3, 4, ARITY, **options),
}
TOP_DOWN = {"TopDown.GRUCell": lambda: TopDown(GRUCell(3, 4)), "TopDown.LSTMCell": lambda: TopDown(LSTMCell(3, 4))}


def trees(children=ARITY, missing=True, inner_words=True, leaves_without=True):
    """Trees of any shape: unary nodes, missing children, words anywhere, leaves without a word."""
    word = st.sampled_from("abc")
    leaf = st.builds(lambda w: Tree("x", word=w), st.none() | word if leaves_without else word)
    maybe = (lambda below: st.none() | below) if missing else (lambda below: below)

    def above(below):
        kids = st.lists(maybe(below), min_size=1, max_size=children)
        return st.builds(lambda c, w: Tree("n", c, w), kids, st.none() | word if inner_words else st.none())

    return st.recursive(leaf, above, max_leaves=8)


def words_for(network, batch, seed=0):
    """Inputs in float64 that ask for a gradient: one for each word, or for a pass down one for each node."""
    rows = batch.size if isinstance(network, TopDown) else len(batch.words)
    return mg.tensor(np.random.default_rng(seed).normal(size=(rows, 3)), requires_grad=True)


def everything(network, batch, x, batched, seed=1):
    """All results, and the gradients of a random loss of all of them with respect to the inputs and parameters."""
    network.batched = batched
    network.zero_grad()
    x.grad = None
    results = [part for result in network(batch, x, return_all_states=True) for part in _parts(result)]
    rng = np.random.default_rng(seed)
    loss = sum((y * mg.tensor(rng.normal(size=y.shape))).sum() for y in results)
    if loss.requires_grad:
        loss.backward()
    gradients = [p.grad for p in (x, *network.parameters())]
    return [y.numpy() for y in results], [None if g is None else g.numpy() for g in gradients]


def _parts(result):
    return result if isinstance(result, tuple) else (result,)


def close(a, b, tolerance=1e-12):
    """Equal, where no gradient and one of zeros are the same."""
    for one, other in zip(a, b, strict=True):
        if one is None or other is None:
            assert not np.any(one)
            assert not np.any(other)
        else:
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def chain(length, word="a"):
    """A unary chain with a word at every node; the leaf is the first."""
    tree = Tree("u", word=word)
    for _ in range(length - 1):
        tree = Tree("u", [tree], word)
    return tree


def batch_of(text):
    """A batch of unlabelled trees in brackets."""
    return TreeBatch(parse_trees(text, labels=False))
