"""How an op is declared.

An op is a forward function on arrays and, beside it, one rule per input::

    @primitive
    def mul(x, y, /):
        return x * y

    defvjp(mul, x=lambda g, y: g * y, y=lambda g, x: g * x)

What stands before the slash is an array; what stands after it is a parameter and becomes data on the node. A rule
gets the cotangent ``g`` of the output and names whatever else it needs, which is then kept for the backward pass,
and nothing else is: an input (``x``), the output (``out``), a parameter, or just the shape of an input (``x_shape``).

Rules are written with operators and minigrad's own functions. These take raw arrays as well as tensors, so the one
rule has two readings: on arrays it computes a gradient, on tensors it records the graph of that gradient, to any
order. A rule never mentions broadcasting: the engine sums a gradient back to the shape of its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from .call import general_call, plain_call
from .op import REGISTRY, Op, Rule

F = TypeVar("F", bound=Callable[..., Any])


@overload
def primitive(forward: F, /) -> F: ...
@overload
def primitive(
    *, outputs: bool = False, broadcasts: bool = False, views: bool = False, moves: bool = False
) -> Callable[[F], F]: ...
def primitive(
    forward: Any = None,
    /,
    *,
    outputs: bool = False,
    broadcasts: bool = False,
    views: bool = False,
    moves: bool = False,
) -> Any:
    """Make an op of a forward function on arrays. See the module's docstring.

    Args:
        forward: arrays positional-only, parameters after the slash.
        outputs: the forward returns a tuple of arrays.
        broadcasts: the forward broadcasts its inputs against each other.
        views: the output may share memory with the first input.
        moves: the forward only moves numbers, so that none of them is its doing.

    Returns:
        A function that takes tensors, arrays and numbers. With no tensor among its inputs it is the forward itself.
    """
    told = {"outputs": outputs, "broadcasts": broadcasts, "views": views, "moves": moves}
    if forward is None:
        return lambda function: _declared(Op(function, **told))
    return _declared(Op(forward, **told))


def _declared(op: Op) -> Any:
    forward = op.forward
    if op.name in REGISTRY and REGISTRY[op.name].module != op.module:
        raise ValueError(f"an op named {op.name!r} exists already, in {REGISTRY[op.name].module}")
    REGISTRY[op.name] = op
    call = plain_call(op) or general_call(op)
    call.__name__, call.__qualname__, call.__module__ = forward.__name__, forward.__qualname__, forward.__module__
    call.__doc__, call.__wrapped__ = forward.__doc__, forward
    call.op = op
    return call


def defvjp(function: Callable[..., Any], /, **rules: Rule | None) -> None:
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
            op.getters[position] = op.declare(rule)
    # an input without a rule beside others that have one is a condition or an index: it keeps its dtype
    op.mixing = [rule is not None for rule in op.rules]


def defvjp_joint(
    function: Callable[..., Any], /, *, fresh: bool = False, conditions: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Declare one rule for all inputs at once: it returns a tuple with a gradient, or ``None``, for each input.

    Among the names of what it keeps it may list ``needs``: a tuple of booleans, which inputs need a gradient.

    Args:
        function: the op.
        fresh: promise that every gradient is in memory of its own, which nothing else uses. Then it need not be
            copied before others are added to it, or before it becomes the ``grad`` of a leaf.
        conditions: inputs that are conditions or indices: they need not agree in dtype with the others.
    """

    def declare(rule: F) -> F:
        op: Op = function.op  # type: ignore[attr-defined]
        if plain_call(op) is not None:
            raise ValueError(f"{op.name}: an op of this signature has a rule for each input, declared with defvjp")
        op.joint, op.fresh = rule, fresh
        op.mixing = [name not in conditions for name in op.inputs]
        op.getters[0] = op.declare(rule)
        return rule

    return declare
