"""Take the picture of an interactive page that stands in docs/drawing.md: docs/figures/page.png. It wants Chromium.

python docs/make_page_figure.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import minigrad as mg
import minigrad_rnn as mr
from minigrad import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "draw"))
from headless import Browser


class Classifier(nn.Module):
    """A class for a sequence of words."""

    def __init__(self) -> None:
        self.emb, self.rnn, self.out = nn.Embedding(10, 8), mr.LSTM(8, 16), nn.Linear(16, 3)

    def forward(self, words: mg.Tensor) -> mg.Tensor:
        return self.out(self.rnn(self.emb(words))[0][-1])


def main() -> None:
    mg.manual_seed(0)
    words, label = mg.tensor([[1], [2], [3], [4]]), mg.tensor([1])
    with mr.unrolled():
        loss = nn.functional.cross_entropy(Classifier()(words), label)
    loss.backward(retain_graph=True)
    with tempfile.TemporaryDirectory() as folder:
        page = mg.draw(loss).save(Path(folder) / "classifier.html")
        browser = Browser(Path(folder) / "profile")
        browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=620, deviceScaleFactor=1.5, mobile=False)
        browser.open(page)
        browser.click(".node[aria-label^='t = 1,']")
        browser.until("document.querySelector('text[aria-label^=\"t = 1,\"]')")
        browser.click(".node[aria-label^='sigmoid,'][aria-label*='forget_gate']")
        browser.screenshot(Path(__file__).parent / "figures" / "page.png")
        browser.close()


if __name__ == "__main__":
    main()
