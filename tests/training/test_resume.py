"""Checkpoints: a run that was interrupted and resumed is the run that was not."""

from __future__ import annotations

import json
import math
import signal

import numpy as np
import pytest
from training_tasks import collate, examples, same_bits, tagger, untimed

import minigrad as mg
from minigrad import nn
from minigrad_rnn.training import Batches, Trainer, TrainerOptions, read_log


def schedules(optimizer):
    return [
        mg.optim.CosineAnnealingLR(optimizer, 9),
        mg.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
    ]


KINDS = {
    "plain": {},
    "carried state": {"carry": True},
    "accumulation": {"accumulate": 3, "clip_norm": 0.3},
    "schedules": {"schedules": schedules, "schedule_per": "step"},
}


def interrupt_after(trainer, step):
    """Press Ctrl-C during a step of the run."""
    make = trainer.optimizer.step

    def pressed(closure=None):
        if trainer.progress.step == step - 1:
            signal.raise_signal(signal.SIGINT)
        return make(closure)

    trainer.optimizer.step = pressed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_resumed_run_equals_the_uninterrupted_one_to_the_last_bit(kind, step, tmp_path):
    validation = [collate(examples(5))]
    options = {"report_every": 2, **KINDS[kind]}
    whole, data = tagger(folder=tmp_path / "whole", **options)
    expected = whole.fit(data, validation)

    first, data = tagger(folder=tmp_path / "parts", **options)
    interrupt_after(first, step)
    assert first.fit(data, validation).stopped

    second, data = tagger(seed=99, folder=tmp_path / "parts", **options)  # nothing of the seed is to be left
    history = second.resume().fit(data, validation)
    assert untimed(history.epochs) == untimed(expected.epochs)
    assert same_bits(second.model.state_dict(), whole.model.state_dict())
    assert untimed(read_log(tmp_path / "parts")) == untimed(read_log(tmp_path / "whole"))
    for a, b in zip(second.optimizer.state.values(), whole.optimizer.state.values(), strict=True):
        assert a["step"] == b["step"]
        assert all((a[name] == b[name]).all() for name in ("exp_avg", "exp_avg_sq"))
    assert mg.get_rng_state() == second.progress.rng == whole.progress.rng
    second.load_best()
    whole.load_best()
    assert same_bits(second.model.state_dict(), whole.model.state_dict())


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint_and_the_log_has_no_line_twice(tmp_path):
    options = {"report_every": 1, "save_every": 3, "clip_norm": 1.0}
    whole, data = tagger(folder=tmp_path / "whole", **options)
    whole.fit(data)

    killed, data = tagger(folder=tmp_path / "parts", **options)
    make = killed.optimizer.step

    def dies(closure=None):
        if killed.progress.step == 7:
            raise MemoryError
        return make(closure)

    killed.optimizer.step = dies
    with pytest.raises(MemoryError):
        killed.fit(data)
    assert read_log(tmp_path / "parts")[-1]["step"] == 7

    second, data = tagger(seed=3, folder=tmp_path / "parts", **options)
    assert second.resume().progress.step == 6
    second.fit(data)
    assert same_bits(second.model.state_dict(), whole.model.state_dict())
    assert untimed(read_log(tmp_path / "parts")) == untimed(read_log(tmp_path / "whole"))


def test_a_finished_run_can_be_made_longer(tmp_path):
    whole, data = tagger(epochs=4)
    whole.fit(data)
    short, data = tagger(epochs=2, folder=tmp_path)
    short.fit(data)
    longer, data = tagger(epochs=4, folder=tmp_path)
    assert longer.resume().history["epoch"] == [1, 2]
    longer.fit(data)
    assert same_bits(longer.model.state_dict(), whole.model.state_dict())


def test_what_is_in_the_folder(tmp_path):
    trainer, data = tagger(folder=tmp_path / "a" / "run", report_every=2)
    trainer.metadata = {"what": "a tagger"}
    history = trainer.fit(data)
    folder = tmp_path / "a" / "run"
    assert {path.name for path in folder.iterdir()} == {"best.safetensors", "last.safetensors", "log.jsonl"}
    assert mg.load_metadata(folder / "best.safetensors") == {"what": "a tagger"}
    trainer.load_best()
    assert same_bits(trainer.model.state_dict(), mg.load(folder / "best.safetensors"))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [2, 4, 6, 8, 10, 12]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [{k: v for k, v in line.items() if k != "kind"} for line in epochs] == history.epochs


def test_the_log_is_json_for_everybody(tmp_path):
    trainer, data = tagger(folder=tmp_path, epochs=1)
    trainer.measure = lambda: {"nothing": math.nan, "single": np.float32(0.5), "tensor": mg.tensor(2.0)}
    record = trainer.fit(data).epochs[0]
    assert (record["single"], record["tensor"]) == (0.5, 2.0)
    assert math.isnan(record["nothing"])

    def refuse(constant):
        raise AssertionError(constant)

    (line,) = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line, parse_constant=refuse)["nothing"] is None
    again = tagger(folder=tmp_path, epochs=1)[0].resume()
    assert math.isnan(again.history["nothing"][0])


def test_another_run_in_the_folder_is_not_lost(tmp_path):
    trainer, data = tagger(folder=tmp_path, epochs=1)
    trainer.fit(data)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(mg.MinigradError, match="another run"):
        tagger(folder=tmp_path)[0].fit(data)
    tagger(folder=tmp_path / "elsewhere", epochs=1)[0].fit(data)
    other = tagger(folder=tmp_path)[0].resume(tmp_path / "elsewhere" / "last.safetensors")
    with pytest.raises(mg.MinigradError, match="another run"):
        other.fit(data)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_checkpoints_that_do_not_fit(tmp_path):
    trainer, data = tagger(folder=tmp_path / "run", epochs=1)
    trainer.fit(data)
    last = tmp_path / "run" / "last.safetensors"
    with pytest.raises(mg.FileError, match="there is no file"):
        tagger(folder=tmp_path)[0].resume()
    with pytest.raises(mg.FileError, match="which checkpoint"):
        tagger()[0].resume()
    with pytest.raises(mg.FileError, match="0 schedules, this one has 2"):
        tagger(schedules=schedules)[0].resume(last)
    with pytest.raises(mg.FileError, match="no checkpoint of a training run"):
        tagger()[0].resume(tmp_path / "run" / "best.safetensors")
    model = nn.Linear(2, 2)
    other = Trainer(model, mg.optim.SGD(model.parameters(), lr=0.1), lambda model, batch: batch)
    with pytest.raises(mg.StateError, match="does not fit Linear"):
        other.resume(last)
    (tmp_path / "evil").write_bytes(b"\x80\x04evil")
    with pytest.raises(mg.FileError, match="pickle"):
        other.resume(tmp_path / "evil")


def test_other_data_than_the_run_began_with(tmp_path):
    trainer, data = tagger(folder=tmp_path)
    interrupt_after(trainer, 4)
    trainer.fit(data)
    second, _ = tagger(folder=tmp_path)
    with pytest.raises(mg.MinigradError, match="stands at batch 4 of an epoch, and these data have 1 only"):
        second.resume().fit(Batches(examples(2), 2, collate))


def test_data_that_draw_from_minigrad_are_put_back_too(tmp_path):
    class Noisy:
        """A new order and new noise every epoch, from the one random generator that there is."""

        def __iter__(self):
            return (mg.randn(2) + float(i) for i in mg.randperm(4).tolist())

    def make(folder=None):
        model = nn.Linear(2, 1)
        options = TrainerOptions(epochs=3, folder=folder, progress=False)
        return Trainer(model, mg.optim.SGD(model.parameters(), lr=0.01), lambda m, x: (m(x) ** 2).sum(), options)

    mg.manual_seed(5)
    whole = make()
    whole.fit(Noisy())
    mg.manual_seed(5)
    first = make(tmp_path)
    interrupt_after(first, 6)
    first.fit(Noisy())
    second = make(tmp_path).resume()
    second.fit(Noisy())
    assert same_bits(whole.model.state_dict(), second.model.state_dict())
