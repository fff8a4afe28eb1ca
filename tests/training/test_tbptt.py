"""Truncated backpropagation through time, in all relations of k1 and k2."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN
from minigrad_rnn.training import tbptt


def sequence(steps, requires_grad=False):
    x = np.random.default_rng(0).standard_normal((steps, 2, 3))
    return mg.tensor(x, dtype=mg.float64, requires_grad=requires_grad)


def double(kind, hidden=4):
    mg.manual_seed(0)
    return kind(3, hidden).double()


def target_loss(outputs, steps):
    weights = mg.arange(steps.start, steps.stop).reshape(-1, 1, 1) * 0.1 + 1.0
    return (outputs * outputs * weights.double()).sum()


SIZES = st.tuples(st.integers(0, 12), st.integers(1, 8), st.integers(1, 14))


@settings(deadline=None, max_examples=60)
@given(SIZES)
def test_all_outputs_come_once_and_are_those_of_the_whole_sequence(sizes):
    total, k1, k2 = sizes
    lstm, x = double(LSTM), sequence(total)
    pieces = list(tbptt(lstm, x, k1, k2))
    assert [piece.steps for piece in pieces] == [slice(i, min(i + k1, total)) for i in range(0, total, k1)]
    if total:
        expected, last = lstm(x)
        np.testing.assert_allclose(np.concatenate([p.outputs.numpy() for p in pieces]), expected.numpy(), atol=1e-14)
        for part, whole in zip(pieces[-1].state, last, strict=True):
            np.testing.assert_allclose(part.numpy(), whole.numpy(), atol=1e-14)


@settings(deadline=None, max_examples=60)
@given(SIZES)
def test_the_gradient_is_exactly_zero_beyond_k2_and_not_within(sizes):
    total, k1, k2 = sizes
    gru, x = double(GRU), sequence(total, requires_grad=True)
    for outputs, steps, _ in tbptt(gru, x, k1, k2):
        (gradient,) = mg.grad(outputs[-1].sum(), [x])
        reached = np.abs(gradient.numpy()).sum((1, 2))
        begin = max(0, steps.stop - k2)
        assert (reached[:begin] == 0.0).all()
        assert (reached[begin : steps.stop] > 0.0).all()
        assert (reached[steps.stop :] == 0.0).all()


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_the_gradients_are_those_of_windows_begun_from_the_true_states(sizes):
    total, k1, k2 = sizes
    rnn, x = double(RNN), sequence(total)
    got = {name: np.zeros(p.shape) for name, p in rnn.named_parameters()}
    for outputs, steps, _ in tbptt(rnn, x, k1, k2):
        grads = mg.grad(target_loss(outputs, steps), list(rnn.parameters()))
        for name, gradient in zip(got, grads, strict=True):
            got[name] += gradient.numpy()

    expected = {name: np.zeros(p.shape) for name, p in rnn.named_parameters()}
    for start in range(0, total, k1):
        stop = min(start + k1, total)
        begin = max(0, stop - k2)
        state = mg.zeros(1, 2, 4, dtype=mg.float64)
        for t in range(begin):  # one step at a time: another way than that of the code
            with mg.no_grad():
                _, state = rnn(x[t : t + 1], state)
        outputs, _ = rnn(x[begin:stop], state)
        learned = max(start, begin)
        loss = target_loss(outputs[learned - begin :], slice(learned, stop))
        for name, gradient in zip(expected, mg.grad(loss, list(rnn.parameters())), strict=True):
            expected[name] += gradient.numpy()
    for name, value in got.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("k1", "k2"), [(9, None), (9, 20), (2, 9), (1, 9), (4, 100)])
def test_k2_as_long_as_the_sequence_is_full_backpropagation(k1, k2):
    lstm, x = double(LSTM), sequence(9)
    for outputs, steps, _ in tbptt(lstm, x, k1, k2):
        target_loss(outputs, steps).backward()
    truncated = [p.grad.numpy() for p in lstm.parameters()]
    full = mg.grad(target_loss(lstm(x)[0], slice(0, 9)), list(lstm.parameters()))
    for a, b in zip(truncated, full, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-11, atol=1e-12)


def test_the_optimizer_may_step_between_overlapping_windows():
    """The windows overlap and the parameters have changed: what the overlap kept must be computed anew."""
    rnn, x = double(RNN), sequence(12)
    optimizer = mg.optim.SGD(rnn.parameters(), lr=0.1)
    values = []
    for outputs, steps, _ in tbptt(rnn, x, k1=2, k2=5):
        loss = target_loss(outputs, steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert len(values) == 6


def test_the_state_given_is_begun_with_and_detached():
    rnn, x = double(RNN), sequence(4)
    h = mg.ones(1, 2, 4, dtype=mg.float64, requires_grad=True)
    outputs, _, _ = next(iter(tbptt(rnn, x, 2, 4, state=h * 1.0)))
    np.testing.assert_array_equal(outputs.numpy(), rnn(x[:2], h)[0].numpy())
    outputs.sum().backward()
    assert h.grad is None


def test_steps_without_gradient_where_k2_is_below_k1():
    rnn, x = double(RNN), sequence(8, requires_grad=True)
    for outputs, _, _ in tbptt(rnn, x, k1=4, k2=1):
        (gradient,) = mg.grad(outputs.sum(), [x])
        assert np.flatnonzero(gradient.numpy().any((1, 2))).size == 1


def nodes(tensor):
    return sum(1 for _ in mg.graph(tensor))


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (3, 10), (5, 2)])
def test_the_graph_of_a_piece_does_not_grow_with_the_text(k1, k2):
    rnn = double(RNN)
    rnn.fused = False
    sizes = [nodes(outputs) for outputs, _, _ in tbptt(rnn, sequence(60), k1, k2)]
    assert len(set(sizes[4:-1])) == 1


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (3, 10)])
def test_memory_is_flat_in_the_length_of_the_text(k1, k2):
    lstm = double(LSTM, hidden=64)  # so that what Python keeps in free lists is nothing beside the arrays

    def peak(steps):
        x = sequence(steps)
        gc.collect()
        tracemalloc.start()
        for outputs, span, _ in tbptt(lstm, x, k1, k2):
            mg.grad(target_loss(outputs, span), list(lstm.parameters()))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(40)  # what is imported and kept at first use
    assert peak(400) < 1.5 * peak(40)


@pytest.mark.parametrize(("k1", "k2"), [(0, 1), (1, 0), (-1, None)])
def test_windows_of_nothing(k1, k2):
    with pytest.raises(mg.MinigradError, match="k1 and k2"):
        tbptt(double(RNN), sequence(3), k1, k2)
