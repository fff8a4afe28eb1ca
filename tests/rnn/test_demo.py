"""The main job from the command line: what it leaves, and how it fails."""

from __future__ import annotations

import csv
import importlib
import json
import re
import subprocess
import sys

import pytest

import minigrad as mg
from minigrad_rnn import demo
from minigrad_rnn.__main__ import main
from minigrad_rnn.language import LanguageModel, Vocabulary, generate

SMALL = ["--steps", "3", "--hidden", "8", "--window", "8", "--streams", "4", "--length", "20"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 100, encoding="utf-8")
    return path


def table(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_everything_is_reported_and_left_in_the_folder(text, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["demo", "--text", str(text), "--out", str(out), "--prompt", "the ", *SMALL]) == 0
    printed = capsys.readouterr().out
    for line in ("untrained network", "unigram counts", "bigram counts", "trained network"):
        assert line in printed
    assert {p.name for p in out.iterdir()} >= {
        "weights.safetensors", "run.json", "loss.csv", "loss.png", "unrolled.dot", "unrolled.svg", "gradient_flow.csv",
    }
    log = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert log["steps"] == 3
    assert log["stopped"] is False
    assert log["sample"].startswith("the ")
    assert len(log["sample"]) == 4 + 20
    assert log["sample"] in printed
    rows = table(out / "loss.csv")
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    flow = table(out / "gradient_flow.csv")
    cells = [float(row["norm"]) for row in flow if row["place"].endswith("lstm.layer0") and row["part"] == "c"]
    assert len(cells) == 8
    assert cells[-1] > cells[0] > 0
    drawing = (out / "unrolled.dot").read_text(encoding="utf-8")
    assert "t = 2" in drawing
    assert "t = 3" not in drawing


def test_the_gradient_flow_is_a_table_that_can_be_read(text, tmp_path):
    main(["demo", "--text", str(text), "--out", str(tmp_path), *SMALL, "--layers", "2", "--window", "40"])
    told = (tmp_path / "gradient_flow.txt").read_text(encoding="utf-8")
    assert len(told.splitlines()) < 70
    assert re.search(r"lstm.layer1: h ×[\d.e+-]+, c ×[\d.e+-]+ at every step back", told)
    assert len(re.findall(r"^ +39 ", told, re.MULTILINE)) == 2, "the last step of both layers"


def test_the_saved_weights_go_on_writing_the_same_text(text, tmp_path):
    out = tmp_path / "out"
    options = ["--prompt", "the ", "--temperature", "0", *SMALL]
    main(["demo", "--text", str(text), "--out", str(out), *options])
    config = mg.load_metadata(out / "weights.safetensors")
    symbols = config.pop("symbols")
    vocabulary = Vocabulary(symbols)
    model = LanguageModel(len(symbols), **config)
    model.load_state_dict(mg.load(out / "weights.safetensors"))
    written = vocabulary.decode(generate(model, mg.tensor(vocabulary.encode("the ")), 20, temperature=0))
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["sample"] == "the " + written


def test_both_paths_learn_the_same(text, tmp_path):
    for path in ("unrolled", "fused"):
        main(["demo", "--text", str(text), "--out", str(tmp_path / path), "--path", path, *SMALL])
    logs = [json.loads((tmp_path / path / "run.json").read_text(encoding="utf-8")) for path in ("unrolled", "fused")]
    first, second = (log["held_out_bits_per_character"]["after"] for log in logs)
    assert first == pytest.approx(second, rel=1e-5)


def test_the_same_seed_and_steps_give_the_same_result(text, tmp_path):
    for name in ("a", "b"):
        main(["demo", "--text", str(text), "--out", str(tmp_path / name), *SMALL])
    first, second = ((tmp_path / name / "loss.csv").read_text(encoding="utf-8") for name in ("a", "b"))
    assert first == second


def failing(capsys, *arguments):
    assert main(["demo", *SMALL, *map(str, arguments)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len([line for line in said if line.startswith("minigrad-rnn: ")]) == 1
    assert "Traceback" not in "".join(said)
    return said[-1]


def test_files_that_are_no_use(tmp_path, capsys):
    out = tmp_path / "out"
    assert "No such file" in failing(capsys, "--text", tmp_path / "missing", "--out", out)
    assert "cannot read" in failing(capsys, "--text", tmp_path, "--out", out)
    for content, sentence in ((b"", "0 characters"), (b"tiny", "4 characters"), (b"\xff" * 2000, "not UTF-8")):
        path = tmp_path / "text"
        path.write_bytes(content)
        assert sentence in failing(capsys, "--text", path, "--out", out)
    assert not out.exists()


def test_folders_that_cannot_be_written(text, tmp_path, capsys):
    assert "text.txt" in failing(capsys, "--text", text, "--out", text)
    assert "text.txt" in failing(capsys, "--text", text, "--out", text / "below")


def test_too_many_streams_for_the_text(text, tmp_path, capsys):
    assert "--streams" in failing(capsys, "--text", text, "--out", tmp_path / "out", "--streams", 5000)


WRONG = ["--seconds=0", "--steps=-1", "--lr=nan", "--hidden=x", "--seed=-1", "--temperature=-1", "--frobnicate"]


@pytest.mark.parametrize("option", WRONG)
def test_wrong_options(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["demo", option])
    assert stopped.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_learned(text, tmp_path, monkeypatch, capsys):
    steps = []

    def step(self, closure=None):
        steps.append(1)
        if len(steps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(mg.optim.Adam, "step", step)
    out = tmp_path / "out"
    assert main(["demo", "--text", str(text), "--out", str(out), *SMALL[2:], "--steps", "100"]) == 130
    assert "stopped by Ctrl-C" in capsys.readouterr().out
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["stopped"] is True
    assert (out / "weights.safetensors").exists()


def test_ctrl_c_before_anything_was_learned(text, tmp_path, monkeypatch, capsys):
    def forward(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "train", forward)
    assert main(["demo", "--text", str(text), "--out", str(tmp_path / "out"), *SMALL]) == 130
    assert "before anything was learned" in capsys.readouterr().err


def test_without_matplotlib_and_graphviz_the_numbers_are_there_all_the_same(text, tmp_path, monkeypatch, capsys):
    for name in ("matplotlib", "matplotlib.figure", "pygraphviz"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out"
    assert main(["demo", "--text", str(text), "--out", str(out), *SMALL]) == 0
    printed = capsys.readouterr().out
    assert 'pip install "minigrad[plot]"' in printed
    assert "unrolled.svg" in printed
    names = {p.name for p in out.iterdir()}
    assert {"loss.csv", "unrolled.dot"} <= names
    assert not {"loss.png", "unrolled.svg"} & names


def test_help_reads_well():
    done = subprocess.run(
        [sys.executable, "-m", "minigrad_rnn", "demo", "--help"], capture_output=True, text=True, check=True
    )
    assert "Ctrl-C" in done.stdout
    assert "(default: 60.0)" in done.stdout
    assert importlib.import_module("minigrad_rnn.__main__").__doc__
