"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import nn

from .bar import Bar
from .blame import DivergedError
from .checkpoint import BEST, LAST, Progress, RunFolder, read_checkpoint
from .evaluating import evaluating
from .history import History, Report
from .interrupt import Request, waiting_interrupts
from .meter import Meter
from .monitor import Monitor
from .options import TrainerOptions
from .position import begin_epoch, check_batches, put_back, remaining
from .step import NotFiniteError, Stepper

Schedule = mg.optim.LRScheduler


class Trainer:
    """One training loop for language models, sequence to sequence, taggers, classifiers and trees.

    What it knows of the model is one function, ``loss(model, batch)``, returning the mean loss of a batch, or that and
    over how many real items (tokens, words, trees) it is the mean. With the counts, means over batches and accumulated
    gradients are those of all items together, however they are spread over batches.

    With ``carry`` the function is ``loss(model, batch, state)`` and returns ``(loss, count, state)``. The state is
    ``None`` at the beginning of every epoch, and detached between batches: truncated backpropagation through time.

    Args:
        model: the module.
        optimizer: of its parameters.
        loss: the function.
        options: see :class:`TrainerOptions`; left out, its defaults.
        schedule: a learning rate schedule made for the optimiser, or several. One that looks at a figure
            (``ReduceLROnPlateau``) is stepped with the monitored one after every epoch.
        measure: called without arguments after every epoch, in evaluation; returns figures by name, as an accuracy.
        metadata: plain data to store in checkpoints, such as what the model was made with.

    Attributes:
        progress: where the run stands.
        history: what it has to tell so far.

    >>> model = nn.Linear(1, 1)
    >>> data = [(mg.tensor([[x]]), mg.tensor([[3 * x]])) for x in (-1.0, 0.5, 1.0)]
    >>> def loss(model, batch):
    ...     return nn.functional.mse_loss(model(batch[0]), batch[1])
    >>> optimizer = mg.optim.SGD(model.parameters(), lr=0.2)
    >>> trainer = Trainer(model, optimizer, loss, TrainerOptions(epochs=50, progress=False))
    >>> history = trainer.fit(data)
    >>> history["loss"][-1] < 1e-6, round(model.weight.item(), 2)
    (True, 3.0)
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: mg.optim.Optimizer,
        loss: Callable[..., Any],
        options: TrainerOptions | None = None,
        *,
        schedule: Schedule | Iterable[Schedule] = (),
        measure: Callable[[], Mapping[str, float]] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.optimizer, self.measure = model, optimizer, measure
        self.options = TrainerOptions() if options is None else options
        self.schedules = [schedule] if isinstance(schedule, Schedule) else list(schedule)
        self.metadata = dict(metadata or {})
        self.progress = Progress()
        self.history = History()
        self._folder = RunFolder(self.options.folder)
        self._monitor = Monitor(self.options.monitor, self.options.mode)
        self._stepper = Stepper(model, optimizer, loss, self.options)
        self._best: dict[str, mg.Tensor] | None = None
        self._resumed: Path | None = None

    # ---- what a user calls ----------------------------------------------------------------------------------------

    def fit(self, data: Iterable[Any], validation: Iterable[Any] | None = None) -> History:
        """Train until the epochs are done, nothing gets better any more, or Ctrl-C.

        Ctrl-C ends the loop after the step that it falls into and a checkpoint is written; calling this again goes on,
        and so does a new trainer after :meth:`resume`. A second Ctrl-C interrupts at once.

        Args:
            data: batches, to be iterated over once an epoch: a list, ``Batches``, a language model's ``Windows``. If
                it draws random numbers, either minigrad's, or its own and it has ``state_dict`` and
                ``load_state_dict``.
            validation: batches for a loss in evaluation after every epoch; of random numbers the same holds.

        Raises:
            DivergedError: the loss or a gradient is not finite; the message names the op where it began.
            MinigradError: data that can be iterated over once only, an epoch without batches, a folder with a run
                that was not resumed.
        """
        for batches in (data, validation):
            check_batches(batches)
        self._prepare(data, validation)
        self.history = History(self.progress.records)
        with waiting_interrupts() as request:
            while self._remains():
                if not (self._train(data, request) and self._conclude(data, validation, request)):
                    self.history.reason = "interrupted"
                    self._save()
                    break
        return self.history

    def resume(self, path: str | Path | None = None) -> Trainer:
        """Load a checkpoint, to go on from it bit for bit as if there had been no interruption.

        Model, optimiser and schedules must be made as they were; ``epochs`` and ``patience`` may be larger.

        Args:
            path: the checkpoint; left out, the last one in the folder of the options.

        Raises:
            FileError: there is none, or it does not belong to such a run.
        """
        if path is None:
            if self._folder.path is None:
                raise mg.FileError("resume: which checkpoint? Give its path, or TrainerOptions(folder=...)")
            path = self._folder.path / LAST
        path = Path(path)
        self.progress = read_checkpoint(path, self.model, self.optimizer, self.schedules)
        self.history = History(self.progress.records)
        best = path.with_name(BEST)
        self._best = mg.load(best) if best.exists() else None
        self._resumed = path
        return self

    def load_best(self) -> None:
        """Give the model the parameters that it had after the best epoch.

        Raises:
            MinigradError: no epoch was finished.
        """
        if self._best is None:
            raise mg.MinigradError("load_best: no epoch was finished, so none is the best")
        self.model.load_state_dict(self._best)

    # ---- the run ---------------------------------------------------------------------------------------------------

    def _prepare(self, data: Any, validation: Any) -> None:
        """Begin the run, or put the data back to where its present epoch began."""
        progress = self.progress
        self._folder.open(progress.lines, self._resumed)
        if progress.epoch_rng is None:
            begin_epoch(progress, data, validation)
        else:
            put_back(progress, data, validation)

    def _remains(self) -> bool:
        if self.options.patience is not None and self.progress.waited >= self.options.patience:
            self.history.reason = "patience"
            return False
        return self.progress.epoch < self.options.epochs

    def _train(self, data: Iterable[Any], request: Request) -> bool:
        """The rest of an epoch. Returns whether it was finished."""
        progress, options = self.progress, self.options
        self.model.train()
        with self._bar(data) as bar:
            began = time.perf_counter()
            for batches in remaining(progress, data, options.accumulate):
                self._step(batches)
                began = self._spent(time.perf_counter() - began)
                bar.show(progress.meter, len(batches))
                if progress.step % options.report_every == 0:
                    self._report()
                if request.made:
                    return False
                if options.save_every is not None and progress.step % options.save_every == 0:
                    self._save()
        if not progress.position:
            raise mg.MinigradError("the data have no batches")
        return True

    def _step(self, batches: list[Any]) -> None:
        """One step, and what is to be remembered of it."""
        progress = self.progress
        try:
            step = self._stepper.step(batches, progress.carried)
        except NotFiniteError as error:
            epoch, number = progress.epoch + 1, progress.step + 1
            self._folder.log.write({"kind": "diverged", "epoch": epoch, "step": number, "message": error.found})
            told = f"{error.what} in step {number} (epoch {epoch}), which was not made\n{error.found}"
            raise DivergedError(told, epoch, number) from None
        progress.step += 1
        progress.position += len(batches)
        self._step_schedules("step")
        progress.carried, progress.rng = step.state, mg.get_rng_state()
        for meter in (progress.meter, progress.recent):
            for value, items in step.seen:
                meter.see(value, items)
            if self.options.clip_norm is not None:
                meter.clip(step.norm, self.options.clip_norm)

    def _spent(self, seconds: float) -> float:
        """Note the time that a step took; returns the time at which the next one begins."""
        for meter in (self.progress.meter, self.progress.recent):
            meter.seconds += seconds
        self.progress.seconds += seconds
        return time.perf_counter()

    # ---- the end of an epoch ---------------------------------------------------------------------------------------

    def _conclude(self, data: Any, validation: Iterable[Any] | None, request: Request) -> bool:
        """Validation, the best checkpoint, the record of the epoch. Returns false if Ctrl-C came before it."""
        progress = self.progress
        figures = progress.meter.figures()
        with evaluating(self.model):
            valid = self._validate(validation, request)
            if request.made:
                mg.set_rng_state(progress.rng)  # all of this will be done again
                return False
            measured = self.measure() if self.measure is not None else {}
        figures |= valid | {name: float(value) for name, value in measured.items()}
        best = self._judge(figures)
        progress.epoch += 1
        record: Report = {"epoch": progress.epoch, "step": progress.step, **figures, "best": best}
        progress.records.append(record | self._stamp())
        self._folder.log.write({"kind": "epoch"} | progress.records[-1])
        self._step_schedules("epoch", figures)
        begin_epoch(self.progress, data, validation)
        if best:
            self._folder.save_best(self.model, self.metadata)
        self._save()
        return True

    def _validate(self, validation: Iterable[Any] | None, request: Request) -> dict[str, float]:
        if validation is None:
            return {}
        meter, state = Meter(), None
        for batch in validation:
            outcome = self._stepper.outcome(batch, state)
            state = outcome.state
            if outcome.items:
                meter.see(outcome.loss.item(), outcome.items)
            if request.made:
                break
        return {f"valid_{name}": value for name, value in meter.figures().items()}

    def _judge(self, figures: Mapping[str, float]) -> bool:
        """Whether this epoch is the best so far; if so its parameters are kept."""
        best = self._monitor.is_best(figures, self.progress.records)
        if best:
            self._best = self.model.state_dict()
        self.progress.waited = 0 if best else self.progress.waited + 1
        return best

    def _step_schedules(self, end_of: str, figures: Mapping[str, float] | None = None) -> None:
        for schedule in self.schedules:
            if isinstance(schedule, mg.optim.ReduceLROnPlateau):
                if figures is not None:
                    schedule.step(self._monitor.value(figures))
            elif self.options.schedule_per == end_of:
                schedule.step()

    # ---- reports and files -----------------------------------------------------------------------------------------

    def _stamp(self) -> Report:
        return {"lr": float(self.optimizer.param_groups[0]["lr"]), "seconds": round(self.progress.seconds, 3)}

    def _report(self) -> None:
        progress = self.progress
        report = {"kind": "train", "epoch": progress.epoch + 1, "step": progress.step, **progress.recent.figures()}
        self._folder.log.write(report | self._stamp())
        progress.recent = Meter()

    def _save(self) -> None:
        self._folder.save_last(self.model, self.optimizer, self.schedules, self.progress, self.metadata)

    def _bar(self, data: Any) -> Bar:
        total = len(data) if hasattr(data, "__len__") else None
        progress, options = self.progress, self.options
        return Bar(progress.epoch + 1, options.epochs, total, progress.position, options.unit, options.progress)
