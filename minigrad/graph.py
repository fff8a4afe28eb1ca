"""A computational graph as plain data: nodes with stable numbers, to be counted, printed, compared and drawn.

:func:`graph` copies what a reader wants to know about the recorded nodes, and keeps neither nodes nor arrays alive.
Nodes are numbered from 0 in the order in which they were made, which is a topological order; the same program gives
the same numbers, and the same text and JSON, on every run.

A node is an ``"op"``, a ``"leaf"`` (a tensor that asks for a gradient: a parameter, or an input to differentiate by)
or a ``"constant"`` (a tensor or array that asks for none). Plain numbers, as in ``x * 0.5``, are no nodes: they
stand among the inputs of the op that uses them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from types import CodeType
from typing import Any, NamedTuple

import numpy

from . import backend
from .context import Scope
from .edges import OUTPUT, kept_by_rules
from .errors import GraphError
from .node import Handle, Leaf, Node, location
from .op import Op

Plain = Any  # None, a number, a string, or a tuple of these
Places = tuple[tuple[str, "int | None"], ...]


class Source(NamedTuple):
    """Where an input of an op comes from: the node of that number, and which output if its op has several."""

    node: int
    output: int | None = None


class Edge(NamedTuple):
    """An arrow of the graph: what node ``source`` gives is input number ``operand`` of node ``target``.

    ``output`` tells which output of the source it is, if its op has several, else ``None``.
    """

    source: int
    target: int
    operand: int
    output: int | None


@dataclass(frozen=True, slots=True)
class GraphNode:
    """What there is to know about one node.

    Attributes:
        id: its number in the graph.
        kind: ``"op"``, ``"leaf"`` or ``"constant"``.
        op: the op's name; ``None`` for what is no op.
        inputs: one entry for each input of the op: a :class:`Source`, or the plain number that was passed.
        params: the op's parameters as plain data, without those at their defaults.
        shapes, dtypes: of the outputs: one, unless the op has several.
        name: the name given to the tensor.
        places: where in the model it is, outermost first: pairs of a name and a time step (or ``None``).
        where: ``file.py:12``, the user's line; ``""`` for leaves and constants.
        requires_grad: whether a gradient flows to it.
        uses: how many inputs of ops in this graph it feeds.
        bytes: of the outputs.
        saved: bytes of arrays that its rules keep for backward, and that no earlier node keeps.
        grad_norm: Euclidean norm of the gradient that it holds, if the graph was made with ``grads=True``.
        cut_from: of what ``detach`` cut off: the number of the op whose result it was, or, if that is not part of this
            graph, those of what the op was made of; empty if they are not either. ``None``: it was not cut off.
    """

    id: int
    kind: str
    op: str | None
    inputs: tuple[Any, ...]
    params: Mapping[str, Plain]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    name: str | None
    places: Places
    where: str
    requires_grad: bool
    uses: int
    bytes: int
    saved: int
    grad_norm: float | None = None
    cut_from: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output; of the first, if there are several."""
        return self.shapes[0]

    @property
    def dtype(self) -> str:
        """Element type of the output; of the first, if there are several."""
        return self.dtypes[0]

    @property
    def scope(self) -> str:
        """Path of the place in the model, ``decoder.lstm/t=7``, or ``""``."""
        scope: Scope | None = None
        for name, step in self.places:
            scope = Scope(scope, name, step)
        return "" if scope is None else str(scope)

    def call(self) -> str:
        """The node as one would write it: ``mul(%1, 0.5)``, ``leaf "W"``."""
        if self.op is None:
            return self.kind + (f' "{_one_line(self.name)}"' if self.name else "")
        inputs = [_mention(x) if isinstance(x, Source) else _short(x) for x in self.inputs]
        params = [f"{name}={_short(value)}" for name, value in self.params.items()]
        call = f"{self.op}({', '.join(inputs + params)})"
        return f'{call} "{_one_line(self.name)}"' if self.name else call


@dataclass(frozen=True)
class Graph:
    """A graph as plain data. Made by :func:`graph`.

    Attributes:
        nodes: in topological order; ``nodes[i].id == i``.
        outputs: the tensors that the graph was asked for.
    """

    nodes: tuple[GraphNode, ...]
    outputs: tuple[Source, ...]

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All inputs of ops that other nodes gave, sorted by target and operand."""
        return tuple([
            Edge(x.node, node.id, position, x.output)
            for node in self.nodes
            for position, x in enumerate(node.inputs)
            if isinstance(x, Source)
        ])

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        kinds = Counter(node.kind for node in self.nodes)
        parts = [f"{n} {kind}" if n == 1 else f"{n} {plural}" for kind, plural in _PLURALS if (n := kinds[kind])]
        return f"<graph: {', '.join(parts)}; depth {self.depth()}>"

    def depth(self) -> int:
        """The number of ops on the longest path."""
        depths = [0] * len(self.nodes)
        for node in self.nodes:
            below = max((depths[x.node] for x in node.inputs if isinstance(x, Source)), default=0)
            depths[node.id] = below + (node.kind == "op")
        return max(depths, default=0)

    def stats(self) -> dict[str, Any]:
        """Counts and sizes.

        Returns:
            A dictionary: ``nodes``, ``edges``, ``ops`` (how often each op occurs, the most frequent first), ``leaves``,
            ``constants``, ``depth`` (ops on the longest path), ``parameters`` (elements of all leaves), ``elements``
            and ``bytes`` (of all op outputs), ``saved_bytes`` (kept for backward; an array kept by several rules, or
            kept whole and as a view, counts once, and a parameter that a rule keeps counts too).
        """
        ops = [node for node in self.nodes if node.kind == "op"]
        counts = Counter(node.op for node in ops)
        leaves = [node for node in self.nodes if node.kind == "leaf"]
        return {
            "nodes": len(self.nodes),
            "edges": len(self.edges),
            "ops": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0] or ""))),
            "leaves": len(leaves),
            "constants": len(self.nodes) - len(ops) - len(leaves),
            "depth": self.depth(),
            "parameters": sum(math.prod(node.shape) for node in leaves),
            "elements": sum(math.prod(shape) for node in ops for shape in node.shapes),
            "bytes": sum(node.bytes for node in ops),
            "saved_bytes": sum(node.saved for node in ops),
        }

    def to_text(self) -> str:
        """One aligned line for each node: number, call, shape, element type, place in the model, source line."""
        rows = [
            (f"%{n.id}", "=", n.call(), _shapes(n.shapes), " ".join(dict.fromkeys(n.dtypes)), n.scope, n.where)
            for n in self.nodes
        ]
        returned = ", ".join(_mention(output) for output in self.outputs)
        return f"{align(rows, right=(0,))}\nreturn {returned}"

    def to_json(self) -> str:
        """The graph as JSON, a line for each node, the same on every run: no addresses, paths, gradients or values."""
        lines = ",\n  ".join(_json(_record(node)) for node in self.nodes)
        return f'{{"nodes": [\n  {lines}\n],\n"outputs": {_json([list(output) for output in self.outputs])}}}\n'


_PLURALS = (("op", "ops"), ("leaf", "leaves"), ("constant", "constants"))


def graph(y: Any, *, grads: bool = False) -> Graph:
    """The graph that computes ``y``, as plain data.

    Works before and after backward, on the graph of a gradient made with ``create_graph=True``, and however deep the
    graph is.

    Args:
        y: a tensor or a sequence of tensors.
        grads: note for every node that holds a gradient the norm of it (which waits for a GPU, if it is there).

    Raises:
        GraphError: ``y`` is something else, or a tensor that nothing recorded.

    >>> import minigrad as mg
    >>> x = mg.tensor(3.0, requires_grad=True)
    >>> y = x * x + 1
    >>> for node in mg.graph(y):
    ...     print(node.call())
    leaf
    mul(%0, %0)
    add(%1, 1)
    >>> mg.graph(y)
    <graph: 2 ops, 1 leaf; depth 2>
    """
    roots = [_root(x) for x in ([y] if isinstance(y, Handle) else _several(y))]
    with uncollected():
        ids = numbered(roots)
        sources = {node: Source(i) for node, i in ids.items()}
        operands = [tuple([_operand(x, sources) for x in node.inputs]) for node in ids]
        uses = Counter([x.node for inputs in operands for x in inputs if x.__class__ is Source])
        reader = _Reader(grads, ids)
        nodes = tuple([reader.read(node, i, operands[i], uses[i]) for node, i in ids.items()])
        return Graph(nodes, tuple([_operand(root, sources) for root in roots]))


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: it would go again and again through all that is being made, for twice the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _several(y: Any) -> list[Any]:
    if not isinstance(y, (tuple, list)):
        raise GraphError(f"graph() takes a tensor or a list of tensors, not {type(y).__name__}")
    if not y:
        raise GraphError("graph() got an empty list: there is nothing to show")
    return list(y)


def _root(x: Any) -> Node:
    if not isinstance(x, Handle):
        raise GraphError(f"graph() takes tensors, not {type(x).__name__}")
    if x._node is None:
        raise GraphError(
            f"this tensor {tuple(x._data.shape)} has no graph: no op recorded it\n"
            "  hint: was every input made without requires_grad=True, or did it run under no_grad() or after detach()?"
        )
    return x._node


def numbered(roots: Iterable[Node]) -> dict[Node, int]:
    """The nodes that the roots depend on, in order of creation, with the numbers that they have in a :class:`Graph`."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for source in stack.pop().inputs:
            if isinstance(source, Node) and source not in seen:
                seen.add(source)
                stack.append(source)
    shown = [node for node in seen if node.op is not OUTPUT]
    return {node: i for i, node in enumerate(sorted(shown, key=attrgetter("seq")))}


def _operand(x: Any, sources: Mapping[Node, Source]) -> Any:
    """An input in terms of the graph's numbers; the node of one output of several is replaced by its op's."""
    if not isinstance(x, Node):
        return _plain(x)
    if x.op is OUTPUT:
        return Source(sources[x.inputs[0]].node, x.params["index"])
    return sources[x]


class _Reader:
    """Copies nodes into :class:`GraphNode` records; remembers what it met, because most of a node others have too."""

    def __init__(self, grads: bool, ids: Mapping[Node, int]) -> None:
        self.grads, self.ids = grads, ids
        self.by_seq: dict[int, int] = {}  # the numbers of nodes by their creation numbers, once they are asked for
        self.lines: dict[tuple[CodeType | None, int], str] = {(None, -1): ""}
        self.places: dict[Scope | None, Places] = {None: ()}
        self.outputs: dict[tuple[Any, Any], tuple[tuple[tuple[int, ...], ...], tuple[str, ...], int]] = {}
        self.defaults: dict[Op, dict[str, Plain]] = {}
        self.arrays: dict[type, bool] = {}  # whether values of a type are arrays
        self.kept: dict[int, Any] = {}  # arrays by address: held here, so that no address comes twice

    def read(self, node: Node, number: int, inputs: tuple[Any, ...], uses: int) -> GraphNode:
        op, extra = node.op, node.extra
        if (outputs := self.outputs.get((node.shape, node.dtype))) is None:
            outputs = self.outputs[node.shape, node.dtype] = _outputs(node)
        if (places := self.places.get(node.scope)) is None:
            places = self._places(node.scope)
        if (line := self.lines.get(key := (node.code, node.lasti))) is None:
            line = self.lines[key] = location(*key)
        return GraphNode(
            number,
            "op" if op is not None else "leaf" if node.requires_grad else "constant",
            op.name if op is not None else None,
            inputs,
            self._params(op, node.params) if op is not None and node.params and node.params is not op.defaults else {},
            outputs[0],
            outputs[1],
            extra.name if extra is not None else None,
            places,
            line,
            op is not None or node.requires_grad,
            uses,
            outputs[2],
            self._new_bytes(node.edges) if node.edges else 0,
            _norm(extra.grad) if self.grads and extra is not None and extra.grad is not None else None,
            self._cut_from(node.cut_from) if op is None and isinstance(node, Leaf) and node.cut_from else None,
        )

    def _cut_from(self, seqs: tuple[int, ...]) -> tuple[int, ...]:
        if not self.by_seq:
            self.by_seq = {node.seq: number for node, number in self.ids.items()}
        found = [self.by_seq[seq] for seq in seqs if seq in self.by_seq]
        return tuple(found[:1] if seqs[0] in self.by_seq else found)

    def _places(self, scope: Scope | None) -> Places:
        new = []
        while scope is not None and scope not in self.places:
            new.append(scope)
            scope = scope.parent
        places = self.places[scope]
        for inner in reversed(new):
            places = self.places[inner] = (*places, (inner.name, inner.step))
        return places

    def _params(self, op: Op, params: dict[str, Any]) -> dict[str, Plain]:
        if op not in self.defaults:
            self.defaults[op] = {name: _plain(value) for name, value in op.defaults.items() if name not in op.required}
        defaults = self.defaults[op]
        plain = {name: _plain(value) for name, value in params.items()}
        return {name: value for name, value in plain.items() if name not in defaults or value != defaults[name]}

    def _new_bytes(self, edges: Any) -> int:
        """Bytes of the arrays that the rules of edges keep, as far as they were not met before."""
        total, arrays, met = 0, self.arrays, self.kept
        todo: list[Any] = [value for _, kept in kept_by_rules(edges) for value in kept]
        while todo:
            value = todo.pop()
            if id(value) in met:
                continue
            if isinstance(value, (tuple, list)):
                todo += value
            elif arrays.get(value.__class__) or self._is_array(value):
                owner = value
                while (base := getattr(owner, "base", None)) is not None and self._is_array(base):
                    owner = base
                if id(owner) not in met:
                    met[id(owner)] = owner
                    total += int(owner.nbytes)
                met[id(value)] = value
        return total

    def _is_array(self, value: Any) -> bool:
        known = self.arrays.get(value.__class__)
        if known is None:
            known = self.arrays[value.__class__] = backend.is_array(value) and hasattr(value, "nbytes")
        return known


def _outputs(node: Node) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...], int]:
    """Shapes, element types and bytes of what a node gives."""
    several = node.op is not None and node.op.outputs
    shapes = tuple([tuple(shape) for shape in node.shape]) if several else (tuple(node.shape),)
    dtypes = tuple(node.dtype) if several else (node.dtype,)
    size = sum(math.prod(shape) * dtype.itemsize for shape, dtype in zip(shapes, dtypes, strict=True))
    return shapes, tuple([str(dtype) for dtype in dtypes]), size


def _norm(gradient: Handle) -> float:
    flat = gradient._data.reshape(-1)
    return float(backend.xp(flat).linalg.norm(flat))


# ---- values as plain data ----------------------------------------------------------------------------------------


def _plain(value: Any) -> Plain:
    """A parameter or a plain input as data that keeps nothing alive and looks the same on every run."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    if isinstance(value, slice):
        parts = [value.start, value.stop] + ([] if value.step is None else [value.step])
        return ":".join("" if part is None else str(_plain(part)) for part in parts)
    if value is Ellipsis:
        return "..."
    array = value._data if isinstance(value, Handle) else value
    if backend.is_array(array) and array.shape:
        return f"{array.dtype}[{'×'.join(map(str, array.shape))}]"
    if backend.is_array(array) or isinstance(array, numpy.generic):
        return backend.of(array).to_host(array).item()
    if isinstance(value, numpy.dtype):
        return str(value)
    return getattr(value, "__qualname__", None) or f"<{type(value).__qualname__}>"


def _record(node: GraphNode) -> dict[str, Any]:
    """What of a node goes into JSON: everything that a second run of the same program has the same."""
    return {
        "id": node.id,
        "kind": node.kind,
        "op": node.op,
        "inputs": [x._asdict() if isinstance(x, Source) else x for x in node.inputs],
        "params": dict(node.params),
        "shapes": node.shapes,
        "dtypes": node.dtypes,
        "name": node.name,
        "places": node.places,
        "where": node.where,
        "requires_grad": node.requires_grad,
        **({} if node.cut_from is None else {"cut_from": node.cut_from}),
    }


def _json(value: Any) -> str:
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """NaN and the infinities, which JSON has no words for, as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (tuple, list)) else value


# ---- text --------------------------------------------------------------------------------------------------------


def align(rows: Iterable[Sequence[Any]], right: Sequence[int] = ()) -> str:
    """Rows of cells as lines with aligned columns: two blanks apart, the columns ``right`` set to the right.

    >>> print(align([("op", "n"), ("tanh", 4), ("+", 12)], right=(1,)))
    op     n
    tanh   4
    +     12
    """
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    )


def _mention(source: Source) -> str:
    return f"%{source.node}" if source.output is None else f"%{source.node}[{source.output}]"


def _short(value: Plain, limit: int = 40) -> str:
    if isinstance(value, tuple):
        text = f"({', '.join(_short(item) for item in value)}{',' * (len(value) == 1)})"
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = _one_line(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    """``(2, 3)``, and ``4 x (2, 3)`` for four outputs of one shape."""
    counts = Counter(shapes)
    return " ".join(f"{n} x {shape}" if n > 1 else str(shape) for shape, n in counts.items())
