"""The whole op suite on a device that is not the host: same values and gradients, nothing converted behind its back."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg

OPS = Path(__file__).parents[1] / "ops"
sys.path.append(str(OPS))  # the catalogues import their class from beside them

# What cannot be computed without looking at values, because the number of those chosen decides a shape.
WAITS = re.compile(r"\[[^\]]*(mask|one True|bools)[^\]]*\]|masked_select")


def _load(path: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location(f"device_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.CASES)


CASES = [case for path in sorted(OPS.glob("cases_*.py")) for case in _load(path)]


def inputs(case: Any, device: str) -> list[Any]:
    """Float32 tensors on a device; other values as they are."""
    placed = []
    for a in case.inputs(np.random.default_rng(0)):
        if not isinstance(a, (np.ndarray, np.generic)):
            placed.append(a)
            continue
        floating = a.dtype.kind == "f"
        dtype = mg.float32 if floating else a.dtype
        placed.append(mg.tensor(np.asarray(a), dtype, device, requires_grad=floating and case.differentiable))
    return placed


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]


def cotangent(y: Any) -> Any:
    return mg.ones_like(y) / (1 + y.ndim)


def everything(case: Any, xs: list[Any]) -> list[Any]:
    """Outputs, gradients, and gradients of the gradients."""
    outputs = listed(case.function(*xs, **case.params))
    sources = [x for x in xs if isinstance(x, mg.Tensor) and x.requires_grad]
    tracked = [y for y in outputs if isinstance(y, mg.Tensor) and y.requires_grad]
    if not tracked:
        return outputs
    first = mg.grad(tracked, sources, [cotangent(y) for y in tracked], retain_graph=True, allow_unused=True)
    again = mg.grad(tracked, sources, [cotangent(y) for y in tracked], create_graph=True, allow_unused=True)
    curved = [g for g in again if g is not None and g.requires_grad]
    second = mg.grad(curved, sources, [cotangent(g) for g in curved], allow_unused=True) if curved else ()
    return [*outputs, *first, *again, *second]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Any, cuda: Any) -> None:
    mg.manual_seed(0)
    expected = everything(case, inputs(case, "cpu"))
    mg.manual_seed(0)
    xs = inputs(case, "cuda")
    with cuda.waits(None if WAITS.match(str(case)) else 0):
        results = everything(case, xs)
    assert len(results) == len(expected)
    for result, value in zip(results, expected, strict=True):
        if not isinstance(value, mg.Tensor):
            assert result == value
            continue
        assert result.device == "cuda:0"
        assert (result.shape, result.dtype) == (value.shape, value.dtype)
        np.testing.assert_allclose(result.numpy(), value.numpy(), rtol=2e-5, atol=2e-5)
