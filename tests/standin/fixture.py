"""The fixture ``cuda``: the device "cuda" is there for a test, on the stand-in, and on a real GPU with ``-m gpu``."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from standin import module
from standin.arrays import traffic as the_traffic

from minigrad import DeviceError, backend


@dataclass
class Cuda:
    """What a test sees of the device."""

    backend: backend.Backend
    real: bool

    @contextlib.contextmanager
    def waits(self, times: int | None = 0, uploads: int | None = None) -> Iterator[None]:
        """Fails if the host waits for the device, or copies to it, another number of times inside (``None``: any).

        A real GPU can only forbid all waiting; numbers are counted on the stand-in.
        """
        if self.real:
            with importlib.import_module("cupyx").allow_synchronize(times != 0):
                yield
            return
        with the_traffic.counted() as traffic:
            yield
        assert times in (None, traffic.syncs), f"the host waited for the device {traffic.syncs} times, not {times}"
        assert uploads in (None, traffic.uploads), f"{traffic.uploads} copies to the device, not {uploads}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for ``cuda`` runs on the stand-in; ``-m gpu`` adds the real thing."""
    if "cuda" in metafunc.fixturenames:
        kinds: list[Any] = ["standin"]
        if "gpu" in metafunc.config.getoption("markexpr"):
            kinds.append(pytest.param("gpu", marks=pytest.mark.gpu))
        metafunc.parametrize("cuda", kinds, indirect=True)


@pytest.fixture
def cuda(request: pytest.FixtureRequest) -> Iterator[Cuda]:
    """A registered backend for the device "cuda"."""
    real = request.param == "gpu"
    if real:
        try:
            used = backend.on("cuda")
        except DeviceError as error:
            pytest.skip(f"no GPU: {str(error).splitlines()[0]}")
    else:
        used = backend.CupyBackend(module.cupy, module.cupyx, module.special)
        backend.register(used)
    try:
        yield Cuda(used, real)
    finally:
        backend.unregister(used)
