"""Trees: words in their order at the bottom, nothing over anything else, gradients those of the network."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
import minigrad_rnn as mr
from minigrad.draw.colours import told
from minigrad_rnn.tree import ChildSumTreeLSTM, NaryTreeLSTM, RecursiveNet, Tree, TreeBatch, parse_conllu, parse_tree

TREE = parse_tree("(S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (DT the) (NN mat)))))")
DEPENDENCY = "\n".join(
    f"{k}\t{word}\t_\tX\t_\t_\t{head}\t{name}\t_\t_"
    for k, (word, head, name) in enumerate([("A", 2, "det"), ("cat", 3, "nsubj"), ("sat", 0, "root")], 1)
)


def shapes(drawing):
    return {shape.id: shape for shape in drawing.diagram.shapes}


@st.composite
def trees(draw, depth=4):
    label = draw(st.sampled_from([None, "A", "long label"]))
    if depth == 0 or draw(st.booleans()):
        return Tree(label, word=draw(st.sampled_from(["a", "word", "日本"])))
    return Tree(label, [draw(trees(depth - 1)) for _ in range(draw(st.integers(1, 3)))])


@settings(max_examples=60, deadline=None)
@given(trees())
def test_boxes_never_overlap_and_words_stand_in_order(tree):
    drawn = shapes(mr.draw.tree(tree))
    boxes = [shape for shape in drawn.values() if shape.stroke]
    for a, b in itertools.combinations(boxes, 2):
        apart = abs(a.at.x - b.at.x) >= (a.width + b.width) / 2 or abs(a.at.y - b.at.y) >= (a.height + b.height) / 2
        assert apart, (a.id, b.id)
    words = sorted((shape.at.x, shape.lines[0]) for name, shape in drawn.items() if name[0] == "w")
    assert [word for _, word in words] == tree.words()
    assert len({shape.at.y for name, shape in drawn.items() if name[0] == "w"}) == 1, "on one line"


@settings(max_examples=60, deadline=None)
@given(trees())
def test_every_node_has_one_arrow_to_its_parent(tree):
    drawing = mr.draw.tree(tree)
    lines = [(line.tail, line.head) for line in drawing.diagram.lines]
    above = {(tail[1:], head[1:]) for tail, head in lines if tail[1:] != head[1:]}
    nodes = list(tree.nodes())
    assert len(above) == len(nodes) - 1
    assert all(nodes[int(child)] in nodes[int(parent)].children for child, parent in above)


def test_a_parent_stands_above_the_middle_of_its_children():
    drawn = shapes(mr.draw.tree(TREE))
    assert drawn["n1"].at.x == (drawn["n2"].at.x + drawn["n3"].at.x) / 2
    assert drawn["n0"].at.y > drawn["n1"].at.y == drawn["n4"].at.y


def test_in_a_dependency_tree_every_node_stands_above_its_own_word():
    (tree,) = parse_conllu(DEPENDENCY)
    drawn = shapes(mr.draw.tree(tree))
    words = sorted((shape.at.x, shape.lines[0]) for name, shape in drawn.items() if name[0] == "w")
    assert [word for _, word in words] == ["A", "cat", "sat"]
    assert all(drawn[f"n{k}"].at.x == drawn[f"w{k}"].at.x for k in range(3))


@pytest.mark.parametrize(("network", "colours"), [(NaryTreeLSTM(2, 3, 4), 2), (ChildSumTreeLSTM(3, 4), 1)])
def test_children_with_weights_of_their_own_have_colours_of_their_own(network, colours):
    drawing = mr.draw.tree(TREE, network=network)
    assert len({line.stroke.colour for line in drawing.diagram.lines if line.head[0] == line.tail[0] == "n"}) == colours
    assert ("slot0" in shapes(drawing)) == (colours == 2)


NETWORKS = {
    "recursive": lambda: RecursiveNet(3, 4, 2),
    "nary": lambda: NaryTreeLSTM(2, 3, 4),
    "childsum": lambda: ChildSumTreeLSTM(3, 4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_in_a_node_is_the_norm_of_its_gradient(name):
    mg.manual_seed(0)
    network = NETWORKS[name]()
    other = Tree("X", word="alone")
    batch = TreeBatch([other, TREE])
    x = mg.randn(len(batch.words), 3)
    root = int(batch.roots[1])

    def loss():
        _, states = network(batch, x)
        return (states if isinstance(states, mg.Tensor) else states[0])[1].square().sum()

    drawn = shapes(mr.draw.tree(TREE, loss, network=network, root=root))
    with mr.unrolled():
        flow = mg.inspect.gradient_flow(loss())
    norms = {
        node.places[-1][0]: flow.norms.get(node.id, 0.0)
        for node in flow.graph
        if node.name == "h" and node.places and node.places[-1][0].startswith("node=")
    }
    for k in range(TREE.size):
        wanted = norms[f"node={root + k}"] / norms[f"node={root}"]
        assert drawn[f"n{k}"].lines[1] == told(wanted)
    assert drawn["n0"].lines == ("S", "1")
    assert "loss" in drawn


def test_any_number_can_be_the_colour():
    numbers = np.arange(TREE.size) - 3.0
    drawn = shapes(mr.draw.tree(TREE, numbers=[None, *numbers[1:]], words="change"))
    assert drawn["n0"].lines == ("S", "–")
    assert drawn["n1"].lines == ("NP", "-2")
    assert drawn["scale"].lines == ("change",)


def test_a_leaf_of_a_word_alone_is_one_box_and_its_arrow_goes_around():
    drawing = mr.draw.tree(parse_tree("(+ 2 (* 3 (- 10 4)) 7)"))
    assert "n1" not in shapes(drawing)
    (first,) = [line for line in drawing.diagram.lines if line.tail == "w1"]
    up, corner, _ = first.path
    assert up.x == corner.x, "straight up, beside what is between"


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (("tree",), {}, "a Tree is expected, not a str"),
        ((TREE, mg.ones(1)), {}, "loss is a function that computes it, not a Tensor"),
        ((TREE, lambda: mg.ones(1, requires_grad=True).sum()), {}, "do not show in the graph of this loss"),
        ((TREE,), {"numbers": [1.0]}, "1 numbers for 11 nodes"),
        ((TREE,), {"max_nodes": 10}, "11 nodes, 4 deep, are more than anyone can read"),
    ],
)
def test_what_cannot_be_drawn_is_explained(arguments, options, told):
    with pytest.raises(mg.GraphError, match=told):
        mr.draw.tree(*arguments, **options)


def test_a_chain_as_deep_as_that_is_refused_not_recursed_into():
    chain = Tree(word="end")
    for _ in range(10_000):
        chain = Tree("X", [chain])
    with pytest.raises(mg.GraphError, match="10,001 nodes, 10,000 deep"):
        mr.draw.tree(chain)
    assert len(mr.draw.tree(chain, max_nodes=None).diagram.shapes) == 10_001


def test_a_single_leaf_and_names_that_need_care_can_be_rendered():
    assert "<svg" in mr.draw.tree(Tree(word="one")).svg()
    assert "<svg" in mr.draw.tree(Tree('"<&>\\', [Tree("{|}", word="a\nb"), Tree(word="日本語")])).svg()
