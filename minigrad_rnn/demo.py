"""The main job: a character language model, trained, measured, sampled from and drawn, in about a minute."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

import minigrad as mg
from minigrad import nn
from minigrad.files import replace_file

from .draw import models
from .inspect import gradient_flow
from .language import (
    Corpus,
    CountModel,
    LanguageModel,
    TextError,
    Windows,
    bits_per_character,
    builtin_text,
    generate,
    read_text,
)

EMBEDDING_DIM = 48
FLOW_STEPS = 16  # in the table of the gradient flow: it fits on a screen
DRAWN_STEPS = 3  # of the unrolled network in the drawing: enough to see it repeat, few enough to read


@dataclass(frozen=True)
class Options:
    """What the command line sets; ``text`` and ``steps`` are ``None`` when not given."""

    text: Path | None = None
    out: Path = Path("minigrad-demo")
    seed: int = 0
    seconds: float = 60.0
    steps: int | None = None
    hidden: int = 160
    layers: int = 1
    streams: int = 32
    window: int = 48
    path: str = "unrolled"
    lr: float = 6e-3
    prompt: str = "The "
    length: int = 400
    temperature: float = 0.6


@dataclass
class Run:
    """What the training loop reports: per step the loss in bits per character, and whether Ctrl-C ended it."""

    bits: list[float] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    characters: int = 0
    stopped: bool = False


def run(options: Options) -> bool:
    """Do the whole job; returns whether Ctrl-C ended the training early.

    Raises:
        TextError: the text is too short.
        FileError: it is missing, or not UTF-8.
        OSError: the results cannot be written.
    """
    text = builtin_text() if options.text is None else read_text(options.text)
    corpus = Corpus(text)
    if len(corpus.train) < 2 * options.streams:
        raise TextError(f"{len(corpus.train)} characters are too few for {options.streams} streams (--streams)")
    _check_writable(options.out)
    mg.manual_seed(options.seed)
    model = LanguageModel(len(corpus.vocabulary), EMBEDDING_DIM, options.hidden, options.layers)
    model.recurrent.fused = options.path == "fused"
    held_out = mg.tensor(corpus.held_out)
    source = "Python's language reference" if options.text is None else str(options.text)
    print(f"text      {source}: {len(text):,} characters, {len(corpus.vocabulary)} different, last 10 % held out")
    size = f"LSTM {options.hidden} x {options.layers}"
    print(f"model     embedding, {size}, linear: {model.count_parameters():,} parameters")
    before = bits_per_character(model, held_out)

    result = train(model, mg.tensor(corpus.train), options)

    after = bits_per_character(model, held_out)
    counts = {
        name: CountModel(corpus.train, len(corpus.vocabulary), order).bits_per_character(corpus.held_out)
        for name, order in (("unigram", 0), ("bigram", 1))
    }
    figures = {"before": before, **counts, "after": after}
    _report(figures, result)
    sample = write(model, corpus, options)
    print(f"\n{sample}\n")
    _save(model, corpus, options, figures, result, sample)
    return result.stopped


def train(model: LanguageModel, numbers: mg.Tensor, options: Options) -> Run:
    """Truncated backpropagation through time: the state is carried from window to window, its gradient is not.

    Adam with a one-cycle learning rate over the time (or steps) there is. Ctrl-C ends the loop after the step it
    falls into.
    """
    optimizer = mg.optim.Adam(model.parameters(), lr=options.lr)
    result = Run()
    started = time.perf_counter()
    state = None
    total = options.steps or options.seconds
    with tqdm(total=total, unit="step" if options.steps else "s", bar_format=_BAR, mininterval=_interval()) as bar:
        try:
            for window in _endless(numbers, options):
                if window is None:
                    state = None  # the text starts over
                    continue
                result.seconds = time.perf_counter() - started
                done = len(result.bits) if options.steps else result.seconds
                if done >= total:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = options.lr * _schedule(done / total)
                logits, state = model(window.inputs, state)
                loss = nn.functional.cross_entropy(logits, window.targets, dim=-1)
                optimizer.zero_grad()
                loss.backward()
                mg.optim.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                state = (state[0].detach(), state[1].detach())
                result.bits.append(loss.item() / math.log(2))
                result.characters += window.targets.numel()
                recent = result.bits[-50:]
                speed = result.characters / (time.perf_counter() - started)
                bar.set_postfix_str(f"{sum(recent) / len(recent):.3f} bits/char, {speed:,.0f} tokens/s", refresh=False)
                bar.update(min(1 if options.steps else time.perf_counter() - started - bar.n, total - bar.n))
        except KeyboardInterrupt:
            result.stopped = True
    result.seconds = time.perf_counter() - started
    if not result.bits:
        raise KeyboardInterrupt
    return result


_BAR = "training  {percentage:3.0f}%|{bar:30}| {n:.0f}/{total:.0f} {unit}  {postfix}"


def _interval() -> float:
    """Seconds between updates of the progress bar: seldom where it goes to a file."""
    return 0.5 if sys.stderr.isatty() else 10.0


def _endless(numbers: mg.Tensor, options: Options) -> Iterator[Any]:
    """The windows of the text again and again, ``None`` before each round."""
    for _ in itertools.count():
        yield None
        yield from Windows(numbers, options.streams, options.window)


def _schedule(progress: float) -> float:
    """One cycle: up over the first tenth, then down along a cosine to a hundredth."""
    if progress < 0.1:
        return 0.1 + 9 * progress
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9)) / 2


def write(model: LanguageModel, corpus: Corpus, options: Options) -> str:
    """Text from the model, after the prompt."""
    prompt = mg.tensor(corpus.vocabulary.encode(options.prompt or "\n"))
    return options.prompt + corpus.vocabulary.decode(generate(model, prompt, options.length, options.temperature))


def _report(figures: dict[str, float], result: Run) -> None:
    rows = [
        ("untrained network", figures["before"]),
        ("unigram counts", figures["unigram"]),
        ("bigram counts", figures["bigram"]),
        ("trained network", figures["after"]),
    ]
    note = " (stopped by Ctrl-C)" if result.stopped else ""
    print(
        f"trained   {len(result.bits):,} steps in {result.seconds:.0f} s{note},"
        f" {result.characters / result.seconds:,.0f} tokens/s"
    )
    print("\nheld-out bits per character")
    for name, value in rows:
        print(f"  {name:<18}{value:6.3f}  {'█' * round(value * 6)}")


# ---- what is left in the folder ------------------------------------------------------------------------------------


def _check_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()


def _save(
    model: LanguageModel, corpus: Corpus, options: Options, figures: dict[str, float], result: Run, sample: str
) -> None:
    out = options.out
    config = {"embedding_dim": EMBEDDING_DIM, "hidden_size": options.hidden, "num_layers": options.layers}
    mg.save(model, out / "weights.safetensors", metadata={**config, "symbols": corpus.vocabulary.symbols})
    log = {
        "options": {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(options).items()},
        "held_out_bits_per_character": figures,
        "steps": len(result.bits),
        "seconds": round(result.seconds, 3),
        "tokens_per_second": round(result.characters / result.seconds),
        "stopped": result.stopped,
        "sample": sample,
    }
    replace_file(out / "run.json", json.dumps(log, indent=1, ensure_ascii=False) + "\n")
    rows = "".join(f"{step},{bits:.6f}\n" for step, bits in enumerate(result.bits, 1))
    replace_file(out / "loss.csv", "step,bits_per_character\n" + rows)
    notes = [_plot(out / "loss.png", result.bits, figures), _draw(out)]
    _gradient_flow(model, corpus, out, options.window)
    print(f"written to {out}/: " + ", ".join(sorted(p.name for p in out.iterdir())))
    for note in filter(None, notes):
        print(f"note: {note}")


def _plot(path: Path, bits: list[float], figures: dict[str, float]) -> str | None:
    """The loss curve as a picture, where matplotlib is installed; else a note that says how to get it."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        return 'no loss.png: pip install "minigrad[plot]" brings matplotlib'
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(bits) + 1), bits, color="#9ECAE1", linewidth=0.8)
    smooth = _smoothed(bits)
    axes.plot(range(1, len(bits) + 1), smooth, color="#0072B2", linewidth=1.8, label="training, smoothed")
    for name, colour in (("unigram", "#8C8C8C"), ("bigram", "#D55E00"), ("after", "#009E73")):
        label = "held out, after" if name == "after" else f"held out, {name} counts"
        axes.axhline(figures[name], color=colour, linestyle="--", linewidth=1.2, label=f"{label}: {figures[name]:.2f}")
    axes.set(xlabel="step", ylabel="bits per character", xlim=(1, max(2, len(bits))), ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    replace_file(path, picture.getvalue())
    return None


def _smoothed(values: list[float]) -> list[float]:
    """The mean of each value and those before it, a sixtieth of them all at most."""
    width = 1 + len(values) // 60
    sums = [0.0, *itertools.accumulate(values)]
    return [(sums[i] - sums[max(0, i - width)]) / min(i, width) for i in range(1, len(sums))]


def _draw(out: Path) -> str | None:
    """The network that was saved, folded and unrolled, as `minigrad-rnn draw` draws it.

    Where nothing can render it, its DOT text and a note.
    """
    try:
        for suffix in ("dot", "svg", "png"):
            picture = out / f"unrolled.{suffix}"
            models.run(models.Options(str(out), view="both", steps=DRAWN_STEPS, out=picture))
    except mg.MinigradError as error:
        return f"no unrolled.svg: {str(error).splitlines()[0]} (the DOT text is in unrolled.dot)"
    return None


def _gradient_flow(model: LanguageModel, corpus: Corpus, out: Path, steps: int) -> None:
    """How much of the loss of the last prediction reaches each earlier step: a table of some steps, all as CSV."""
    numbers = mg.tensor(corpus.held_out[: steps + 1]).unsqueeze(1)

    def last_loss() -> mg.Tensor:
        logits, _ = model(numbers[:-1])
        return nn.functional.cross_entropy(logits[-1:], numbers[-1:], dim=-1)

    flow = gradient_flow(last_loss, model)
    replace_file(out / "gradient_flow.txt", f"{_FLOW}\n\n{flow.to_text(FLOW_STEPS)}\n")
    rows = "".join(
        f"{line.place},{line.part},{step},{norm:.6e}\n"
        for line in flow.lines
        for step, norm in zip(line.steps, line.norms, strict=True)
    )
    replace_file(out / "gradient_flow.csv", "place,part,step,norm\n" + rows)


_FLOW = """\
How far the loss of one prediction, the one after the last step, reaches back through time: the norm of its gradient
with respect to the state after each step, h (what the LSTM puts out) and c (its cell). Bars are logarithmic."""
