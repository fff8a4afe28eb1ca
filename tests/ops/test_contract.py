"""Every op keeps its promises: the cases of the catalogues beside this file, and whatever else is registered."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pytest
from case import Case

import minigrad as mg
from minigrad import backend
from minigrad.check import check_op
from minigrad.op import REGISTRY, Op


def _load(path: Path) -> list[Case]:
    spec = importlib.util.spec_from_file_location(f"ops_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.CASES)


CASES = [case for path in sorted(Path(__file__).parent.glob("cases_*.py")) for case in _load(path)]
ELSEWHERE = {"to_device"}  # needs a second device: tests/backend
OPS = {name: op for name, op in REGISTRY.items() if op.module.startswith("minigrad.")}


def inputs_of(case: Case) -> tuple[object, ...]:
    return case.inputs(np.random.default_rng(0))


def ops_of(case: Case) -> set[str]:
    """The ops that a case runs: in its forward, and in its rules when they are recorded."""
    seen: set[str] = set()
    inputs = [mg.tensor(a) if isinstance(a, np.ndarray) else a for a in inputs_of(case)]
    for x in inputs:
        if isinstance(x, mg.Tensor) and x.dtype.kind == "f":
            x.requires_grad = case.differentiable
    with mg.observe(lambda event: seen.add(event.op.name)):
        outputs = case.function(*inputs, **case.params)
        for y in outputs if isinstance(outputs, (tuple, list)) else [outputs]:
            if isinstance(y, mg.Tensor) and y.requires_grad:
                tracked = [x for x in inputs if isinstance(x, mg.Tensor) and x.requires_grad]
                mg.grad(y, tracked, mg.ones_like(y), create_graph=True, allow_unused=True)
    return seen


@pytest.fixture(scope="module")
def exercised() -> set[str]:
    return set().union(*map(ops_of, CASES)) if CASES else set()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    check_op(
        case.function, *inputs_of(case), reference=case.reference, differentiable=case.differentiable, **case.params
    )


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_op_is_exercised(op: Op, exercised: set[str], calls: dict[str, object]) -> None:
    """An op that no case names is checked with inputs drawn from its number of arguments, parameters at defaults."""
    if op.name not in exercised | ELSEWHERE:
        try:
            check_op(calls[op.name])
        except mg.MinigradError as error:
            pytest.fail(f"no case of a catalogue runs {op.name}, and with inputs of shape (2, 3): {error}")


@pytest.fixture(scope="module")
def calls() -> dict[str, object]:
    """The functions of the ops by name: what ``@primitive`` returned, found in the module that declared it."""
    found: dict[str, object] = {}
    for op in OPS.values():
        for value in vars(importlib.import_module(op.module)).values():
            if getattr(value, "op", None) is op:
                found[op.name] = value
    return found


def globals_of(rule: Any) -> Iterator[Any]:
    """What the code of a rule, and of the functions inside it, refers to by name."""
    codes = [rule.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        yield from (rule.__globals__[name] for name in code.co_names if name in rule.__globals__)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_rules_use_nothing_but_our_own_functions(op: Op) -> None:
    """A rule that calls the array library directly has one reading only and breaks second order."""
    for rule in op.keeps:
        if hasattr(rule, "__code__"):
            assert not any(value is np or value is backend.xp for value in globals_of(rule)), op.name


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_op_says_what_it_computes(op: Op) -> None:
    assert op.doc.strip(), f"{op.name} has no docstring"


def test_a_new_op_would_be_picked_up(scratch_ops: None) -> None:
    """What a student does: six lines, and the contract runs on them."""

    @mg.primitive
    def cube(x, /):
        """x to the third"""
        return x * x * x

    mg.defvjp(cube, x=lambda g, x: 3 * g * x * x)
    assert REGISTRY["cube"].name == "cube"
    assert check_op(cube, reference=lambda x: x**3)
