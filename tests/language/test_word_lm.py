"""The example with a model of words: from the command line, with files, taken up again."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

import minigrad as mg

SCRIPT = Path(__file__).parents[2] / "examples" / "word_lm.py"
SMALL = ["--hidden", "8", "--streams", "4", "--window", "10", "--words", "20"]


@pytest.fixture
def run(monkeypatch, capsys):
    def script(*arguments):
        monkeypatch.setattr(sys, "argv", ["word_lm.py", *map(str, arguments)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    return script


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 100, encoding="utf-8")
    return path


def perplexities(printed):
    return re.findall(r"held-out perplexity +([\d.]+)", printed)


def test_it_learns_and_a_run_taken_up_again_ends_as_one_in_one_go(run, text, tmp_path):
    arguments = ["--data", text, *SMALL, "--dropout", 0.1, "--lr", 5]
    whole = perplexities(run(*arguments, "--epochs", 3, "--folder", tmp_path / "whole"))
    parts = perplexities(run(*arguments, "--epochs", 2, "--folder", tmp_path / "parts"))
    parts += perplexities(run(*arguments, "--epochs", 3, "--folder", tmp_path / "parts", "--resume"))
    assert parts == whole
    assert float(whole[-1]) < float(whole[0]) < 11
    a, b = (mg.load(tmp_path / name / "last.safetensors")["model"] for name in ("whole", "parts"))
    assert all((a[name] == b[name]).all() for name in a)


def test_raw_text_and_another_to_hold_out(run, text):
    printed = run("--data", text, "--valid", text, "--raw", "--tied", "--epochs", 1, *SMALL)
    assert "1,600 words to learn from, 1,600 held out, 10 different" in printed
    assert "the name of ..." in printed


def test_errors_are_one_line(run, text, tmp_path):
    with pytest.raises(SystemExit, match="No such file"):
        run("--data", tmp_path / "missing")
    with pytest.raises(SystemExit, match="there is no file"):
        run("--data", text, *SMALL, "--folder", tmp_path, "--resume")
