"""Tensor: a thin handle on an array and the node that made it.

The methods that compute are the ops themselves, named in one table at the end of the class: an op is a plain
function, so as a class attribute it is a method. What a tensor shares with any array stands in
:class:`minigrad.array_handle.ArrayHandle`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from . import backend, engine
from .array_handle import ArrayHandle
from .call import make_handles_of, wrap
from .errors import DtypeError, GraphError, MinigradError
from .node import Array, Handle, Leaf, Node, made_by, next_number
from .ops import (
    activation,
    arithmetic,
    broadcast,
    clamping,
    conversion,
    diagonals,
    elementary,
    gathering,
    indexing,
    joining,
    linalg,
    norm as norms,
    ordering,
    reduction,
    scan,
    selection,
    shape as shape_ops,
    tiling,
    variance,
)


class Tensor(ArrayHandle):
    """An n-dimensional array that remembers how it was computed.

    Make one with :func:`minigrad.tensor` and its relatives; every op returns one.
    """

    __slots__ = ()

    # ---- the array ------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself: NumPy's or CuPy's. Read-only on results of ops; on a leaf it is the leaf's own.

        Assigning (``p.data = array``, ``p.data -= step``) counts as a change of the leaf: a graph that kept the old
        values refuses to be differentiated. Writing into it (``p.data[0] = 1``) changes it unseen.
        """
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if self._node is not None and self._node.op is not None:
            raise GraphError(
                f"the data of a result (of {self._node.op.name}, made at {self._node.where()}) cannot be replaced\n"
                "  hint: only leaves can; x.detach() gives one"
            )
        value = value._data if isinstance(value, Handle) else value
        xp = backend.xp(self._data)
        array = value if backend.is_array(value) else xp.asarray(value, dtype=self._data.dtype)
        if self.requires_grad and array.dtype.kind != "f":
            raise DtypeError(f"a tensor that requires a gradient holds floating numbers, not {array.dtype}")
        self._data = array if backend.is_writable(array) else array.copy()
        for node in (self._node, self._constant):
            if isinstance(node, Leaf):
                node.mark_changed(self._data)

    # ---- the graph ------------------------------------------------------------------------------------------

    @property
    def node(self) -> Node | None:
        """The node of the graph that made this tensor; ``None`` when nothing is recorded."""
        return self._node

    @property
    def is_leaf(self) -> bool:
        """Whether no op made this tensor (or none that was recorded)."""
        return self._node is None or self._node.op is None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor. Assignable on leaves."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if bool(value) == (self._node is not None):
            return
        if not self.is_leaf:
            raise GraphError("only a leaf can be told not to require a gradient; use detach() to cut a result off")
        if value and self._data.dtype.kind != "f":
            raise DtypeError(f"only floating tensors can require a gradient, not {self._data.dtype}")
        leaf = self._node if not value else self._constant  # one leaf throughout: it holds name, gradient and hooks
        if not isinstance(leaf, Leaf):
            leaf = Leaf(self._data, tracked=True)
        leaf.tracked = bool(value)
        self._node, self._constant = (leaf, None) if value else (None, leaf)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` accumulated here; ``None`` before the first. Assignable."""
        return self._node.grad if self._node is not None else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise MinigradError(f"a gradient is a tensor or None, not {type(value).__name__}")
        if value is not None and (value.shape != self.shape or value.dtype != self.dtype):
            raise MinigradError(
                f"a gradient must be {self.shape} {self.dtype} like its tensor, not {value.shape} {value.dtype}"
            )
        if self._node is None:
            raise GraphError("this tensor does not require a gradient, so it cannot hold one")
        self._node.ensure_extra().grad = value

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        r"""Compute :math:`g^T\,\partial y/\partial x` for every leaf :math:`x` and add it to ``x.grad``.

        Args:
            gradient: the cotangent :math:`g`, of this tensor's shape; may be left out for a tensor of one element.
            retain_graph: keep what the rules need, so that another backward can run over the same graph.
            create_graph: record the computation of the gradients, for derivatives of derivatives. The gradients then
                hold the graph, and the leaf holds the gradient: prefer :func:`minigrad.grad`, which stores nothing.

        Raises:
            GraphError: nothing was recorded, the graph was freed by an earlier backward, a leaf was changed since,
                or a tensor of several elements comes without ``gradient``.
        """
        engine.backward(self, gradient, retain_graph, create_graph)

    def detach(self) -> Tensor:
        """The same array, cut off from the graph."""
        result: Tensor = wrap(self._data)
        leaf = self._node if self._node is not None else self._constant
        if isinstance(leaf, Leaf):  # a change of the one is a change of the other
            result.constant().origin = leaf.origin or leaf
        if leaf is not None:
            result.constant().cut_from = leaf.cut_from if isinstance(leaf, Leaf) else made_by(leaf)
        return result

    def retain_grad(self) -> None:
        """Keep the gradient of this result, in ``grad``, when backward passes through."""
        if self._node is None:
            raise GraphError("this tensor does not require a gradient, so there is none to retain")
        if self._node.op is not None:
            self._node.ensure_extra().retain = True

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call ``hook(grad)`` when the gradient of this tensor is known; what it returns replaces the gradient.

        Returns:
            A function that removes the hook.
        """
        if self._node is None:
            raise GraphError("this tensor does not require a gradient, so a hook on it would never run")
        if not callable(hook):
            raise TypeError(f"a hook is a function of the gradient, not {type(hook).__name__}")
        hooks = self._node.ensure_extra().hooks
        key = next_number()
        hooks[key] = hook
        return lambda: (hooks.pop(key, None), None)[1]

    # ---- conversions ----------------------------------------------------------------------------------------

    def to(self, *targets: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """This tensor as another dtype, on another device, or like another tensor. Itself if nothing changes.

        >>> import minigrad as mg
        >>> mg.ones(2).to(mg.float64).dtype
        dtype('float64')
        """
        for target in targets:
            if isinstance(target, Tensor):
                dtype, device = target.dtype, target.device
            elif isinstance(target, (str, backend.device)) and target not in numpy.sctypeDict:
                device = target
            else:
                dtype = target
        result = self
        if dtype is not None and numpy.dtype(dtype) != self.dtype:
            dtype = numpy.dtype(dtype)
            result = conversion.cast(result if dtype.kind == "f" else result.detach(), dtype)
        if device is not None and backend.device(device) != self.device:
            result = conversion.to_device(result, str(backend.device(device)), str(self.device))
        return result

    def cpu(self) -> Tensor:
        """On the host."""
        return self.to("cpu")

    def cuda(self) -> Tensor:
        """On the first GPU."""
        return self.to("cuda")

    def float(self) -> Tensor:
        """As float32."""
        return self.to(backend.float32)

    def double(self) -> Tensor:
        """As float64."""
        return self.to(backend.float64)

    def long(self) -> Tensor:
        """As int64."""
        return self.to(backend.int64)

    def bool(self) -> Tensor:
        """As booleans."""
        return self.to(backend.bool_)

    # ---- a good citizen of Python ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(joining.unbind(self))

    def __hash__(self) -> int:
        return object.__hash__(self)  # by identity, although == compares elements

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GraphError(
            "tensors are not written to in place: the graph would no longer tell how they were computed\n"
            "  hint: y = x.at[index].set(value) or x.at[index].add(value) gives a changed copy;\n"
            "        mg.where(mask, value, x) chooses elementwise; outside a graph, x.data[index] = value"
        )

    def __copy__(self) -> Tensor:
        return self._leaf_copy(self._data)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        result = memo[id(self)] = self._leaf_copy(self._data.copy())
        if self.grad is not None:
            result.grad = copy.deepcopy(self.grad, memo)
        return result

    def _leaf_copy(self, data: Array) -> Tensor:
        if not self.is_leaf:
            raise GraphError("only leaves can be copied or pickled; use clone() inside a graph or detach() outside it")
        result = type(self).__new__(type(self))
        result._data, result._node, result._constant = data, None, None
        result.requires_grad = self.requires_grad
        if self.name:
            result.name = self.name
        return result

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GraphError("only leaves can be copied or pickled; use clone() inside a graph or detach() outside it")
        return _restore, (type(self), self.numpy(), str(self.device), self.requires_grad, self.name)

    # ---- the table of ops that are methods and operators ----------------------------------------------------

    # arithmetic
    __neg__ = neg = arithmetic.neg
    __add__ = arithmetic._add
    __sub__ = arithmetic._sub
    __truediv__ = arithmetic._div
    add = arithmetic.add
    sub = arithmetic.sub
    div = arithmetic.div
    __mul__ = mul = arithmetic.mul
    __floordiv__ = floor_divide = arithmetic.floor_divide
    __mod__ = remainder = arithmetic.remainder
    __abs__ = abs = arithmetic.abs
    __pos__ = positive = arithmetic.positive
    __round__ = round = arithmetic.round
    fmod = arithmetic.fmod
    square = arithmetic.square
    reciprocal = arithmetic.reciprocal
    sqrt = arithmetic.sqrt
    rsqrt = arithmetic.rsqrt
    sign = arithmetic.sign
    floor = arithmetic.floor
    ceil = arithmetic.ceil
    trunc = arithmetic.trunc
    lerp = arithmetic.lerp

    # elementary functions
    __pow__ = pow = elementary.pow
    hypot = elementary.hypot
    exp = elementary.exp
    expm1 = elementary.expm1
    log = elementary.log
    log1p = elementary.log1p
    log2 = elementary.log2
    log10 = elementary.log10
    logaddexp = elementary.logaddexp
    erf = elementary.erf
    sin = elementary.sin
    cos = elementary.cos
    tan = elementary.tan
    asin = elementary.asin
    acos = elementary.acos
    atan = elementary.atan
    atan2 = elementary.atan2
    sinh = elementary.sinh
    cosh = elementary.cosh
    tanh = elementary.tanh
    asinh = elementary.asinh
    acosh = elementary.acosh
    atanh = elementary.atanh

    # activations
    sigmoid = activation.sigmoid
    relu = activation.relu
    softmax = activation.softmax
    log_softmax = activation.log_softmax

    # comparison and selection
    __eq__ = eq = selection.eq  # type: ignore[assignment]
    __ne__ = ne = selection.ne  # type: ignore[assignment]
    __lt__ = lt = selection.lt
    __le__ = le = selection.le
    __gt__ = gt = selection.gt
    __ge__ = ge = selection.ge
    __invert__ = bitwise_not = selection.bitwise_not
    __and__ = bitwise_and = selection.bitwise_and
    __or__ = bitwise_or = selection.bitwise_or
    __xor__ = bitwise_xor = selection.bitwise_xor
    logical_not = selection.logical_not
    logical_and = selection.logical_and
    logical_or = selection.logical_or
    logical_xor = selection.logical_xor
    isnan = selection.isnan
    isinf = selection.isinf
    isfinite = selection.isfinite
    maximum = selection.maximum
    minimum = selection.minimum
    clamp = clamping.clamp
    masked_fill = selection.masked_fill
    nan_to_num = clamping.nan_to_num

    # reductions
    sum = reduction.sum
    mean = reduction.mean
    var = variance.var
    std = variance.std
    logsumexp = reduction.logsumexp
    all = reduction.all
    any = reduction.any
    count_nonzero = reduction.count_nonzero
    norm = norms.norm
    amax = ordering.amax
    amin = ordering.amin
    max = ordering.max
    min = ordering.min
    argmax = ordering.argmax
    argmin = ordering.argmin
    sort = ordering.sort
    argsort = ordering.argsort
    topk = ordering.topk
    prod = scan.prod
    cumsum = scan.cumsum
    cumprod = scan.cumprod
    diff = scan.diff

    # shape
    reshape = view = shape_ops.reshape
    flatten = shape_ops.flatten
    unflatten = shape_ops.unflatten
    permute = shape_ops.permute
    transpose = swapaxes = shape_ops.transpose
    movedim = shape_ops.movedim
    squeeze = shape_ops.squeeze
    unsqueeze = shape_ops.unsqueeze
    split = joining.split
    chunk = joining.chunk
    unbind = joining.unbind
    expand = broadcast.expand
    expand_as = broadcast.expand_as
    repeat = tiling.repeat
    tile = tiling.tile
    repeat_interleave = tiling.repeat_interleave
    pad = tiling.pad
    flip = tiling.flip
    roll = tiling.roll
    tril = diagonals.tril
    triu = diagonals.triu
    diag = diagonals.diag
    diagonal = diagonals.diagonal

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The dims in reverse order: of a matrix its transpose. A view."""
        return shape_ops.permute(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two dims exchanged: each matrix of a batch transposed. A view."""
        result: Tensor = shape_ops.transpose(self, -2, -1)
        return result

    # indexing
    __getitem__ = indexing.getitem
    index_put = indexing.index_put
    gather = gathering.gather
    take_along_dim = gathering.take_along_dim
    scatter = gathering.scatter
    scatter_add = gathering.scatter_add
    index_select = gathering.index_select
    index_add = gathering.index_add
    masked_select = gathering.masked_select

    @property
    def at(self) -> indexing.At:
        """Where a changed copy starts: ``x.at[index].set(values)``, ``x.at[index].add(values)``."""
        return indexing.At(self)

    # linear algebra
    __matmul__ = matmul = linalg.matmul
    mm = linalg.mm
    mv = linalg.mv
    bmm = linalg.bmm
    dot = linalg.dot
    outer = linalg.outer
    addmm = linalg.addmm

    # conversion
    clone = conversion.clone

    # operators with the tensor on the right
    def __radd__(self, other: Any) -> Tensor:
        return arithmetic._add(other, self)

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic._sub(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return linalg.matmul(other, self)

    def __rmul__(self, other: Any) -> Tensor:
        return arithmetic.mul(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic._div(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return arithmetic.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return elementary.pow(other, self)

    def __rand__(self, other: Any) -> Tensor:
        return selection.bitwise_and(other, self)

    def __ror__(self, other: Any) -> Tensor:
        return selection.bitwise_or(other, self)

    def __rxor__(self, other: Any) -> Tensor:
        return selection.bitwise_xor(other, self)

    def where(self, condition: Any, other: Any) -> Tensor:
        """These elements where ``condition`` holds, elsewhere those of ``other``."""
        return selection._where(condition, self, other)


def _restore(cls: type[Tensor], array: Array, device: str, requires_grad: bool, name: str | None) -> Tensor:
    result = cls.__new__(cls)
    result._data, result._node, result._constant = backend.move(array, device), None, None
    result.requires_grad = requires_grad
    if name:
        result.name = name
    return result


make_handles_of(Tensor)
