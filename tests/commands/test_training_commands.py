"""The commands that train: each learns, is saved, used, gone on with, and says in one line what is wrong."""

import json
import signal
import sys

import pytest

import minigrad as mg
from minigrad_rnn.__main__ import main
from minigrad_rnn.commands import classify, tag, translate, tree
from minigrad_rnn.data import reviews
from minigrad_rnn.data.expressions import expressions
from minigrad_rnn.tree import write_trees

SMALL = ["--hidden", "8", "--embedding", "6", "--batch-size", "8"]
USED = {
    "classify": ["the plot was not dull", ""],
    "tag": ["She lives in Rome", ""],
    "translate": ["go home", "never seen"],
    "train-tree": ["(3 + (4 * 2))", "7"],
}


@pytest.fixture
def data(tmp_path):
    """A small file of examples for each command."""
    lines = {
        "classify": [f"{label}\t{text}" for text, label in reviews(40)],
        "tag": ["She O", "lives O", "in O", "Rome LOC", "", "I O", "go O", ""] * 10,
        "translate": ["go home\tva maison", "go\tva", "home now\tmaison maintenant"] * 10,
    }
    paths = {name: tmp_path / f"{name}.txt" for name in USED}
    for name, content in lines.items():
        paths[name].write_text("\n".join(content), encoding="utf-8")
    write_trees(expressions(40, depth=2), paths["train-tree"])
    return paths


def run(*arguments):
    return main([str(argument) for argument in arguments])


def trained(name, data, folder, *options):
    assert run(name, "--data", data[name], "--out", folder, "--epochs", 2, *SMALL, *options) == 0
    return folder


def weights(folder):
    return {name: value.numpy().tolist() for name, value in mg.load(folder / "best.safetensors").items()}


@pytest.mark.parametrize("name", USED)
def test_what_is_trained_is_saved_and_used(name, data, tmp_path, capsys):
    folder = trained(name, data, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "parameters" in printed
    assert f"minigrad-rnn {name} --model {folder}" in printed
    assert {path.name for path in folder.iterdir()} == {"best.safetensors", "last.safetensors", "log.jsonl"}
    assert run(name, "--model", folder, *USED[name]) == 0
    answers = capsys.readouterr().out
    assert answers
    assert run(name, "--model", folder / "best.safetensors", *USED[name]) == 0
    assert capsys.readouterr().out == answers


@pytest.mark.parametrize("name", USED)
def test_a_run_that_goes_on_is_the_run_that_never_stopped(name, data, tmp_path):
    whole = trained(name, data, tmp_path / "whole")
    part = trained(name, data, tmp_path / "part", "--epochs", 1)
    assert run(name, "--resume", part, "--epochs", 2) == 0
    assert weights(part) == weights(whole)


@pytest.mark.parametrize("name", USED)
def test_lines_of_the_standard_input_are_used_one_by_one(name, data, tmp_path, capsys, monkeypatch):
    folder = trained(name, data, tmp_path / "run")
    capsys.readouterr()
    run(name, "--model", folder, *USED[name])
    together = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", iter(f"{text}\n" for text in USED[name]))
    assert run(name, "--model", folder) == 0
    alone = capsys.readouterr().out
    assert len(alone.splitlines()) == len(together.splitlines())


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("name", ["classify", "tag", "translate"])
def test_all_cells_depths_and_dropout_can_be_chosen(name, cell, data, tmp_path):
    folder = trained(name, data, tmp_path / "run", "--cell", cell, "--layers", 2, "--dropout", 0.1)
    config = mg.load_metadata(folder / "best.safetensors")["config"]
    assert (config["cell"], config["layers"], config["dropout"]) == (cell, 2, 0.1)


@pytest.mark.parametrize("cell", ["nary", "rntn", "recursive", "gru", "childsum"])
def test_all_networks_over_trees_can_be_chosen(cell, data, tmp_path, capsys):
    folder = trained("train-tree", data, tmp_path / "run", "--cell", cell)
    capsys.readouterr()
    assert run("train-tree", "--model", folder, "(1 + 2)") == 0
    assert capsys.readouterr().out.endswith("\t(1 + 2)\n")


def test_letters_and_words_are_different_models(data, tmp_path):
    words = trained("classify", data, tmp_path / "words")
    letters = trained("classify", data, tmp_path / "letters", "--characters")
    symbols = [mg.load_metadata(folder / "best.safetensors")["config"]["symbols"] for folder in (words, letters)]
    assert "was" in symbols[0]
    assert all(len(symbol) == 1 for symbol in symbols[1])


def test_trees_with_a_label_at_the_root_only_stand_in_lines(tmp_path, capsys):
    path = tmp_path / "trees.tsv"
    path.write_text("yes\t(a b)\nno\t(b (a a))\n" * 20)
    assert run("train-tree", "--data", path, "--out", tmp_path / "run", "--epochs", 1, *SMALL) == 0
    path.write_text("yes\t(a b)\nno tab\n")
    assert run("train-tree", "--data", path, "--out", tmp_path / "other") == 1
    assert "line 2: a label, a tab and a tree are expected" in capsys.readouterr().err


def test_without_data_examples_are_made_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tag, "PROGRAMS", 1)
    for module in (classify, translate, tree):
        monkeypatch.setattr(module, "MADE_UP", 60)
    for name in USED:
        assert run(name, "--out", tmp_path / name, "--epochs", 1, *SMALL) == 0
        assert mg.load_metadata(tmp_path / name / "best.safetensors")["options"]["data"] is None


def test_ctrl_c_keeps_the_work(data, tmp_path, capsys, monkeypatch):
    learned, calls = classify.Classify.loss, []

    def loss(self, model, batch):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return learned(self, model, batch)

    monkeypatch.setattr(classify.Classify, "loss", loss)
    folder = tmp_path / "run"
    assert run("classify", "--data", data["classify"], "--out", folder, "--epochs", 2, *SMALL) == 130
    assert f"go on with: minigrad-rnn classify --resume {folder}" in capsys.readouterr().out
    monkeypatch.setattr(classify.Classify, "loss", learned)
    assert run("classify", "--resume", folder) == 0
    whole = trained("classify", data, tmp_path / "whole")
    assert weights(folder) == weights(whole)


def test_the_log_has_a_line_for_every_epoch_and_can_be_plotted(data, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    folder = trained("classify", data, tmp_path / "run")
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records if record["kind"] == "epoch"] == [1, 2]
    capsys.readouterr()
    assert run("plot", folder, "--out", tmp_path / "curves.png", "--figures", "loss", "accuracy") == 0
    assert capsys.readouterr().out == f"written to {tmp_path / 'curves.png'}\n"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def failed(capsys, *arguments):
    capsys.readouterr()
    assert run(*arguments) == 1
    (message,) = capsys.readouterr().err.splitlines()
    return message.removeprefix("minigrad-rnn: ")


@pytest.mark.parametrize("name", USED)
def test_files_that_cannot_be_read_are_told_and_nothing_is_written(name, data, tmp_path, capsys):
    folder = tmp_path / "run"
    assert "cannot read" in failed(capsys, name, "--data", tmp_path / "nowhere", "--out", folder)
    data[name].write_bytes(b"\xff\xfe\x00broken\n")
    assert "is not UTF-8" in failed(capsys, name, "--data", data[name], "--out", folder)
    data[name].write_text("")
    assert failed(capsys, name, "--data", data[name], "--out", folder)
    assert not folder.exists()


def test_what_to_do_must_be_said_once(data, tmp_path, capsys):
    assert failed(capsys, "tag", "--data", data["tag"]).endswith("none of them was given")
    assert failed(capsys, "tag", "--out", tmp_path / "a", "--model", tmp_path / "b").endswith(
        "--out and --model were given together"
    )


def test_a_folder_with_a_run_in_it_is_not_written_over(data, tmp_path, capsys):
    folder = trained("tag", data, tmp_path / "run")
    before = weights(folder)
    assert "holds another run" in failed(capsys, "tag", "--data", data["tag"], "--out", folder, *SMALL)
    assert weights(folder) == before


def test_a_run_that_goes_on_keeps_its_options(data, tmp_path, capsys):
    folder = trained("tag", data, tmp_path / "run")
    told = failed(capsys, "tag", "--resume", folder, "--batch-size", 3)
    assert told == "tag: --batch-size cannot change in a run that goes on"


def test_a_model_of_another_command_is_told(data, tmp_path, capsys):
    folder = trained("tag", data, tmp_path / "run")
    told = failed(capsys, "classify", "--model", folder, "x")
    assert "was made by `minigrad-rnn tag`, not by `minigrad-rnn classify`" in told
    assert "there is no model" in failed(capsys, "tag", "--model", tmp_path / "nowhere", "x")
    mg.save({"w": mg.ones(1)}, tmp_path / "other.safetensors")
    assert "made by something else" in failed(capsys, "tag", "--model", tmp_path / "other.safetensors", "x")


def test_a_model_whose_vocabulary_does_not_fit_is_told(data, tmp_path, capsys):
    folder = trained("tag", data, tmp_path / "run")
    path = folder / "best.safetensors"
    described = mg.load_metadata(path)
    described["config"]["symbols"] = described["config"]["symbols"][:-1]
    mg.save(mg.load(path), path, described)
    assert "does not hold what `minigrad-rnn tag` saves" in failed(capsys, "tag", "--model", path, "x")
    described["config"]["symbols"] = 3
    mg.save(mg.load(path), path, described)
    assert "does not hold what `minigrad-rnn tag` saves" in failed(capsys, "tag", "--model", path, "x")


def test_too_few_examples_are_told(tmp_path, capsys):
    path = tmp_path / "pairs.txt"
    path.write_text("go\tva\n")
    told = failed(capsys, "translate", "--data", path, "--out", tmp_path / "run")
    assert told == "translate: 1 examples are too few to learn from and to hold some out"


def test_trees_of_one_label_are_told(tmp_path, capsys):
    path = tmp_path / "trees.txt"
    path.write_text("(a b) (a c) (a d) " * 10)
    assert "have 1 labels" in failed(capsys, "train-tree", "--data", path, "--out", tmp_path / "run")


@pytest.mark.parametrize("option", ["--epochs=0", "--lr=-1", "--dropout=1", "--held-out=2", "--cell=transformer"])
def test_numbers_out_of_range_are_refused_by_the_parser(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        run("tag", "--out", "x", option)
    assert stopped.value.code == 2
    assert option.split("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("name", [*USED, "train-lm", "generate", "plot", "draw", "demo"])
def test_help_names_every_option_and_fits_the_terminal(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        run(name, "--help")
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "minigrad-rnn" in text


@pytest.mark.parametrize("view", ["unrolled", "folded", "flow", "overview"])
@pytest.mark.parametrize("name", ["classify", "tag", "translate"])
def test_what_was_trained_can_be_drawn(name, view, data, tmp_path, capsys):
    folder = trained(name, data, tmp_path / "run")
    capsys.readouterr()
    out = tmp_path / "picture.dot"
    assert run("draw", folder, "--view", view, "--steps", 3, "--out", out) == 0
    assert capsys.readouterr().out == f"written to {out}\n"
    dot = out.read_text(encoding="utf-8")
    assert dot.startswith("digraph {")
    assert ("embedding" in dot) or view == "flow"


def test_networks_over_trees_are_drawn_by_their_modules(data, tmp_path, capsys):
    folder = trained("train-tree", data, tmp_path / "run")
    out = tmp_path / "picture.dot"
    assert run("draw", folder, "--view", "overview", "--out", out) == 0
    assert "network" in out.read_text(encoding="utf-8")
    assert run("draw", folder, "--out", out) == 0
    assert "first child" in out.read_text(encoding="utf-8")
    assert "no time step is recorded" in failed(capsys, "draw", folder, "--view", "folded", "--out", out)
    assert "--hidden is for the built-in models" in failed(capsys, "draw", folder, "--hidden", 3)


def test_nodes_of_many_children_want_a_network_that_sums_them(tmp_path, capsys):
    path = tmp_path / "trees.tsv"
    path.write_text(f"yes\t({'a ' * 20})\nno\t({'b ' * 20})\n" * 10)
    told = failed(capsys, "train-tree", "--data", path, "--out", tmp_path / "run", *SMALL)
    assert "a node has 20 children" in told
    assert "--cell childsum or gru takes any number" in told
    assert run("train-tree", "--data", path, "--out", tmp_path / "run", "--cell", "gru", "--epochs", 1, *SMALL) == 0


def test_blank_lines_of_trees_stay_blank(data, tmp_path, capsys, monkeypatch):
    folder = trained("train-tree", data, tmp_path / "run")
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdin", iter(["\n", "(1 + 2)\n"]))
    assert run("train-tree", "--model", folder) == 0
    blank, answer = capsys.readouterr().out.splitlines()
    assert blank == ""
    assert answer.endswith("(1 + 2)")
