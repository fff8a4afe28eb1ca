"""Activation functions by their names here, in Keras and in ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy

from .parts import ConversionError

# What each kind of layer applies, in the order in which ONNX lists it.
ROLES = {
    "rnn": ("nonlinearity",),
    "gru": ("gate_nonlinearity", "nonlinearity"),
    "lstm": ("gate_nonlinearity", "nonlinearity", "output_nonlinearity"),
}

USUAL = {"gate_nonlinearity": "sigmoid", "nonlinearity": "tanh", "output_nonlinearity": "tanh"}

KERAS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "relu": "relu",
    "identity": "linear",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "softsign": "softsign",
    "softplus": "softplus",
    "elu": "elu",
    "selu": "selu",
    "logsigmoid": "log_sigmoid",
    "silu": "silu",
    "gelu": "gelu",
}


class Function(NamedTuple):
    """A function of ONNX, with the values of its parameters where it has them."""

    name: str
    alpha: float | None = None
    beta: float | None = None


ONNX = {
    "tanh": Function("Tanh"),
    "sigmoid": Function("Sigmoid"),
    "relu": Function("Relu"),
    "identity": Function("Affine", 1.0, 0.0),
    "hardsigmoid": Function("HardSigmoid", 1 / 6, 0.5),
    "hardsigmoid_onnx": Function("HardSigmoid", 0.2, 0.5),
    "softsign": Function("Softsign"),
    "softplus": Function("Softplus"),
    "elu": Function("Elu", 1.0),
    "leaky_relu": Function("LeakyRelu", 0.01),
}
ONNX_DEFAULTS = {
    "affine": (1.0, 0.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, None),
    "leakyrelu": (0.01, None),
}


def from_keras_activation(name: Any) -> str:
    """Our name of a function that Keras calls ``name``; a layer as a function, such as LeakyReLU, has none."""
    asked = {None: "linear", "swish": "silu"}.get(name, name) if isinstance(name, (str, type(None))) else None
    for ours, theirs in KERAS.items():
        if theirs == asked:
            return ours
    raise ConversionError(f"Keras's activation {_told(name)}: the layers here have none like it, but {_list(KERAS)}")


def to_keras_activation(name: str) -> str:
    """Keras's name of a function of ours."""
    if name not in KERAS:
        raise ConversionError(f"Keras has no activation {name!r} by name; those it has are {_list(KERAS)}")
    return KERAS[name]


def from_onnx_activations(kind: str, attributes: dict[str, Any], directions: int) -> dict[str, str]:
    """Our options for the activations of an operator, from its attributes.

    ``activation_alpha`` and ``activation_beta`` hold values for those functions only that have such a parameter.
    """
    roles, names = ROLES[kind], attributes.get("activations") or []
    if not names:
        return {}
    if len(names) != len(roles) * directions:
        raise ConversionError(f"activations={names}: this operator has {len(roles)} in each of {directions} directions")
    alphas, betas = (iter(attributes.get(f"activation_{which}") or ()) for which in ("alpha", "beta"))
    found = [_from_onnx(str(name), alphas, betas) for name in names]
    if found[: len(roles)] * directions != found:
        raise ConversionError(f"activations={names}: the two directions of a layer here have the same activations")
    return dict(zip(roles, found, strict=False))


def _from_onnx(name: str, alphas: Iterator[float], betas: Iterator[float]) -> str:
    values = [
        None if default is None else float(next(given, default))
        for default, given in zip(ONNX_DEFAULTS.get(name.lower(), (None, None)), (alphas, betas), strict=True)
    ]
    for ours, function in ONNX.items():
        if function.name.lower() == name.lower() and _close(values, function[1:]):
            return ours
    told = "".join(f", {which}={v:g}" for which, v in zip(("alpha", "beta"), values, strict=True) if v is not None)
    raise ConversionError(
        f"ONNX's activation {name}{told}: the layers here have none like it, but {_list(ONNX)}, with the parameters"
        " that make them those"
    )


def to_onnx_activations(kind: str, names: Sequence[str], directions: int) -> dict[str, Any]:
    """The attributes for activations of ours, in the order of :data:`ROLES`; none if they are the usual ones."""
    for name in names:
        if name not in ONNX:
            raise ConversionError(f"ONNX has no activation like {name!r}; those it has are {_list(ONNX)}")
    if list(names) == [USUAL[role] for role in ROLES[kind]]:
        return {}
    functions = [ONNX[name] for name in names] * directions
    attributes: dict[str, Any] = {"activations": [function.name for function in functions]}
    for which in ("alpha", "beta"):
        values = [getattr(function, which) for function in functions]
        if any(value is not None for value in values):
            attributes[f"activation_{which}"] = [value for value in values if value is not None]
    return attributes


def _close(values: Sequence[float | None], others: Sequence[float | None]) -> bool:
    """Whether the parameters of a function are these; the attributes of a model are float32."""
    here, there = ([value for value in row if value is not None] for row in (values, others))
    return numpy.allclose(here, there, rtol=1e-6, atol=0)


def _list(names: dict[str, Any]) -> str:
    return ", ".join(names)


def _told(name: Any) -> str:
    return str(name.get("class_name", name)) if isinstance(name, dict) else repr(name)
