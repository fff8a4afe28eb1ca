"""What several tests of drawings share: goldens, and a recurrent network."""

import re
from pathlib import Path

import pytest

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn

GOLDEN = Path(__file__).parent / "golden"


def same_as_golden(name, dot):
    """The DOT text, without source lines. To accept a new look, delete the file and run the test."""
    text = re.sub(r"test_(\w+)\.py:\d+", r"test_\1.py", dot)
    path = GOLDEN / f"{name}.dot"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: look at it and run again")
    assert text == path.read_text(encoding="utf-8")


class Language(nn.Module):
    def __init__(self, kind=mr.LSTM, layers=1):
        self.emb, self.rnn, self.out = nn.Embedding(10, 4), kind(4, 6, layers), nn.Linear(6, 10)

    def forward(self, x):
        return self.out(self.rnn(self.emb(x))[0])


def language(steps=3, **options):
    mg.manual_seed(0)
    model, x = Language(**options), mg.tensor([[1]] * steps)
    return lambda: nn.functional.cross_entropy(model(x), x, dim=-1)
