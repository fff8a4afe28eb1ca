"""A small Transformer beside an LSTM: the same labels to learn, about the same number of parameters.

    python examples/transformer_comparison.py

An LSTM in both directions goes from step to step; two encoder layers of a Transformer (Vaswani et al. 2017) compare all
pairs of steps at once. Two tasks, labels for every step of a sequence:

- near: the kind of token that each character of Python source belongs to, 100 characters at a time, as in aligned.py.
  What decides stands next to it or a few steps away. Held-out pieces of 400 characters, four times as long as any that
  was learned from, show what each does where it has never been.
- far: of 40 random symbols, that which is as far from the other end. It may be 39 steps away, and all 40 are needed.

Then one step of training is measured for sequences of 100, 400 and 1,600 symbols, four in a batch: processor time, and
the most memory that arrays take up meanwhile. The LSTM's grow with the length, attention's with its square.

With --seed 0 and Python 3.11, one BLAS thread:

    near: 16 programs to learn from in 4,256 pieces, 4 held out
      LSTM         75,655 parameters, right:  98.75% in pieces of 100,  99.58% in pieces of 400; 798 updates, 26 s
      Transformer  75,719 parameters, right:  90.79% in pieces of 100,  67.27% in pieces of 400; 798 updates, 54 s
    far: 2,000 sequences to learn from, 500 held out
      LSTM         76,042 parameters, right:  20.39% of 40 symbols; 378 updates, 5 s
      Transformer  75,914 parameters, right: 100.00% of 40 symbols; 378 updates, 7 s
    length   100:  LSTM     7.3 ms    0.8 MB,  Transformer     7.7 ms    5.0 MB
    length   400:  LSTM    25.5 ms    3.0 MB,  Transformer    62.6 ms   50.2 MB
    length  1600:  LSTM    99.2 ms   11.8 MB,  Transformer   893.6 ms  691.8 MB
"""

import argparse
import time
import tracemalloc

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad_rnn import LSTM, lengths_to_mask, pad_sequence
from minigrad_rnn.data import labelled_pieces, split, standard_library
from minigrad_rnn.data.source_code import KINDS
from minigrad_rnn.patterns import Tagger
from minigrad_rnn.training import Batches, Trainer, TrainerOptions

PADDING = -100  # what cross entropy leaves out
SYMBOLS = 128  # of ASCII; 0 is in no program, and so is padding
LEARNED, LONGER = 100, 400  # characters in a piece
MIRRORED, DIFFERENT = 40, 10  # symbols in a sequence to be mirrored, and how many there are to choose from

Piece = tuple[np.ndarray, np.ndarray]  # symbols and labels
Batch = tuple[mg.Tensor, list[int], mg.Tensor]


class Transformer(nn.Module):
    """Encoder layers one upon the other: symbols (T, N) to logits (T, N, classes)."""

    def __init__(self, features: int, heads: int, layers: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.embedding = nn.Embedding(SYMBOLS, features)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(features, heads, 2 * features, dropout=0.0, norm_first=True)
            for _ in range(layers)
        )
        self.head = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, classes))

    def forward(self, x: mg.Tensor, lengths: list[int]) -> mg.Tensor:
        positions = nn.functional.sinusoidal_positions(len(x), self.features).unsqueeze(1)
        y = self.embedding(x) + positions
        padding = None if min(lengths) == len(x) else ~lengths_to_mask(lengths, len(x), batch_first=True)
        for layer in self.layers:
            y = layer(y, src_key_padding_mask=padding)
        return self.head(y)


def networks(size: int, classes: int) -> dict[str, tuple[nn.Module, float]]:
    """By name a network and its learning rate."""
    lstm = Tagger(LSTM(size, size, bidirectional=True), classes, embedding=nn.Embedding(SYMBOLS, size))
    return {"LSTM": (lstm, 5e-3), "Transformer": (Transformer(size, 4, 2, classes), 5e-3)}


def source_code(programs: list[str], length: int) -> list[Piece]:
    """Characters and the kinds of their tokens."""
    return [
        (np.array([ord(symbol) for symbol, _ in piece]), np.array([KINDS.index(kind) for _, kind in piece]))
        for piece in labelled_pieces(programs, length)
    ]


def mirrored(count: int, seed: int) -> list[Piece]:
    """Random symbols, and the same from the last to the first."""
    labels = np.random.default_rng(seed).integers(0, DIFFERENT, (count, MIRRORED))
    return [(1 + row[::-1], row) for row in labels]


def collate(pieces: list[Piece]) -> Batch:
    rows, wanted = ([mg.tensor(row.copy()) for row in part] for part in zip(*pieces, strict=True))
    return pad_sequence(rows), [len(row) for row in rows], pad_sequence(wanted, padding_value=PADDING)


def loss(model: nn.Module, batch: Batch) -> tuple[mg.Tensor, int]:
    x, lengths, wanted = batch
    return nn.functional.cross_entropy(model(x, lengths), wanted, dim=-1, ignore_index=PADDING), sum(lengths)


def right(model: nn.Module, pieces: list[Piece]) -> float:
    """The share of right labels."""
    found = []
    with mg.no_grad():
        for x, lengths, wanted in Batches(pieces, 32, collate, shuffle=False):
            real = wanted.numpy() != PADDING
            found.append((model(x, lengths).argmax(-1).numpy() == wanted.numpy())[real])
    return float(np.concatenate(found).mean())


def cost(model: nn.Module, length: int) -> tuple[float, float]:
    """Processor time of a step, in milliseconds, and the most memory meanwhile, in megabytes."""
    x, wanted = mg.randint(1, SYMBOLS, (length, 4)), mg.randint(0, len(KINDS), (length, 4))

    def step() -> float:
        started = time.process_time()
        loss(model, (x, [length] * 4, wanted))[0].backward()
        model.zero_grad()
        return 1000 * (time.process_time() - started)

    fastest = min(step() for _ in range(4))
    tracemalloc.start()
    step()
    most = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return fastest, most


def compare(known: list[Piece], held_out: dict[str, list[Piece]], classes: int, options: argparse.Namespace) -> None:
    """Trains both networks, and tells the share of right labels in each held-out part."""
    mg.manual_seed(options.seed)
    for name, (model, lr) in networks(options.size, classes).items():
        optimizer = mg.optim.Adam(model.parameters(), lr=lr)
        trainer = Trainer(
            model,
            optimizer,
            loss,
            TrainerOptions(epochs=options.epochs, clip_norm=1.0, progress=False),
            schedule=mg.optim.CosineAnnealingLR(optimizer, options.epochs),
        )
        started = time.process_time()
        trainer.fit(Batches(known, 32, collate, seed=options.seed))
        seconds = time.process_time() - started
        shares = ", ".join(f"{right(model, pieces):7.2%} {what}" for what, pieces in held_out.items())
        told = f"  {name:12}{model.count_parameters():7,} parameters, right: {shares}"
        print(f"{told}; {trainer.progress.step} updates, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--programs", type=int, default=20, help="how many modules of the standard library to read")
    parser.add_argument("--examples", type=int, default=2000, help="how many sequences to mirror")
    parser.add_argument("--size", type=int, default=64, help="units of the LSTM, features of the Transformer")
    parser.add_argument("--lengths", type=int, nargs="*", default=[100, 400, 1600], help="to measure the cost at")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    known, others = split(standard_library(options.programs), held_out=0.2, seed=options.seed)
    held_out = {f"in pieces of {length}": source_code(others, length) for length in (LEARNED, LONGER)}
    pieces = source_code(known, LEARNED)
    print(f"near: {len(known)} programs to learn from in {len(pieces):,} pieces, {len(others)} held out")
    compare(pieces, held_out, len(KINDS), options)
    print(f"far: {options.examples:,} sequences to learn from, 500 held out")
    held_out = {f"of {MIRRORED} symbols": mirrored(500, options.seed + 1)}
    compare(mirrored(options.examples, options.seed), held_out, DIFFERENT, options)
    for length in options.lengths:
        costs = {name: cost(model, length) for name, (model, _) in networks(options.size, len(KINDS)).items()}
        told = ",  ".join(f"{name} {spent:7.1f} ms {most:6.1f} MB" for name, (spent, most) in costs.items())
        print(f"length {length:5}:  {told}", flush=True)


if __name__ == "__main__":
    main()
