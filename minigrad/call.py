"""What happens when an op is called: the forward runs, and a node records it.

There are four shapes of the same thing. Most calls in a recurrent network are ops of one input, or of two without
parameters: they have shapes of their own because the general one costs 1 µs more. All record through :func:`record`.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy

from .context import current
from .dtypes import agree, settle
from .edges import OUTPUT, Joint, slot
from .errors import explain
from .node import Array, Handle, Leaf, Node, _internal, _numbers, user_frame
from .op import Event, Op

_ndarray: Any = numpy.ndarray
_getframe = sys._getframe
_handle: type[Any] = Handle
_NO_PARAMS: dict[str, Any] = {}


def make_handles_of(cls: type[Any]) -> None:
    """Ops return handles of this class. ``tensor.py`` calls it with ``Tensor``, which is built on top of the ops."""
    global _handle  # noqa: PLW0603 - set once, at import
    _handle = cls


def plain_call(op: Op) -> Any:
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
        except Exception as error:  # noqa: BLE001 - whatever it is, it is explained and raised
            raise explain(op, (x,), {}, error)  # noqa: B904 - it says itself whether the cause is shown
        if out.__class__ is _ndarray and out.dtype is a.dtype and out is not a:
            out.setflags(False)
        else:
            out = settle(op, out, (a,))
        context = current()
        rule = rules[0]
        if m is None or rule is None or not context.grad:
            return _untracked(op, out, context)
        return record(op, (m,), ((m, rule, getters[0](a, out)),), _NO_PARAMS, out, context)

    return call


def _unary_with_parameters(op: Op) -> Any:
    forward, rules, getters, names = op.forward, op.rules, op.getters, tuple(op.defaults)
    count = len(names)

    def call(x, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if kwargs or len(args) != count:
            (x,), given = _bind(op, (x, *args), kwargs)
            args = tuple(given.values())
        if not isinstance(x, Handle):
            return forward(x, *args)
        params = dict(zip(names, args))  # noqa: B905 - as long as one another, and strict costs 0.2 us
        a, m = x._data, x._node
        try:
            out = forward(a, *args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is explained and raised
            raise explain(op, (x,), params, error)  # noqa: B904
        if out.__class__ is _ndarray and out.dtype is a.dtype and out is not a:
            out.setflags(False)
        else:
            out = settle(op, out, (a,))
        context = current()
        rule = rules[0]
        if m is None or rule is None or not context.grad:
            return _untracked(op, out, context)
        return record(op, (m,), ((m, rule, getters[0](a, out, *args)),), params, out, context)

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
                    a, b = agree(op, (x, y), (a, b))
            else:
                b, n = y, None
                if b.__class__ is not float:
                    a, b = agree(op, (x, y), (a, b))
        elif isinstance(y, Handle):
            a, m = x, None
            b, n = y._data, y._node
            dtype = b.dtype
            if a.__class__ is not float:
                a, b = agree(op, (x, y), (a, b))
        else:
            return forward(x, y)
        try:
            out = forward(a, b)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is explained and raised
            raise explain(op, (x, y), {}, error)  # noqa: B904
        if out.__class__ is _ndarray and out.dtype is dtype and out is not a and out is not b:
            out.setflags(False)
        else:
            out = settle(op, out, (a, b))
        context = current()
        if not context.grad:
            return _untracked(op, out, context)
        left, right = rules
        if m is not None and n is not None and left is not None and right is not None:
            edges: Any = ((m, left, getters[0](a, b, out)), (n, right, getters[1](a, b, out)))
            return record(op, (m, n), edges, _NO_PARAMS, out, context)
        if m is not None and left is not None:
            edges = ((m, left, getters[0](a, b, out)),)
        elif n is not None and right is not None:
            edges = ((n, right, getters[1](a, b, out)),)
        else:
            return _untracked(op, out, context)
        return record(op, (source_of(x), source_of(y)), edges, _NO_PARAMS, out, context)

    return call


def general_call(op: Op) -> Any:
    """The call of an op with any signature."""
    forward, rules, getters, arity = op.forward, op.rules, op.getters, len(op.inputs)

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or op.required or len(args) != arity or op.variadic:
            inputs, params = _bind(op, args, kwargs)
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
            arrays = agree(op, inputs, arrays)
        try:
            out = forward(*arrays, **params)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is explained and raised
            raise explain(op, inputs, params, error)  # noqa: B904
        if out.__class__ is _ndarray and out.dtype is dtype and not any(out is a for a in arrays):
            out.setflags(False)
        elif op.outputs:
            out = tuple([settle(op, o, arrays) for o in out])
        else:
            out = settle(op, out, arrays)
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
                nodes[i] = source_of(inputs[i])
        return record(op, tuple(nodes), edges, params, out, context)

    return call


def _bind(op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Split a call's arguments into inputs and a full set of parameters, in the order of their declaration."""
    arity = len(op.inputs)
    if not kwargs and not op.variadic and len(args) == arity + len(op.defaults):
        return args[:arity], dict(zip(op.defaults, args[arity:]))  # noqa: B905 - alike, and strict costs 0.2 us
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


def record(op: Op, inputs: Any, edges: Any, params: dict[str, Any], out: Any, context: Any) -> Any:
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


def source_of(x: Any) -> Any:
    """What a node keeps about an input: the node it came from, or the plain value that was passed."""
    if isinstance(x, Handle):
        return x._node if x._node is not None else x.constant()
    return Leaf(x, tracked=False) if hasattr(x, "shape") and x.shape else x


def _output(parent: Node, index: int, array: Array) -> Any:
    """Handle and node of one output of an op that has several."""
    node = Node()
    node.op, node.inputs, node.params = OUTPUT, (parent,), {"index": index}
    node.edges = ((parent, slot, (index, parent)),)
    node.seq, node.scope, node.extra = next(_numbers), parent.scope, None
    node.code, node.lasti = parent.code, parent.lasti
    node.shape, node.dtype = array.shape, array.dtype
    return wrap(array, node)
