"""The scripts in examples/ run, and leave what they say."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a script on a temporary folder, as from the command line; gives what it printed."""

    def script(name):
        monkeypatch.setattr(sys, "argv", [name, str(tmp_path)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return script


def test_custom_op(run, tmp_path, scratch_ops):
    printed = run("custom_op.py")
    assert "keeps every promise" in printed
    assert "squareplus" in (tmp_path / "custom_op.svg").read_text(encoding="utf-8")


def test_xor(run, tmp_path):
    answers = [float(line.split("=")[1]) for line in run("xor.py").splitlines() if " xor " in line]
    assert [round(p) for p in answers] == [0, 1, 1, 0]
    assert {path.name for path in tmp_path.iterdir()} == {"xor.safetensors", "xor.svg"}


def test_every_example_has_a_test():
    tests = set(globals())
    assert {f"test_{path.stem}" for path in EXAMPLES.glob("*.py")} <= tests
