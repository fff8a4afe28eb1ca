"""Losses, normalisation and embedding give PyTorch's values and gradients (see make_fixtures.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F  # noqa: N812

with np.load(Path(__file__).with_name("fixtures.npz")) as _file:
    _contents, _values = json.loads(str(_file["contents"])), _file["values"]
SPECS: list[dict[str, Any]] = _contents["specs"]
ARRAYS = {
    name: _values[start : start + int(np.prod(shape))].reshape(shape).astype({"f": float, "i": int}[kind])
    for name, (kind, shape, start) in _contents["layout"].items()
}


def _name(number: int) -> str:
    spec = SPECS[number]
    options = [f"{key}={value}" for key, value in spec["kwargs"].items()] + spec["tensors"]
    return f"{number}-{spec['function']}-{','.join(options)}{'-' + spec['note'] if spec['note'] else ''}"


@pytest.mark.parametrize("number", range(len(SPECS)), ids=_name)
def test_case(number: int) -> None:
    spec = SPECS[number]
    args = [mg.tensor(ARRAYS[f"{number}.arg{i}"], requires_grad=i in spec["wrt"]) for i in range(spec["args"])]
    named = {key: mg.tensor(ARRAYS[f"{number}.{key}"]) for key in spec["tensors"]}
    out = getattr(F, spec["function"])(*args, **named, **spec["kwargs"])
    np.testing.assert_allclose(out.numpy(), ARRAYS[f"{number}.out"], rtol=1e-9, atol=1e-12)
    out.backward(mg.tensor(ARRAYS[f"{number}.cotangent"]))
    for i in spec["wrt"]:
        np.testing.assert_allclose(args[i].grad.numpy(), ARRAYS[f"{number}.grad{i}"], rtol=1e-7, atol=1e-12)
    for key, value in named.items():
        np.testing.assert_allclose(value.numpy(), ARRAYS[f"{number}.{key}.after"], rtol=1e-9, err_msg=key)
