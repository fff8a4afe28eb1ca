"""Training: what an interruption, an accumulation or a NaN must not change."""

from __future__ import annotations

import signal

import pytest
from training_tasks import collate, examples, same_bits, tagger, untimed

from minigrad_rnn.training import Batches, read_log


class Pressing:
    """Batches, and Ctrl-C before one of them."""

    def __init__(self, batches, number):
        self.batches, self.left = batches, number
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __iter__(self):
        for batch in self.batches:
            self.left -= 1
            if not self.left:
                signal.raise_signal(signal.SIGINT)
            yield batch


def shuffled():
    return Batches(examples(9), 2, collate, seed=5)


@pytest.mark.parametrize("again", ["the same trainer", "a new one"])
@pytest.mark.parametrize("during", ["training", "validation"])
def test_a_validation_in_an_order_of_its_own_is_taken_up_where_it_was(during, again, tmp_path):
    whole, data = tagger(folder=tmp_path / "whole")
    expected = whole.fit(data, shuffled())
    trainer, data = tagger(folder=tmp_path / "parts")
    validation = shuffled()
    pressed = (Pressing(data, 6), validation) if during == "training" else (data, Pressing(validation, 7))
    assert trainer.fit(*pressed).stopped
    if again == "a new one":
        trainer, data = tagger(seed=99, folder=tmp_path / "parts")
        trainer, validation = trainer.resume(), shuffled()
    history = trainer.fit(data, validation)
    assert untimed(history.epochs) == untimed(expected.epochs)
    assert untimed(read_log(tmp_path / "parts")) == untimed(read_log(tmp_path / "whole"))
    assert same_bits(trainer.model.state_dict(), whole.model.state_dict())
