"""``minigrad-rnn train-tree``: labels for trees, or for all their nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import minigrad as mg
from minigrad import nn

from ..data.expressions import expressions
from ..data.lines import read_lines
from ..language import Vocabulary
from ..seq2seq.symbols import IGNORED
from ..tree import (
    RNTN,
    ChildSumTreeLSTM,
    NaryTreeLSTM,
    RecursiveNet,
    Tree,
    TreeBatch,
    TreeGRU,
    TreeNetwork,
    parse_tree,
    read_trees,
)
from .arguments import Defaults, add_training, add_use
from .fit import run
from .task import Labelling, first, network_options, share

MADE_UP = 4000  # expressions
NETWORKS: dict[str, Callable[[int, int, int], TreeNetwork]] = {  # of the greatest number of children, and two sizes
    "nary": NaryTreeLSTM,
    "childsum": lambda _, inputs, hidden: ChildSumTreeLSTM(inputs, hidden),
    "gru": lambda _, inputs, hidden: TreeGRU(inputs, hidden),
    "recursive": lambda arity, inputs, hidden: RecursiveNet(inputs, hidden, arity),
    "rntn": lambda arity, inputs, hidden: RNTN(inputs, hidden, arity),
}
DEFAULTS = Defaults(cell="nary", epochs=15, hidden=100, embedding=50, batch_size=25)


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "train-tree",
        help="learn labels of trees, and tell them",
        description="Train a recursive network on labelled trees, or use one.",
        epilog='minigrad-rnn train-tree --out sums; minigrad-rnn train-tree --model sums "(3 + (4 * 2))"',
    )
    add_training(
        command, DEFAULTS, "trees in brackets with a label in each, '(3 (2 It) (4 works))', whose labels are all"
        " learned; or lines with 'label TAB tree', the tree without labels, '((It works) well)' (default: expressions"
        " that are made up, labelled with the last digits of their values)", cells=NETWORKS,
    )  # fmt: skip
    add_use(command, "trees, in brackets without labels")
    command.set_defaults(run=lambda options: run("train-tree", Trees, DEFAULTS, options))


MOST_CHILDREN = 10  # that have weights of their own
ANY_NUMBER = ("childsum", "gru")


class OnTrees(nn.Module):
    """Logits of the labels of all nodes."""

    def __init__(self, symbols: int, embedding: int, network: TreeNetwork, labels: int, dropout: float) -> None:
        self.embedding, self.network = nn.Embedding(symbols, embedding), network
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(network.hidden_size, labels))

    def forward(self, batch: TreeBatch, words: mg.Tensor) -> mg.Tensor:
        """For the numbers of the words of a batch, logits ``(nodes, labels)``."""
        logits: mg.Tensor = self.head(self.network(batch, self.embedding(words))[0])
        return logits


class Batch(NamedTuple):
    """Trees, the numbers of their words, and the labels of all nodes."""

    trees: TreeBatch
    words: mg.Tensor
    wanted: mg.Tensor


class Trees(Labelling):
    """Labels for nodes."""

    unit = "nodes"
    monitor = "roots"

    @classmethod
    def examples(cls, data: Path | None, options: dict[str, Any]) -> list[Tree]:
        """Trees with labels where something is to be learned."""
        if data is None:
            return expressions(MADE_UP, seed=options["seed"])
        lines = read_lines(data)
        if any("\t" in line for line in lines):
            return [_rooted(line, f"{data}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
        return read_trees(data)

    @classmethod
    def of(cls, examples: list[Tree], options: dict[str, Any]) -> Trees:
        """The words and the labels of trees, and how many children their nodes have."""
        nodes = [node for tree in examples for node in tree.nodes()]
        words = Vocabulary([node.word for node in nodes if node.word is not None], kind="words").symbols
        labels = sorted({str(node.label) for node in nodes if node.label is not None})
        arity = max(1, *(len(node.children) for node in nodes))
        if len(labels) < 2:
            raise mg.MinigradError(f"train-tree: these trees have {len(labels)} labels: nothing to tell apart")
        if arity > MOST_CHILDREN and options["cell"] not in ANY_NUMBER:
            raise mg.MinigradError(
                f"train-tree: a node has {arity:,} children, and {options['cell']!r} would have weights for each\n"
                f"  hint: --cell {' or '.join(ANY_NUMBER)} takes any number"
            )
        return cls({"symbols": words, "labels": labels, "arity": arity, **network_options(options)})

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__({"kind": "words"} | config)

    def build(self) -> OnTrees:
        """Embedding, a network over trees, a linear head at every node."""
        c = self.config
        network = NETWORKS[c["cell"]](c["arity"], c["embedding"], c["hidden"])
        return OnTrees(len(self.vocabulary), c["embedding"], network, len(self.labels), c["dropout"])

    def length(self, example: Tree) -> int:
        """The height, as many levels as it takes."""
        return example.height

    def batch(self, examples: list[Tree]) -> Batch:
        """Trees to be processed together; nodes without a label, and labels that were never learned, are left out."""
        trees = TreeBatch(examples)
        return Batch(trees, mg.tensor(self.vocabulary.encode(trees.words)), mg.tensor(self.numbers(trees.labels)))

    def loss(self, model: OnTrees, batch: Batch) -> tuple[mg.Tensor, int]:
        """Cross entropy, the mean over all nodes with a label."""
        logits = model(batch.trees, batch.words)
        loss = nn.functional.cross_entropy(logits, batch.wanted, ignore_index=IGNORED)
        return loss, int((batch.wanted != IGNORED).sum().item())

    def figures(self, model: OnTrees, batches: Iterable[Batch]) -> dict[str, float]:
        """The share of right labels, of roots and of all nodes."""
        right, total = {"roots": 0, "nodes": 0}, {"roots": 0, "nodes": 0}
        for trees, words, wanted in batches:
            found, truth = (model(trees, words).argmax(-1) == wanted).numpy(), wanted.numpy()
            for name, which in (("roots", trees.roots), ("nodes", slice(None))):
                right[name] += int(found[which].sum())
                total[name] += int((truth[which] != IGNORED).sum())
        return {name: share(right[name], total[name]) for name in right}

    def sample(self, steps: int) -> Tree:
        """A tree with so many words, the last two together, with the one before them, and so on."""
        *words, last = [Tree(self.labels[0], word=word) for word in first(self.vocabulary.symbols, steps)]
        for word in reversed(words):
            last = Tree(self.labels[0], [word, last])
        return last

    def answers(self, model: OnTrees, texts: Sequence[str]) -> Iterator[str]:
        """The label of the root, its probability, and the tree, with tabs between."""
        batch = self.batch([parse_tree(text, labels=False, source="the tree") for text in texts if text.strip()])
        probabilities = iter(model(batch.trees, batch.words).softmax(-1).numpy()[batch.trees.roots])
        for text in texts:
            row = next(probabilities) if text.strip() else None
            yield "" if row is None else f"{self.labels[row.argmax()]}\t{row.max():.3f}\t{text}"


def _rooted(line: str, place: str) -> Tree:
    """A tree without labels but that of its root, from a line ``label TAB tree``."""
    label, tab, text = line.partition("\t")
    if not tab:
        raise mg.FileError(f"{place}: a label, a tab and a tree are expected, not {line[:60]!r}")
    tree = parse_tree(text, labels=False, source=place)
    return Tree(label.strip(), tree.children, tree.word)
