"""What the sequence-to-sequence examples share: strings as numbers, a loop that learns pairs, and what it is worth."""

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

import minigrad as mg
from minigrad_rnn.seq2seq import Seq2Seq, greedy_decode

START, END, FIRST = 1, 2, 3  # symbols have numbers from FIRST on; 0 is for padding

Batch = tuple[mg.Tensor, mg.Tensor, list[int], list[int]]  # sources (S, N), targets (T, N), and their lengths


class Symbols:
    """The characters of some strings, numbered."""

    def __init__(self, strings: Iterable[str]) -> None:
        self.characters = sorted(set("".join(strings)))
        self.numbers = {character: FIRST + i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return FIRST + len(self.characters)

    def encode(self, strings: list[str]) -> tuple[mg.Tensor, list[int]]:
        """Numbers (T, N) and lengths."""
        lengths = [len(string) for string in strings]
        table = np.zeros((max(lengths), len(strings)), np.int64)
        for n, string in enumerate(strings):
            table[: len(string), n] = [self.numbers[character] for character in string]
        return mg.tensor(table), lengths

    def decode(self, numbers: Iterable[int]) -> str:
        return "".join(self.characters[number - FIRST] if number >= FIRST else "?" for number in numbers)


def batches(
    pairs: list[tuple[str, str]], symbols: tuple[Symbols, Symbols], size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """All pairs in a new order."""
    order = rng.permutation(len(pairs))
    for begin in range(0, len(pairs), size):
        chosen = [pairs[i] for i in order[begin : begin + size]]
        source, source_lengths = symbols[0].encode([source for source, _ in chosen])
        target, target_lengths = symbols[1].encode([target for _, target in chosen])
        yield source, target, source_lengths, target_lengths


def learn(model: Seq2Seq, optimizer: mg.optim.Optimizer, data: Iterable[Batch], each: Callable[[], None]) -> float:
    """One pass over the data, ``each`` being called before every update; the mean loss of its last tenth."""
    losses = []
    for source, target, source_lengths, target_lengths in data:
        each()
        loss = model.loss(source, target, source_lengths, target_lengths)
        optimizer.zero_grad()
        loss.backward()
        mg.optim.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def answers(model: Seq2Seq, symbols: tuple[Symbols, Symbols], sources: list[str], longest: int) -> list[str]:
    """What the model makes of each source, taking the likeliest character at each step."""
    model.eval()
    written = []
    for begin in range(0, len(sources), 500):
        source, lengths = symbols[0].encode(sources[begin : begin + 500])
        found = greedy_decode(model.steps(source, lengths), longest + 1)
        written += [symbols[1].decode(hypothesis.tokens) for hypothesis in found]
    model.train()
    return written


def exact(model: Seq2Seq, symbols: tuple[Symbols, Symbols], pairs: list[tuple[str, str]]) -> float:
    """The share of pairs whose target is met to the last character."""
    longest = max(len(target) for _, target in pairs)
    written = answers(model, symbols, [source for source, _ in pairs], longest)
    return sum(answer == target for answer, (_, target) in zip(written, pairs, strict=True)) / len(pairs)


def train(
    model: Seq2Seq,
    symbols: tuple[Symbols, Symbols],
    pairs: list[tuple[str, str]],
    held_out: list[tuple[str, str]],
    *,
    epochs: int,
    batch: int,
    lr: float,
    seed: int,
) -> None:
    """Passes over the pairs, the learning rate falling along a half cosine, with a line for each."""
    rng = np.random.default_rng(seed)
    optimizer = mg.optim.Adam(model.parameters(), lr=lr)
    schedule = mg.optim.CosineAnnealingLR(optimizer, epochs * -(-len(pairs) // batch) + 1)
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        loss = learn(model, optimizer, batches(pairs, symbols, batch, rng), schedule.step)
        seconds = time.perf_counter() - started
        share = exact(model, symbols, held_out)
        print(f"epoch {epoch:2}  loss {loss:.4f}  exact {share:7.2%}  {seconds:6.1f} s", flush=True)
