"""Python syntax trees: which kind of expression stands at a node, from what is below it alone.

    python examples/trees_python.py

The trees are expressions in Python's standard library, which every machine has, as Python's own parser sees them. Names
and the values of constants stand at the leaves; operators are left out, so that `a < b`, `a + b`, `a and b` and `a[b]`
look alike but for what a and b are. A tree network labels every inner node: Call, Attribute, Subscript, Compare, BinOp
and so on. Beside it stands the same linear layer on the mean of the words below a node, which knows no structure.

With --seed 0 and Python 3.11, one BLAS thread on a busy machine:

    8,229 expressions to learn from, 2,057 held out, 1,260 different words
    always Attribute        35.52% right
    the words below         67.04% right, 3 s
    child-sum Tree-LSTM     83.66% right, 7 s
"""

import argparse
import ast
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad_rnn.data import split, standard_library
from minigrad_rnn.language import Vocabulary
from minigrad_rnn.training import Batches, Trainer, TrainerOptions
from minigrad_rnn.tree import ChildSumTreeLSTM, Tree, TreeBatch

KINDS = (
    "Attribute", "BinOp", "BoolOp", "Call", "Compare", "Dict", "IfExp", "List", "Set", "Starred", "Subscript", "Tuple",
    "UnaryOp",
)  # fmt: skip


def expressions(program: str) -> Iterator[Tree]:
    """The expressions of a program that are no part of others and have an inner node of one of the kinds."""
    inside = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.expr) and node not in inside:
            inside.update(ast.walk(node))
            tree = as_tree(node)
            if tree.label is not None and tree.size < 60:
                yield tree


def as_tree(node: ast.AST) -> Tree:
    """A node of the parser's, its operators left out."""
    if isinstance(node, ast.Name):
        return Tree(word=node.id)
    if isinstance(node, ast.Constant):
        return Tree(word=f"<{type(node.value).__name__}>")
    below = [as_tree(child) for child in ast.iter_child_nodes(node) if isinstance(child, (ast.expr, ast.keyword))]
    if isinstance(node, ast.Attribute):
        below.append(Tree(word=node.attr))
    if isinstance(node, ast.keyword) and len(below) == 1:
        return below[0]
    kind = type(node).__name__
    return Tree(kind if kind in KINDS else None, below, None if below else f"<{kind}>")


class Structure(nn.Module):
    """A tree network reads all that is below a node."""

    def __init__(self, words: int) -> None:
        self.embedding, self.network = nn.Embedding(words, 32), ChildSumTreeLSTM(32, 64)
        self.head = nn.Linear(64, len(KINDS))

    def forward(self, batch: TreeBatch, words: mg.Tensor) -> mg.Tensor:
        return self.head(self.network(batch, self.embedding(words))[0])


class Words(nn.Module):
    """The mean of the vectors of the words below a node."""

    def __init__(self, words: int) -> None:
        self.embedding, self.head = nn.Embedding(words, 64), nn.Linear(64, len(KINDS))

    def forward(self, batch: TreeBatch, words: mg.Tensor) -> mg.Tensor:
        return self.head(mg.tensor(below(batch)) @ self.embedding(words))


def below(batch: TreeBatch) -> np.ndarray:
    """Which share each word has in what is below each node: (nodes, words). Nodes come before their children."""
    counts = np.zeros((batch.size, len(batch.words)), np.float32)
    counts[np.flatnonzero(batch.has_word), np.arange(len(batch.words))] = 1
    for node in range(batch.size - 1, -1, -1):
        if batch.parents[node] >= 0:
            counts[batch.parents[node]] += counts[node]
    return counts / counts.sum(1, keepdims=True).clip(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=40, help="modules of the standard library (%(default)s)")
    parser.add_argument("--epochs", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    options = parser.parse_args()

    trees = [tree for program in standard_library(options.programs) for tree in expressions(program)]
    train, held_out = split(trees, held_out=0.2, seed=options.seed)
    seen = [node.word for tree in train for node in tree.nodes() if node.word is not None]
    vocabulary = Vocabulary(seen, kind="words", min_count=3)
    numbers = {kind: number for number, kind in enumerate(KINDS)}

    def collate(some: list[Tree]) -> tuple:
        batch = TreeBatch(some)
        wanted = [numbers.get(label, -1) for label in batch.labels]
        return batch, mg.tensor(vocabulary.encode(batch.words)), mg.tensor(wanted)

    def loss(model: nn.Module, batch: tuple) -> tuple[mg.Tensor, int]:
        trees, words, wanted = batch
        return nn.functional.cross_entropy(model(trees, words), wanted, ignore_index=-1), len(trees.trees)

    def right(model: nn.Module) -> float:
        found = []
        with mg.no_grad():
            for trees, words, wanted in Batches(held_out, 100, collate, shuffle=False):
                known = wanted.numpy() >= 0
                found.append((model(trees, words).argmax(-1).numpy() == wanted.numpy())[known])
        return float(np.concatenate(found).mean())

    kinds = Counter(node.label for tree in held_out for node in tree.nodes() if node.label is not None)
    commonest, count = kinds.most_common(1)[0]
    print(f"{len(train):,} expressions to learn from, {len(held_out):,} held out, {len(vocabulary):,} different words")
    print(f"{'always ' + commonest:22}{count / kinds.total():8.2%} right")
    for name, kind in (("the words below", Words), ("child-sum Tree-LSTM", Structure)):
        mg.manual_seed(options.seed)
        model = kind(len(vocabulary))
        optimizer = mg.optim.Adam(model.parameters(), lr=5e-3)
        trainer = Trainer(model, optimizer, loss, TrainerOptions(epochs=options.epochs, clip_norm=1.0, progress=False))
        started = time.perf_counter()
        trainer.fit(Batches(train, 50, collate, seed=options.seed))
        print(f"{name:22}{right(model):8.2%} right, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
