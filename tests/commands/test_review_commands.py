"""The command line in bad hands: changed files, closed pipes, impatient fingers."""

from __future__ import annotations

import io
import json
import signal
import sys

import pytest

import minigrad as mg
from minigrad_rnn import commands
from minigrad_rnn.__main__ import main
from minigrad_rnn.commands.classify import Classify
from minigrad_rnn.commands.tree import Trees
from minigrad_rnn.data import Labelled
from minigrad_rnn.training import Trainer
from minigrad_rnn.tree import parse_trees

SMALL = ["--hidden", "8", "--embedding", "6", "--batch-size", "8"]
DATA = {
    "train-lm": "the cat sat on the mat, and the dog sat on the cat.\n" * 60,
    "classify": "pos\tgood nice\nneg\tbad awful\n" * 20,
    "tag": "the O\ncat N\n\na O\ndog N\n\n" * 20,
    "translate": "go home\tva maison\ngo\tva\n" * 20,
    "train-tree": "(1 (0 a) (1 b)) (0 (0 a) (0 c))\n" * 20,
}
NETWORK = {"cell": "lstm", "hidden": 4, "layers": 1, "embedding": 3, "dropout": 0.0}


def run(*arguments):
    return main([str(argument) for argument in arguments])


def failed(capsys, *arguments):
    capsys.readouterr()
    assert run(*arguments) == 1
    (message,) = capsys.readouterr().err.splitlines()
    return message.removeprefix("minigrad-rnn: ")


@pytest.fixture(params=DATA)
def name(request):
    return request.param


@pytest.fixture
def path(name, tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(DATA[name], encoding="utf-8")
    return path


def test_a_run_does_not_go_on_with_data_of_other_symbols(name, path, tmp_path, capsys):
    """As many as before, so that the parameters would fit, and mean something else."""
    folder = tmp_path / "run"
    assert run(name, "--data", path, "--out", folder, "--epochs", 1, *SMALL) == 0
    before = (folder / "last.safetensors").read_bytes()
    path.write_text(DATA[name].replace("a", "z"), encoding="utf-8")
    told = failed(capsys, name, "--resume", folder, "--epochs", 2)
    assert told.startswith(f"the data have other symbols or labels than those that the run in {folder} began with")
    assert (folder / "last.safetensors").read_bytes() == before
    path.write_text(DATA[name], encoding="utf-8")
    assert run(name, "--resume", folder, "--epochs", 2) == 0


def test_nothing_to_measure_is_told_before_anything_is_learned(tmp_path, capsys):
    path, empty = tmp_path / "text.txt", tmp_path / "empty.txt"
    path.write_text(DATA["train-lm"])
    empty.write_text("")
    for options in (["--valid", empty], ["--held-out", 0]):
        told = failed(capsys, "train-lm", "--data", path, "--out", tmp_path / "run", *options)
        assert told == "train-lm: fewer than two characters are held out, too few to measure the model on"
    assert not (tmp_path / "run").exists()


def test_only_what_a_command_can_do_is_offered(tmp_path, capsys):
    assert failed(capsys, "train-lm") == "train-lm: --out DIR trains, --resume DIR goes on; none of them was given"
    told = failed(capsys, "tag")
    assert told.startswith("tag: --out DIR trains, --resume DIR goes on, --model DIR uses what was trained; none of")
    told = failed(capsys, "tag", "--out", tmp_path, "--model", tmp_path)
    assert told.endswith("; --out and --model were given together")


def test_trees_that_are_all_leaves_have_no_children_to_count(tmp_path):
    path = tmp_path / "trees.tsv"
    path.write_text("x\ta\ny\tb\n" * 20)
    assert run("train-tree", "--data", path, "--out", tmp_path / "run", "--epochs", 1, *SMALL) == 0


# ---- means over what is real -----------------------------------------------------------------------------------------


def test_texts_with_a_label_that_was_never_learned_are_not_counted():
    mg.manual_seed(0)
    known = [Labelled("a b", "x"), Labelled("b", "y")]
    task = Classify({"kind": "words", "symbols": ["<unk>", "a", "b"], "labels": ["x", "y"], **NETWORK})
    model, new = task.build(), Labelled("a", "new")
    counts = [task.loss(model, task.batch(examples))[1] for examples in (known, [*known, new], [new])]
    assert counts == [2, 2, 0]


def test_the_loss_of_trees_is_the_mean_over_labelled_nodes_however_these_are_spread_over_batches():
    mg.manual_seed(0)
    trees = parse_trees("(x (y a) (x b)) (y ((x a) (y b) (y (x a) (y b)))) (new a)")
    task = Trees({"symbols": ["<unk>", "a", "b"], "labels": ["x", "y"], "arity": 3, **NETWORK, "cell": "childsum"})
    model = task.build()
    outcomes = [task.loss(model, task.batch([tree])) for tree in trees]
    assert [count for _, count in outcomes] == [3, 6, 0]
    total = sum(loss.item() * count for loss, count in outcomes[:2])
    whole, count = task.loss(model, task.batch(trees))
    assert count == 9
    assert whole.item() == pytest.approx(total / 9, rel=1e-5)


# ---- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [2, 9])
def test_a_second_ctrl_c_says_what_there_is_to_go_on_from(step, tmp_path, capsys, monkeypatch):
    path, folder = tmp_path / "data.txt", tmp_path / "run"
    path.write_text(DATA["classify"])
    learned, steps = Classify.loss, []

    def loss(self, model, batch):
        steps.append(1)
        if len(steps) == step:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return learned(self, model, batch)

    monkeypatch.setattr(Classify, "loss", loss)
    assert run("classify", "--data", path, "--out", folder, "--epochs", 3, *SMALL) == 130
    out, err = capsys.readouterr()
    told = f"stopped at once; go on from its last checkpoint with: minigrad-rnn classify --resume {folder}\n"
    if step == 2:
        assert err.endswith("minigrad-rnn: stopped before anything was saved\n")
    else:
        assert out.endswith(told)
        assert run("classify", "--resume", folder) == 0


def test_a_run_that_is_stopped_in_its_first_epoch_has_no_table(tmp_path, capsys, monkeypatch):
    path = tmp_path / "data.txt"
    path.write_text(DATA["classify"])
    fit = Trainer.fit

    def pressed(self, data, validation=None):
        make = self.optimizer.step
        self.optimizer.step = lambda closure=None: (signal.raise_signal(signal.SIGINT), make(closure))[1]
        return fit(self, data, validation)

    monkeypatch.setattr(Trainer, "fit", pressed)
    assert run("classify", "--data", path, "--out", tmp_path / "run", *SMALL) == 130
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("parameters")
    assert second.startswith("stopped by Ctrl-C")


def failing(monkeypatch, error):
    def plot(*args, **kwargs):
        raise error

    monkeypatch.setattr(commands.plot, "plot_logs", plot)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError("Unable to allocate 954. GiB"), "there is not enough memory: Unable to allocate 954. GiB"),
        (UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "unexpected end of data"),
         "a text cannot be read or written as utf-8: unexpected end of data"),
        (UnicodeEncodeError("ascii", "\xe9", 0, 1, "ordinal not in range(128)"),
         "a text cannot be read or written as ascii: ordinal not in range(128)"),
    ],
)  # fmt: skip
def test_what_the_machine_cannot_do_is_one_line(error, told, monkeypatch, capsys):
    failing(monkeypatch, error)
    assert failed(capsys, "plot", "run") == told


def test_a_reader_that_has_read_enough_is_no_error(monkeypatch, capsys):
    failing(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    assert run("plot", "run") == 1
    assert capsys.readouterr() == ("", "")


def test_output_that_is_only_buffered_is_written_before_it_is_called_done(monkeypatch, tmp_path):
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(commands.plot, "plot_logs", lambda *args, **kwargs: tmp_path)
    monkeypatch.setattr(sys, "stdout", Closed())
    assert run("plot", "run") == 1


def test_a_configuration_is_compared_as_it_is_written(tmp_path):
    """A tuple comes back from a file as a list, and is no other configuration."""
    path = tmp_path / "text.txt"
    path.write_text(DATA["train-lm"])
    folder = tmp_path / "run"
    assert run("train-lm", "--data", path, "--out", folder, "--epochs", 1, *SMALL, "--tied") == 0
    config = mg.load_metadata(folder / "last.safetensors")["config"]
    assert config == json.loads(json.dumps(config))
    assert run("train-lm", "--resume", folder, "--epochs", 2) == 0
