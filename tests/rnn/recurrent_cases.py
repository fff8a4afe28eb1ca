"""What PyTorch gives, as cases: see make_recurrent_fixtures.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def load() -> dict[tuple[str, str], dict[str, np.ndarray[Any, Any]]]:
    """By kind of module and its options as JSON, the arrays of a case by name."""
    with np.load(Path(__file__).with_name("recurrent.npz")) as file:
        index, values = json.loads(str(file["index"])), file["values"]
    cases, position = {}, 0
    for title, shapes in index.items():
        kind, _, options = title.partition(" ")
        case = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            case[name] = values[position : position + size].reshape(shape)
            position += size
        cases[kind, options] = case
    return cases


def group(case: dict[str, Any], name: str) -> list[Any]:
    """``input0, input1, ...``."""
    return [case[key] for key in case if key.startswith(name) and key[len(name) :].isdecimal()]


def weights(case: dict[str, Any]) -> dict[str, Any]:
    """The state dictionary, in the order of its parameters."""
    return {key.removeprefix("weight."): value for key, value in case.items() if key.startswith("weight.")}
