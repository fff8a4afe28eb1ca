"""Small things to train, each made anew from a seed."""

from __future__ import annotations

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad_rnn import LSTM
from minigrad_rnn.training import Batches, Trainer, TrainerOptions


class Tagger(nn.Module):
    """Has all that draws random numbers in training: dropout between layers, zoneout, dropout at the end."""

    def __init__(self):
        self.lstm = LSTM(3, 4, 2, dropout=0.3, zoneout=0.1)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(4, 2)

    def forward(self, x, state=None):
        hidden, state = self.lstm(x, state)
        return self.head(self.drop(hidden)), state


def examples(count=13, steps=5):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count, steps, 3)).astype(np.float32)
    return [(one, (one[:, 0].cumsum() > 0).astype(np.int64)) for one in x]


def collate(pairs):
    inputs, targets = (np.stack(parts, axis=1) for parts in zip(*pairs, strict=True))
    return mg.tensor(inputs), mg.tensor(targets)


def tagging_loss(model, batch):
    logits, _ = model(batch[0])
    return nn.functional.cross_entropy(logits, batch[1], dim=-1), batch[1].numel()


def carried_loss(model, batch, state):
    logits, state = model(batch[0], state)
    return nn.functional.cross_entropy(logits, batch[1], dim=-1), batch[1].numel(), state


def tagger(seed=0, batch_size=4, carry=False, schedules=None, **options):
    """A trainer and its data."""
    mg.manual_seed(seed)
    model = Tagger()
    optimizer = mg.optim.Adam(model.parameters(), lr=0.02)
    schedule = schedules(optimizer) if schedules else ()
    options = TrainerOptions(**{"progress": False, "epochs": 3, "carry": carry, **options})
    trainer = Trainer(model, optimizer, carried_loss if carry else tagging_loss, options, schedule=schedule)
    return trainer, Batches(examples(), batch_size, collate, drop_last=carry)


def untimed(reports):
    """Records without what depends on the clock."""
    return [{k: v for k, v in r.items() if k not in ("seconds", "items_per_second")} for r in reports]


def same_bits(a, b):
    """Whether two states are equal to the last bit."""
    assert a.keys() == b.keys()
    return all(a[name].numpy().tobytes() == b[name].numpy().tobytes() for name in a)
