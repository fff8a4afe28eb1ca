"""Trees in brackets, in CoNLL-U and in files."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st
from tree_cases import DEEP, chain

import minigrad as mg
from minigrad_rnn.tree import (
    Tree,
    TreeError,
    format_conllu,
    format_tree,
    parse_conllu,
    parse_sentiment,
    parse_tree,
    parse_trees,
    read_trees,
    write_trees,
)

token = st.text(st.characters(blacklist_categories=("Z", "C"), blacklist_characters="()"), min_size=1, max_size=5)
leaf = st.builds(lambda label, word: Tree(label, word=word), token, token)
bare = st.builds(lambda word: Tree(word=word), token)


def inner(below):
    """A node whose children may be words: not the only one, because that would be a leaf."""
    kids = st.lists(below, min_size=1, max_size=3) | st.lists(below | bare, min_size=2, max_size=3)
    return st.builds(Tree, token, kids)


labelled = st.recursive(leaf | st.builds(Tree, token), inner, max_leaves=10)
unlabelled = st.recursive(bare, lambda below: st.builds(lambda kids: Tree(None, kids), st.lists(below, min_size=1)))


# ---- brackets ----------------------------------------------------------------------------------------------------


@given(st.lists(labelled, max_size=3))
@settings(max_examples=60, deadline=None)
def test_labelled_trees_come_back_from_their_text(trees):
    assert parse_trees("\n".join(map(format_tree, trees))) == trees


@given(unlabelled)
@settings(max_examples=60, deadline=None)
def test_unlabelled_trees_come_back_from_their_text(tree):
    assert parse_tree(format_tree(tree, labels=False), labels=False) == tree


def test_labels_words_and_children():
    tree = parse_tree("(S (NP (D the) (N cat)) (VP sleeps))")
    assert tree == Tree(
        "S", [Tree("NP", [Tree("D", word="the"), Tree("N", word="cat")]), Tree("VP", word="sleeps")]
    )
    assert parse_tree("(MAX 2 (MIN 3 4))") == Tree(
        "MAX", [Tree(word="2"), Tree("MIN", [Tree(word="3"), Tree(word="4")])]
    )
    assert parse_tree("(Call (Name) (Constant))") == Tree("Call", [Tree("Name"), Tree("Constant")])


def test_a_pair_of_brackets_without_a_label_around_the_tree_as_in_the_penn_treebank():
    assert parse_tree("( (S (NP It) (VP works)) )") == Tree(None, [parse_tree("(S (NP It) (VP works))")])


def test_line_breaks_and_indentation_mean_nothing():
    assert parse_trees("(S\n  (NP It)\r\n\t(VP works))(UH yes)") == parse_trees("(S (NP It) (VP works)) (UH yes)")
    assert parse_trees(" \n ") == []


def test_no_labels():
    assert parse_trees("((a b) c) d", labels=False) == [
        Tree(None, [Tree(None, [Tree(word="a"), Tree(word="b")]), Tree(word="c")]),
        Tree(word="d"),
    ]


@pytest.mark.parametrize(
    ("text", "labels", "place", "what"),
    [
        ("(S (NP It)\n (VP works)", True, (1, 1), "this bracket is never closed\n.*1 \\) too few"),
        ("(S\n  (NP It", True, (2, 3), "never closed, and 1 before it\n.*2 \\) too few"),
        ("(S (NP It)))", True, (1, 12), "closed that was never opened\n.*take it out"),
        ("(S (NP It))\n word", True, (2, 2), "'word' stands outside of all brackets\n.*begins with \\("),
        ("(S (NP It) ())", True, (1, 12), "hold nothing\n.*LABEL word"),
        ("(a ())", False, (1, 4), "hold nothing\n.*without brackets"),
    ],
)
def test_malformed_brackets_are_told_with_line_and_column(text, labels, place, what):
    with pytest.raises(TreeError, match=what) as error:
        parse_trees(text, labels, source="trees.txt")
    assert (error.value.line, error.value.column) == place
    assert str(error.value).startswith(f"trees.txt:{place[0]}:{place[1]}: ")
    assert isinstance(error.value, mg.MinigradError)


def test_one_tree_is_one():
    with pytest.raises(TreeError, match="2 trees where one is expected"):
        parse_tree("(a b) (c d)")


@pytest.mark.parametrize(
    ("tree", "labels", "what"),
    [
        (Tree("S", [None, Tree("a")]), True, "a child is missing"),
        (Tree("S", [Tree("a")], word="w"), True, "an inner node has a word.*\n.*format_conllu"),
        (Tree("S", word="w", position=1), True, "words have positions"),
        (Tree("S", word="("), True, "has a bracket or a space.*\n.*-LRB-"),
        (Tree("S", word="two words"), True, "a bracket or a space"),
        (Tree("", word="w"), True, "is empty"),
        (Tree("S", [Tree(word="w")]), True, "the only child of .* has no label"),
        (Tree(word="w"), True, "begins with a word, which would be read as its label"),
        (Tree(None, [Tree(word="w"), Tree("a")]), True, "begins with a word"),
        (Tree(), True, "begins with a word"),
        (Tree("S", [Tree(word="w")]), False, "has a label"),
        (Tree(), False, "neither word nor children"),
    ],
)
def test_what_brackets_cannot_say_is_told(tree, labels, what):
    with pytest.raises(TreeError, match=what):
        format_tree(tree, labels)


def test_a_chain_of_ten_thousand_nodes_is_written_and_read():
    tree = Tree("w", word="a")
    for _ in range(DEEP):
        tree = Tree("u", [tree])
    assert parse_tree(format_tree(tree)) == tree
    with pytest.raises(TreeError, match="9999 before it"):
        parse_trees("(" * DEEP)


# ---- sentiment ---------------------------------------------------------------------------------------------------


def test_sentiment_trees_have_numbers_for_labels():
    (tree,) = parse_sentiment("(3 (2 It) (4 (4 's) (2 good)))")
    assert [node.label for node in tree.nodes()] == [3, 2, 4, 4, 2]
    assert tree.words() == ["It", "'s", "good"]
    assert parse_sentiment(format_tree(tree)) == [tree]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("(3 (2 It)\n (2 works))\n(5 (2 a) (2 b))", (3, 1), "no number from 0 to 4"),
        ("(3 (NP It) (2 works))", (1, 1), r"the label of Tree\('\(NP It\)'\)"),
        ("((2 It) (2 works))", (1, 1), "no number"),
        ("(3 (2) (2 works))", (1, 1), "has no word"),
    ],
)
def test_what_is_no_sentiment_tree_is_told(text, place, what):
    with pytest.raises(TreeError, match=what) as error:
        parse_sentiment(text)
    assert (error.value.line, error.value.column) == place


# ---- CoNLL-U -----------------------------------------------------------------------------------------------------

SENTENCE = """# text = They buy and sell books.
1	They	they	PRON	PRP	Case=Nom	2	nsubj	2:nsubj|4:nsubj	_
2	buy	buy	VERB	VBP	Number=Plur	0	root	0:root	_
3	and	and	CCONJ	CC	_	4	cc	4:cc	_
4	sell	sell	VERB	VBP	_	2	conj	0:root|2:conj	_
5-6	books.	_	_	_	_	_	_	_	_
5	books	book	NOUN	NNS	_	2	obj	2:obj	SpaceAfter=No
5.1	x	x	_	_	_	_	_	_	_
6	.	.	PUNCT	.	_	2	punct	2:punct	_
"""


def line(number, form, head, relation="dep"):
    return f"{number}\t{form}\t_\t_\t_\t_\t{head}\t{relation}\t_\t_\n"


def test_a_dependency_tree_has_a_word_at_every_node():
    (tree,) = parse_conllu(SENTENCE)
    assert str(tree) == "(root buy (nsubj They) (conj sell (cc and)) (obj books) (punct .))"
    assert tree.words() == ["They", "buy", "and", "sell", "books", "."]
    assert [node.position for node in tree.nodes()] == [2, 1, 4, 3, 5, 6]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=12), token)
def test_dependency_trees_come_back_from_their_text(numbers, form):
    order = sorted(range(1, len(numbers) + 2), key=lambda i: (numbers * 2 + [0])[i - 1])
    heads = {order[0]: 0} | {i: order[numbers[k] % (k + 1)] for k, i in enumerate(order[1:])}
    (tree,) = parse_conllu("".join(line(i, form, heads[i]) for i in sorted(heads)))
    assert parse_conllu(format_conllu(tree) * 2) == [tree, tree]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("1\tIt\t0\n", (1, 1), "3 columns where CoNLL-U has 10\n.*empty column holds _"),
        ("1 It _ _ _ _ 0 root _ _\n", (1, 1), "1 columns.*\n.*tabs, not by spaces"),
        (line(1, "It", 0) + line(3, "works", 1), (2, 1), "ID '3' where 2 is expected"),
        ("# comment\n" + line(1, "It", "x"), (2, 14), "the head 'x' of 'It' is no number"),
        (line(1, "It", 0) + line(2, "works", 7), (2, 17), "the head of 'works', 7, is no word\n.*words 1 to 2"),
        (line(1, "It", 0) + line(2, "works", 2), (2, 17), "is itself"),
        (line(1, "It", 0) + line(2, "works", 0), (2, 17), "a second root, 'works'"),
        (line(1, "It", 2) + line(2, "works", 1), (1, 14), "the sentence has no root"),
        (line(1, "a", 0) + line(2, "b", 3) + line(3, "c", 2), (2, 13), "the heads of 'b' lead in a circle"),
    ],
)
def test_malformed_dependencies_are_told_with_line_and_column(text, place, what):
    with pytest.raises(TreeError, match=what) as error:
        parse_conllu(text)
    assert (error.value.line, error.value.column) == place


@pytest.mark.parametrize(
    ("tree", "what"),
    [
        (Tree("root", word="a"), "positions of the 1 words are not 1 to 1"),
        (Tree("root", [Tree("x", word="b", position=1)], "a", 1), "are not 1 to 2"),
        (Tree("root", [Tree("x", word="b")], "a", 1), "missing or not in the order"),
        (Tree("root", position=1), "needs a word and a label"),
        (Tree("root", word="a\tb", position=1), "strings without tabs"),
        (Tree("root", [None], "a", 1), "missing or not in the order"),
        (Tree("r", [Tree("x", word="c", position=3), Tree("x", word="b", position=2)], "a", 1), "not in the order"),
    ],
)
def test_what_conllu_cannot_say_is_told(tree, what):
    with pytest.raises(TreeError, match=what):
        format_conllu(tree)


def test_a_chain_of_ten_thousand_dependencies():
    text = "".join(line(i, "a", i - 1, "u") for i in range(1, DEEP + 1))
    (tree,) = parse_conllu(text)
    assert tree.height == DEEP - 1
    assert format_conllu(tree) == text + "\n"
    assert str(tree) == str(chain(DEEP))


# ---- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "trees"),
    [
        ("brackets", parse_trees("(S (NP It) (VP works)) (UH Ja)")),
        ("unlabelled", parse_trees("((a b) c) d", labels=False)),
        ("sentiment", parse_sentiment("(3 (2 It) (4 works)) (2 Ja)")),
        ("conllu", parse_conllu(SENTENCE)),
    ],
)
def test_files_are_written_and_read(tmp_path, form, trees):
    path = tmp_path / "trees.txt"
    write_trees(trees, path, form)
    assert read_trees(path, form) == trees
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_trees(path, form) == trees


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("(S a)", encoding="utf-8")
    with pytest.raises(TreeError, match="a child is missing"):
        write_trees([Tree("S", word="b"), Tree("S", [None])], path)
    assert path.read_text(encoding="utf-8") == "(S a)"


def test_files_that_cannot_be_read_are_told(tmp_path):
    path = tmp_path / "trees.txt"
    with pytest.raises(mg.FileError, match=r"cannot read .*trees\.txt"):
        read_trees(path)
    path.write_bytes("(S Öl)".encode("latin-1"))
    with pytest.raises(mg.FileError, match="line 1: byte 0xd6 is not UTF-8"):
        read_trees(path)
    path.write_text("(S (NP It)", encoding="utf-8")
    with pytest.raises(TreeError, match=r"trees\.txt:1:1: this bracket is never closed"):
        read_trees(path)
    with pytest.raises(TreeError, match="form is one of 'brackets'"):
        read_trees(path, "penn")
