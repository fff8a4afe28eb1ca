"""A character language model in five minutes: an LSTM of 128 units on tiny Shakespeare.

    python examples/char_lstm.py input.txt [--plot FILE]

The text is the tiny Shakespeare of karpathy/char-rnn (data/tinyshakespeare/input.txt there), or any other; its last
tenth is held out. 32 streams of the text are read 50 characters at a time with the state carried over, and learned by
Adam with learning rate 0.002. The goal was 1.68 nats for a held-out character within 300 seconds on two cores.

With --seed 0, Numba, one BLAS thread and other processes on the two cores, it printed among others:

    20 s  epoch  1  step    532  held out 1.911 nats
    60 s  epoch  4  step  2,127  held out 1.688 nats
    80 s  epoch  5  step  2,725  held out 1.663 nats
   100 s  epoch  6  step  3,215  held out 1.652 nats
   200 s  epoch 13  step  8,100  held out 1.599 nats
   300 s  epoch 19  step 11,611  held out 1.600 nats
"""

import argparse
import itertools
import math
import time
from pathlib import Path

from ctrl_c import CtrlC
from plotting import COLOURS, level, new_figure, save
from shakespeare import WHERE, read

import minigrad as mg
from minigrad import nn
from minigrad_rnn.language import Corpus, LanguageModel, Windows, bits_per_character, generate

EMBEDDING = 64
GOAL = 1.68

Curve = list[tuple[float, float]]  # seconds, and nats for a held-out character


def train(model: LanguageModel, corpus: Corpus, options: argparse.Namespace, ctrl_c: CtrlC) -> Curve:
    """Reads the text again and again until the time is over; that for looking at the held-out part counts too."""
    optimizer = mg.optim.Adam(model.parameters(), lr=options.lr)
    numbers, held_out = mg.tensor(corpus.train), mg.tensor(corpus.held_out)
    curve: Curve = []
    steps, started = 0, time.perf_counter()

    def look(seconds: float, epoch: int) -> None:
        curve.append((seconds, bits_per_character(model, held_out) * math.log(2)))
        told = f"{seconds:4.0f} s  epoch {epoch:2}  step {steps:6,}"
        print(f"{told}  held out {curve[-1][1]:.3f} nats", flush=True)

    with ctrl_c:
        for epoch in itertools.count(1):
            state = None
            for inputs, targets in Windows(numbers, streams=32, steps=50):
                logits, state = model(inputs, state)
                loss = nn.functional.cross_entropy(logits, targets, dim=-1)
                optimizer.zero_grad()
                loss.backward()
                mg.optim.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
                state = (state[0].detach(), state[1].detach())
                steps += 1
                seconds = time.perf_counter() - started
                over = seconds > options.seconds
                if over or seconds > (len(curve) + 1) * options.every:
                    look(seconds, epoch)
                if over:
                    return curve
    look(time.perf_counter() - started, epoch)  # after a Ctrl-C: nothing else leads here
    return curve


def plot(curve: Curve, path: Path) -> None:
    figure, (axes,) = new_figure("LSTM of 128 units on tiny Shakespeare")
    level(axes, GOAL, "goal", right=True)
    axes.plot(*zip(*curve, strict=True), color=COLOURS["LSTM"], linewidth=1.8, marker="o", markersize=4.5)
    axes.set(xlim=(0, None), xlabel="seconds", ylabel="nats per held-out character")
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help=WHERE)
    parser.add_argument("--seconds", type=float, default=300.0, help="time to learn (%(default)s)")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between looks (%(default)s)")
    parser.add_argument("--hidden", type=int, default=128, help="units (%(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the held-out figure against the time")
    options = parser.parse_args()
    try:
        corpus = Corpus(read(options.text))
    except mg.MinigradError as error:  # too short
        raise SystemExit(str(error)) from None

    mg.manual_seed(options.seed)
    model = LanguageModel(len(corpus.vocabulary), EMBEDDING, options.hidden)
    print(f"{len(corpus.train):,} characters to learn from, {len(corpus.held_out):,} held out")
    print(f"{model.count_parameters():,} parameters")
    ctrl_c = CtrlC()
    curve = train(model, corpus, options, ctrl_c)
    prompt = mg.tensor(corpus.vocabulary.encode("\n"))
    print(corpus.vocabulary.decode(generate(model, prompt, 200, temperature=0.7)))
    if options.plot:
        plot(curve, options.plot)
    ctrl_c.leave()


if __name__ == "__main__":
    main()
