"""The loop: what it computes, when it stops, what it says."""

from __future__ import annotations

import math
import signal
import threading

import numpy as np
import pytest
from training_tasks import Tagger, collate, examples, tagger, tagging_loss, untimed

import minigrad as mg
from minigrad import nn
from minigrad_rnn.training import Batches, DivergedError, History, Trainer, TrainerOptions, read_log


class Line(nn.Module):
    """One number, to be driven anywhere."""

    def __init__(self, value=0.0):
        self.w = nn.Parameter(mg.tensor([value]))

    def forward(self, x):
        return self.w * x


def squared(model, batch):
    return ((model(batch) - 1.0) ** 2).mean()


def line(values=(1.0,), lr=0.1, loss=squared, measure=None, schedules=None, start=0.0, **options):
    model = Line(start)
    optimizer = mg.optim.SGD(model.parameters(), lr=lr)
    options = TrainerOptions(**{"progress": False, "epochs": 4, **options})
    schedule = schedules(optimizer) if schedules else ()
    trainer = Trainer(model, optimizer, loss, options, measure=measure, schedule=schedule)
    return trainer, [mg.tensor([value]) for value in values]


def test_it_does_what_a_loop_written_by_hand_does():
    trainer, data = tagger(clip_norm=0.5, epochs=2)
    trainer.fit(data)

    mg.manual_seed(0)
    model = Tagger()
    optimizer = mg.optim.Adam(model.parameters(), lr=0.02)
    batches = Batches(examples(), 4, collate)
    losses = []
    for _ in range(2):
        total = count = 0
        for batch in batches:
            loss, items = tagging_loss(model, batch)
            optimizer.zero_grad()
            loss.backward()
            mg.optim.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            total, count = total + loss.item() * items, count + items
        losses.append(total / count)
    assert trainer.history["loss"] == losses
    for name, value in model.state_dict().items():
        assert (trainer.model.state_dict()[name].numpy() == value.numpy()).all(), name


def test_it_learns():
    trainer, data = tagger(epochs=40, clip_norm=1.0)
    history = trainer.fit(data, validation=[collate(examples())])
    assert history["valid_loss"][-1] < 0.4 < history["valid_loss"][0]
    assert history.reason == "finished"
    assert not history.stopped


# ---- means and accumulation ------------------------------------------------------------------------------------------


def test_the_mean_loss_is_over_real_items_not_over_batches():
    def loss(model, batch):
        value, items = batch
        return model.w.sum() * 0 + value, items

    trainer, _ = line(loss=loss, epochs=1)
    history = trainer.fit([(2.0, 30), (4.0, 10)], validation=[(1.0, 1), (5.0, 3)])
    assert history["loss"] == [2.5]
    assert history["valid_loss"] == [4.0]


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_accumulated_batches_of_uneven_size_are_one_large_batch(clip_norm):
    whole = examples()
    for model in (one := Tagger(), other := Tagger()):
        model.eval()
    other.load_state_dict(one.state_dict())

    def fit(model, data, accumulate):
        def loss(model, batch):
            model.eval()  # no dropout: its masks would differ
            return tagging_loss(model, batch)

        options = TrainerOptions(epochs=1, accumulate=accumulate, clip_norm=clip_norm, progress=False)
        return Trainer(model, mg.optim.SGD(model.parameters(), lr=1.0), loss, options).fit(data)

    first = fit(one, [collate(whole)], 1)
    second = fit(other, [collate(whole[:2]), collate(whole[2:9]), collate(whole[9:])], 3)
    assert first["loss"][0] == pytest.approx(second["loss"][0], rel=1e-5)
    assert first["step"] == second["step"] == [1]
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


def test_what_is_left_over_at_the_end_of_an_epoch_makes_a_smaller_step():
    trainer, data = line([1.0] * 5, accumulate=2, epochs=2)
    assert trainer.fit(data)["step"] == [3, 6]


def test_a_batch_without_real_items_changes_nothing():
    def loss(model, batch):
        wanted = mg.tensor([batch])
        logits = mg.concat([model.w, model.w * 2.0]).reshape(1, 2)
        return nn.functional.cross_entropy(logits, wanted, ignore_index=-1), int(batch != -1)

    trainer, _ = line(loss=loss, epochs=1, start=1.0)
    history = trainer.fit([-1])
    assert trainer.model.w.item() == 1.0
    assert math.isnan(history["loss"][0])
    trainer, _ = line(loss=loss, epochs=1, start=1.0, accumulate=2)
    assert math.isfinite(trainer.fit([0, -1])["loss"][0])
    assert trainer.model.w.item() != 1.0


def test_a_parameter_without_gradient_and_validation_without_items_do_no_harm():
    def loss(model, batch):
        return (model.w * 2.0).sum() if batch else model.w.sum() * math.nan, batch

    trainer, _ = line(loss=loss, epochs=1, accumulate=2)
    trainer.optimizer.add_param_group({"params": [nn.Parameter(mg.ones(2))]})
    history = trainer.fit([1, 3], validation=[0, 2])
    assert trainer.model.w.item() == pytest.approx(-0.2)
    assert history["valid_loss"][0] == pytest.approx(-0.4)


# ---- clipping, schedules ---------------------------------------------------------------------------------------------


def test_the_statistics_of_clipping_are_those_before_clipping():
    # the gradient of w * x is x
    trainer, data = line([1.0, 3.0], loss=lambda model, x: model(x).sum(), clip_norm=2.0, epochs=1, lr=1.0)
    (record,) = trainer.fit(data).epochs
    assert (record["norm"], record["largest_norm"], record["clipped"]) == (2.0, 3.0, 0.5)
    assert trainer.model.w.item() == pytest.approx(-1.0 - 2.0, abs=1e-5)


def test_a_schedule_is_stepped_per_epoch_or_per_step():
    def halving(optimizer):
        return mg.optim.StepLR(optimizer, 1, 0.5)

    trainer, data = line([1.0, 1.0], lr=1.0, epochs=3, schedules=halving)
    assert trainer.fit(data)["lr"] == [1.0, 0.5, 0.25]
    trainer, data = line([1.0, 1.0], lr=1.0, epochs=2, schedules=halving, schedule_per="step")
    assert trainer.fit(data)["lr"] == [0.25, 0.0625]


def test_a_schedule_for_plateaus_sees_the_monitored_figure():
    def plateau(optimizer):
        return [mg.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)]

    trainer, data = line(lr=1.0, epochs=4, schedules=plateau, measure=lambda: {"same": 1.0}, monitor="same")
    trainer.fit(data)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.125


# ---- best epoch, stopping --------------------------------------------------------------------------------------------


def drive(figures, **options):
    """A run whose measured figure is as given."""
    left = iter(figures)
    options = {"epochs": len(figures), **options}
    trainer, data = line(measure=lambda: {"figure": next(left)}, monitor="figure", **options)
    return trainer, trainer.fit(data)


def test_the_best_epoch_and_the_parameters_it_had():
    trainer, history = drive([3.0, 1.0, 2.0], lr=0.1)
    assert history.best["epoch"] == 2
    assert history["best"] == [True, True, False]
    last = trainer.model.w.item()
    trainer.load_best()
    assert trainer.model.w.item() == pytest.approx(1 - 0.8**2)
    assert last == pytest.approx(1 - 0.8**3)


def test_higher_may_be_better():
    assert drive([0.1, 0.9, 0.5], mode="max")[1].best["epoch"] == 2


def test_not_a_number_is_worse_than_any_number():
    assert drive([math.nan, 2.0, math.nan])[1]["best"] == [True, True, False]


def test_it_stops_when_patience_is_over():
    history = drive([3.0, 2.0, 2.0, 2.5, 1.0], patience=2)[1]
    assert history["epoch"] == [1, 2, 3, 4]
    assert history.reason == "patience"


def test_without_validation_the_training_loss_is_monitored():
    trainer, data = line([1.0], epochs=2)
    assert trainer.fit(data)["best"] == [True, True]


def test_validation_is_in_evaluation_and_leaves_every_part_as_it_was():
    modes = []

    def loss(model, batch):
        modes.append((model.training, mg.is_grad_enabled()))
        return tagging_loss(model, batch)

    model = Tagger()
    model.drop.eval()  # frozen by the user
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, optimizer, loss, TrainerOptions(epochs=1, progress=False))
    trainer.fit([collate(examples())], validation=[collate(examples())])
    assert modes == [(True, True), (False, False)]
    assert model.training


# ---- carried state ---------------------------------------------------------------------------------------------------


def test_the_state_is_carried_detached_and_begins_anew_every_epoch():
    seen = []

    def loss(model, batch, state):
        seen.append(None if state is None else (state.item(), state.requires_grad))
        return (model(batch) ** 2).sum(), 1, model.w.sum() * 0 + batch.sum() + (0 if state is None else state)

    trainer, data = line([1.0, 2.0], loss=loss, carry=True, epochs=2, accumulate=2)
    trainer.fit(data, validation=data)
    one_round = [None, (1.0, False)]
    assert seen == one_round * 4  # training and validation, twice


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def pressing(at, times=1):
    """A loss during whose call number ``at`` Ctrl-C is pressed."""
    calls = []

    def loss(model, batch):
        calls.append(1)
        if len(calls) == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return squared(model, batch)

    return loss


def test_ctrl_c_ends_the_run_after_the_step_and_fit_goes_on_from_there():
    trainer, data = line([1.0] * 3, loss=pressing(5), epochs=3)
    history = trainer.fit(data)
    assert history.stopped
    assert (trainer.progress.epoch, trainer.progress.step, trainer.progress.position) == (1, 5, 2)
    assert history["epoch"] == [1]
    history = trainer.fit(data)
    assert not history.stopped
    assert history["step"] == [3, 6, 9]
    uninterrupted, data = line([1.0] * 3, epochs=3)
    assert untimed(uninterrupted.fit(data).epochs) == untimed(history.epochs)


def test_ctrl_c_in_validation_lets_the_epoch_be_concluded_later():
    trainer, data = line([1.0] * 2, loss=pressing(3), epochs=1)
    history = trainer.fit(data, validation=data * 2)
    assert history.stopped
    assert history.epochs == []
    history = trainer.fit(data, validation=data * 2)
    assert history["step"] == [2]
    assert history.reason == "finished"


def test_a_second_ctrl_c_interrupts_at_once_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    trainer, data = line(loss=pressing(1, times=2))
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_runs_outside_the_main_thread():
    trainer, data = line(epochs=1)
    thread = threading.Thread(target=trainer.fit, args=(data,))
    thread.start()
    thread.join()
    assert trainer.history["epoch"] == [1]


# ---- divergence ------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run_with_the_op_named(tmp_path):
    def loss(model, batch):
        return mg.log(model(batch) - 1.0).sum()  # the logarithm of something negative, from the start

    trainer, data = line(loss=loss, folder=tmp_path / "run")
    expected = r"the loss is nan in step 1 \(epoch 1\), which was not made"
    with np.errstate(invalid="ignore"), pytest.raises(DivergedError, match=expected) as told:
        trainer.fit(data)
    assert "the output of log has nan" in str(told.value)
    assert "test_trainer.py" in str(told.value)
    assert (told.value.epoch, told.value.step) == (1, 1)
    assert trainer.model.w.item() == 0.0
    (line_of_log,) = read_log(tmp_path / "run")
    assert line_of_log["kind"] == "diverged"


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_step():
    trainer, data = line(loss=lambda model, batch: mg.sqrt(model(batch)).sum(), clip_norm=1.0)
    with np.errstate(divide="ignore", invalid="ignore"), pytest.raises(DivergedError, match="gradient that sqrt sends"):
        trainer.fit(data)
    assert trainer.model.w.item() == 0.0


def test_in_a_recurrent_layer_step_and_gate_are_named():
    trainer, data = tagger()
    trainer.model.lstm.weight_ih_l0.data = np.full((16, 3), np.nan, np.float32)
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=r"lstm.layer0/t=0"):
        trainer.fit(data)


def test_an_infinity_that_comes_first_is_named_and_the_first_nan_too():
    def loss(model, batch):
        return (mg.exp(model(batch) * 0 + 1000.0) * 0.0).sum()

    trainer, data = line(loss=loss)
    with np.errstate(all="ignore"), pytest.raises(DivergedError) as told:
        trainer.fit(data)
    first, _, second = str(told.value).partition("and the first NaN:")
    assert "output of exp has inf" in first
    assert "output of mul has nan" in second


def test_a_loss_that_diverges_only_once_is_reported_as_such():
    values = iter([math.inf, 1.0])
    trainer, data = line(loss=lambda model, batch: model(batch).sum() + next(values, 1.0))
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match="computed again"):
        trainer.fit(data)


# ---- what makes no sense ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"accumulate": 1.5}, {"clip_norm": 0}, {"mode": "low"}, {"schedule_per": "batch"}]
)
def test_options_that_make_no_sense(options):
    with pytest.raises(mg.MinigradError, match=next(iter(options))):
        TrainerOptions(**options)


def test_data_that_can_be_gone_through_only_once():
    trainer, data = line()
    with pytest.raises(mg.MinigradError, match="only once"):
        trainer.fit(iter(data))
    with pytest.raises(mg.MinigradError, match="only once"):
        trainer.fit(data, validation=(batch for batch in data))


def test_data_without_batches():
    with pytest.raises(mg.MinigradError, match="no batches"):
        line()[0].fit([])


def test_a_figure_that_is_not_there():
    trainer, data = line(monitor="accuracy")
    with pytest.raises(mg.MinigradError, match="the figures loss"):
        trainer.fit(data)


def test_no_best_before_an_epoch_was_finished():
    with pytest.raises(mg.MinigradError, match="no epoch"):
        line()[0].load_best()
    with pytest.raises(mg.MinigradError, match="no epoch"):
        _ = History().best


def test_the_bar_shows_loss_and_speed(capsys):
    trainer, data = line([1.0] * 3, epochs=1, progress=True, unit="words")
    trainer.fit(data)
    shown = capsys.readouterr().err
    assert "epoch 1/1" in shown
    trainer, _ = line(epochs=1, progress=True)

    class Endless:
        def __iter__(self):
            return iter([mg.tensor([1.0])] * 2)

    trainer.fit(Endless())
    assert "epoch 1/1" in capsys.readouterr().err
