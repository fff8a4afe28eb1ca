"""The GPU, by PyTorch's names."""

from __future__ import annotations

from . import backend


def is_available() -> bool:
    """Whether there is a GPU to compute on, and CuPy to do it with. Imports CuPy to find out."""
    return backend.is_available()


def device_count() -> int:
    """The number of GPUs that can be used; 0 without CuPy."""
    return backend.on("cuda").count if backend.is_available() else 0


def synchronize() -> None:
    """Wait until the current GPU has done everything asked of it: before reading a clock, for example."""
    backend.on("cuda").synchronize()
