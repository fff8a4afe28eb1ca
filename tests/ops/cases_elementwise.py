"""Cases of the elementwise families: arithmetic, elementary functions, activations, selection."""

import math
from functools import partial

import numpy as np
from case import Case

import minigrad as mg

erf = np.vectorize(math.erf, otypes=[float])


def normal(rng, shape=(2, 3)):
    """Away from 0, where the kinks are."""
    x = rng.normal(size=shape)
    return np.asarray(x + 0.1 * np.sign(x))


def uniform(low, high, shape=(2, 3)):
    return lambda rng: (np.asarray(rng.uniform(low, high, shape)),)


def pair(draw, *shapes):
    """One case's inputs for every pair of shapes: alike, broadcast in every direction, 0-d, empty, and a number."""
    return [lambda rng, s=s, t=t: (np.asarray(draw(rng, s)), np.asarray(draw(rng, t))) for s, t in shapes]


SHAPES = [
    ((2, 3), (2, 3)),
    ((3, 1), (1, 4)),
    ((4,), (2, 3, 4)),
    ((2, 3, 4), (4,)),
    ((2, 1, 3), (4, 1)),
    ((2, 3), ()),
    ((), (3,)),
    ((), ()),
    ((0, 3), (3,)),
    ((1,), (2, 0)),
]


def positive(rng, shape):
    return rng.uniform(0.5, 2.0, shape)


def sided(rng, shape):
    return normal(rng, shape)


def binary(function, reference, draw, differentiable=True):
    name = function.__name__
    cases = [
        Case(function, inputs, reference, name=f"{name}{s}{t}", differentiable=differentiable)
        for (s, t), inputs in zip(SHAPES, pair(draw, *SHAPES), strict=True)
    ]
    number = 1.25  # between the numbers drawn, and no tie
    left = Case(
        lambda y: function(number, y),
        lambda rng: (draw(rng, (2, 3)),),
        lambda y: reference(number, y),
        name=f"{name} number left",
        differentiable=differentiable,
    )
    right = Case(
        lambda x: function(x, number),
        lambda rng: (draw(rng, (2, 3)),),
        lambda x: reference(x, number),
        name=f"{name} number right",
        differentiable=differentiable,
    )
    return [*cases, left, right]


def plain(reference):
    """A reference that has its parameters built in, and ignores those passed."""
    return lambda *arrays, **_: reference(*arrays)


def unary(function, reference, low, high, differentiable=True, **params):
    name = function.__name__ + "".join(f" {key}={value}" for key, value in params.items())
    return [
        Case(function, uniform(low, high, shape), plain(reference), params, f"{name}{shape}", differentiable)
        for shape in [(2, 3), (), (0, 3)]
    ]


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ARITHMETIC = [
    *binary(mg.add, np.add, sided),
    *binary(mg.sub, np.subtract, sided),
    *binary(mg.mul, np.multiply, sided),
    *binary(mg.div, np.divide, sided),
    *binary(mg.floor_divide, np.floor_divide, positive),
    *binary(mg.remainder, np.remainder, positive),
    *binary(mg.fmod, np.fmod, positive),
    *unary(mg.neg, np.negative, -2, 2),
    *unary(mg.square, np.square, -2, 2),
    *unary(mg.reciprocal, np.reciprocal, 0.5, 2),
    *unary(mg.abs, np.abs, 0.1, 2),
    *unary(mg.abs, np.abs, -2, -0.1),
    *unary(mg.sign, np.sign, 0.1, 2),
    *unary(mg.floor, np.floor, 1.1, 1.9),
    *unary(mg.ceil, np.ceil, -1.9, -1.1),
    *unary(mg.trunc, np.trunc, -1.9, -1.1),
    *unary(mg.round, np.round, 1.6, 2.4),
    Case(mg.round, uniform(1.26, 1.34), plain(lambda x: np.round(x, 1)), {"decimals": 1}),
    Case(
        mg.lerp,
        lambda rng: tuple(rng.normal(size=s) for s in [(2, 3), (3,), (2, 1)]),
        lambda x, y, w: x + w * (y - x),
        name="lerp",
    ),
    Case(mg.remainder, lambda rng: (normal(rng) * 3, np.array([2.0, -2.0, 1.5])), np.remainder, name="remainder signs"),
    Case(mg.fmod, lambda rng: (normal(rng) * 3, np.array([2.0, -2.0, 1.5])), np.fmod, name="fmod signs"),
]

ELEMENTARY = [
    *binary(mg.pow, np.power, positive),
    *[
        Case(lambda x, y=y: x**y, lambda rng: (normal(rng),), lambda x, y=y: x**y, name=f"pow {y}")
        for y in (0, 1, 2, 3, -1, -2, 2.0)
    ],
    *[
        Case(lambda x, y=y: x**y, uniform(0.5, 2), lambda x, y=y: x**y, name=f"pow {y}")
        for y in (0.5, -0.5, 1.7)
    ],
    *binary(mg.hypot, np.hypot, sided),
    *binary(mg.atan2, np.arctan2, sided),
    *binary(mg.logaddexp, np.logaddexp, sided),
    *unary(mg.sqrt, np.sqrt, 0.5, 2),
    *unary(mg.rsqrt, lambda x: 1 / np.sqrt(x), 0.5, 2),
    *unary(mg.exp, np.exp, -2, 2),
    *unary(mg.expm1, np.expm1, -2, 2),
    *unary(mg.log, np.log, 0.5, 2),
    *unary(mg.log1p, np.log1p, -0.5, 2),
    *unary(mg.log2, np.log2, 0.5, 2),
    *unary(mg.log10, np.log10, 0.5, 2),
    *unary(mg.erf, erf, -2, 2),
    *unary(mg.sin, np.sin, -4, 4),
    *unary(mg.cos, np.cos, -4, 4),
    *unary(mg.tan, np.tan, -1, 1),
    *unary(mg.asin, np.arcsin, -0.9, 0.9),
    *unary(mg.acos, np.arccos, -0.9, 0.9),
    *unary(mg.atan, np.arctan, -4, 4),
    *unary(mg.sinh, np.sinh, -2, 2),
    *unary(mg.cosh, np.cosh, -2, 2),
    *unary(mg.tanh, np.tanh, -3, 3),
    *unary(mg.asinh, np.arcsinh, -4, 4),
    *unary(mg.acosh, np.arccosh, 1.2, 4),
    *unary(mg.atanh, np.arctanh, -0.9, 0.9),
]

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATION = [
    *unary(mg.sigmoid, sigmoid, -4, 4),
    *unary(mg.relu, lambda x: np.maximum(x, 0), 0.1, 2),
    *unary(mg.relu, lambda x: np.maximum(x, 0), -2, -0.1),
    *unary(mg.silu, lambda x: x * sigmoid(x), -3, 3),
    *unary(mg.gelu, lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))), -3, 3),
    *unary(
        mg.gelu,
        lambda x: x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        -3,
        3,
        approximate="tanh",
    ),
    *unary(mg.softplus, lambda x: np.log1p(np.exp(x)), -3, 3),
    *unary(mg.softplus, lambda x: np.log1p(np.exp(3 * x)) / 3, -3, 3, beta=3.0),
    *unary(mg.softplus, lambda x: x, 1.1, 3, threshold=1.0),
    *unary(mg.softsign, lambda x: x / (1 + np.abs(x)), 0.1, 3),
    *unary(mg.logsigmoid, lambda x: np.log(sigmoid(x)), -4, 4),
    *unary(mg.hardtanh, lambda x: np.clip(x, -1, 1), -0.9, 0.9),
    *unary(mg.hardtanh, lambda x: np.clip(x, 0, 2), 2.1, 3, min_val=0.0, max_val=2.0),
    *unary(mg.hardsigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1), -2.9, 2.9),
    *unary(mg.hardsigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1), 3.1, 4),
    *[
        case
        for low, high in [(0.1, 2), (-2, -0.1)]
        for case in [
            *unary(mg.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), low, high),
            *unary(mg.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x), low, high, negative_slope=0.2),
            *unary(mg.elu, lambda x: np.where(x > 0, x, np.expm1(x)), low, high),
            *unary(mg.elu, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), low, high, alpha=0.5),
            *unary(mg.selu, lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)), low, high),
        ]
    ],
    *[
        Case(
            function,
            uniform(-2, 2, shape),
            plain(partial(reference, axis=dim)),
            {"dim": dim},
            f"{name} {dim} {shape}",
        )
        for name, function, reference in [
            ("softmax", mg.softmax, softmax),
            ("log_softmax", mg.log_softmax, lambda x, axis: np.log(softmax(x, axis))),
        ]
        for dim, shape in [(0, (3,)), (-1, (2, 3)), (0, (2, 3)), (1, (2, 3, 2)), (1, (2, 1))]
    ],
]


def apart(rng, shape):
    """Numbers of which no two drawn one after the other are close."""
    return np.asarray(rng.integers(-20, 20, shape) / 4 + rng.uniform(0.02, 0.1))


def flags(rng, shape):
    return np.asarray(rng.random(shape) < 0.5)


SELECTION = [
    *[
        case
        for function, reference in [
            (mg.eq, np.equal),
            (mg.ne, np.not_equal),
            (mg.lt, np.less),
            (mg.le, np.less_equal),
            (mg.gt, np.greater),
            (mg.ge, np.greater_equal),
            (mg.logical_and, np.logical_and),
            (mg.logical_or, np.logical_or),
            (mg.logical_xor, np.logical_xor),
        ]
        for case in binary(function, reference, apart, differentiable=False)
    ],
    *[
        Case(function, lambda rng: (flags(rng, (2, 3)), flags(rng, (3,))), reference, differentiable=False)
        for function, reference in [
            (mg.bitwise_and, np.bitwise_and),
            (mg.bitwise_or, np.bitwise_or),
            (mg.bitwise_xor, np.bitwise_xor),
        ]
    ],
    Case(mg.bitwise_not, lambda rng: (flags(rng, (2, 3)),), np.bitwise_not, differentiable=False),
    Case(mg.logical_not, lambda rng: (apart(rng, (2, 3)),), np.logical_not, differentiable=False),
    *unary(mg.isnan, np.isnan, -2, 2, differentiable=False),
    *unary(mg.isinf, np.isinf, -2, 2, differentiable=False),
    *unary(mg.isfinite, np.isfinite, -2, 2, differentiable=False),
    *binary(mg.maximum, np.maximum, apart),
    *binary(mg.minimum, np.minimum, apart),
    *unary(mg.nan_to_num, np.nan_to_num, -2, 2),
    *[
        Case(
            mg.clamp,
            lambda rng: (apart(rng, (2, 3)),),
            plain(lambda x, b=bounds: np.clip(x, *b)),
            {"min": bounds[0], "max": bounds[1]},
        )
        for bounds in [(-1.0, 1.0), (None, 1.0), (-1.0, None), (1.0, -1.0)]
    ],
    *[
        Case(mg.clamp, lambda rng, s=shapes: tuple(apart(rng, shape) for shape in s), np.clip, name=f"clamp{shapes}")
        for shapes in [((4, 5), (4, 5), (4, 5)), ((4, 5), (5,), ()), ((5,), (4, 1), (4, 5))]
    ],
    Case(
        lambda x, low: mg.clamp(x, min=low),
        lambda rng: (apart(rng, (4, 5)), apart(rng, (5,))),
        np.maximum,
        name="clamp tensor min",
    ),
    Case(
        lambda x, high: mg.clamp(x, max=high),
        lambda rng: (apart(rng, (4, 5)), apart(rng, (5,))),
        np.minimum,
        name="clamp tensor max",
    ),
    *[
        Case(
            mg.where,
            lambda rng, s=shapes: (flags(rng, s[0]), normal(rng, s[1]), normal(rng, s[2])),
            np.where,
            name=f"where{shapes}",
        )
        for shapes in [
            ((2, 3), (2, 3), (2, 3)),
            ((3,), (2, 1), ()),
            ((2, 1), (3,), (2, 3)),
            ((), (3,), ()),
            ((0, 3), (3,), ()),
        ]
    ],
    Case(
        lambda c, x: mg.where(c, x, 0.5),
        lambda rng: (flags(rng, (2, 3)), normal(rng)),
        lambda c, x: np.where(c, x, 0.5),
        name="where number right",
    ),
    Case(
        lambda c, y: mg.where(c, 2, y),
        lambda rng: (flags(rng, (2, 3)), normal(rng)),
        lambda c, y: np.where(c, 2, y),
        name="where number left",
    ),
    Case(
        lambda x, m: mg.masked_fill(x, m, 7.0),
        lambda rng: (normal(rng), flags(rng, (3,))),
        lambda x, m: np.where(m, 7.0, x),
        name="masked_fill",
    ),
]

CASES = [*ARITHMETIC, *ELEMENTARY, *ACTIVATION, *SELECTION]
