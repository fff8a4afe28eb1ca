"""Layers where Numba is missing or broken, and what Numba keeps on disk."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN, compiled, uncompiled


def reason(layer):
    return layer.plan()[0].reason.removeprefix("one op for the whole sequence, ")


def computed(layer):
    """The outputs and the gradient of the input, as arrays."""
    x = mg.tensor(np.random.default_rng(0).normal(size=(5, 2, 3)).astype("f4"), requires_grad=True)
    output, _ = layer(x)
    (output * output).sum().backward()
    return output.numpy(), x.grad.numpy()

@pytest.fixture
def forgotten(monkeypatch):
    """Nothing compiled was imported yet; afterwards everything is as before."""
    for name in [*sys.modules]:
        if name.startswith("minigrad_rnn.compiled."):
            monkeypatch.delitem(sys.modules, name)
            monkeypatch.delattr(compiled, name.rpartition(".")[2])
    compiled.lacking.cache_clear()
    yield
    compiled.lacking.cache_clear()


class Broken:
    """An importer that cannot import Numba."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name == "numba":
            raise self.error


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
def test_without_numba_layers_compute_with_numpy(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    layer = kind(3, 4)
    assert reason(layer) == 'in NumPy: there is no Numba; pip install "minigrad[fast]"'
    result = computed(layer)
    with uncompiled():
        for a, b in zip(result, computed(layer), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("error", [ImportError("Numba needs NumPy 2.0 or less"), OSError("no libLLVM")], ids=str)
def test_a_numba_that_cannot_be_imported_tells_why(error, monkeypatch):
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(sys, "meta_path", [Broken(error), *sys.meta_path])
    layer = GRU(3, 4)
    assert reason(layer) == f"in NumPy: Numba cannot be imported: {error}"
    assert np.isfinite(computed(layer)[1]).all()


def test_afterwards_layers_are_compiled_again():
    assert reason(GRU(3, 4)) == "compiled"


# ---- what Numba keeps on disk ------------------------------------------------------------------------------------

RUN = "import minigrad as mg, minigrad_rnn; print(minigrad_rnn.RNN(1, 1)(mg.ones(2, 1, 1))[0].shape)"


def in_a_process(folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-W", "error", "-c", RUN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "(2, 1, 1)\n"), done.stderr


def test_damaged_files_are_done_without(tmp_path):
    in_a_process(tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:5])
    in_a_process(tmp_path)


def test_files_are_those_of_all_that_a_step_depends_on():
    steps = importlib.import_module("minigrad_rnn.compiled.steps")
    activations = importlib.import_module("minigrad_rnn.compiled.activations")
    texts = b"".join(Path(module.__file__).read_bytes() for module in (steps, activations))
    made = steps.compiled(steps.rnn, np.dtype("float32"))
    assert made.py_func.__qualname__ == f"rnn_{hashlib.sha256(texts).hexdigest()[:16]}"
