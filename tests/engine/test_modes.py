"""Gradient mode, scope, observers and default device: what holds where."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

import minigrad as mg
from minigrad.context import Mode, current


def test_no_grad_records_nothing() -> None:
    x = mg.ones(2, requires_grad=True)
    assert mg.is_grad_enabled()
    with mg.no_grad():
        assert not mg.is_grad_enabled()
        for y in (x * 2.0, x * x, x.exp(), x.sum(), 2.0 * x, *x.split(1)):
            assert not y.requires_grad
            assert y.node is None
        with mg.enable_grad():
            assert (x * 2.0).requires_grad
        assert not (x * 2.0).requires_grad
    assert (x * 2.0).requires_grad


def test_modes_are_decorators_that_can_be_entered_again() -> None:
    @mg.no_grad()
    def f(x: mg.Tensor, depth: int = 3) -> mg.Tensor:
        """Nothing is recorded."""
        assert not mg.is_grad_enabled()
        return x * 2.0 if depth == 0 else f(x, depth - 1)

    assert not f(mg.ones(1, requires_grad=True)).requires_grad
    assert mg.is_grad_enabled()
    assert f.__doc__ == "Nothing is recorded."


def test_one_mode_object_may_be_entered_inside_itself() -> None:
    mode = mg.no_grad()
    with mode, mode:
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()


def test_modes_are_left_after_an_exception() -> None:
    with pytest.raises(KeyError), mg.no_grad():
        raise KeyError
    assert mg.is_grad_enabled()


def test_base_mode_changes_nothing_by_itself() -> None:
    with pytest.raises(NotImplementedError):
        Mode().__enter__()


def test_no_grad_in_one_thread_does_not_reach_another() -> None:
    inside, leave, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        with mg.no_grad():
            inside.set()
            leave.wait(5)
            seen.append((mg.ones(1, requires_grad=True) * 2.0).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(5)
    assert mg.is_grad_enabled()
    y = mg.ones(1, requires_grad=True) * 2.0
    y.backward()
    leave.set()
    thread.join()
    assert y.requires_grad
    assert seen == [False]


def test_threads_build_and_differentiate_graphs_at_the_same_time() -> None:
    w = mg.tensor(2.0, requires_grad=True)
    results: dict[int, float] = {}

    def work(k: int) -> None:
        y = w
        for _ in range(k):
            y = y * w
        results[k] = mg.grad(y, w)[0].item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: (k + 1) * 2.0**k for k in range(1, 9)}


def test_tasks_have_modes_of_their_own() -> None:
    async def off(step: asyncio.Event, done: asyncio.Event) -> bool:
        with mg.no_grad():
            step.set()
            await done.wait()
            return mg.is_grad_enabled()

    async def main() -> tuple[bool, bool]:
        step, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(off(step, done))
        await step.wait()
        here = mg.is_grad_enabled()
        done.set()
        return here, await task

    assert asyncio.run(main()) == (True, False)


def test_contexts_carry_over_where_they_are_copied() -> None:
    with mg.scope("outer"):
        copied = contextvars.copy_context()
    assert str(copied.run(lambda: current().scope)) == "outer"
    assert current().scope is None


def test_observers_see_forward_and_backward_in_order() -> None:
    events = []
    x = mg.ones(2, requires_grad=True)
    with mg.observe(lambda event: events.append(event)):
        y = (x * 3.0).tanh()
        y.backward(mg.ones(2))
    seen = [(e.phase, e.op.name) for e in events if e.phase in ("forward", "backward")]
    assert seen == [("forward", "mul"), ("forward", "tanh"), ("backward", "tanh"), ("backward", "mul")]
    assert events[0].arrays[0].tolist() == [3.0, 3.0]
    assert events[0].node is not None
    assert events[0].node.op.name == "mul"


def test_observers_see_what_is_not_recorded() -> None:
    events = []
    with mg.observe(events.append), mg.no_grad():
        mg.ones(2, requires_grad=True) * 3.0
        mg.ones(2).split(1)
    assert [(e.op.name, e.node, len(e.arrays)) for e in events] == [("mul", None, 1), ("split", None, 2)]


def test_observers_add_up_and_are_left() -> None:
    outer, inner = [], []
    x = mg.ones(2)
    with mg.observe(outer.append):
        with mg.observe(inner.append):
            x * 2.0
        x * 2.0
    x * 2.0
    assert (len(outer), len(inner)) == (2, 1)


def test_default_device_is_a_mode() -> None:
    with mg.default_device("cpu"), mg.default_device(mg.device("cpu")):
        assert str(mg.ones(1).device) == "cpu"
