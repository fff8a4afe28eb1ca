"""Adding numbers by their digits: what the order of the source and a look at the context at every step are worth.

    python examples/seq2seq_addition.py

The source is "627+45", the target "672": 50,000 sums of up to three digits, of which 45,000 are learned from. An LSTM
has to read all of the source before it writes, and the first digit it read is long gone when the first is due. Read
backwards (Sutskever et al. 2014, section 3.3) the ends that belong together are closer, and a decoder that sees the
context at every step (Cho et al. 2014) need not carry it along. The goal was 90% of the held-out sums after 12 epochs.

With --seed 0, the share of held-out sums that are right to the last digit, in 80 to 130 seconds on one shared core:

                         epoch 4   epoch 8  epoch 12
    --plain --forwards    20.72%    78.26%    84.28%
    --plain               89.04%    98.56%    99.06%
    (neither)             91.34%    99.60%    99.56%
"""

import argparse

import numpy as np
from seq2seq_pairs import END, START, Symbols, train

import minigrad as mg
from minigrad_rnn import LSTM
from minigrad_rnn.seq2seq import Decoder, Encoder, Seq2Seq

EMBEDDING = 16


def pairs(count: int, seed: int, backwards: bool) -> list[tuple[str, str]]:
    """Different sums, each with its result."""
    rng = np.random.default_rng(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        a, b = (int(rng.integers(10 ** rng.integers(1, 4))) for _ in range(2))
        found[f"{a}+{b}"[:: -1 if backwards else 1]] = str(a + b)
    return list(found.items())


def model_of(symbols: Symbols, size: int, peeky: bool) -> Seq2Seq:
    """The context, if the decoder peeks at it, comes beside the embedding at every step."""
    encoder = Encoder(len(symbols), LSTM(EMBEDDING, size))
    if peeky:
        layer = LSTM(EMBEDDING + size, size)
        return Seq2Seq(encoder, Decoder(len(symbols), layer, "peeky", context_size=size, start=START, end=END))
    return Seq2Seq(encoder, Decoder(len(symbols), LSTM(EMBEDDING, size), start=START, end=END))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=50_000, help="a tenth of them is held out (%(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="(%(default)s)")
    parser.add_argument("--hidden", type=int, default=128, help="units (%(default)s)")
    parser.add_argument("--batch", type=int, default=128, help="pairs to an update (%(default)s)")
    parser.add_argument("--lr", type=float, default=5e-3, help="learning rate (%(default)s)")
    parser.add_argument("--forwards", action="store_true", help="read the source as it is written")
    parser.add_argument("--plain", action="store_true", help="the context is where the decoder begins, no more")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    options = parser.parse_args()

    data = pairs(options.pairs, options.seed, not options.forwards)
    known, held_out = data[: -options.pairs // 10], data[-options.pairs // 10 :]
    symbols = Symbols(["0123456789+"])
    mg.manual_seed(options.seed)
    model = model_of(symbols, options.hidden, not options.plain)
    print(f"{len(known):,} sums to learn from, {len(held_out):,} held out; {model.count_parameters():,} parameters")
    train(
        model, (symbols, symbols), known, held_out,
        epochs=options.epochs, batch=options.batch, lr=options.lr, seed=options.seed,
    )  # fmt: skip


if __name__ == "__main__":
    main()
