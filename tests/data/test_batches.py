"""All examples come in some batch, those of a batch about equally long, and a split is a partition."""

import numpy as np
from hypothesis import given, settings, strategies as st

from minigrad_rnn.data import bucketed, split


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=300), st.integers(1, 7), st.none() | st.integers(0, 9))
def test_every_example_is_in_one_batch(lengths, size, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    batches = bucketed(lengths, size, rng)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert sum(len(batch) < size for batch in batches) <= 1
    assert all(batches)


def test_examples_of_a_batch_are_about_equally_long():
    lengths = np.random.default_rng(0).integers(1, 100, 2000).tolist()
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in bucketed(lengths, 16)]
    assert max(spread) <= 2
    shuffled = bucketed(lengths, 16, np.random.default_rng(0))
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in shuffled]
    assert np.mean(spread) < 4, "within pools of 50 batches, 800 examples"
    firsts = [lengths[batch[0]] for batch in shuffled]
    assert firsts != sorted(firsts), "batches themselves come in any order"


def test_a_split_is_a_partition_that_a_seed_decides():
    train, held_out = split(range(10), held_out=0.3, seed=1)
    assert sorted(train + held_out) == list(range(10))
    assert len(held_out) == 3
    assert (train, held_out) == split(range(10), held_out=0.3, seed=1) != split(range(10), held_out=0.3, seed=2)
