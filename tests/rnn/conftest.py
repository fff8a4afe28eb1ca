"""What tests of recurrent networks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minigrad_rnn.compiled import products as compiled_products
from minigrad_rnn.kernels import products


@pytest.fixture(scope="module")
def small_are_quick() -> Iterator[None]:
    """In this module products are cut as on processors with AVX-512, whatever the tests run on."""
    remembering = (products.cut, compiled_products._pieces, compiled_products.square)
    with pytest.MonkeyPatch.context() as patch:
        for module in (products, compiled_products):
            patch.setattr(module, "small_are_quick", lambda: True)
        for function in remembering:
            function.cache_clear()
        yield
    for function in remembering:
        function.cache_clear()
