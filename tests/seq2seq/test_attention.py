"""Attention alone: its equations, its mask, and what many queries at once are."""

from __future__ import annotations

import numpy as np
import pytest
from plain_seq2seq import attend
from seq2seq_cases import arrays, filled, same

import minigrad as mg
from minigrad.check import check_module
from minigrad_rnn.seq2seq import AdditiveAttention, DotAttention

KINDS = {
    "additive": lambda: AdditiveAttention(3, 4, 5),
    "dot": lambda: DotAttention(4, 4),
    "scaled dot": lambda: DotAttention(4, 4, scaled=True),
    "general": lambda: DotAttention(3, 4, "general"),
    "scaled general": lambda: DotAttention(3, 4, "general", scaled=True),
    "concat": lambda: DotAttention(3, 4, "concat"),
    "scaled concat": lambda: DotAttention(3, 4, "concat", scaled=True, hidden_size=6),
}
STEPS, ROWS = 5, 3
MASK = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], bool)  # whole, with a hole, nothing


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def made(kind, seed=2):
    rng, attention = np.random.default_rng(seed), filled(KINDS[kind]())
    return attention, rng.normal(size=(4, ROWS, attention.query_size)), rng.normal(size=(STEPS, ROWS, 4))


def test_against_one_score_at_a_time(kind):
    attention, queries, memory = made(kind)
    context, weights = attention(mg.tensor(queries), mg.tensor(memory), mg.tensor(MASK))
    assert context.shape == (4, ROWS, 4)
    assert weights.shape == (4, ROWS, STEPS)
    name = kind.split()[-1]
    for t in range(4):
        for n in range(2):
            seen = MASK[:, n]
            wanted, alpha = attend(arrays(attention), name, queries[t, n], memory[seen, n], "scaled" in kind)
            same(context[t, n], wanted)
            same(weights.numpy()[t, n, seen], alpha)
    assert (weights.numpy()[:, ~MASK.T] == 0).all()


def test_weights_sum_to_one_and_are_zero_on_padding(kind):
    attention, queries, memory = made(kind)
    _, weights = attention(mg.tensor(queries[0]), mg.tensor(memory), mg.tensor(MASK))
    same(weights.sum(-1), [1.0, 1.0, 0.0])
    assert (weights.numpy()[~MASK.T] == 0).all()
    same(attention(mg.tensor(queries[0]), mg.tensor(memory))[1].sum(-1), np.ones(ROWS))


def test_one_query_is_one_of_many(kind):
    attention, queries, memory = made(kind)
    keys = attention.prepare(mg.tensor(memory), mg.tensor(MASK))
    context, weights = attention(mg.tensor(queries), keys)
    for t in range(4):
        one = attention(mg.tensor(queries[t]), keys)
        same(one[0], context[t])
        same(one[1], weights[t])


def test_nothing_but_padding_gives_zeros_and_finite_gradients(kind):
    """A softmax over nothing but minus infinity would be NaN, and so would be every gradient."""
    attention, queries, memory = made(kind)
    query, keys = (mg.tensor(a, requires_grad=True) for a in (queries[0], memory))
    context, weights = attention(query, keys, mg.tensor(np.zeros_like(MASK)))
    assert (weights.numpy() == 0).all()
    assert (context.numpy() == 0).all()
    (context.sum() + weights.sum()).backward()
    for tensor in (query, keys, *attention.parameters()):
        assert (tensor.grad.numpy() == 0).all()


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf, 1e300])
def test_padding_reaches_no_result_and_no_gradient(kind, rubbish):
    """Of the gradients, that of the keys is the one to look at: 0 times NaN is NaN."""
    attention, queries, memory = made(kind)
    spoilt = np.where(MASK[..., None], memory, rubbish)
    found = []
    for values in (memory, spoilt):
        attention.zero_grad()
        query, keys = (mg.tensor(a, requires_grad=True) for a in (queries[0], values))
        context, weights = attention(query, keys, mg.tensor(MASK))
        ((context * context).sum() + weights[:, 0].sum()).backward()
        found.append([context, weights, query.grad, keys.grad, *[p.grad for p in attention.parameters()]])
    for clean, other in zip(*found, strict=True):
        same(other, clean)
    assert (found[1][3].numpy()[~MASK] == 0).all()
    assert (found[1][3].numpy()[MASK] != 0).any()


def test_the_gradient_reaches_the_keys():
    """Attention whose scores come from detached keys still trains, and badly."""
    memory = mg.randn(3, 1, 2, dtype=mg.float64, requires_grad=True)
    _, weights = DotAttention(2, 2)(mg.ones(1, 2, dtype=mg.float64), memory)
    weights[0, 0].backward()
    alpha = weights.numpy()[0]
    same(memory.grad[:, 0, 0], alpha[0] * ((np.arange(3) == 0) - alpha))


def test_gradients(kind):
    attention = KINDS[kind]()
    mask = mg.tensor(MASK)
    assert check_module(attention, mg.randn(2, ROWS, attention.query_size), mg.randn(STEPS, ROWS, 4), mask)


def test_second_order(kind):
    attention, queries, memory = made(kind)
    mask = mg.tensor(MASK)
    tensors = [mg.tensor(a, requires_grad=True) for a in (queries[0], memory)]
    assert mg.gradgradcheck(lambda q, m: attention(q, m, mask)[0], *tensors, directional=True)


def test_concat_is_additive_with_one_matrix():
    additive, concat = filled(AdditiveAttention(3, 4, 5)), DotAttention(3, 4, "concat", hidden_size=5).double()
    both = np.concatenate([additive.query_map.weight.numpy(), additive.memory_map.weight.numpy()], 1)
    concat.load_state_dict({"map.weight": both, "direction": additive.direction})
    query, memory = mg.randn(2, 3, dtype=mg.float64), mg.randn(6, 2, 4, dtype=mg.float64)
    same(concat(query, memory)[0], additive(query, memory)[0])


def test_float32_and_float16_stay():
    for dtype in (mg.float16, mg.float32):
        attention = AdditiveAttention(3, 4, 5).to(dtype)
        memory = mg.randn(STEPS, ROWS, 4, dtype=mg.float32).to(dtype)
        context, weights = attention(mg.randn(ROWS, 3, dtype=mg.float32).to(dtype), memory, mg.tensor(MASK))
        assert context.dtype == weights.dtype == dtype
        assert np.isfinite(context.numpy()).all()
        assert (weights.numpy()[2] == 0).all()


def test_large_scores_do_not_overflow():
    query, memory = mg.tensor([[1e19]]), mg.tensor([[[1e19]], [[-1e19]], [[0.0]]])
    assert DotAttention(1, 1)(query, memory, [[True], [True], [False]])[1].tolist() == [[1.0, 0.0, 0.0]]


def test_an_empty_memory_has_an_empty_mean(kind):
    attention, queries, _ = made(kind)
    context, weights = attention(mg.tensor(queries[0]), mg.zeros(0, ROWS, 4, dtype=mg.float64))
    assert weights.shape == (ROWS, 0)
    assert (context.numpy() == np.zeros((ROWS, 4))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DotAttention(3, 4), "compares vectors of one size, not of 3 and 4"),
        (lambda: DotAttention(3, 4, "product"), 'the kind is "dot", "general" or "concat", not'),
        (lambda: DotAttention(3, 3)(mg.ones(2, 4), mg.ones(5, 2, 3)), r"query must have shape \(batch, 3\)"),
        (lambda: DotAttention(3, 3)(mg.ones(2, 3), mg.ones(5, 2, 4)), r"memory must have shape \(steps, batch, 3\)"),
        (
            lambda: DotAttention(3, 3)(mg.ones(2, 3), mg.ones(5, 2, 3), mg.tensor([[True]])),
            r"the mask must have the shape of the memory without its features, \(5, 2\), not \(1, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(mg.MinigradError, match=message):
        call()


def test_repr():
    assert repr(DotAttention(2, 2)) == "DotAttention(2, 2, 'dot')"
    assert "3, 4, 'concat', scaled=True, hidden_size=6" in repr(KINDS["scaled concat"]())
    assert repr(AdditiveAttention(3, 4, 5)).startswith("AdditiveAttention(3, 4, 5")
