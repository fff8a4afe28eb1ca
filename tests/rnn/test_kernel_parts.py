"""What the fused kernels are made of: products cut into small ones, and memory that is used again."""

import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
import minigrad_rnn
from minigrad_rnn.kernels import memory, products
from minigrad_rnn.kernels.batch import ranges

pytestmark = pytest.mark.usefixtures("small_are_quick")
SIZES = [(4, 5, 3), (128, 128, 50), (200, 200, 20), (650, 650, 20), (257, 257, 32), (512, 512, 64)]


@pytest.mark.parametrize("gates", [1, 3, 4])
@pytest.mark.parametrize("sizes", SIZES)
def test_cut_products_are_the_products(sizes: tuple[int, int, int], gates: int) -> None:
    hidden, features, size = sizes
    rng = np.random.default_rng(0)
    weight, h, d = (rng.normal(size=s) for s in ((gates * hidden, features), (features, size), (gates * hidden, size)))
    np.testing.assert_allclose(products.Forward(np, weight, size)(h), weight @ h, atol=1e-11)
    out = np.empty((features, size))
    products.Back(np, weight, size, gates)(d, out)
    np.testing.assert_allclose(out, weight.T @ d, atol=1e-11)


def test_a_product_is_cut_into_equal_parts_that_are_small() -> None:
    part = products.cut(800, 200, 20)
    assert part == 200
    assert part * 200 * 20 <= products.SMALL
    assert products.cut(80, 20, 20) == 0, "small as it is"
    assert products.cut(4099, 4099, 64) == 0, "a prime number of rows has no parts"


@given(st.integers(0, 5), st.integers(0, 200), st.integers(0, 210))
@settings(deadline=None, derandomize=True)
def test_ranges_are_few_and_nearly_alike(start: int, count: int, most: int) -> None:
    found = ranges(start, start + count, most)
    assert [t for first, end in found for t in range(first, end)] == list(range(start, start + count))
    assert len(found) == -(-count // max(1, most))
    widths = [end - first for first, end in found]
    assert len(set(widths[:-1])) <= 1
    assert all(widths[-1] <= width for width in widths)


@pytest.mark.parametrize("size", [1, 7, 16, 33])
@pytest.mark.parametrize("biased", [True, False])
def test_projection_is_the_same_for_narrow_and_wide_batches(size: int, biased: bool) -> None:
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(5, size, 3)), rng.normal(size=(8, 3)), rng.normal(size=8) * biased
    out = np.empty((5, 8, size))
    products.Projection(np, weight, bias if biased else None, size).into(x, out)
    np.testing.assert_allclose(out.transpose(0, 2, 1), x @ weight.T + bias, atol=1e-13)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_fused_is_unrolled_where_products_are_cut(kind: str) -> None:
    rng = np.random.default_rng(0)
    mg.manual_seed(0)
    layer = getattr(minigrad_rnn, kind)(70, 128, dtype=mg.float64)
    x, g = mg.tensor(rng.normal(size=(3, 70, 70)), requires_grad=True), mg.tensor(rng.normal(size=(3, 70, 128)))
    results = []
    for layer.fused in (True, False):
        output, _ = layer(x)
        inputs = [x, *layer.parameters()]
        results.append([output, *mg.grad([output], inputs, [g])])
    for fused, unrolled in zip(*results, strict=True):
        np.testing.assert_allclose(fused.numpy(), unrolled.numpy(), rtol=1e-10, atol=1e-11)


def test_memory_is_used_again_only_when_the_array_and_its_views_are_gone() -> None:
    store = memory.Store()
    array = store.empty((100, 400), np.dtype("f4"))
    address = array.ctypes.data
    view = array[3:].T[::2]
    del array
    other = store.empty((100, 400), np.dtype("f4"))
    assert not np.shares_memory(other, view)
    del view
    again = store.empty((400, 100), np.dtype("f4"))
    assert again.ctypes.data == address
    assert not np.shares_memory(other, again)


def idle(store: memory.Store) -> list[int]:
    """The sizes of the idle buffers."""
    return [len(buffer) for buffers in store.idle.values() for buffer in buffers]


def test_idle_memory_is_bounded() -> None:
    store = memory.Store()
    for rows in range(1, 12):
        store.empty((rows, 1 << 21), np.dtype("f4"))  # each dies at once
        assert sum(idle(store)) == store.total <= memory.MOST
    together = [store.empty((1 << 21,), np.dtype("f4")) for _ in range(40)]
    del together
    assert memory.MOST // 2 < sum(idle(store)) == store.total <= memory.MOST


@pytest.mark.parametrize("size", [1 << 16, (1 << 16) + 1, 100_000, (1 << 20) - 1, 3 << 20, 12_345_678])
def test_idle_memory_serves_sizes_that_are_alike(size: int) -> None:
    store, byte = memory.Store(), np.dtype("u1")
    address = store.empty((size,), byte).ctypes.data
    (room,) = idle(store)
    assert size <= room <= size + size // 8
    assert address % memory.LINE == 0
    assert store.empty((room,), byte).ctypes.data == address, "as large as the buffer"
    other = store.empty((room * 2,), byte)
    assert other.ctypes.data != address
    assert idle(store) == [room]


def test_sizes_that_were_not_asked_for_the_longest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    store, byte, (small, middle, large) = memory.Store(), np.dtype("u1"), (1 << 16, 1 << 17, 1 << 18)
    monkeypatch.setattr(memory, "MOST", small + middle + large)
    for size in (small, middle, large, small):
        store.empty((size,), byte)
    assert sorted(idle(store)) == [small, middle, large]
    pair = [store.empty((small,), byte) for _ in range(2)]
    del pair
    assert sorted(idle(store)) == [small, small, large]


def test_store_does_without_itself_where_it_is_busy() -> None:
    store = memory.Store()
    with store.lock:  # as when an array dies, or another thread asks, while somebody is inside
        array = store.empty((1 << 15,), np.dtype("f4"))
        assert array.shape == (1 << 15,)
        del array
    assert not idle(store)


def test_a_death_that_is_interrupted_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(memory.Store):
        def take_back(self, buffer: Any) -> None:
            raise KeyboardInterrupt

    store, errors = Interrupted(), []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: errors.append(told.exc_type))
    array = store.empty((1 << 15,), np.dtype("f4"))
    buffer = weakref.ref(array.base.base)
    del array
    assert errors == [KeyboardInterrupt]
    assert buffer() is None


def test_a_copy_of_what_was_lent_is_an_array_like_any_other() -> None:
    store = memory.Store()
    array = store.empty((1 << 15,), np.dtype("f4"))
    others = [array.base.copy(), array.base[::2], array.copy()]
    del others
    assert not idle(store)
    del array
    assert len(idle(store)) == 1


def test_memory_goes_back_from_several_threads() -> None:
    store = memory.Store()

    def work(seed: int) -> None:
        rng, alive = np.random.default_rng(seed), {}
        for _ in range(300):
            slot = int(rng.integers(8))
            if slot in alive:
                array, value = alive.pop(slot)
                assert (array == value).all()
            array, value = store.empty((int(rng.integers(16, 40)), 1 << 12), np.dtype("u1")), int(rng.integers(255))
            array[...] = value
            alive[slot] = array, value

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sum(idle(store)) == store.total


def test_an_output_that_is_kept_stays_as_it_is() -> None:
    layer = minigrad_rnn.LSTM(8, 64)
    x = mg.tensor(np.random.default_rng(0).normal(size=(40, 16, 8)).astype("f4"), requires_grad=True)
    first, _ = layer(x)
    kept = first.numpy().copy()
    for _ in range(3):
        output, _ = layer(x * 2)
        output.sum().backward()
    np.testing.assert_array_equal(first.numpy(), kept)
    (before,) = mg.grad([first.sum()], [x])
    again, _ = layer(x)
    (after,) = mg.grad([again.sum()], [x])
    np.testing.assert_allclose(before.numpy(), after.numpy(), rtol=1e-6, atol=1e-7)
