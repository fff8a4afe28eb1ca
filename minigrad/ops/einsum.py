"""Einstein summation: products and sums of tensors spelt by letters, and tensordot, which is one of them.

The gradient of such a product is such a product too: of the cotangent with the other operands, onto the letters of the
operand wanted. A letter that only this operand has is spread by a vector of ones, and a letter that stands twice in it
(a diagonal) by an identity matrix. So one rule serves every equation and every order of derivative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_letters
from typing import TYPE_CHECKING, Any

from ..backend import xp
from ..errors import ShapeError
from ..node import Handle
from ..primitive import defvjp_joint, primitive
from .shape import dim_of
from .totals import add_up, settled

if TYPE_CHECKING:
    from ..tensor import Tensor


def einsum(equation: str, *operands: Any) -> Tensor:
    """The product of tensors, summed over every letter that the result does not have.

    Args:
        equation: for each operand a letter per dim, an arrow, and the letters of the result: ``"ij,jk->ik"`` is a
            product of matrices. A letter twice in one operand takes the diagonal; ``...`` stands for the dims that
            are left over, which are broadcast. Without an arrow the result has the letters that occur once, in
            alphabetical order, behind those of ``...``.
        operands: the tensors, or one list of them.

    Raises:
        ShapeError: letters and shapes that do not fit each other.

    >>> import minigrad as mg
    >>> mg.einsum("ii->", mg.eye(3)).item(), mg.einsum("i,j->ij", mg.ones(2), mg.ones(3)).shape
    (3.0, (2, 3))
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    return _einsum(*operands, equation=_spelt_out(equation, tuple(len(x.shape) for x in operands)))


@lru_cache
def _spelt_out(equation: str, ndims: tuple[int, ...]) -> str:
    """The equation with letters for ``...`` and with its result."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(f'einsum: "{equation}" names {len(terms)} operands, there are {len(ndims)}')
    spare = [c for c in ascii_letters if c not in equation]
    rest = []
    for term, ndim in zip(terms, ndims, strict=True):
        extra = ndim - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(f'einsum: "{term}" in "{equation}" is for another number of dims than {ndim}')
        rest.append("".join(spare[:extra][::-1]))  # counted from the right, as broadcasting does
    hidden = max(rest, key=len)
    terms = [term.replace("...", letters) for term, letters in zip(terms, rest, strict=True)]
    if not arrow:
        every = "".join(terms)
        out = "..." + "".join(sorted(c for c in set(every) - set(hidden) if every.count(c) == 1))
    return ",".join(terms) + "->" + out.replace("...", hidden)


@primitive
def _einsum(*operands: Any, equation: str) -> Tensor:
    """The product of tensors, summed over every letter that the result does not have."""
    alike = _sizes_agree(equation, operands)
    if len(operands) == 2 and alike:
        plan = _as_matrices(equation)
        if plan is not None:
            return _product(plan, *operands)
    module = xp(operands[0])
    if len(operands) > 1:
        return module.einsum(equation, *operands, optimize=True)
    return module.einsum(equation, operands[0]).view()


def _sizes_agree(equation: str, operands: Sequence[Any]) -> bool:
    """Whether every letter has one size; false if it is also 1 in another operand and thus to be broadcast."""
    sizes: dict[str, int] = {}
    alike = True
    for term, x in zip(equation.partition("->")[0].split(","), operands, strict=True):
        for position, (letter, size) in enumerate(zip(term, x.shape, strict=True)):
            known = sizes.setdefault(letter, size)
            if known != size:
                alike = False
                if 1 not in (known, size) or letter in term[:position]:
                    raise ValueError(f'"{letter}" in "{equation}" is {known} and {size} long')
                sizes[letter] = max(known, size)
    return alike


@lru_cache
def _as_matrices(equation: str) -> tuple[Any, ...] | None:
    """How to write a product of two as one of (batches of) matrices; ``None`` where a letter stands twice in one.

    Returns:
        Dims that only one of the two has and the result has not, to be summed at once; the orders of dims that make
        the left ``(batch, left, inner)``, the right ``(batch, inner, right)``; how many dims each of these four
        groups has; and the order of dims that brings the product to the result.
    """
    left, _, out = equation.partition("->")
    x, y = left.split(",")
    if len(set(x)) < len(x) or len(set(y)) < len(y) or len(set(out)) < len(out) or not set(out) <= set(x + y):
        return None
    alone_x = tuple(i for i, c in enumerate(x) if c not in y + out)
    alone_y = tuple(i for i, c in enumerate(y) if c not in x + out)
    x, y = (("".join(c for c in term if c in other + out)) for term, other in ((x, y), (y, x)))
    batch = [c for c in x if c in y and c in out]
    inner = [c for c in x if c in y and c not in out]
    rows, columns = [c for c in x if c not in y], [c for c in y if c not in x]
    product = [*batch, *rows, *columns]
    return (
        (alone_x, alone_y),
        ([x.index(c) for c in batch + rows + inner], [y.index(c) for c in batch + inner + columns]),
        (len(batch), len(rows), len(inner)),
        [product.index(c) for c in out],
    )


def _product(plan: tuple[Any, ...], x: Any, y: Any) -> Any:
    """A product of two arrays by one product of matrices."""
    (alone_x, alone_y), (order_x, order_y), (batch, rows, inner), order = plan
    x, y = (settled(add_up(v, axis), v) if axis else v for v, axis in ((x, alone_x), (y, alone_y)))
    x, y = x.transpose(order_x), y.transpose(order_y)
    left, columns = x.shape[: batch + rows], y.shape[batch + inner :]
    m, k, n = math.prod(left[batch:]), math.prod(x.shape[batch + rows :]), math.prod(columns)
    out = x.reshape(*left[:batch], m, k) @ y.reshape(*left[:batch], k, n)
    return out.reshape(left + columns).transpose(order)


@defvjp_joint(_einsum)
def _einsum_rule(g: Any, operands: Any, equation: str, needs: tuple[bool, ...]) -> Any:
    return tuple(_gradient(g, i, operands, equation) if need else None for i, need in enumerate(needs))


def _gradient(g: Any, position: int, operands: Any, equation: str) -> Any:
    """The gradient of one operand: the cotangent times the others, onto its letters."""
    left, _, out = equation.partition("->")
    terms = left.split(",")
    factors = [(out, g), *((t, x) for i, (t, x) in enumerate(zip(terms, operands, strict=True)) if i != position)]
    sizes: dict[str, int] = {}
    for term, x in factors:
        for letter, size in zip(term, x.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, size)) if 0 not in (size, sizes.get(letter, size)) else 0
    module = xp(g._data if isinstance(g, Handle) else g)
    spare = [c for c in ascii_letters if c not in equation]
    wanted = ""
    for letter, size in zip(terms[position], operands[position].shape, strict=True):
        if letter in wanted:
            wanted += spare.pop()
            factors.append((letter + wanted[-1], module.eye(size, dtype=g.dtype)))
            continue
        wanted += letter
        if letter not in sizes or (sizes[letter] == 1 and size != 1):
            factors.append((letter, module.ones(size, dtype=g.dtype)))
    return _einsum(*(x for _, x in factors), equation=",".join(t for t, _ in factors) + "->" + wanted)


def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """The product of two tensors, summed over pairs of dims.

    Args:
        a: a tensor.
        b: a tensor.
        dims: a number ``n``, for the last ``n`` dims of ``a`` with the first ``n`` of ``b``; or two lists of dims, of
            ``a`` and of ``b``, that belong together.

    Raises:
        ShapeError: dims that are not there, or whose sizes differ.

    >>> import minigrad as mg
    >>> mg.tensordot(mg.ones(2, 3, 4), mg.ones(4, 3), dims=([1, 2], [1, 0])).tolist()
    [12.0, 12.0]
    """
    n, m = len(a.shape), len(b.shape)
    if isinstance(dims, int):
        if not 0 <= dims <= min(n, m):
            raise ShapeError(f"tensordot: dims={dims} is more than shapes {tuple(a.shape)} and {tuple(b.shape)} have")
        dims = range(n - dims, n), range(dims)
    lists = [(v,) if isinstance(v, int) else v for v in dims]
    of_a, of_b = ([dim_of(x.shape, d) for d in v] for x, v in zip((a, b), lists, strict=True))
    if len(of_a) != len(of_b):
        raise ShapeError(f"tensordot: {len(of_a)} dims of a cannot be paired with {len(of_b)} of b")
    x, y = list(ascii_letters[:n]), list(ascii_letters[n : n + m])
    for i, j in zip(of_a, of_b, strict=True):
        y[j] = x[i]
    out = [c for c in x if c not in y] + [c for c in y if c not in x]
    return _einsum(a, b, equation=f"{''.join(x)},{''.join(y)}->{''.join(out)}")
