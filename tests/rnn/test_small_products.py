"""Where products are cut into small ones: only where OpenBLAS does these without copying."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib import introspect

from minigrad_rnn.kernels import products


@pytest.fixture
def told(monkeypatch):
    """Asks anew, told what BLAS NumPy was built with, its pinned core type, and for what processor NumPy's tanh is."""

    def ask(blas="scipy-openblas", pinned=None, processor="X86_V4"):
        monkeypatch.setattr(np, "show_config", lambda mode: {"Build Dependencies": {"blas": {"name": blas}}})
        monkeypatch.setattr(introspect, "opt_func_info", lambda *_: {"tanh": {"ff": {"current": processor}}})
        if pinned is None:
            monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
        else:
            monkeypatch.setenv("OPENBLAS_CORETYPE", pinned)
        return products.small_are_quick.__wrapped__()

    return ask


def test_it_is_told_by_the_processor(told):
    assert told(processor="X86_V4")
    assert told(processor="AVX512_SKX")
    assert not told(processor="X86_V3")
    assert not told(processor="ASIMD")


def test_a_pinned_core_type_has_the_last_word(told):
    assert told(pinned="SkylakeX", processor="X86_V3")
    assert not told(pinned="Haswell", processor="X86_V4")


def test_of_another_blas_nothing_is_known(told):
    assert not told(blas="accelerate")
    assert not told(blas="mkl-sdl")


def test_numpy_answers_the_question():
    assert products.small_are_quick() in (True, False)
    (tanh,) = introspect.opt_func_info("^tanh$", "float32")["tanh"].values()
    assert isinstance(tanh["current"], str)


def test_elsewhere_products_are_left_whole(monkeypatch):
    monkeypatch.setattr(products, "small_are_quick", lambda: False)
    assert products.cut.__wrapped__(800, 200, 20) == 0
