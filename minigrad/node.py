"""What a computational graph is made of: nodes that hold data and point backwards only.

``y = x * w`` makes one :class:`Node`. The node knows its op, the nodes its inputs came from, and what the op's
rules need for the backward pass. It does not know ``y``: a :class:`Handle` (the public ``Tensor``) points to its
node and never the other way round. So a graph has no reference cycles, and when the last handle is dropped it is
freed at once by reference counting, without the garbage collector.

Nodes are numbered as they are made. An op's inputs exist before the op runs, so every edge goes from a higher
number to a lower one: the creation number is a topological order, for free.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .context import Scope

if TYPE_CHECKING:
    from .op import Op

Array = Any  # numpy.ndarray or an array of another module with the same interface: cupy.ndarray

_numbers = itertools.count(1)


def next_number() -> int:
    """The next creation number. One clock orders nodes and changes of leaves."""
    return next(_numbers)


class Node:
    """One step of a recorded computation.

    Attributes:
        op: the op that ran; ``None`` for a leaf.
        inputs: for each input of the op the node it came from, or the plain Python value that was passed.
        edges: for each input that needs a gradient ``(input node, rule, what the rule keeps)``; after a backward
            that freed them, a :class:`Freed`.
        params: the op's parameters by name.
        seq: creation number, higher than that of every input.
        scope: where in the model it was made (:class:`minigrad.context.Scope`), or ``None``.
        code, lasti: the user's code object and bytecode offset; resolved to file and line by :meth:`where`.
        shape, dtype: of the output; a tuple of each for an op with several outputs.
        extra: hooks, name and retained gradient; ``None`` for nearly every node.
    """

    __slots__ = ("code", "dtype", "edges", "extra", "inputs", "lasti", "op", "params", "scope", "seq", "shape")

    op: Op | None
    inputs: tuple[Any, ...]
    edges: Any
    params: dict[str, Any]
    seq: int
    scope: Scope | None
    code: CodeType | None
    lasti: int
    shape: Any
    dtype: Any
    extra: Extra | None

    def where(self) -> str:
        """``file.py:12`` of the user's line that made this node, and the scope it was made in."""
        place = location(self.code, self.lasti)
        return f"{place} in {self.scope}" if self.scope is not None else place

    @property
    def name(self) -> str | None:
        """The name given to the tensor, if any."""
        return self.extra.name if self.extra is not None else None

    @property
    def grad(self) -> Any:
        """The gradient that the last backward left here: on leaves, and on nodes that retain theirs."""
        return self.extra.grad if self.extra is not None else None

    def ensure_extra(self) -> Extra:
        """The node's :class:`Extra`, made on first use."""
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    @property
    def label(self) -> str:
        """Name of the op, or ``leaf`` or ``constant``."""
        return self.op.name if self.op is not None else ("leaf" if self.requires_grad else "constant")

    def __repr__(self) -> str:
        return f"<node {self.seq}: {self.label} {self.shape}>"

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this node."""
        return True


class Leaf(Node):
    """The start of a graph: a tensor that no op made.

    ``changed`` is the number at which its array was last changed in place (0: never), ``changed_at`` the code object
    and offset that did it. A node that was made before that number and kept the array must not be differentiated any
    more. ``origin`` is the leaf whose array this one shares, if it came about by ``detach``. If that was of the result
    of an op, ``cut_from`` holds the creation numbers of the op's node and of those it was made of (else it is empty):
    they tell where a graph was cut, and keep nothing alive.
    """

    __slots__ = ("changed", "changed_at", "cut_from", "origin", "tracked")

    changed: int
    changed_at: tuple[CodeType | None, int]
    cut_from: tuple[int, ...]
    origin: Leaf | None
    tracked: bool

    last_change = 0  # number of the latest change of any leaf: older nodes are the only ones worth checking

    def __init__(self, array: Array, tracked: bool) -> None:
        self.op = None
        self.inputs = self.edges = ()
        self.params = {}
        self.seq = next(_numbers)
        self.scope = self.code = self.extra = None
        self.lasti = -1
        self.shape, self.dtype = array.shape, array.dtype
        self.changed, self.changed_at = 0, (None, -1)
        self.origin = None
        self.cut_from = ()
        self.tracked = tracked

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this node: true for leaves that ask for one, false for constants."""
        return self.tracked

    @property
    def changed_by(self) -> str:
        """``file.py:12`` of the user's line that last changed the array."""
        return location(*self.changed_at)

    def last_changed(self) -> Leaf:
        """This leaf, or the one it shares its array with: whichever was changed last."""
        return self if self.origin is None or self.changed > self.origin.changed else self.origin

    def mark_changed(self, array: Array) -> None:
        """Note that the leaf's array is changed now, by the user's line that is running."""
        self.changed = Leaf.last_change = next(_numbers)
        self.changed_at = user_frame(sys._getframe(1))
        if self.origin is not None:
            self.origin.changed, self.origin.changed_at = self.changed, self.changed_at
        self.shape, self.dtype = array.shape, array.dtype


def made_by(node: Node) -> tuple[int, ...]:
    """The creation numbers of a node and of the ops it was made of, behind those that give a view."""
    sources = [_viewed(source) for source in node.inputs if isinstance(source, Node)]
    return node.seq, *[source.seq for source in sources if source.op is not None]


def _viewed(node: Node) -> Node:
    """What a node is a view of, or itself."""
    while node.op is not None and node.op.views:
        node = node.inputs[0]
    return node


class Extra:
    """What few nodes have: a name, hooks, a retained gradient."""

    __slots__ = ("grad", "hooks", "name", "retain")

    def __init__(self) -> None:
        self.name: str | None = None
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.retain = False
        self.grad: Any = None


class Freed:
    """Stands where a node's edges stood before a backward pass freed them; remembers the line that ran it."""

    __slots__ = ("code", "lasti")

    def __init__(self) -> None:
        self.code, self.lasti = user_frame(sys._getframe(1))

    def __iter__(self) -> Iterator[Any]:
        raise FreedGraph(location(self.code, self.lasti))


class FreedGraph(Exception):  # noqa: N818 - a signal, not an error
    """Internal: the edges of a freed node were asked for. The engine turns it into a GraphError with the node."""


class Handle:
    """An array and the node that made it: the part of ``Tensor`` that ops see.

    ``_node`` is ``None`` exactly when no gradient is wanted. A constant that takes part in a graph gets a leaf node
    on first use, in ``_constant``, so that one constant used twice is one box in a drawing.
    """

    __slots__ = ("__weakref__", "_constant", "_data", "_node")

    _data: Array
    _node: Node | None
    _constant: Leaf | None

    def constant(self) -> Leaf:
        """The leaf node that stands for this handle where it takes part in a graph without needing a gradient."""
        if self._constant is None:
            self._constant = Leaf(self._data, tracked=False)
        return self._constant


# ---- where in the user's program a node was made ---------------------------------------------------------------

_HERE = str(Path(__file__).parent) + os.sep
_internal: dict[str, bool] = {}  # file name -> is it a file of minigrad's


def is_internal(filename: str) -> bool:
    """Whether a source file belongs to minigrad itself (and so is no place to show a user)."""
    known = _internal.get(filename)
    if known is None:
        known = _internal[filename] = filename.startswith(_HERE)
    return known


def user_frame(frame: FrameType) -> tuple[CodeType, int]:
    """Code object and offset of the first frame outside minigrad; keeps no frame, so no locals stay alive."""
    code = frame.f_code
    while is_internal(code.co_filename) and frame.f_back is not None:
        frame = frame.f_back
        code = frame.f_code
    return code, frame.f_lasti


def user_line() -> str:
    """``file.py:12`` of the user's line that is running now."""
    return location(*user_frame(sys._getframe(1)))


def location(code: CodeType | None, lasti: int) -> str:
    """``file.py:12`` for a code object and a bytecode offset."""
    if code is None:
        return "?"
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return f"{Path(code.co_filename).name}:{line}"
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"
