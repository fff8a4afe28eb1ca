r"""Functions of functions: derivatives as values.

Each takes a function of tensors and gives back numbers or a function, and leaves no gradient behind on any tensor. For
:math:`y = f(x)` with Jacobian :math:`J = \partial y / \partial x`:

===================  =============================================  ==================================
:func:`vjp`          :math:`g \mapsto g^T J`                        one forward, one backward for each g
:func:`jvp`          :math:`v \mapsto J v`                          one forward, two backwards
:func:`jacobian`     :math:`J`                                      a backward for each element of y
:func:`hessian`      :math:`\partial^2 y / \partial x^2`, y scalar  a double backward for each element of x
:func:`hvp`          :math:`v \mapsto H v`                          one double backward
===================  =============================================  ==================================

Like the result of an op, the result of a transform is recorded when gradients are enabled and it depends on a tensor
that requires one: an input, or a tensor that the function captured. So transforms nest, and ``with mg.no_grad():``
around one saves the recording where it is not wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .context import enable_grad, is_grad_enabled
from .creation import eye, tensor, zeros, zeros_like
from .engine import grad
from .errors import GraphError
from .node import Node
from .ops.conversion import clone
from .ops.joining import stack
from .ops.shape import reshape
from .tensor import Tensor

Function = Callable[..., Any]


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    r"""A function that computes :math:`f(x_0, x_1, \dots)` and :math:`\partial f / \partial x_i`.

    Args:
        f: returns a tensor of one element.
        argnums: which arguments to differentiate in: a number, or several.

    Returns:
        A function of the same arguments returning ``(value, gradient)``, with a tuple of gradients for several argnums.

    >>> import minigrad as mg
    >>> value, gradient = value_and_grad(lambda x: x * x)(mg.tensor(3.0))
    >>> value.item(), gradient.item()
    (9.0, 6.0)
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def both(*args: Any) -> tuple[Any, Any]:
        call = _Call(f, args, numbers)
        if len(call.outputs) != 1:
            raise GraphError(
                f"value_and_grad: the function has to return one tensor, not {len(call.outputs)}\n"
                "  hint: for several outputs there are vjp and jacobian"
            )
        gradients = call.pull([None])
        return call.result(call.outputs[0]), gradients[0] if isinstance(argnums, int) else gradients

    return both


def vjp(f: Function, *xs: Any) -> tuple[Any, Function]:
    r"""The value of :math:`f` and the function :math:`g \mapsto g^T J` that pulls cotangents back to the inputs.

    Returns:
        ``(y, pullback)``. ``pullback`` takes a cotangent for each output of ``f``, may be called any number of times,
        and returns a tuple with a tensor for each input.

    >>> import minigrad as mg
    >>> y, pullback = vjp(lambda x, w: x * w, mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0]))
    >>> [g.tolist() for g in pullback(mg.tensor([1.0, 10.0]))]
    [[3.0, 40.0], [1.0, 20.0]]
    """
    call = _Call(f, xs, range(len(xs)))

    def pullback(*cotangents: Any) -> Any:
        if len(cotangents) != len(call.outputs):
            raise GraphError(f"vjp: the function has {len(call.outputs)} outputs, not {len(cotangents)}")
        return call.pull(cotangents, retain_graph=True)

    return call.value(), pullback


def jvp(f: Function, xs: Any, vs: Any) -> tuple[Any, Any]:
    r"""The value of :math:`f` and its derivative :math:`J v` in the direction :math:`v`.

    The pullback :math:`u \mapsto J^T u` is linear in :math:`u`, so its own derivative does not depend on :math:`u`, and
    pulling :math:`v` back through it gives :math:`(J^T)^T v = J v`: forward mode out of two backward passes, with
    :math:`u = 0`, and no further rules.

    Args:
        f: a function of tensors.
        xs: its input, or a tuple of them.
        vs: a direction for each, of the same shapes.

    Returns:
        ``(y, tangent)``, two tensors or two tuples of tensors.

    >>> import minigrad as mg
    >>> y, tangent = jvp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 10.0]))
    >>> tangent.tolist()
    [2.0, 40.0]
    """
    call = _Call(f, _tuple(xs), range(len(_tuple(xs))))
    directions = [_tensor(v) for v in _tuple(vs)]
    if len(directions) != len(call.inputs):
        raise GraphError(f"jvp: {len(call.inputs)} inputs but {len(directions)} directions")
    again = call.recorded or (is_grad_enabled() and any(v.requires_grad for v in directions))
    us = [zeros_like(y, requires_grad=y.requires_grad) for y in call.outputs]
    with enable_grad():
        pulled = call.pull(us, create_graph=True)
    tangents = iter(_pull(pulled, [u for u in us if u.requires_grad], directions, again))
    return call.value(), _like(call.several, [next(tangents) if u.requires_grad else u for u in us])


def jacobian(f: Function, *xs: Any) -> Any:
    r"""All derivatives :math:`J_{ij} = \partial y_i / \partial x_j` of :math:`y = f(x)`.

    Returns:
        A tensor of shape ``(*y.shape, *x.shape)``; for several inputs a tuple of them; for several outputs a tuple with
        one of these for each.

    >>> import minigrad as mg
    >>> jacobian(lambda x: x * x, mg.tensor([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    call = _Call(f, xs, range(len(xs)))
    blocks = [_like(len(xs) != 1, call.jacobian_of(k)) for k in range(len(call.outputs))]
    return _like(call.several, blocks)


def hessian(f: Function, *xs: Any) -> Any:
    r"""The second derivatives :math:`H_{ij} = \partial^2 y / \partial x_i \partial x_j` of a scalar function.

    Returns:
        A tensor of shape ``(*x.shape, *x.shape)``; for several inputs a tuple of tuples of such blocks.

    >>> import minigrad as mg
    >>> hessian(lambda x: x[0] * x[0] * x[1], mg.tensor([1.0, 3.0])).tolist()
    [[6.0, 2.0], [2.0, 0.0]]
    """
    gradient = value_and_grad(f, 0 if len(xs) == 1 else range(len(xs)))
    return jacobian(lambda *args: gradient(*args)[1], *xs)


def hvp(f: Function, xs: Any, vs: Any) -> Any:
    r"""The product :math:`H v` of the Hessian of a scalar function with a direction, without forming :math:`H`.

    Since :math:`H` is symmetric, it is the gradient of :math:`\langle \nabla f(x), v \rangle`.

    Args:
        f: a scalar function of tensors.
        xs: its input, or a tuple of them.
        vs: a direction for each, of the same shapes.

    >>> import minigrad as mg
    >>> hvp(lambda x: x[0] * x[0] * x[1], mg.tensor([1.0, 3.0]), mg.tensor([1.0, 0.0])).tolist()
    [6.0, 2.0]
    """
    inputs = _tuple(xs)
    gradient = value_and_grad(f, range(len(inputs)))
    _, pullback = vjp(lambda *args: gradient(*args)[1], *inputs)
    return _like(isinstance(xs, (tuple, list)), pullback(*_tuple(vs)))


class _Call:
    """A function run on stand-ins for its inputs, with the graph from these to the outputs."""

    def __init__(self, f: Function, args: Sequence[Any], argnums: Sequence[int]) -> None:
        args = list(args)
        self.inputs = []
        for i in argnums:
            args[i] = _stand_in(_tensor(args[i]))
            self.inputs.append(args[i])
        with enable_grad():
            result = f(*args)
        self.several = isinstance(result, (tuple, list))
        self.outputs = [_tensor(y) for y in _tuple(result)]
        self.recorded = is_grad_enabled() and _depends_on_more(self.outputs, self.inputs)

    def pull(self, cotangents: Sequence[Any], retain_graph: bool = False, create_graph: bool = False) -> Any:
        """The gradients of the inputs, zeros where nothing depends on one."""
        asked = any(isinstance(g, Tensor) and g.requires_grad for g in cotangents) and is_grad_enabled()
        return _pull(self.outputs, self.inputs, cotangents, create_graph or self.recorded or asked, retain_graph)

    def jacobian_of(self, k: int) -> list[Any]:
        """The Jacobians of one output in each input."""
        y = self.outputs[k]
        basis = reshape(eye(y.numel(), dtype=y.dtype, device=y.device), y.numel(), *y.shape)
        rows = [_pull([y], self.inputs, [e], self.recorded, retain_graph=True) for e in basis]
        if not rows:
            return [zeros(*y.shape, *x.shape, dtype=y.dtype, device=y.device) for x in self.inputs]
        columns = zip(*rows, strict=True)
        return [reshape(stack(c), *y.shape, *x.shape) for c, x in zip(columns, self.inputs, strict=True)]

    def value(self) -> Any:
        """What the function returned."""
        return _like(self.several, [self.result(y) for y in self.outputs])

    def result(self, y: Tensor) -> Tensor:
        """An output, cut off from the stand-ins unless it depends on more than these."""
        return y if self.recorded else y.detach()


def _pull(
    ys: Sequence[Any], xs: Sequence[Any], gs: Sequence[Any], create_graph: bool, retain_graph: bool = False
) -> tuple[Any, ...]:
    """:func:`minigrad.grad`, with zeros for what does not depend on an input."""
    tracked = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
    found: tuple[Any, ...] = (None,) * len(xs)
    if tracked:
        outputs, cotangents = zip(*tracked, strict=True)
        found = grad(outputs, xs, cotangents, create_graph, retain_graph, allow_unused=True)
    return tuple(zeros_like(x) if g is None else g for x, g in zip(xs, found, strict=True))


def _stand_in(x: Tensor) -> Tensor:
    """A tensor equal to ``x`` with a node of its own, joined to that of ``x`` where ``x`` has one."""
    return clone(x) if x.requires_grad and is_grad_enabled() else x.detach().requires_grad_()


def _depends_on_more(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> bool:
    """Whether outputs depend on a leaf that requires a gradient and is none of the inputs."""
    known = {x._node for x in inputs}
    seen = {y._node for y in outputs if y._node is not None}
    waiting = list(seen)
    while waiting:
        node = waiting.pop()
        if node.op is None and node.requires_grad and node not in known:
            return True
        for source in node.inputs:
            if isinstance(source, Node) and source not in seen:
                seen.add(source)
                waiting.append(source)
    return False


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else tensor(x)


def _tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _like(several: bool, values: Sequence[Any]) -> Any:
    return tuple(values) if several else values[0]
