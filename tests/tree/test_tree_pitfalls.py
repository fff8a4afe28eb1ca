"""What has gone wrong in networks over trees, here or elsewhere: each a test, here unless another file is named.

==========================================  ======================================================================
pitfall                                     test
==========================================  ======================================================================
unary nodes                                 test_a_unary_node_is_a_node_with_one_child
a single leaf                               test_a_single_leaf_is_a_tree
a missing child, N-ary                      test_a_missing_child_is_a_child_of_zeros
a missing child, child-sum                  test_a_child_sum_leaves_missing_children_out
nodes of different arity                    test_nodes_of_different_arity_side_by_side
the same sub-tree twice                     test_a_sub_tree_that_comes_twice_counts_twice
a deep chain                                test_a_chain_of_ten_thousand_nodes
many siblings at many depths                test_a_comb_of_many_leaves
order of children, child-sum                test_the_order_of_children_does_not_count_for_a_child_sum
order of children, N-ary                    test_the_order_of_children_counts_for_an_nary_network
per node is not level by level              test_tree_networks::test_level_by_level_is_node_by_node...
a chain is not the LSTM                     test_a_chain_is_the_lstm
order of the gates                          test_tree_networks::test_values_and_gradients_are_those_of_pytorch...
one forget gate for all children            test_each_child_has_a_forget_gate_of_its_own
one input map per forget gate               test_forget_gates_share_their_view_of_the_word_or_have_their_own
words at inner nodes                        test_words_at_every_node
trees that see each other                   test_tree_networks::test_a_tree_in_a_batch_is_as_if_alone
NaN in another tree                         test_a_nan_stays_in_its_tree
a batch that is used again                  test_a_batch_can_be_used_again_by_several_networks
order of the results                        test_results_stand_in_the_order_in_which_brackets_open
a graph that is never freed                 test_a_graph_is_freed_without_the_garbage_collector
==========================================  ======================================================================
"""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from tree_cases import DEEP, NETWORKS, batch_of, chain, close, everything, words_for

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, GRUCell
from minigrad_rnn.tree import RNTN, ChildSumTreeLSTM, NaryTreeLSTM, RecursiveNet, TopDown, Tree, TreeBatch, TreeGRU

UNORDERED = ["ChildSumTreeLSTM", "TreeGRU"]
ORDERED = sorted(set(NETWORKS) - set(UNORDERED))


def roots(name, batch, x, network=None):
    network = network or NETWORKS[name]().double()
    root = network(batch, x)[1]
    return network, (root[0] if isinstance(root, tuple) else root).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_unary_node_is_a_node_with_one_child(name):
    network = NETWORKS[name]().double()
    batch = TreeBatch([Tree("u", [Tree(word="a")]), Tree("u", [Tree(word="a"), None])])
    x = words_for(network, TreeBatch([Tree(word="a")]))
    output, _ = network(batch, mg.concat([x, x]))
    states = output.numpy()
    np.testing.assert_array_equal(states[:2], states[2:])
    assert not np.allclose(states[0], states[1])  # the node adds something to its child


@pytest.mark.parametrize("name", NETWORKS)
def test_a_single_leaf_is_a_tree(name):
    network = NETWORKS[name]().double()
    batch = TreeBatch([Tree(word="a"), Tree("S", [Tree(word="b"), Tree(word="c")]), Tree(word="d"), Tree()])
    x = words_for(network, batch)
    results, _ = everything(network, batch, x, True)
    close(results, everything(network, batch, x, False)[0])
    only = TreeBatch([Tree(word="a")])
    assert everything(network, only, words_for(network, only), True)[1][0].any()


@pytest.mark.parametrize("name", ORDERED)
def test_a_missing_child_is_a_child_of_zeros(name):
    network = NETWORKS[name]().double()
    x = mg.randn(1, 3, dtype=mg.float64)
    first, second = (network(Tree("n", kids), x)[1] for kids in ([None, Tree(word="a")], [Tree(word="a"), None]))
    h = [(root[0] if isinstance(root, tuple) else root).numpy() for root in (first, second)]
    assert not np.allclose(*h)
    keep = slice(4, 8)  # with what the second child contributes zeroed, a second child makes no difference to zeros
    network.weight_hh.data[:, keep] = 0
    if name == "RNTN":
        network.weight_tensor.data[:, keep] = network.weight_tensor.data[:, :, keep] = 0
    alone = network(Tree("n", [None, Tree(word="a")]), x)[1]
    if isinstance(alone, mg.Tensor):
        np.testing.assert_allclose(alone.numpy(), np.tanh(network.bias.numpy())[None])


@pytest.mark.parametrize("name", UNORDERED)
def test_a_child_sum_leaves_missing_children_out(name):
    x = mg.randn(2, 3, dtype=mg.float64)
    a, b = Tree(word="a"), Tree(word="b")
    network, full = roots(name, TreeBatch([Tree("n", [a, b])]), x)
    np.testing.assert_array_equal(full, roots(name, TreeBatch([Tree("n", [None, a, None, b, None])]), x, network)[1])


@pytest.mark.parametrize("name", NETWORKS)
def test_nodes_of_different_arity_side_by_side(name):
    network = NETWORKS[name]().double()
    batch = batch_of("((a b c) (d) (e f)) ((a) (b c d)) (a b)")
    x = words_for(network, batch)
    for one, other in zip(everything(network, batch, x, True), everything(network, batch, x, False), strict=True):
        close(one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sub_tree_that_comes_twice_counts_twice(name):
    network = NETWORKS[name]().double()
    twice = Tree("n", [Tree(word="a"), Tree(word="b")])
    shared = TreeBatch([Tree("r", [twice, twice]), Tree("r", [twice, twice])])
    apart = batch_of("((a b) (a b)) ((a b) (a b))")
    x = words_for(network, shared)
    assert shared.size == apart.size
    for one, other in zip(everything(network, shared, x, True), everything(network, apart, x, False), strict=True):
        close(one, other)


@pytest.mark.parametrize("batched", [True, False])
def test_a_chain_of_ten_thousand_nodes(batched):
    network = RecursiveNet(2, 3, arity=1)
    network.batched = batched
    x = mg.ones(DEEP, 2, requires_grad=True)
    output, _ = network(chain(DEEP), x)
    assert output.shape == (DEEP, 3)
    output.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert x.grad.numpy()[-100:].any(axis=1).all()


def test_a_pass_down_a_chain_of_ten_thousand_nodes():
    class Add(mg.nn.Module):
        hidden_size = 1

        def forward(self, x, h):
            return h + x

    x = mg.ones(DEEP, 1, requires_grad=True)
    output = TopDown(Add())(chain(DEEP), x)
    output[-1].sum().backward()
    assert output[-1].item() == DEEP
    assert (x.grad.numpy() == 1).all()


def test_a_comb_of_many_leaves():
    tree = Tree(word="a")
    for _ in range(2000):
        tree = Tree(None, [tree, Tree(word="b")])
    x = mg.ones(2001, 2, requires_grad=True)
    RNTN(2, 2)(tree, x)[1].sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("name", UNORDERED)
def test_the_order_of_children_does_not_count_for_a_child_sum(name):
    x = mg.randn(4, 3, dtype=mg.float64)
    network, one = roots(name, batch_of("((a b c) d)"), x)
    other = roots(name, batch_of("(d (c a b))"), x[[3, 2, 0, 1]], network)[1]
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ORDERED)
def test_the_order_of_children_counts_for_an_nary_network(name):
    x = mg.randn(2, 3, dtype=mg.float64)
    network, one = roots(name, batch_of("(a b)"), x)
    assert abs(one - roots(name, batch_of("(b a)"), x[[1, 0]], network)[1]).max() > 1e-3


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: ChildSumTreeLSTM(3, 4), lambda: LSTM(3, 4)),
        (lambda: NaryTreeLSTM(1, 3, 4), lambda: LSTM(3, 4)),
        (lambda: NaryTreeLSTM(1, 3, 4, forget_inputs="each"), lambda: LSTM(3, 4)),
        (lambda: TreeGRU(3, 4), lambda: GRU(3, 4, reset_after=False)),
        (lambda: RecursiveNet(3, 4, arity=1), lambda: RNN(3, 4)),
    ],
    ids=["child-sum", "N-ary", "N-ary, each", "GRU", "RNN"],
)
def test_a_chain_is_the_lstm(make, layer, batched):
    network, layer = make().double(), layer().double()
    network.batched = batched
    network.weight_ih.data, network.weight_hh.data = layer.weight_ih_l0.data, layer.weight_hh_l0.data
    network.bias.data = (layer.bias_ih_l0 + layer.bias_hh_l0).data
    x = mg.randn(6, 3, dtype=mg.float64)
    outputs, last = layer(x)
    nodes, root = network(chain(6), x.flip(0))  # nodes are in the order parents first, and the leaf is the first step
    np.testing.assert_allclose(nodes.flip(0).numpy(), outputs.numpy(), rtol=0, atol=1e-14)
    for a, b in zip(*(s if isinstance(s, tuple) else (s,) for s in (root, last)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=1e-14)


def test_a_pass_down_a_chain_is_the_gru():
    layer, cell = GRU(3, 4).double(), GRUCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x = mg.randn(6, 3, dtype=mg.float64)
    np.testing.assert_allclose(TopDown(cell)(chain(6), x).numpy(), layer(x)[0].numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("make", [lambda: ChildSumTreeLSTM(1, 2), lambda: NaryTreeLSTM(2, 1, 2)])
def test_each_child_has_a_forget_gate_of_its_own(make, batched):
    """With gates that see one child's state alone, the cell of one child is kept and that of the other is not."""
    network = make().double()
    network.batched = batched
    for p in network.parameters():
        p.data[...] = 0
    network.weight_ih.data[4:6] = 10.0  # candidate: the sign of the word
    network.weight_ih.data[:2] = network.weight_ih.data[6:] = 0
    network.bias.data[2:4] = -3.0
    network.bias.data[:2] = network.bias.data[6:] = 10.0
    rows = network.weight_hh.data
    if isinstance(network, NaryTreeLSTM):
        rows[2:4, :2] = rows[4:6, 2:] = 100 * np.eye(2)
    else:
        rows[2:4] = 100 * np.eye(2)
    words = mg.tensor([[1.0], [-1.0]], dtype=mg.float64)
    _, (_, c) = network(batch_of("(a b)"), words)
    np.testing.assert_allclose(c.numpy(), 1.0, atol=1e-3)  # only the cell of the first, +1, is kept


def test_forget_gates_share_their_view_of_the_word_or_have_their_own():
    shared, each = NaryTreeLSTM(2, 3, 4).double(), NaryTreeLSTM(2, 3, 4, forget_inputs="each").double()
    assert (shared.weight_ih.shape, each.weight_ih.shape) == ((16, 3), (20, 3))
    i, f, g, o = shared.weight_ih.detach().chunk(4)
    b_i, b_f, b_g, b_o = shared.bias.detach().chunk(4)
    each.weight_ih.data, each.bias.data = mg.concat([i, f, f, g, o]).data, mg.concat([b_i, b_f, b_f, b_g, b_o]).data
    each.weight_hh.data = shared.weight_hh.data
    batch = TreeBatch([Tree("n", [Tree(word="a"), Tree(word="b")], word="c")])
    x = words_for(shared, batch)
    close(everything(shared, batch, x, True)[0], everything(each, batch, x, True)[0])
    each.weight_ih.data[8:12] += 1
    assert not np.allclose(*(everything(network, batch, x, True)[0][0] for network in (shared, each)))


@pytest.mark.parametrize("name", NETWORKS)
def test_words_at_every_node(name):
    network = NETWORKS[name]().double()
    batch = TreeBatch([Tree("n", [Tree(word="a"), Tree("m", [Tree(word="b")], word="c")], word="d")])
    assert batch.words == ["d", "a", "c", "b"]
    x = words_for(network, batch)
    _, gradients = everything(network, batch, x, True)
    assert gradients[0].any(axis=1).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_nan_stays_in_its_tree(name):
    network = NETWORKS[name]()
    batch = batch_of("((a b) c) (a (b c) d)")
    x = np.ones((7, 3), np.float32)
    clean = network(batch, mg.tensor(x))[0].numpy()
    x[:3] = np.nan
    output = network(batch, mg.tensor(x))[0].numpy()
    assert np.isnan(output[:5]).all()
    np.testing.assert_array_equal(output[5:], clean[5:])


def test_a_batch_can_be_used_again_by_several_networks():
    batch = batch_of("((a b) c) (a b)")
    networks = [NaryTreeLSTM(2, 3, 4), NaryTreeLSTM(3, 3, 4), TreeGRU(3, 4)]
    x = mg.ones(5, 3)
    first = [network(batch, x)[0].tolist() for network in networks]
    assert first == [network(batch, x)[0].tolist() for network in networks]
    assert first == [network(TreeBatch(batch.trees), x)[0].tolist() for network in networks]


def test_results_stand_in_the_order_in_which_brackets_open():
    network = RecursiveNet(1, 1, bias=False, nonlinearity="relu")
    for weight in network.parameters():
        mg.nn.init.ones_(weight)
    batch = batch_of("((a b) c) d")
    output, root = network(batch, mg.tensor([[1.0], [2.0], [4.0], [8.0]]))
    assert output.flatten().tolist() == [7.0, 3.0, 1.0, 2.0, 4.0, 8.0]
    assert [part.flatten().tolist() for part in batch.split(output)] == [[7.0, 3.0, 1.0, 2.0, 4.0], [8.0]]
    assert root.flatten().tolist() == output[batch.roots].flatten().tolist() == [7.0, 8.0]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_is_freed_without_the_garbage_collector(name):
    network = NETWORKS[name]()
    batch = batch_of("((a b) c)")
    gc.disable()
    try:
        output, root = network(batch, mg.ones(3, 3))
        node = weakref.ref(output)
        output.sum().backward(retain_graph=True)
        del output, root
        assert node() is None
    finally:
        gc.enable()
