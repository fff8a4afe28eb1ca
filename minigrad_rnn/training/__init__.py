"""Training: one loop for all models, checkpoints that continue bit for bit, logs, curves."""

from .batches import Batches
from .blame import DivergedError
from .evaluating import evaluating
from .history import History, read_log
from .meter import Meter
from .options import TrainerOptions
from .plot import plot_logs
from .tbptt import Piece, tbptt
from .trainer import Trainer

__all__ = [
    "Batches",
    "DivergedError",
    "History",
    "Meter",
    "Piece",
    "Trainer",
    "TrainerOptions",
    "evaluating",
    "plot_logs",
    "read_log",
    "tbptt",
]
