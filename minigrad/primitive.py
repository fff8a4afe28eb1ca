"""How an op is declared, and what happens when it is called.

An op is a forward function on arrays and, beside it, one rule per input::

    @primitive
    def mul(x, y, /):
        return x * y

    vjp(mul, x=lambda g, y: g * y, y=lambda g, x: g * x)

What stands before the slash is an array; what stands after it is a parameter and becomes data on the node. A rule
gets the cotangent ``g`` of the output and names whatever else it needs, which is then kept for the backward pass,
and nothing else is: an input (``x``), the output (``out``), a parameter, or just the shape of an input (``x_shape``).

Rules are written with operators and minigrad's own functions. These take raw arrays as well as tensors, so the one
rule has two readings: on arrays it computes a gradient, on tensors it records the graph of that gradient, to any
order. A rule never mentions broadcasting: the engine sums a gradient back to the shape of its input.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy

from . import backend
from .context import current
from .errors import DeviceError, DtypeError, explain
from .node import Array, Freed, Handle, Leaf, Node, _internal, _numbers, user_frame

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., Any]

REGISTRY: dict[str, Op] = {}  # every op by name, in order of declaration

_ndarray: Any = numpy.ndarray
_getframe = sys._getframe
_handle: type[Any] = Handle


def make_handles_of(cls: type[Any]) -> None:
    """Ops return handles of this class. ``tensor.py`` calls it with ``Tensor``, which is built on top of the ops."""
    global _handle
    _handle = cls


class Event(NamedTuple):
    """What an observer sees.

    ``phase`` is ``"forward"``: an op ran, and ``arrays`` are its outputs; ``"backward"``: ``arrays`` holds the gradient
    that arrived at the op's output, its rules run next; or ``"rule"``: one of its rules ran, and ``arrays`` holds the
    gradient (or ``None``) that it sends to the node ``source``. With ``create_graph`` these are tensors, and for an op
    with several outputs what arrives are :class:`Slots`. ``node`` is ``None`` when nothing is recorded.
    """

    phase: str
    op: Op
    node: Node | None
    arrays: tuple[Any, ...]
    source: Node | None = None


class Op:
    """A declared op: forward, rules, and the names of its inputs and parameters.

    Attributes:
        name: as in the registry and on drawings.
        forward: the function on arrays.
        inputs: names of the array arguments; a single one for an op that takes any number of arrays.
        variadic: whether it takes any number of arrays.
        defaults: parameters and their default values (``inspect.Parameter.empty`` where one must be given).
        rules: for each input its rule, or ``None`` where the op is not differentiable in it.
        joint: one rule for all inputs, returning a tuple, or ``None``.
        keeps: for each rule, what it keeps, by name.
        mixing: for each input, whether it must agree in dtype with the others.
        broadcasts: whether inputs of different shapes are broadcast.
        simple: one or two inputs and no parameters.
        outputs: whether the forward returns a tuple of arrays.
    """

    def __init__(self, forward: Callable[..., Any], *, outputs: bool, broadcasts: bool) -> None:
        self.name = forward.__name__.strip("_")
        self.forward = forward
        self.doc = inspect.getdoc(forward) or ""
        arguments = inspect.signature(forward).parameters.values()
        arrays = [a for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.VAR_POSITIONAL)]
        self.inputs = [a.name for a in arrays]
        self.optional = [a.default is None for a in arrays]
        self.variadic = any(a.kind is a.VAR_POSITIONAL for a in arrays)
        self.defaults = {a.name: a.default for a in arguments if a not in arrays}
        self.required = [name for name, default in self.defaults.items() if default is inspect.Parameter.empty]
        self.outputs, self.broadcasts = outputs, broadcasts
        self.rules: list[Rule | None] = [None] * len(self.inputs)
        self.joint: Rule | None = None
        self.keeps: dict[Rule, tuple[str, ...]] = {}
        self.mixing = [True] * len(self.inputs)
        self.simple = not (self.defaults or self.variadic or outputs or any(self.optional)) and len(self.inputs) < 3
        self.getters: list[Callable[..., tuple[Any, ...]]] = [_shapes_of] * len(self.inputs)  # see _declare_keeps
        self.module = forward.__module__

    def values(self) -> list[str]:
        """The values of a call by name, in the order in which getters take them: inputs, output, parameters."""
        return [*self.inputs, "out", *self.defaults]

    def keeps_input(self, position: int) -> bool:
        """Whether some rule keeps the array of this input."""
        name = self.inputs[0 if self.variadic else position]
        return any(name in kept for kept in self.keeps.values())

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join([*self.inputs, *self.defaults])})>"


@overload
def primitive(forward: F, /) -> F: ...
@overload
def primitive(*, outputs: bool = False, broadcasts: bool = False) -> Callable[[F], F]: ...
def primitive(forward: Any = None, /, *, outputs: bool = False, broadcasts: bool = False) -> Any:
    """Make an op of a forward function on arrays. See the module's docstring.

    Args:
        forward: arrays positional-only, parameters after the slash.
        outputs: the forward returns a tuple of arrays.
        broadcasts: the forward broadcasts its inputs against each other.

    Returns:
        A function that takes tensors, arrays and numbers. With no tensor among its inputs it is the forward itself.
    """
    if forward is None:
        return lambda function: primitive(function, outputs=outputs, broadcasts=broadcasts)
    op = Op(forward, outputs=outputs, broadcasts=broadcasts)
    if op.name in REGISTRY and REGISTRY[op.name].module != op.module:
        raise ValueError(f"an op named {op.name!r} exists already, in {REGISTRY[op.name].module}")
    REGISTRY[op.name] = op
    call = _plain_call(op) or _general(op)
    call.__name__, call.__qualname__, call.__module__ = forward.__name__, forward.__qualname__, forward.__module__
    call.__doc__, call.__wrapped__ = forward.__doc__, forward  # type: ignore[attr-defined]
    call.op = op  # type: ignore[attr-defined]
    return call


def vjp(function: Callable[..., Any], /, **rules: Rule | None) -> None:
    """Declare the rules of an op: for each input by name, ``rule(g, kept...)`` giving the gradient of that input.

    The name stands for vector-Jacobian product: with the op's Jacobian :math:`J`, a rule computes :math:`g^T J`
    without ever forming :math:`J`.
    """
    op: Op = function.op  # type: ignore[attr-defined]
    for name, rule in rules.items():
        if name not in op.inputs:
            raise ValueError(f"{op.name} has no input {name!r}; it has {', '.join(op.inputs)}")
        position = op.inputs.index(name)
        op.rules[position] = rule
        if rule is not None:
            op.getters[position] = _declare_keeps(op, rule)
    # an input without a rule beside others that have one is a condition or an index: it keeps its dtype
    op.mixing = [rule is not None for rule in op.rules]


def joint_vjp(function: Callable[..., Any], /) -> Callable[[F], F]:
    """Declare one rule for all inputs at once: it returns a tuple with a gradient, or ``None``, for each input.

    Among the names of what it keeps it may list ``needs``: a tuple of booleans, which inputs need a gradient.
    """

    def declare(rule: F) -> F:
        op: Op = function.op  # type: ignore[attr-defined]
        if _plain_call(op) is not None:
            raise ValueError(f"{op.name}: an op of this signature has a rule for each input, declared with vjp")
        op.joint = rule
        op.getters[0] = _declare_keeps(op, rule)
        return rule

    return declare


def _declare_keeps(op: Op, rule: Rule) -> Callable[..., tuple[Any, ...]]:
    """Note what a rule keeps, by the names of its arguments; returns what picks it out of a call's values.

    The picker is compiled, ``lambda x, out, dim: (dim, shape_of(x))``: it runs at every call of the op, and this is
    the quickest that Python has.
    """
    op.keeps[rule] = names = tuple(inspect.signature(rule).parameters)[1:]
    values = [*op.values(), "needs"] if op.joint is rule else op.values()
    shapes = {f"{name}_shape": f"{'shapes' if op.variadic else 'shape'}_of({name})" for name in op.inputs}
    for name in names:
        if name not in values and name not in shapes:
            raise ValueError(f"a rule of {op.name} asks for {name!r}; it can have {', '.join([*values, *shapes])}")
    picked = "".join(shapes.get(name, name) + ", " for name in names)
    namespace = {"shape_of": _shape_of, "shapes_of": _shapes_of}
    picker: Callable[..., tuple[Any, ...]] = eval(  # noqa: S307 - made of the names of the op's own arguments
        f"lambda {', '.join(values)}: ({picked})", namespace
    )
    return picker


def _shape_of(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


def _shapes_of(xs: tuple[Any, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple([getattr(x, "shape", ()) for x in xs])


# ---- calling an op ---------------------------------------------------------------------------------------------
#
# Four shapes of the same thing. Most calls in a recurrent network are ops of one input, or of two without parameters:
# they have shapes of their own because the general one costs 1 µs more. All record through `_record`.


def _plain_call(op: Op) -> Any:
    """The call of an op with one of the frequent signatures, or ``None``."""
    if op.simple:
        return _unary(op) if len(op.inputs) == 1 else _binary(op)
    alone = len(op.inputs) == 1 and not (op.variadic or op.outputs or op.optional[0])
    by_position = not op.forward.__code__.co_kwonlyargcount
    return _unary_with_parameters(op) if alone and by_position else None


def _unary(op: Op) -> Any:
    forward, rules, getters = op.forward, op.rules, op.getters

    def call(x, /):  # type: ignore[no-untyped-def]
        if not isinstance(x, Handle):
            return forward(x)
        a, m = x._data, x._node
        try:
            out = forward(a)
        except Exception as error:
            raise explain(op, (x,), {}, error) from None
        if out.__class__ is _ndarray and out.dtype is a.dtype:
            out.setflags(False)
        else:
            out = _settle(op, out, (a,))
        context = current()
        rule = rules[0]
        if m is None or rule is None or not context.grad:
            return _untracked(op, out, context)
        return _record(op, (m,), ((m, rule, getters[0](a, out)),), _NO_PARAMS, out, context)

    return call


def _unary_with_parameters(op: Op) -> Any:
    forward, rules, getters, names = op.forward, op.rules, op.getters, tuple(op.defaults)
    count = len(names)

    def call(x, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if not kwargs and len(args) == count:
            params = dict(zip(names, args))  # noqa: B905 - as long as one another, and strict costs 0.2 us
        else:
            (x,), params = _bind(op, 1, (x, *args), kwargs)
            args = tuple(params.values())
        if not isinstance(x, Handle):
            return forward(x, *args)
        a, m = x._data, x._node
        try:
            out = forward(a, *args)
        except Exception as error:
            raise explain(op, (x,), params, error) from None
        if out.__class__ is _ndarray and out.dtype is a.dtype:
            out.setflags(False)
        else:
            out = _settle(op, out, (a,))
        context = current()
        rule = rules[0]
        if m is None or rule is None or not context.grad:
            return _untracked(op, out, context)
        return _record(op, (m,), ((m, rule, getters[0](a, out, *args)),), params, out, context)

    return call


def _binary(op: Op) -> Any:
    forward, rules, getters = op.forward, op.rules, op.getters

    def call(x, y, /):  # type: ignore[no-untyped-def]
        if isinstance(x, Handle):
            a, m = x._data, x._node
            dtype = a.dtype
            if isinstance(y, Handle):
                b, n = y._data, y._node
                if b.dtype is not dtype:
                    a, b = _agree(op, (x, y), (a, b))
            else:
                b, n = y, None
                if b.__class__ is not float:
                    a, b = _agree(op, (x, y), (a, b))
        elif isinstance(y, Handle):
            a, m = x, None
            b, n = y._data, y._node
            dtype = b.dtype
            if a.__class__ is not float:
                a, b = _agree(op, (x, y), (a, b))
        else:
            return forward(x, y)
        try:
            out = forward(a, b)
        except Exception as error:
            raise explain(op, (x, y), {}, error) from None
        if out.__class__ is _ndarray and out.dtype is dtype:
            out.setflags(False)
        else:
            out = _settle(op, out, (a, b))
        context = current()
        if not context.grad:
            return _untracked(op, out, context)
        left, right = rules
        if m is not None and n is not None and left is not None and right is not None:
            edges: Any = ((m, left, getters[0](a, b, out)), (n, right, getters[1](a, b, out)))
            return _record(op, (m, n), edges, _NO_PARAMS, out, context)
        if m is not None and left is not None:
            edges = ((m, left, getters[0](a, b, out)),)
        elif n is not None and right is not None:
            edges = ((n, right, getters[1](a, b, out)),)
        else:
            return _untracked(op, out, context)
        return _record(op, (_source(x), _source(y)), edges, _NO_PARAMS, out, context)

    return call


def _general(op: Op) -> Any:
    forward, rules, getters, arity = op.forward, op.rules, op.getters, len(op.inputs)

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or op.required or len(args) != arity or op.variadic:
            inputs, params = _bind(op, arity, args, kwargs)
        else:
            inputs, params = args, op.defaults
        arrays, nodes, dtype, alike, tracked = [], [], None, True, False
        for x in inputs:
            if isinstance(x, Handle):
                arrays.append(a := x._data)
                nodes.append(node := x._node)
                if node is not None:
                    tracked = True
                if dtype is None:
                    dtype = a.dtype
                elif a.dtype is not dtype:
                    alike = False
            else:
                arrays.append(x)
                nodes.append(None)
                alike = alike and x is None
        if dtype is None:
            return forward(*inputs, **params)
        if not alike:
            arrays = _agree(op, inputs, arrays)
        try:
            out = forward(*arrays, **params)
        except Exception as error:
            raise explain(op, inputs, params, error) from None
        if out.__class__ is _ndarray and out.dtype is dtype:
            out.setflags(False)
        elif op.outputs:
            out = tuple([_settle(op, o, arrays) for o in out])
        else:
            out = _settle(op, out, arrays)
        context = current()
        if not tracked or not context.grad:
            return _untracked(op, out, context)
        edges: Any = []
        values = (arrays,) if op.variadic else arrays
        if op.joint is not None:
            needs = tuple([node is not None for node in nodes])
            sources = [(node, i) for i, node in enumerate(nodes) if node is not None]
            edges = Joint(op.joint, getters[0](*values, out, *params.values(), needs), sources)
        else:
            for i, node in enumerate(nodes):
                if node is not None and rules[i] is not None:
                    edges.append((node, rules[i], getters[i](*values, out, *params.values())))
            if not edges:
                return _untracked(op, out, context)
        for i, node in enumerate(nodes):
            if node is None:
                nodes[i] = _source(inputs[i])
        return _record(op, tuple(nodes), edges, params, out, context)

    return call


def _bind(op: Op, arity: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Split a call's arguments into inputs and a full set of parameters, in the order of their declaration."""
    if not kwargs and not op.variadic and len(args) == arity + len(op.defaults):
        return args[:arity], dict(zip(op.defaults, args[arity:]))  # noqa: B905 - as long as one another, and strict costs 0.2 us
    params = op.defaults.copy()
    inputs = args
    if not op.variadic and len(args) > arity:
        inputs, rest = args[:arity], args[arity:]
        if len(rest) > len(params):
            raise TypeError(f"{op.name}() takes at most {arity + len(params)} arguments, got {len(args)}")
        params.update(zip(params, rest, strict=False))
    elif not op.variadic and len(args) < arity:
        missing = arity - len(args)
        if not all(op.optional[-missing:]):
            raise TypeError(f"{op.name}() needs {', '.join(op.inputs)}; got {len(args)} of them")
        inputs = args + (None,) * missing
    for name, value in kwargs.items():
        if name not in params:
            raise TypeError(f"{op.name}() has no argument {name!r}; it takes {', '.join([*op.inputs, *params])}")
        params[name] = value
    for name in op.required:
        if params[name] is inspect.Parameter.empty:
            raise TypeError(f"{op.name}() needs {name!r}")
    return inputs, params


class Joint:
    """The edges of a call with one rule for all inputs. In each pass over them the rule runs once, when the first of
    its parts is asked for; nothing of it is kept for the next pass."""

    __slots__ = ("kept", "rule", "sources")

    def __init__(self, rule: Rule, kept: tuple[Any, ...], sources: Sequence[tuple[Node, int]]) -> None:
        self.rule, self.kept, self.sources = rule, kept, sources

    def __iter__(self) -> Iterator[tuple[Node, Rule, Any]]:
        parts: list[Any] = []
        return iter([(node, self._part, (i, parts)) for node, i in self.sources])

    def _part(self, g: Any, position: int, parts: list[Any]) -> Any:
        if not parts:
            parts += self.rule(g, *self.kept)
        return parts[position]


class Slots:
    """The cotangent of an op with several outputs: what has arrived for each of them, zeros for the rest."""

    __slots__ = ("_arrived", "dtype", "shape")

    def __init__(self, arrived: dict[int, Any], shape: Any, dtype: Any) -> None:
        self._arrived, self.shape, self.dtype = arrived, shape, dtype

    def __getitem__(self, i: int) -> Any:
        if not -len(self.shape) <= i < len(self.shape):
            raise IndexError(i)
        i %= len(self.shape)
        if i in self._arrived:
            return self._arrived[i]
        like = next(iter(self._arrived.values()))
        return backend.xp(like._data if isinstance(like, Handle) else like).zeros(self.shape[i], dtype=self.dtype[i])

    def __len__(self) -> int:
        return len(self.shape)

    def __add__(self, other: Slots) -> Slots:
        merged = dict(self._arrived)
        for i, g in other._arrived.items():
            merged[i] = merged[i] + g if i in merged else g
        return Slots(merged, self.shape, self.dtype)


def _slot(g: Any, index: int, node: Node) -> Slots:
    """The rule of one output of an op with several: its cotangent goes into its slot of the op's."""
    return Slots({index: g}, node.shape, node.dtype)


def output(x: Any, /, index: int) -> Any:
    """Output number ``index`` of an op that has several."""
    return x[index]


OUTPUT = Op(output, outputs=False, broadcasts=False)


def _output(parent: Node, index: int, array: Array) -> Any:
    """Handle and node of one output of an op that has several."""
    node = Node()
    node.op, node.inputs, node.params = OUTPUT, (parent,), {"index": index}
    node.edges = ((parent, _slot, (index, parent)),)
    node.seq, node.scope, node.extra = next(_numbers), parent.scope, None
    node.code, node.lasti = parent.code, parent.lasti
    node.shape, node.dtype = array.shape, array.dtype
    return wrap(array, node)


def reattach(node: Node) -> Any:
    """A node's edges with the kept arrays turned back into tensors of the graph, so that running the rules on them
    records how the gradient depends on them."""
    op = node.op
    assert op is not None
    if op is OUTPUT or isinstance(node.edges, Freed):
        return node.edges
    if op.joint is None:
        return [(source, rule, _attach(node, op, op.keeps[rule], kept)) for source, rule, kept in node.edges]
    joint = node.edges
    return Joint(joint.rule, _attach(node, op, op.keeps[joint.rule], joint.kept), joint.sources)


def _attach(node: Node, op: Op, names: tuple[str, ...], kept: tuple[Any, ...]) -> tuple[Any, ...]:
    result = []
    for name, value in zip(names, kept, strict=True):
        if name == "out":
            value = wrap(value, node) if not op.outputs else value
        elif name in op.inputs and op.variadic:
            value = tuple(_attached(v, source) for v, source in zip(value, node.inputs, strict=True))
        elif name in op.inputs:
            value = _attached(value, node.inputs[op.inputs.index(name)])
        result.append(value)
    return tuple(result)


def _attached(value: Any, source: Any) -> Any:
    if not isinstance(source, Node):
        return value
    return wrap(value, source if source.requires_grad else None)


_NO_PARAMS: dict[str, Any] = {}


def _record(op: Op, inputs: Any, edges: Any, params: dict[str, Any], out: Any, context: Any) -> Any:
    """Make the node of a call and the handle(s) of its output."""
    node = Node()
    node.op = op
    node.inputs = inputs
    node.edges = edges
    node.params = params
    node.seq = next(_numbers)
    node.scope = context.scope
    node.extra = None
    frame = _getframe(2)
    code = frame.f_code
    if _internal.get(code.co_filename) is False:
        node.code, node.lasti = code, frame.f_lasti
    else:
        node.code, node.lasti = user_frame(frame)
    if op.outputs:
        node.shape, node.dtype = tuple(o.shape for o in out), tuple(o.dtype for o in out)
        result = tuple([_output(node, i, o) if o.dtype.kind == "f" else wrap(o) for i, o in enumerate(out)])
    else:
        node.shape, node.dtype = out.shape, out.dtype
        result = _handle()
        result._data, result._node, result._constant = out, node, None
    if context.observers:
        _notify(context, Event("forward", op, node, out if op.outputs else (out,)))
    return result


def _untracked(op: Op, out: Any, context: Any) -> Any:
    """Handle(s) of an output that nobody will differentiate."""
    if context.observers:
        _notify(context, Event("forward", op, None, out if op.outputs else (out,)))
    if op.outputs:
        return tuple(wrap(o) for o in out)
    handle = _handle()
    handle._data, handle._node, handle._constant = out, None, None
    return handle


def _notify(context: Any, event: Event) -> None:
    for observer in context.observers:
        observer(event)


def wrap(array: Array, node: Node | None = None) -> Any:
    """A handle of an array."""
    handle = _handle()
    handle._data, handle._node, handle._constant = array, node, None
    return handle


def _source(x: Any) -> Any:
    """What a node keeps about an input: the node it came from, or the plain value that was passed."""
    if isinstance(x, Handle):
        return x._node if x._node is not None else x.constant()
    return Leaf(x, tracked=False) if hasattr(x, "shape") and x.shape else x


def _settle(op: Op, out: Any, arrays: Sequence[Any]) -> Array:
    """The one place where an output is made what an output must be: an array, of a dtype no wider than asked for,
    that nobody can write to."""
    if out.__class__ is not _ndarray and not backend.is_array(out):
        module = next((m for m in map(backend.module_of, arrays) if m is not None), numpy)
        out = module.asarray(out)
    if out.dtype == numpy.float64 and "dtype" not in op.defaults:  # an op that is told a dtype gives that dtype
        dtypes = [a.dtype for a in arrays if hasattr(a, "dtype")]
        if numpy.float64 not in dtypes:
            floats = [dtype for dtype in dtypes if dtype.kind == "f"]
            out = out.astype(floats[0] if floats else backend.get_default_dtype())
    if out.__class__ is _ndarray:
        out.setflags(False)
    return out


def _agree(op: Op, inputs: tuple[Any, ...], arrays: Sequence[Any]) -> Any:
    """Bring the arrays of a call to one dtype by the rules of D7: Python numbers and NumPy scalars are weak, integers
    and booleans take the floating dtype they meet, and two floating dtypes do not mix."""
    arrays = [a.item() if isinstance(a, numpy.generic) else a for a in arrays]
    mixing = op.mixing if not op.variadic else [True] * len(arrays)
    floats = {a.dtype for a, mixes in zip(arrays, mixing, strict=True) if mixes and getattr(a, "dtype", _NONE).kind == "f"}
    if len(floats) > 1:
        names = " and ".join(sorted(str(dtype) for dtype in floats))
        sentence = TypeError(f"floating dtypes do not mix silently ({names})")
        hint = "\n  hint: say which you mean, for example x.to(mg.float32) or y.to(x.dtype)"
        error = explain(op, inputs, {}, sentence)
        raise error if isinstance(error, DeviceError) else DtypeError(f"{error}{hint}")
    if floats:
        (target,) = floats
        arrays = [
            a.astype(target) if mixes and getattr(a, "dtype", _NONE).kind in "biu" else a
            for a, mixes in zip(arrays, mixing, strict=True)
        ]
    return arrays


_NONE = numpy.dtype("V")  # stands for the dtype of what has none
