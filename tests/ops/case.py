"""What the contract test of ops runs over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One call of an op: the function on tensors, how to draw its inputs, and the same thing in NumPy."""

    function: Callable[..., Any]  # public minigrad function (or method) on tensors
    inputs: Callable[[Any], tuple[Any, ...]]  # rng -> float64 arrays (or ints/bools where taken), away from kinks
    reference: Callable[..., Any]  # the same on NumPy arrays
    params: dict[str, Any] = field(default_factory=dict)  # keyword parameters of function
    name: str = ""  # shown by pytest; defaults to function name + params
    differentiable: bool = True

    def __str__(self) -> str:
        given = ",".join(f"{key}={value}" for key, value in self.params.items())
        return self.name or getattr(self.function, "__name__", "op") + (f"({given})" if given else "")
