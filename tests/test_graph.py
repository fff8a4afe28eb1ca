import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.graph import Edge, Graph, Source

ROOT = Path(__file__).parent.parent


def leaf(*shape, name=None):
    x = mg.ones(*shape, requires_grad=True)
    if name:
        x.name = name
    return x


def small():
    w = leaf(2, 3, name="W")
    x = mg.tensor(np.ones((4, 2), dtype=np.float32))
    with mg.scope("encoder"), mg.scope("rnn", step=3):
        h = ((x @ w) * 0.5).tanh()
    return h.sum(dim=1)


def test_nodes_edges_and_outputs():
    graph = mg.graph(small())
    assert [node.id for node in graph] == list(range(6))
    assert [node.kind for node in graph] == ["leaf", "constant", "op", "op", "op", "op"]
    assert [node.op for node in graph] == [None, None, "matmul", "mul", "tanh", "sum"]
    assert graph.edges[:2] == (Edge(1, 2, 0, None), Edge(0, 2, 1, None))
    assert [(edge.source, edge.target) for edge in graph.edges[2:]] == [(2, 3), (3, 4), (4, 5)]
    assert graph.outputs == (Source(5),)
    assert len(graph) == 6
    assert repr(graph) == "<graph: 4 ops, 1 leaf, 1 constant; depth 4>"


def test_what_a_node_tells():
    graph = mg.graph(small())
    weight, product, scaled, total = (graph.nodes[i] for i in (0, 2, 3, 5))
    assert (weight.name, weight.shape, weight.dtype, weight.requires_grad, weight.uses, weight.bytes) == (
        "W", (2, 3), "float32", True, 1, 24,
    )  # fmt: skip
    assert product.scope == "encoder.rnn/t=3"
    assert product.places == (("encoder", None), ("rnn", 3))
    assert product.where.startswith("test_graph.py:")
    assert product.params == {}
    assert scaled.inputs == (Source(2), 0.5)
    assert total.params == {"dim": 1}  # keepdim stands at its default
    assert total.shape == (4,)
    assert product.saved == 4 * 2 * 4  # x, for the rule of W; x itself wants no gradient
    assert weight.grad_norm is None


def test_same_tensor_twice_is_two_edges():
    x = leaf(1)
    assert [(edge.source, edge.operand) for edge in mg.graph(x + x).edges] == [(0, 0), (0, 1)]
    assert mg.graph(x * x).nodes[0].uses == 2


def test_diamond_of_depth_60_is_linear():
    y = leaf(1)
    for _ in range(60):
        y = y + y
    stats = mg.graph(y).stats()
    assert (stats["nodes"], stats["edges"], stats["depth"], stats["ops"]) == (61, 120, 60, {"add": 60})


def test_deep_chain():
    y = leaf(1)
    for _ in range(100_000):
        y = y * 1.0
    graph = mg.graph(y)
    assert graph.depth() == 100_000
    assert graph.to_text().count("\n") == 100_001


def test_several_outputs_are_one_node_with_numbered_edges():
    x = leaf(4, 6)
    a, b, c = x.chunk(3, dim=1)
    graph = mg.graph(a * c - b)
    assert [node.call() for node in graph] == [
        "leaf", "split(%0, sizes=(2, 2, 2), dim=1)", "mul(%1[0], %1[2])", "sub(%2, %1[1])",
    ]  # fmt: skip
    assert graph.nodes[1].shapes == ((4, 2), (4, 2), (4, 2))
    assert [edge.output for edge in graph.edges] == [None, 0, 2, None, 1]
    assert mg.graph([b, a]).outputs == (Source(1, 1), Source(1, 0))


def test_several_roots_share_nodes():
    x = leaf(2)
    y = x * 2
    graph = mg.graph([y, y + 1, x])
    assert len(graph) == 3
    assert graph.outputs == (Source(1), Source(2), Source(0))


def test_a_leaf_alone():
    graph = mg.graph(leaf(2, name="p"))
    assert [node.call() for node in graph] == ['leaf "p"']
    assert graph.stats()["depth"] == 0
    assert graph.to_text() == '%0  =  leaf "p"  (2,)  float32\nreturn %0'


def test_after_backward_and_with_gradients():
    x = leaf(4)
    y = (x * x).sum()
    before = mg.graph(y)
    assert before.stats()["saved_bytes"] == 16  # one array, kept by two rules
    y.backward()
    after = mg.graph(y, grads=True)
    assert after.to_json() == before.to_json()
    assert after.stats()["saved_bytes"] == 0
    assert after.nodes[0].grad_norm == pytest.approx(4.0)
    assert after.nodes[1].grad_norm is None


def test_graph_of_a_gradient():
    x = mg.tensor(2.0, requires_grad=True)
    (dx,) = mg.grad(x * x * x, x, create_graph=True)
    graph = mg.graph(dx)
    assert graph.nodes[0].kind == "leaf"
    assert graph.stats()["ops"]["mul"] >= 3


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (3, "takes a tensor or a list of tensors, not int"),
        ([], "empty list"),
        ([3], "takes tensors, not int"),
        (np.ones(2), "not ndarray"),
        (mg.ones(2), "no op recorded it"),
    ],
)
def test_what_is_no_graph_is_refused(y, message):
    with pytest.raises(mg.GraphError, match=message):
        mg.graph(y)


def test_it_keeps_nothing_alive():
    x = leaf(1000)
    y = (x * 2).exp()
    graph = mg.graph(y)
    last = weakref.ref(y)
    count = sys.getrefcount(x.node)
    del y
    assert last() is None
    assert sys.getrefcount(x.node) < count  # its consumer is gone
    assert not any(isinstance(value, (mg.Tensor, np.ndarray)) for value in _values(graph))


def _values(value):
    if isinstance(value, Graph):
        return [*_values(value.nodes), *_values(value.edges)]
    if isinstance(value, (tuple, list)):
        return [x for item in value for x in _values(item)]
    if isinstance(value, dict):
        return [x for item in value.values() for x in _values(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [x for name in value.__dataclass_fields__ for x in _values(getattr(value, name))]
    return [value]


def test_nodes_cannot_be_changed():
    graph = mg.graph(leaf(1) * 2)
    with pytest.raises(AttributeError):
        graph.nodes[0].name = "other"


def test_text():
    lines = mg.graph(small()).to_text().splitlines()
    assert lines[0] == '%0  =  leaf "W"        (2, 3)  float32'
    assert lines[2].startswith("%2  =  matmul(%1, %0)  (4, 3)  float32  encoder.rnn/t=3  test_graph.py:")
    assert lines[3].startswith("%3  =  mul(%2, 0.5)    (4, 3)")
    assert lines[-1] == "return %5"


def test_params_become_plain_text():
    x = leaf(4, 4)
    y = x[1:3, ..., np.array([0, 2])]
    assert mg.graph(y).nodes[-1].params == {"index": ("1:3", "...", "int64[2]")}
    assert mg.graph(x[::2]).nodes[-1].call() == "getitem(%0, index=::2)"
    assert mg.graph(x.to(mg.float64)).nodes[-1].call() == "cast(%0, dtype=float64)"
    assert mg.graph(x * np.float32(2)).nodes[-1].inputs == (Source(0), 2.0)


def test_params_that_are_functions_or_objects_lose_their_addresses(scratch_ops):
    @mg.primitive
    def apply_scratch(x, /, f, g):
        return f(x)

    mg.defvjp(apply_scratch, x=lambda g: g)
    y = apply_scratch(leaf(2), f=np.exp2, g=object())
    assert mg.graph(y).nodes[-1].params == {"f": "exp2", "g": "<object>"}


def test_json_is_json_even_with_infinities_and_odd_names():
    x = leaf(2, name='say "hi"\n\\')
    record = json.loads(mg.graph(mg.maximum(x, float("-inf")) * float("nan")).to_json())
    assert record["nodes"][0]["name"] == 'say "hi"\n\\'
    assert record["nodes"][1]["inputs"] == [{"node": 0, "output": None}, "-inf"]
    assert record["nodes"][2]["inputs"][1] == "nan"
    assert record["outputs"] == [[2, None]]


PROGRAM = """
import minigrad as mg
mg.manual_seed(0)
W = mg.randn(3, 3, requires_grad=True); W.name = "W"
h = mg.zeros(2, 3)
for t in range(3):
    with mg.scope("rnn", step=t):
        h = (h @ W + mg.ones(3)).tanh()
a, b = h.chunk(2, dim=0)
print(mg.graph([a - b, (a * b).sum()]).to_json())
print(mg.graph(a).to_text())
print(mg.draw([a - b, (a * b).sum()]).dot)
"""


def test_the_same_in_every_process():
    outputs = set()
    for seed in ("0", "1", "7"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True)  # noqa: S603
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert str(ROOT) not in outputs.pop()


def test_stats():
    stats = mg.graph(small()).stats()
    assert stats == {
        "nodes": 6, "edges": 5, "ops": {"matmul": 1, "mul": 1, "sum": 1, "tanh": 1}, "leaves": 1, "constants": 1,
        "depth": 4, "parameters": 6, "elements": 12 * 3 + 4, "bytes": 4 * (12 * 3 + 4),
        "saved_bytes": stats["saved_bytes"],
    }  # fmt: skip
    assert stats["saved_bytes"] >= 12 * 4
