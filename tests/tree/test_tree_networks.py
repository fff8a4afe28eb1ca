"""Networks over trees: values, gradients, the two ways through a batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from tree_cases import ARITY, NETWORKS, TOP_DOWN, batch_of, close, everything, trees, words_for

import minigrad as mg
import minigrad_rnn
from minigrad import nn
from minigrad_rnn import GRUCell
from minigrad_rnn.tree import (
    RNTN,
    ChildSumTreeLSTM,
    NaryTreeLSTM,
    RecursiveNet,
    TopDown,
    Tree,
    TreeBatch,
    TreeError,
    TreeGRU,
    TreeNetwork,
    parse_tree,
)

FIXTURES = np.load(Path(__file__).with_name("trees.npz"))
ALL = {**NETWORKS, **TOP_DOWN}


def built(spec):
    """A tree of a fixture."""
    if spec is None:
        return None
    has_word, children = spec
    return Tree(children=map(built, children), word="w" if has_word else None)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_those_of_pytorch_node_by_node(name, batched):
    network = NETWORKS[name]().double()
    case = {key[len(name) + 1 :]: FIXTURES[key] for key in FIXTURES.files if key.startswith(f"{name}.")}
    network.load_state_dict({key[2:]: mg.tensor(case[key]) for key in case if key.startswith("w.")})
    network.batched = batched
    batch = TreeBatch(map(built, json.loads(str(FIXTURES["trees"]))))
    x = mg.tensor(case["x"], requires_grad=True)
    _, root, states = network(batch, x, return_all_states=True)
    states, roots = (part if isinstance(part, tuple) else (part,) for part in (states, root))
    close([part.numpy() for part in states], [case[f"state{i}"] for i in range(len(states))])
    close([part.numpy() for part in roots], [case[f"root{i}"] for i in range(len(roots))])
    results = (*states, *roots)
    sum((y * mg.tensor(case[f"cotangent{i}"])).sum() for i, y in enumerate(results)).backward()
    gradients = {"x": x.grad, **{key: p.grad for key, p in network.named_parameters()}}
    close([g.numpy() for g in gradients.values()], [case[f"grad.{key}"] for key in gradients])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=15, deadline=None)
@given(batch=st.lists(trees(), min_size=1, max_size=3).map(TreeBatch))
def test_level_by_level_is_node_by_node_in_values_and_gradients(name, bias, batch):
    network = NETWORKS[name](bias=bias).double()
    x = words_for(network, batch)
    (results, gradients), (others, their_gradients) = (everything(network, batch, x, way) for way in (True, False))
    close(results, others)
    close(gradients, their_gradients)


@pytest.mark.parametrize("name", TOP_DOWN)
@settings(max_examples=15, deadline=None)
@given(batch=st.lists(trees(), min_size=1, max_size=3).map(TreeBatch))
def test_a_pass_down_level_by_level_is_one_node_by_node(name, batch):
    network = TOP_DOWN[name]().double()
    x = words_for(network, batch)
    (results, gradients), (others, their_gradients) = (everything(network, batch, x, way) for way in (True, False))
    close(results, others)
    close(gradients, their_gradients)


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=10, deadline=None)
@given(forest=st.lists(trees(), min_size=2, max_size=4))
def test_a_tree_in_a_batch_is_as_if_alone(name, forest):
    network = NETWORKS[name]().double()
    batch = TreeBatch(forest)
    x = words_for(network, batch)
    output, _ = network(batch, x)
    start = 0
    for tree, part in zip(forest, batch.split(output), strict=True):
        alone = TreeBatch([tree])
        stop = start + len(alone.words)
        close([part.numpy()], [network(alone, x[start:stop])[0].numpy()])
        start = stop


SHAPES = ["((a b) c)", "(a (b) (c d e))", "a", "(((a)))"]


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_differences(name, batched):
    network = ALL[name]().double()
    network.batched = batched
    batch = batch_of(" ".join(SHAPES))
    x = words_for(network, batch)
    output = (lambda *_: network(batch, x)[0]) if name in NETWORKS else (lambda *_: network(batch, x))
    assert mg.gradcheck(output, x, *network.parameters(), directional=not batched)
    assert mg.check.check_module(network, batch, x, directional=True)


@pytest.mark.parametrize("name", ALL)
def test_second_derivatives_level_by_level_are_those_node_by_node(name):
    network = ALL[name]().double()
    batch = batch_of("((a b) c) (a b (c d e))")
    found = []
    for network.batched in (True, False):
        x = words_for(network, batch)
        output = network(batch, x, return_all_states=True)[0]
        weights = [x, *network.parameters()]
        first = mg.grad((output * output).sum(), weights, create_graph=True)
        network.zero_grad()
        sum((g * g * (i + 1)).sum() for i, g in enumerate(first)).backward()
        found.append([p.grad.numpy() for p in weights])
    close(*found, tolerance=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_second_derivatives_are_those_of_differences(name):
    network = NETWORKS[name]().double()
    batch = batch_of("((a b) c)")
    x = words_for(network, batch)
    assert mg.gradgradcheck(lambda *_: network(batch, x)[0], x, *network.parameters(), directional=True)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("name", ["ChildSumTreeLSTM", "NaryTreeLSTM"])
def test_gradients_through_one_part_of_the_roots_alone(name, part):
    network = NETWORKS[name]().double()
    batch = batch_of("((a b) (c)) (a b c)")
    found = []
    for network.batched in (True, False):
        x = words_for(network, batch)
        network.zero_grad()
        network(batch, x)[1][part].sum().backward()
        found.append([x.grad.numpy(), *[p.grad.numpy() for p in network.parameters()]])
    close(*found)


@pytest.mark.parametrize("name", NETWORKS)
def test_backward_twice_and_frozen_weights(name):
    network = NETWORKS[name]().double()
    batch = batch_of("((a b) c)")
    x = words_for(network, batch)
    loss = network(batch, x)[0].sum()
    loss.backward(retain_graph=True)
    once = x.grad.numpy().copy(), network.weight_hh.grad.numpy().copy()
    loss.backward()
    close([x.grad.numpy(), network.weight_hh.grad.numpy()], [2 * g for g in once])
    network.weight_hh.requires_grad_(False)
    x.grad = None
    network(batch, x)[0].sum().backward()
    close([x.grad.numpy()], once[:1])


def test_gradient_flow_sees_every_level():
    network = NaryTreeLSTM(2, 3, 4)
    batch = batch_of("((a b) c)")
    flow = mg.inspect.gradient_flow(network(batch, mg.ones(3, 3))[0].sum(), model=network)
    assert all(norm > 0 for norm in flow.parameters.values())


# ---- which way ---------------------------------------------------------------------------------------------------


def test_the_plan_says_which_way_and_why():
    network = ChildSumTreeLSTM(2, 3)
    assert network.plan() == [("ChildSumTreeLSTM", "levels", "all nodes of a level at once")]
    with minigrad_rnn.unrolled():
        assert network.plan()[0].path == TopDown(GRUCell(2, 3)).plan()[0].path == "unrolled"
    with mg.inspect.detect_anomaly():
        assert "detect_anomaly" in network.plan()[0].reason
    network.batched = False
    assert "batched is False" in network.plan()[0].reason


def test_node_by_node_every_op_stands_in_the_scope_of_its_node_and_gate():
    class Model(nn.Module):
        def __init__(self):
            self.tree = NaryTreeLSTM(2, 2, 3)

        def forward(self, batch, x):
            return self.tree(batch, x)

    batch = batch_of("((a b) c)")
    with minigrad_rnn.unrolled():
        output, _ = Model()(batch, mg.ones(3, 2))
    scopes = {node.scope for node in mg.graph(output)}
    for gate in ("input", "input_gate", "output_gate", "candidate", "cell"):
        assert f"model.tree.node=2.{gate}" in scopes
    assert {"model.tree.node=0.forget_gate[0]", "model.tree.node=1.forget_gate[1]"} <= scopes
    assert {node.name for node in mg.graph(output)} >= {"h", "c"}
    levels = {node.scope for node in mg.graph(Model()(batch, mg.ones(3, 2))[0])}
    assert {"model.tree.leaves", "model.tree.level=0", "model.tree.level=1"} <= levels


def test_an_anomaly_is_reported_with_its_node():
    network = NaryTreeLSTM(2, 2, 3)
    network.weight_ih.data[...] = 10.0
    x = mg.tensor([[1.0, 1.0], [3e38, 1.0]])
    with mg.inspect.detect_anomaly(), pytest.raises(mg.inspect.AnomalyError, match=r"narytreelstm.node=2.input"):
        network(batch_of("(a b)"), x)


def test_a_network_of_ones_own_runs_node_by_node():
    class Longest(TreeNetwork):
        def node(self, x, children, w):
            below = [state[0] for state in children if state is not None]
            return (mg.stack([x, *below]).amax(0) if x is not None else mg.stack(below).amax(0),)

    network = Longest(1, 1)
    assert network.plan()[0].reason == "Longest has no level()"
    output, root = network(batch_of("((a b) c)"), mg.tensor([[1.0], [3.0], [2.0]]))
    assert output.tolist() == [[3.0], [3.0], [1.0], [3.0], [2.0]]
    assert root.tolist() == [[3.0]]
    for method in (network.leaves, network.project):
        with pytest.raises(NotImplementedError):
            method(output, None)
    with pytest.raises(NotImplementedError):
        network.level(None, None, None)


# ---- inputs and errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_no_trees_and_no_words(name, batched):
    network = ALL[name]()
    network.batched = batched
    nothing = network(TreeBatch([]), mg.zeros(0, 3), return_all_states=True)
    parts = [part for result in nothing for part in (result if isinstance(result, tuple) else (result,))]
    assert {part.shape for part in parts} == {(0, 4)}
    if name in NETWORKS:
        output, _ = network([Tree("S", [Tree("NP"), Tree("VP")])], mg.zeros(0, 3))
        assert output.shape == (3, 4)


def test_a_tree_and_a_list_of_trees_are_taken_as_batches():
    network, tree = TreeGRU(3, 4), parse_tree("(S (NP It) (VP works))")
    outputs = [network(trees, mg.ones(2, 3))[0].tolist() for trees in (tree, [tree], TreeBatch([tree]))]
    assert outputs[0] == outputs[1] == outputs[2]


def test_the_wrong_number_of_words_is_told():
    with pytest.raises(mg.ShapeError, match=r"TreeGRU: x must have shape .* = \(2, 3\).*not \(3, 3\)"):
        TreeGRU(3, 4)(parse_tree("(S (NP It) (VP works))"), mg.ones(3, 3))
    with pytest.raises(mg.ShapeError, match="one row for each of the 3 nodes"):
        TopDown(GRUCell(3, 4))(parse_tree("(S (NP It) (VP works))"), mg.ones(2, 3))


@pytest.mark.parametrize("batched", [True, False])
def test_too_many_children_are_told(batched):
    network = NaryTreeLSTM(2, 3, 4)
    network.batched = batched
    with pytest.raises(TreeError, match=r"Tree\('\(NP a b c\)'\) has 3 children, .* at most 2\n.*binarized"):
        network(parse_tree("(S (NP a b c) (VP d))"), mg.ones(4, 3))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: NaryTreeLSTM(0, 2, 3), "arity must be at least 1"),
        (lambda: RNTN(2, 0), "hidden_size must be at least 1"),
        (lambda: RecursiveNet(2, 3, nonlinearity="tan"), "RecursiveNet: nonlinearity is one of"),
        (lambda: NaryTreeLSTM(2, 2, 3, forget_inputs="own"), '"shared" or "each"'),
        (lambda: TreeBatch(["(a b)"]), "number 0 of the trees is"),
    ],
)
def test_arguments_that_make_no_sense_are_told(make, error):
    with pytest.raises(mg.MinigradError, match=error):
        make()


def test_what_a_network_is_made_of():
    assert repr(NaryTreeLSTM(2, 3, 4, forget_inputs="each")).startswith('NaryTreeLSTM(2, 3, 4, forget_inputs="each")')
    assert repr(RecursiveNet(3, 4, bias=False)).startswith("RecursiveNet(3, 4, bias=False)")
    assert repr(RNTN(3, 4, 3, nonlinearity="relu")).startswith("RNTN(3, 4, arity=3, nonlinearity='relu')")
    assert repr(TreeGRU(3, 4, bias=False)).startswith("TreeGRU(3, 4, bias=False)")
    shapes = {name: p.shape for name, p in NaryTreeLSTM(ARITY, 3, 4).named_parameters()}
    assert shapes == {"weight_ih": (16, 3), "weight_hh": (24, 12), "bias": (16,)}


@pytest.mark.parametrize("name", NETWORKS)
def test_another_activation_and_float32(name):
    network = NETWORKS[name]()
    output, _ = network(batch_of("((a b) c)"), mg.ones(3, 3))
    assert output.dtype == mg.float32


def test_a_recursive_net_of_rectified_units_adds_words_up():
    network = RecursiveNet(1, 1, bias=False, nonlinearity="relu")
    for weight in network.parameters():
        nn.init.ones_(weight)
    assert network(batch_of("((a b) c)"), mg.tensor([[1.0], [2.0], [4.0]]))[1].item() == 7.0


def test_a_pass_down_tells_each_node_what_stands_above_it():
    class Depth(nn.Module):
        hidden_size = 1

        def forward(self, x, h):
            return h + x

    batch = batch_of("((a b) c)")
    down = TopDown(Depth())
    for down.batched in (True, False):
        assert down(batch, mg.ones(5, 1)).flatten().tolist() == [1.0, 2.0, 3.0, 3.0, 2.0]
