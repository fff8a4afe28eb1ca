"""Training: what an interruption, an accumulation or a NaN must not change."""

from __future__ import annotations

import math
import shutil
import signal

import numpy as np
import pytest
from training_tasks import collate, examples, same_bits, tagger, untimed

import minigrad as mg
from minigrad import nn
from minigrad_rnn.training import Batches, DivergedError, Trainer, TrainerOptions, read_log

BATCHES = [mg.ones(2, 1)] * 4


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


# ---- what goes wrong ---------------------------------------------------------------------------------------------


def fitted(loss, batches=BATCHES, measure=None, **options):
    model = nn.Linear(1, 1)
    options = TrainerOptions(**{"epochs": 2, "progress": False, **options})
    trainer = Trainer(model, mg.optim.SGD(model.parameters(), lr=0.1), loss, options, measure=measure)
    return trainer, lambda: trainer.fit(batches)


def squared(model, batch):
    return nn.functional.mse_loss(model(batch), batch)


def steep(model, batch):
    """Finite, with a gradient that is not, of batches that begin with 2."""
    root = (model.weight * 0).sqrt().sum() if batch[0, 0].item() == 2 else 0.0
    return squared(model, batch) + root


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gradient_that_is_not_finite_is_seen_without_clipping_and_the_parameters_stay():
    trainer, fit = fitted(steep, [mg.full((2, 1), 2.0)])
    before = trainer.model.state_dict()
    with pytest.raises(DivergedError, match=r"norm of the gradients is nan in step 1.*\nthe gradient that sqrt sends"):
        fit()
    assert same_bits(trainer.model.state_dict(), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("place", [0, 1, 2])
def test_of_several_batches_in_a_step_the_one_with_the_bad_op_is_found(place):
    batches = [mg.ones(2, 1), mg.ones(2, 1), mg.ones(2, 1)]
    batches[place] = mg.full((2, 1), 2.0)
    _, fit = fitted(steep, batches, accumulate=3, clip_norm=1.0)
    with pytest.raises(DivergedError, match="the gradient that sqrt sends"):
        fit()


def test_no_epoch_is_the_best_because_its_figure_is_nan_again():
    _, fit = fitted(squared, measure=lambda: {"score": math.nan}, monitor="score", epochs=9, patience=2)
    history = fit()
    assert history["best"] == [True, False, False]
    assert history.reason == "patience"


@pytest.mark.parametrize(
    ("answer", "carry"),
    [
        (lambda loss: loss.item(), False),
        (lambda loss: [loss, 2], False),
        (lambda loss: None, False),
        (lambda loss: (loss, 2, None), False),
        (lambda loss: loss, True),
        (lambda loss: (loss, 2), True),
    ],
    ids=["a number", "a list", "nothing", "a state, not carried", "a loss alone, carried", "no state, carried"],
)
def test_a_loss_function_with_another_answer_is_told_what_is_expected(answer, carry):
    _, fit = fitted(lambda model, batch, *state: answer(squared(model, batch)), carry=carry)
    expected = r"carry=True.*\(loss, count, state\)" if carry else r"loss.*or \(loss, count\)"
    with pytest.raises(mg.MinigradError, match=expected):
        fit()


def test_counts_may_be_tensors_or_numbers_of_numpy(tmp_path):
    for number, count in enumerate((2, mg.tensor(2), np.int64(2))):
        mg.manual_seed(0)
        _, fit = fitted(lambda model, batch, count=count: (squared(model, batch), count), folder=tmp_path / str(number))
        losses = fit()["loss"]
        assert all(type(loss) is float for loss in losses)
        assert losses[-1] == read_log(tmp_path / "0")[-1]["loss"]


def test_a_folder_that_cannot_be_made_or_is_gone_is_a_file_error(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(mg.FileError, match="file"):
            fitted(squared, folder=tmp_path / place)[1]()

    def deleting(model, batch):
        shutil.rmtree(tmp_path / "run")
        return squared(model, batch)

    with pytest.raises(mg.FileError, match=r"log\.jsonl"):
        fitted(deleting, folder=tmp_path / "run", report_every=1)[1]()
