"""Which ops are whole sequences in one, so that no step of them can be looked at."""

from __future__ import annotations

from .. import kernels


def fused_ops() -> set[str]:
    """The names of these ops in a graph."""
    return {kernel.op.name for kernel in vars(kernels).values() if hasattr(kernel, "op")}
