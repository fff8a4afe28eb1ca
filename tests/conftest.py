"""What every test gets: seeded random numbers, and a failure if it leaves the library changed."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator

import pytest

import minigrad as mg
import minigrad_rnn.tree  # noqa: F401 - declares its ops before a test looks whether any were added
from minigrad import backend
from minigrad.context import current
from minigrad.op import REGISTRY

pytest_plugins = ["standin.fixture"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is where a shell runs the tests in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _global_state() -> dict[str, object]:
    return {
        "the context (a mode was entered and not left)": id(current()),
        "the default dtype": mg.get_default_dtype(),
        "the registry of ops (use the fixture scratch_ops)": dict(REGISTRY),
        "the registered backends, by array type": dict(backend._by_type),
        "the registered backends, by device": dict(backend._by_kind),
        "the garbage collector's switch": gc.isenabled(),
    }


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Seeds the random numbers; fails a test that changes what the next one would see."""
    before = _global_state()
    mg.manual_seed(0)
    yield
    after = _global_state()
    changed = [what for what in before if after[what] != before[what]]
    assert not changed, f"the test changed {', '.join(changed)}"


@pytest.fixture
def scratch_ops() -> Iterator[None]:
    """Forgets the ops that a test declares."""
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)
