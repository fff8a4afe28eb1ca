"""Cases of reductions, extremes and order, norms, and scans."""

import itertools

import numpy as np
from case import Case

import minigrad as mg
from minigrad.ops.norm import _abs_power, _signed_power
from minigrad.ops.scan import _recurrence

SHAPE = (2, 3, 2)
DIMS = [None, 0, -1, (0, 2), (-2,), (0, 1, 2)]


def normal(rng, shape=SHAPE):
    """Away from 0."""
    x = rng.normal(size=shape)
    return x + 0.3 * np.sign(x)


def distinct(rng, shape=SHAPE):
    """No two alike, all magnitudes apart: no ties."""
    n = int(np.prod(shape))
    return ((rng.permutation(n) + 1.0) * rng.choice([-0.5, 0.5], n)).reshape(shape)


def with_zeros(rng, shape=SHAPE):
    """One zero in some of the products, two in others, none in the rest."""
    x = rng.uniform(0.5, 1.5, shape)
    x.reshape(-1)[::5] = 0.0
    x.reshape(-1)[1:3] = 0.0
    return x


def flags(rng, shape=SHAPE):
    return rng.random(shape) < 0.5


def reduced(function, reference, draw=normal, differentiable=True, **more):
    """A case for every dim, kept and not, and for a 0-d tensor."""
    return [
        Case(
            function,
            lambda rng, draw=draw, shape=shape: (np.asarray(draw(rng, shape)),),
            lambda x, dim=None, keepdim=False, **rest: reference(x, axis=dim, keepdims=keepdim, **rest),
            params={"dim": dim, "keepdim": keepdim, **more},
            differentiable=differentiable,
            name=f"{function.__name__}{shape}({dim},{keepdim}{more or ''})",
        )
        for shape, dim, keepdim in [*((SHAPE, *p) for p in itertools.product(DIMS, (False, True))), ((), None, False)]
    ]


def np_logsumexp(x, axis, keepdims):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def np_norm(x, axis, keepdims, p):
    size = np.abs(x)
    if p == 0:
        return (x != 0).sum(axis=axis, keepdims=keepdims).astype(x.dtype)
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    return (size**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


def np_var(x, axis, keepdims, correction=1):
    return np.var(x, axis=axis, keepdims=keepdims, ddof=int(correction))


def np_std(x, axis, keepdims, correction=1):
    return np.sqrt(np_var(x, axis, keepdims, correction))


def along(function, reference, draw=normal, differentiable=True, **more):
    """A case for each dim of a tensor."""
    return [
        Case(
            function,
            lambda rng, draw=draw: (draw(rng, (3, 4)),),
            lambda x, dim, **rest: reference(x, dim, **rest) if x.shape else alone(reference, x, **rest),
            params={"dim": dim, **more},
            differentiable=differentiable,
            name=f"{function.__name__}({dim}{more or ''})",
        )
        for dim in (0, 1, -1)
    ]


def alone(reference, x, keepdim=False, **rest):
    """A tensor without dims counts as one with a single element along dim 0."""
    return reference(x.reshape(1), 0, **rest, **({"keepdim": False} if keepdim else {})).reshape(())


def values_of(function):
    def values(x, **params):
        return function(x, **params).values

    values.__name__ = f"{function.__name__}.values"
    return values


def indices_of(function):
    def indices(x, **params):
        return function(x, **params).indices

    indices.__name__ = f"{function.__name__}.indices"
    return indices


def backwards(x, dim, descending=False):
    return np.flip(x, dim) if descending else x


SUMS = [
    *reduced(mg.sum, np.sum),
    *reduced(mg.mean, np.mean),
    *reduced(mg.logsumexp, np_logsumexp),
    *reduced(mg.var, np_var)[:-1],
    *reduced(mg.var, np_var, correction=0),
    *reduced(mg.std, np_std)[:-1],
    *reduced(mg.std, np_std, correction=0)[:-1],
    *reduced(mg.all, np.all, flags, differentiable=False),
    *reduced(mg.any, np.any, flags, differentiable=False),
    *[
        Case(mg.count_nonzero, lambda rng: (flags(rng).astype(int),), lambda x, dim=None: np.count_nonzero(x, dim),
             params={"dim": dim}, differentiable=False)
        for dim in DIMS
    ],
]

NORMS = [case for p in (2, 1, 0, 3, 1.5, 0.5, -1, np.inf, -np.inf) for case in reduced(mg.norm, np_norm, distinct, p=p)]

ORDER = [
    *reduced(mg.amax, np.max, distinct),
    *reduced(mg.amin, np.min, distinct),
    *[
        Case(function, lambda rng: (distinct(rng),), reference, name=f"{function.__name__}()")
        for function, reference in [(mg.max, np.max), (mg.min, np.min)]
    ],
    *along(values_of(mg.max), np.max, distinct),
    *along(values_of(mg.min), np.min, distinct),
    *along(values_of(mg.max), lambda x, dim, keepdim: np.max(x, dim, keepdims=keepdim), distinct, keepdim=True),
    *along(indices_of(mg.max), np.argmax, distinct, differentiable=False),
    *along(mg.argmax, np.argmax, distinct, differentiable=False),
    *along(mg.argmin, np.argmin, distinct, differentiable=False),
    *[
        Case(function, lambda rng: (distinct(rng),), lambda x, keepdim, r=reference: r(x, keepdims=keepdim),
             params={"keepdim": keepdim}, differentiable=False)
        for function, reference in [(mg.argmax, np.argmax), (mg.argmin, np.argmin)]
        for keepdim in (False, True)
    ],
    *[
        case
        for descending in (False, True)
        for case in [
            *along(values_of(mg.sort), lambda x, dim, descending: backwards(np.sort(x, dim), dim, descending), distinct,
                   descending=descending),
            *along(mg.argsort, lambda x, dim, descending: backwards(np.argsort(x, dim), dim, descending), distinct,
                   differentiable=False, descending=descending),
            *along(values_of(mg.topk),
                   lambda x, dim, k, largest: np.take(backwards(np.sort(x, dim), dim, largest), [0, 1], dim), distinct,
                   k=2, largest=descending),
        ]
    ],
]

SCANS = [
    *reduced(mg.prod, np.prod),
    *reduced(mg.prod, np.prod, with_zeros),
    *along(mg.cumsum, np.cumsum),
    *along(mg.cumprod, np.cumprod),
    *along(mg.cumprod, np.cumprod, with_zeros),
    *along(mg.cumsum, lambda x, dim, reverse: np.flip(np.cumsum(np.flip(x, dim), dim), dim), reverse=True),
    *along(mg.cumprod, lambda x, dim, reverse: np.flip(np.cumprod(np.flip(x, dim), dim), dim), reverse=True),
    *[case for n in (1, 2, 3, 4) for case in along(mg.diff, lambda x, dim, n: np.diff(x, n, dim), n=n)],
]


def np_recurrence(a, b, dim, reverse=False):
    if reverse:
        return np.flip(np_recurrence(np.flip(a, dim), np.flip(b, dim), dim), dim)
    a, b = np.moveaxis(a, dim, 0), np.moveaxis(b, dim, 0)
    out = np.zeros_like(b)
    for i in range(len(b)):
        out[i] = (a[i] * out[i - 1] if i else 0.0) + b[i]
    return np.moveaxis(out, 0, dim)


# ops that only gradients of gradients run
INNER = [
    *[
        Case(_abs_power, lambda rng: (normal(rng),), lambda x, p: np.abs(x) ** p, params={"p": p})
        for p in (-1.0, 0.5, 3.0)
    ],
    *[
        Case(_signed_power, lambda rng: (normal(rng),), lambda x, p: np.sign(x) * np.abs(x) ** p, params={"p": p})
        for p in (-0.5, 0.0, 2.0)
    ],
    *[
        Case(_recurrence, lambda rng: (with_zeros(rng), normal(rng)), np_recurrence,
             params={"dim": dim, "reverse": reverse}, name=f"recurrence({dim},{reverse})")
        for dim in (0, 1, -1)
        for reverse in (False, True)
    ],
]

CASES = [*SUMS, *NORMS, *ORDER, *SCANS, *INNER]
