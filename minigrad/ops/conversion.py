"""The same values elsewhere: another dtype, another device, another array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import backend
from ..node import Handle
from ..primitive import defvjp, primitive

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def cast(x: Any, /, dtype: Any) -> Tensor:
    """``x`` as another dtype, in a new array."""
    return x.astype(dtype)


def in_dtype(x: Any, dtype: Any) -> Any:
    """``x`` as ``dtype``: for the ops that can be told in which dtype to work."""
    return x.to(dtype) if isinstance(x, Handle) else backend.xp(x).asarray(x, dtype=dtype)  # type: ignore[attr-defined]


@primitive
def clone(x: Any, /) -> Tensor:
    """A copy of ``x`` that gradients flow through."""
    return x.copy()


@primitive
def to_device(x: Any, /, target: str, origin: str) -> Tensor:  # noqa: ARG001 - for the rule
    """``x`` on device ``target``; ``origin`` is where it is now, and where its gradient goes back to."""
    return backend.move(x, target)


defvjp(cast, x=lambda g: g)  # the engine brings a gradient to the dtype of its input
defvjp(clone, x=lambda g: g)
defvjp(to_device, x=lambda g, target, origin: to_device(g, target=origin, origin=target))
