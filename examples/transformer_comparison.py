"""A small Transformer beside an LSTM: the same labels to learn, about the same number of parameters.

    python examples/transformer_comparison.py

Both read Python source, 100 characters at a time, and label each character with the kind of token it belongs to, as in
aligned.py: an LSTM in both directions, which goes from step to step, and two encoder layers of a Transformer (Vaswani
et al. 2017), whose attention compares all pairs of steps at once. Then one step of training is measured for sequences
of 100, 400 and 1,600 characters, four in a batch: processor time, and the most memory that arrays take up meanwhile.
The LSTM's grow with the length, attention's with its square. Held-out pieces of 400 characters, four times as long as
any that was learned from, show what each does where it has never been.
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

Piece = list[tuple[str, str]]
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


def networks(size: int) -> dict[str, tuple[nn.Module, float]]:
    """By name a network and its learning rate."""
    lstm = Tagger(LSTM(size, size, bidirectional=True), len(KINDS), embedding=nn.Embedding(SYMBOLS, size))
    return {"LSTM": (lstm, 5e-3), "Transformer": (Transformer(size, 4, 2, len(KINDS)), 2e-3)}


def collate(pieces: list[Piece]) -> Batch:
    rows = [mg.tensor([ord(symbol) for symbol, _ in piece]) for piece in pieces]
    wanted = [mg.tensor([KINDS.index(kind) for _, kind in piece]) for piece in pieces]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--programs", type=int, default=20, help="how many modules of the standard library to read")
    parser.add_argument("--size", type=int, default=64, help="units of the LSTM, features of the Transformer")
    parser.add_argument("--lengths", type=int, nargs="*", default=[100, 400, 1600], help="to measure the cost at")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    known, held_out = split(standard_library(options.programs), held_out=0.2, seed=options.seed)
    pieces = labelled_pieces(known, LEARNED)
    short, long = (labelled_pieces(held_out, length) for length in (LEARNED, LONGER))
    print(f"{sum(map(len, pieces)):,} characters to learn from, {sum(map(len, short)):,} held out")
    mg.manual_seed(options.seed)
    for name, (model, lr) in networks(options.size).items():
        optimizer = mg.optim.Adam(model.parameters(), lr=lr)
        trainer = Trainer(
            model,
            optimizer,
            loss,
            TrainerOptions(epochs=options.epochs, clip_norm=1.0, progress=False),
            schedule=mg.optim.CosineAnnealingLR(optimizer, options.epochs),
        )
        started = time.process_time()
        trainer.fit(Batches(pieces, 32, collate, seed=options.seed))
        seconds = time.process_time() - started
        print(
            f"{name:12}{model.count_parameters():8,} parameters  {right(model, short):.2%} right,"
            f" in pieces of {LONGER} {right(model, long):.2%}, {seconds:.0f} s of the processor",
            flush=True,
        )
    for length in options.lengths:
        costs = {name: cost(model, length) for name, (model, _) in networks(options.size).items()}
        told = ",  ".join(f"{name} {spent:7.1f} ms {most:6.1f} MB" for name, (spent, most) in costs.items())
        print(f"length {length:5}:  {told}", flush=True)


if __name__ == "__main__":
    main()
