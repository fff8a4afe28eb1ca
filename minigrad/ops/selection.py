"""Comparing elements, and choosing between them.

Comparisons give booleans and have no gradient. A choice passes it to what was chosen, and exactly zero to the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..backend import module_of, xp
from ..errors import DtypeError
from ..primitive import defvjp, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive(broadcasts=True)
def eq(x: Any, y: Any, /) -> Tensor:
    """Where :math:`x = y`; NaN equals nothing."""
    return x == y


@primitive(broadcasts=True)
def ne(x: Any, y: Any, /) -> Tensor:
    r"""Where :math:`x \ne y`; true for NaN."""
    return x != y


@primitive(broadcasts=True)
def lt(x: Any, y: Any, /) -> Tensor:
    """Where :math:`x < y`."""
    return x < y


@primitive(broadcasts=True)
def le(x: Any, y: Any, /) -> Tensor:
    r"""Where :math:`x \le y`."""
    return x <= y


@primitive(broadcasts=True)
def gt(x: Any, y: Any, /) -> Tensor:
    """Where :math:`x > y`."""
    return x > y


@primitive(broadcasts=True)
def ge(x: Any, y: Any, /) -> Tensor:
    r"""Where :math:`x \ge y`."""
    return x >= y


@primitive
def logical_not(x: Any, /) -> Tensor:
    """Where ``x`` is zero or false."""
    return xp(x).logical_not(x)


@primitive(broadcasts=True)
def logical_and(x: Any, y: Any, /) -> Tensor:
    """Where both are true; numbers are true unless zero. ``x & y`` for booleans."""
    return (module_of(x) or xp(y)).logical_and(x, y)


@primitive(broadcasts=True)
def logical_or(x: Any, y: Any, /) -> Tensor:
    """Where at least one is true. ``x | y`` for booleans."""
    return (module_of(x) or xp(y)).logical_or(x, y)


@primitive(broadcasts=True)
def logical_xor(x: Any, y: Any, /) -> Tensor:
    """Where exactly one is true. ``x ^ y`` for booleans."""
    return (module_of(x) or xp(y)).logical_xor(x, y)


@primitive
def bitwise_not(x: Any, /) -> Tensor:
    """``~x``: not, of booleans or of every bit of integers."""
    return ~x


@primitive(broadcasts=True)
def bitwise_and(x: Any, y: Any, /) -> Tensor:
    """``x & y`` of booleans or of the bits of integers."""
    return x & y


@primitive(broadcasts=True)
def bitwise_or(x: Any, y: Any, /) -> Tensor:
    """``x | y`` of booleans or of the bits of integers."""
    return x | y


@primitive(broadcasts=True)
def bitwise_xor(x: Any, y: Any, /) -> Tensor:
    """``x ^ y`` of booleans or of the bits of integers."""
    return x ^ y


@primitive
def isnan(x: Any, /) -> Tensor:
    """Where ``x`` is not a number."""
    return xp(x).isnan(x)


@primitive
def isinf(x: Any, /) -> Tensor:
    """Where ``x`` is plus or minus infinity."""
    return xp(x).isinf(x)


@primitive
def isfinite(x: Any, /) -> Tensor:
    """Where ``x`` is neither infinite nor NaN."""
    return xp(x).isfinite(x)


@primitive(broadcasts=True)
def _where(condition: Any, x: Any, y: Any, /) -> Tensor:
    """``x`` where ``condition`` holds, elsewhere ``y``."""
    return (module_of(condition) or module_of(x) or xp(y)).where(condition, x, y)


@primitive(outputs=True)
def _nonzero(x: Any, /) -> tuple[Tensor, ...]:
    """For each dim the indices of the elements that are not zero, in order."""
    return tuple(xp(x).nonzero(xp(x).atleast_1d(x)))


def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """``x`` where ``condition`` holds, elsewhere ``y``.

    The branch not taken gets a gradient of exactly zero, but what it was computed *from* is still differentiated
    there: in ``where(x > 0, log(x), 0)`` the logarithm meets its pole at ``x = 0``, and zero times infinity is NaN.
    Choose twice, the safe argument first::

        positive = x > 0
        y = where(positive, log(where(positive, x, 1.0)), 0.0)

    Args:
        condition: booleans.
        x: taken where true: a tensor, an array or a number.
        y: taken where false. Without ``x`` and ``y`` the result is a tuple of index tensors, one for each dim of
            ``condition``, that names the places where it holds.

    >>> import minigrad as mg
    >>> x = mg.tensor([-1.0, 2.0])
    >>> mg.where(x > 0, x, 0.0).tolist()
    [0.0, 2.0]
    """
    if x is None or y is None:
        if x is y:
            return _nonzero(condition)
        raise DtypeError("where: give both x and y to choose between, or neither for the places where it holds")
    return _where(condition, x, y)


defvjp(
    _where,
    condition=None,
    x=lambda g, condition: where(condition, g, 0.0),
    y=lambda g, condition: where(condition, 0.0, g),
)


def masked_fill(x: Any, mask: Any, value: Any) -> Tensor:
    """``x`` with ``value`` wherever ``mask`` holds; no gradient passes there.

    >>> import minigrad as mg
    >>> mg.masked_fill(mg.ones(2), mg.tensor([True, False]), -1.0).tolist()
    [-1.0, 1.0]
    """
    return where(mask, value, x)


@primitive(broadcasts=True)
def maximum(x: Any, y: Any, /) -> Tensor:
    r""":math:`\max(x, y)`, elementwise. NaN in either gives NaN.

    Where the two are equal each gets half of the gradient; where one is NaN both get all of it.
    """
    return (module_of(x) or xp(y)).maximum(x, y)


@primitive(broadcasts=True)
def minimum(x: Any, y: Any, /) -> Tensor:
    r""":math:`\min(x, y)`, elementwise; gradients as for :func:`maximum`."""
    return (module_of(x) or xp(y)).minimum(x, y)


def _winner(g: Any, x: Any, y: Any) -> Any:
    """``g`` where x is greater than y, half of it where they are equal, nothing where x is less."""
    return where(x < y, 0.0, where(x == y, 0.5 * g, g))


defvjp(maximum, x=_winner, y=lambda g, x, y: _winner(g, y, x))
defvjp(minimum, x=lambda g, x, y: _winner(g, y, x), y=_winner)
