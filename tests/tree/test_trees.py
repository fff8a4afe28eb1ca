"""Trees as values."""

from __future__ import annotations

import copy
import operator
import pickle

import pytest
from hypothesis import given, settings
from tree_cases import DEEP, chain, trees

import minigrad as mg
from minigrad_rnn.tree import Tree, TreeBatch, TreeError, parse_tree


def test_nodes_leaves_and_words_go_from_left_to_right():
    tree = parse_tree("(S (NP (D the) (N cat)) (VP sleeps))")
    assert [node.label for node in tree.nodes()] == ["S", "NP", "D", "N", "VP"]
    assert [node.word for node in tree.leaves()] == tree.words() == ["the", "cat", "sleeps"]
    assert (tree.size, tree.height, tree.is_leaf) == (5, 2, False)


def test_words_go_by_position_where_positions_are_known():
    tree = Tree("root", [Tree("nsubj", word="It", position=1)], word="works", position=2)
    assert tree.words() == ["It", "works"]


@given(trees())
@settings(max_examples=50, deadline=None)
def test_equal_trees_have_equal_hashes_and_survive_pickling_and_copying(tree):
    twin = pickle.loads(pickle.dumps(tree))  # noqa: S301 - our own
    assert twin == tree
    assert hash(twin) == hash(tree)
    assert copy.copy(tree) is copy.deepcopy(tree) is tree
    assert {tree: 1}[twin] == 1


@pytest.mark.parametrize(
    "other",
    [
        Tree("S", [Tree(word="a")]),
        Tree("S", [Tree(word="a"), None]),
        Tree("S", [None, Tree(word="a"), Tree(word="b")]),
        Tree("S", [Tree(word="b"), Tree(word="a")]),
        Tree("T", [Tree(word="a"), Tree(word="b")]),
        Tree("S", [Tree(word="a"), Tree(word="b")], word="c"),
        Tree("S", [Tree(word="a"), Tree(word="b")], position=1),
        "(S a b)",
    ],
)
def test_trees_that_differ_in_anything_are_not_equal(other):
    tree = Tree("S", [Tree(word="a"), Tree(word="b")])
    assert tree != other
    assert tree == Tree("S", (Tree(word="a"), Tree(word="b")))


def test_a_hash_that_agrees_by_chance_is_no_equality():
    one, other = Tree(word="a"), Tree(word="b")
    object.__setattr__(other, "_hash", hash(one))
    assert Tree("S", [one]) != Tree("S", [other])


def test_a_tree_cannot_be_changed():
    tree = Tree("S")
    for change in (lambda: setattr(tree, "label", "T"), lambda: delattr(tree, "label")):
        with pytest.raises(AttributeError, match="cannot be changed"):
            change()
    with pytest.raises(TreeError, match=r"not 'cat'\n  hint: a leaf is Tree\(word=...\)"):
        Tree("N", ["cat"])


def test_fold_computes_from_the_leaves_up():
    tree = Tree("-", [Tree(word="7"), Tree("*", [Tree(word="2"), Tree(word="3")])])
    operators = {"-": operator.sub, "*": operator.mul}
    assert tree.fold(lambda node, values: operators[node.label](*values) if values else int(node.word)) == 1
    missing = Tree("n", [None, Tree(word="a")])
    assert missing.fold(lambda node, values: [node.word, *values]) == [None, None, ["a", ]]


@given(trees(children=6, missing=False))
@settings(max_examples=50, deadline=None)
def test_binarized_trees_have_two_children_and_the_same_words(tree):
    for left in (True, False):
        binary = tree.binarized(left)
        assert max(len(node.children) for node in binary.nodes()) <= 2
        assert [leaf.word for leaf in binary.leaves()] == [leaf.word for leaf in tree.leaves()]
    assert tree.binarized().binarized() == tree.binarized()


def test_binarized_to_either_side():
    tree = parse_tree("(NP (D a) (A b) (A c) (N d))")
    assert str(tree.binarized()) == "(NP (D a) (NP (A b) (NP (A c) (N d))))"
    assert str(tree.binarized(left=True)) == "(NP (NP (NP (D a) (A b)) (A c)) (N d))"


def test_a_tree_shows_what_it_has():
    assert repr(Tree("n", [None, Tree(word="a"), Tree("x")], word="w")) == "Tree('(n w - a (x))')"
    assert repr(Tree()) == "Tree('()')"
    shown = repr(parse_tree("(S" + " word" * 50 + ")"))
    assert shown.endswith("…')")
    assert len(shown) < 90


def test_a_chain_of_ten_thousand_nodes_is_a_tree_like_any_other():
    tree, twin = chain(DEEP), chain(DEEP)
    assert tree == twin
    assert hash(tree) == hash(twin)
    assert tree != chain(DEEP, "b")
    assert pickle.loads(pickle.dumps(tree)) == tree  # noqa: S301
    assert repr(tree).endswith("…')")
    assert str(tree).count("(") == DEEP
    assert tree.binarized() == tree
    assert tree.fold(lambda node, values: 1 + sum(values)) == DEEP
    assert (tree.height, len(tree.words())) == (DEEP - 1, DEEP)


def test_a_batch_counts_nodes_through_all_trees():
    batch = TreeBatch([parse_tree("(S (NP It) (VP works))"), parse_tree("(UH Yes)")])
    assert (len(batch), batch.size, batch.sizes) == (2, 4, [3, 1])
    assert batch.words == ["It", "works", "Yes"]
    assert batch.labels == ["S", "NP", "VP", "UH"]
    assert batch.parents.tolist() == [-1, 0, 0, -1]
    assert batch.depths.tolist() == [0, 1, 1, 0]
    assert batch.node(2) == Tree("VP", word="works")
    assert repr(batch) == "TreeBatch(2 trees, 4 nodes, 3 words, 2 levels)"
    assert repr(TreeBatch([])) == "TreeBatch(0 trees, 0 nodes, 0 words, 0 levels)"
    assert [part.shape for part in batch.split(mg.ones(4, 2))] == [(3, 2), (1, 2)]


def test_a_level_tells_what_goes_where():
    level = TreeBatch([parse_tree("(S (NP It) (VP works))")]).levels[0]
    assert (level.nodes.tolist(), level.counts) == ([0], (1, 1))
    assert repr(level.children) == "Moves(2 rows to 2)"
