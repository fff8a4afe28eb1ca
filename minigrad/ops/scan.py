"""Products, running sums and products, and differences between neighbours.

No rule here divides: the gradient of a product is the product of the others, made of the running products from both
sides, and is right with zeros among the factors. Running products lead back to one linear recurrence,
:func:`_recurrence`, whose rule is the same recurrence run the other way; so derivatives of any order exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..primitive import defvjp, defvjp_joint, primitive
from .conversion import in_dtype
from .joining import concat
from .reduction import Dim, axes, spread
from .shape import dim_of
from .totals import accumulator, settled

if TYPE_CHECKING:
    from ..tensor import Tensor


def _along(x: Any, dim: int, part: slice) -> Any:
    """An index that takes ``part`` of dim ``dim`` and all of the others."""
    return (slice(None),) * dim_of(x.shape, dim) + (part,)


def _running(function: Any, x: Any, dim: int, reverse: bool) -> Any:
    """A scan of NumPy's, from either end."""
    if not x.shape:
        dim_of((1,), dim)  # a single element is its own scan, along dim 0 or -1
        return x.copy()
    if not reverse:
        return settled(function(x, axis=dim, dtype=accumulator(x)), x)
    return settled(xp(x).flip(function(xp(x).flip(x, dim), axis=dim, dtype=accumulator(x)), dim), x)


# ---- sums --------------------------------------------------------------------------------------------------------


@primitive
def _cumsum(x: Any, /, dim: int, reverse: bool) -> Tensor:
    r"""Running sum :math:`y_i = \sum_{j \le i} x_j` along ``dim``, from the end if ``reverse``."""
    return _running(xp(x).cumsum, x, dim, reverse)


def cumsum(x: Any, dim: int, reverse: bool = False, *, dtype: Any = None) -> Tensor:
    r"""Running sum :math:`y_i = \sum_{j \le i} x_j` along ``dim``; with ``reverse`` the sum of what follows.

    >>> import minigrad as mg
    >>> mg.tensor([1, 2, 3]).cumsum(dim=0).tolist()
    [1, 3, 6]
    """
    return _cumsum(x if dtype is None else in_dtype(x, dtype), dim, reverse)


@primitive
def _diff(x: Any, /, dim: int) -> Tensor:
    """:math:`x_{i+1} - x_i`."""
    return xp(x).diff(x, axis=dim)


@primitive
def _undiff(x: Any, /, dim: int, shape: tuple[int, ...]) -> Tensor:
    """:math:`x_{i-1} - x_i`, what lies outside counted as 0: the transpose of :func:`_diff`."""
    out = xp(x).zeros(shape, dtype=x.dtype)
    if shape[dim] > 1:
        out[_along(x, dim, slice(1, None))] = x
        out[_along(x, dim, slice(None, -1))] -= x
    return out


def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences :math:`x_{i+1} - x_i` between neighbours along ``dim``, taken ``n`` times.

    Args:
        x: a tensor.
        n: how often.
        dim: the dim.
        prepend: a tensor to put in front of ``x`` first.
        append: a tensor to put behind it.

    >>> import minigrad as mg
    >>> mg.tensor([1, 4, 9, 16]).diff(n=2).tolist()
    [2, 2]
    """
    if prepend is not None or append is not None:
        x = concat([part for part in (prepend, x, append) if part is not None], dim)
    for _ in range(n):
        x = _diff(x, dim)
    return x


defvjp(_cumsum, x=lambda g, dim, reverse: _cumsum(g, dim, not reverse))
defvjp(_diff, x=lambda g, dim, x_shape: _undiff(g, dim, x_shape))
defvjp(_undiff, x=lambda g, dim: _diff(g, dim))


# ---- products ----------------------------------------------------------------------------------------------------


@primitive
def _prod(x: Any, /, dim: Dim, keepdim: bool) -> Tensor:
    r""":math:`\prod_i x_i` over ``dim``."""
    return settled(x.prod(axis=axes(dim), dtype=accumulator(x), keepdims=keepdim), x)


def prod(x: Any, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    r""":math:`\prod_i x_i` over ``dim``: one dim, several, or all; 1 of nothing at all.

    The gradient is exact with any number of zeros among the factors.

    >>> import minigrad as mg
    >>> x = mg.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad.tolist()
    [0.0, 6.0, 0.0]
    """
    return _prod(x if dtype is None else in_dtype(x, dtype), dim, keepdim)


@primitive
def _cumprod(x: Any, /, dim: int, reverse: bool) -> Tensor:
    r"""Running product :math:`y_i = \prod_{j \le i} x_j` along ``dim``, from the end if ``reverse``."""
    return _running(xp(x).cumprod, x, dim, reverse)


def cumprod(x: Any, dim: int, reverse: bool = False, *, dtype: Any = None) -> Tensor:
    r"""Running product :math:`y_i = \prod_{j \le i} x_j` along ``dim``; with ``reverse`` of what follows.

    >>> import minigrad as mg
    >>> mg.tensor([1, 2, 3]).cumprod(dim=0).tolist()
    [1, 2, 6]
    """
    return _cumprod(x if dtype is None else in_dtype(x, dtype), dim, reverse)


@primitive
def _shift(x: Any, /, dim: int, back: bool = False, fill: float = 0.0) -> Tensor:
    """``x`` moved by one place along ``dim``, up or ``back``, with ``fill`` moving in and the last one falling out."""
    out = xp(x).full_like(x, fill)
    if x.shape:
        low, high = _along(x, dim, slice(None, -1)), _along(x, dim, slice(1, None))
        out[low if back else high] = x[high if back else low]
    return out


@primitive
def _recurrence(a: Any, b: Any, /, dim: int, reverse: bool = False) -> Tensor:
    r""":math:`s_i = a_i s_{i-1} + b_i` along ``dim`` with :math:`s_{-1} = 0`; with ``reverse`` from the other end.

    Step by step and not by doubling, because products over long windows overflow where the recurrence does not.
    """
    if not b.shape:
        return b.copy()
    out = xp(b).empty_like(b)
    rows, factors, terms = (xp(b).moveaxis(v, dim, 0) for v in (out, a, b))
    order = range(len(rows) - 1, -1, -1) if reverse else range(len(rows))
    previous: Any = None
    for i in order:
        rows[i] = terms[i] if previous is None else factors[i] * rows[previous] + terms[i]
        previous = i
    return out


def _others(x: Any, dims: tuple[int, ...]) -> Any:
    """For each element the product of all others over ``dims``."""
    dim, *rest = dims
    before = _shift(_cumprod(x, dim, False), dim, False, 1.0)
    after = _shift(_cumprod(x, dim, True), dim, True, 1.0)
    result = before * after
    return result * _others(_prod(x, dim, True), tuple(rest)) if rest else result


def _prod_rule(g: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    g = spread(g, x.shape, dim, keepdim)
    axis = axes(dim)
    dims = tuple(range(len(x.shape))) if axis is None or not x.shape else axis if isinstance(axis, tuple) else (axis,)
    return g * _others(x, dims) if dims else g


def _cumprod_rule(g: Any, x: Any, out: Any, dim: int, reverse: bool) -> Any:
    # what x_i meets: everything before it, and after it the recurrence s_i = g_i + x_(i+1) s_(i+1)
    following = _recurrence(_shift(x, dim, not reverse), g, dim, not reverse)
    return _shift(out, dim, reverse, 1.0) * following


defvjp(_prod, x=_prod_rule)
defvjp(_cumprod, x=_cumprod_rule)
defvjp(_shift, x=lambda g, dim, back: _shift(g, dim, not back))


@defvjp_joint(_recurrence)
def _recurrence_rule(g: Any, a: Any, out: Any, dim: int, reverse: bool) -> Any:
    following = _recurrence(_shift(a, dim, not reverse), g, dim, not reverse)
    return following * _shift(out, dim, reverse), following
