"""The loss of a sequence of labels that nobody has aligned with the input: connectionist temporal classification."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import backend
from ..backend import xp
from ..errors import DtypeError, ShapeError
from ..ops import clamping, conversion, indexing, reduction as reductions, selection, shape
from ..tensor import Tensor
from .alignment import NEVER, _forward_scores
from .losses import _Loss, _reduced


def ctc_loss(
    log_probs: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    r"""How surprised the outputs of all steps are by a sequence of labels: :math:`-\ln p(l \mid x)`.

    :math:`p(l \mid x)` is the sum, over all ways of stretching the labels over the steps with blanks between them, of
    the product of the probabilities of what stands at each step.

    Args:
        log_probs: log-probabilities of all labels at each step, ``(T, N, C)`` or ``(T, C)``: a ``log_softmax``.
        targets: the labels: ``(N, S)``, what lies beyond the length of a row not being looked at; or all rows one
            behind the other, ``(sum of the lengths,)``.
        input_lengths: for each row of the batch how many steps it has, at most ``T``.
        target_lengths: for each row how many labels.
        blank: the label that stands for none.
        reduction: ``"mean"`` divides each loss by the number of labels, at least 1, and takes the mean over the batch;
            ``"sum"``; or ``"none"`` for a loss for each row.
        zero_infinity: count a row that has more labels than its steps can hold as 0 instead of infinity.

    Returns:
        A number, or with ``"none"`` a loss for each row. A row that cannot be has an infinite loss and no gradient.
        (In PyTorch its gradient is NaN.) The gradient is that with respect to ``log_probs``, any numbers; PyTorch's
        adds :math:`e^{x}` to it, which makes no difference behind a ``log_softmax``.

    Raises:
        ShapeError: shapes or lengths that do not fit, or a target that is no label. (On a GPU the numbers themselves
            are not looked at; targets one behind the other wait for lengths that lie there.)

    >>> import minigrad as mg
    >>> scores = mg.zeros(3, 1, 2).log_softmax(-1)
    >>> round(ctc_loss(scores, [[1]], [3], [1], reduction="sum").exp().item(), 4)  # 6 of 8 ways: 8/6
    1.3333
    """
    if len(log_probs.shape) == 2:
        batch = shape.unsqueeze(log_probs, 1)
        losses = ctc_loss(batch, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
        return losses if reduction != "none" else losses[0]
    if len(log_probs.shape) != 3:
        raise ShapeError(f"ctc_loss: log_probs are (T, N, C) or (T, C), not {tuple(log_probs.shape)}")
    if log_probs.dtype == backend.float16:
        wide = conversion.cast(log_probs, backend.float32)
        losses = ctc_loss(wide, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
        return conversion.cast(losses, backend.float16)
    module = xp(log_probs.data)
    counts = _lengths("input_lengths", input_lengths, log_probs)
    sizes = _lengths("target_lengths", target_lengths, log_probs)
    states, skips = _states(log_probs, _padded(log_probs, targets, sizes), sizes, blank)
    counts, sizes = module.asarray(counts), module.asarray(sizes)
    likelihood = _log_likelihood(log_probs, states, skips, counts, sizes)
    impossible = likelihood.data < NEVER / 2
    losses = selection.where(impossible, 0.0 if zero_infinity else math.inf, -likelihood)
    if reduction == "mean":
        losses = losses / module.maximum(sizes, 1).astype(log_probs.dtype)
    return _reduced(losses, reduction)


def _log_likelihood(log_probs: Tensor, states: Any, skips: Any, counts: Any, sizes: Any) -> Tensor:
    """The logarithm of the sum over all alignments, ``(N,)``; near ``NEVER`` where there are none."""
    module = xp(log_probs.data)
    steps, rows, classes = log_probs.shape
    row = module.arange(rows)[:, None]
    places = (module.arange(steps)[:, None, None] * rows + row) * classes + states
    flat = indexing._getitem(shape.reshape(log_probs, -1), places.reshape(-1))  # NumPy adds up quickly in one dim only
    emissions = clamping.clamp(shape.reshape(flat, places.shape), NEVER)
    within = module.arange(steps)[:, None] < counts
    scores = _forward_scores(selection.where(within[:, :, None], emissions, 0.0), skips)
    last = 2 * sizes[:, None] - module.arange(2)  # the last label, and the blank behind it
    ends = indexing._getitem(scores, (counts[:, None], row, module.maximum(last, 0)))
    return reductions.logsumexp(selection.where(last >= 0, ends, NEVER), 1)


def _integers(name: str, values: Any) -> Any:
    """Integers as an int64 array, of the host if they were no array yet."""
    array = values.data if isinstance(values, Tensor) else values
    array = array if backend.is_array(array) else numpy.asarray(array)
    if array.dtype.kind not in "iu" and array.size:  # an empty list is made floats of
        raise DtypeError(f"ctc_loss: {name} are integers, not {array.dtype}\n  hint: {name}.long()")
    return array.astype(backend.int64)


def _lengths(name: str, lengths: Any, log_probs: Tensor) -> Any:
    """Lengths as an array, of the host or where ``log_probs`` is, one for each row."""
    array, rows = _integers(name, lengths), log_probs.shape[1]
    if array.size != rows:
        raise ShapeError(f"ctc_loss: {name} has {array.size} lengths, for a batch of {rows} rows")
    array = array.reshape(rows)
    if backend.of(array).kind == "cpu" and rows:
        most = log_probs.shape[0] if name == "input_lengths" else int(array.max())
        if array.min() < 0 or array.max() > most:
            raise ShapeError(f"ctc_loss: {name} {array.tolist()}: a length lies between 0 and {most}")
    return array


def _padded(log_probs: Tensor, targets: Any, sizes: Any) -> Any:
    """The targets as an array ``(N, S)``, where ``log_probs`` is."""
    module, rows = xp(log_probs.data), log_probs.shape[1]
    array = module.asarray(_integers("targets", targets))
    if len(array.shape) == 1:
        host = backend.of(sizes).to_host(sizes)
        if int(host.sum()) != array.size:
            raise ShapeError(f"ctc_loss: {array.size} targets one behind the other, but lengths {host.tolist()}")
        places = (host.cumsum() - host)[:, None] + numpy.arange(host.max(initial=0))
        return array[module.asarray(numpy.minimum(places, max(array.size - 1, 0)))]
    if len(array.shape) != 2 or array.shape[0] != rows:
        raise ShapeError(
            f"ctc_loss: targets are (N, S) with N={rows}, or one behind the other, not {tuple(array.shape)}"
        )
    if backend.of(sizes).kind == "cpu" and rows and sizes.max() > array.shape[1]:
        raise ShapeError(f"ctc_loss: target_lengths go up to {sizes.max()}, but targets are {tuple(array.shape)}")
    return array


def _states(log_probs: Tensor, targets: Any, sizes: Any, blank: int) -> tuple[Any, Any]:
    """The label of each state, ``(N, 2 S + 1)``, blanks put in, and whether the blank before it may be left out."""
    module, classes = xp(targets), log_probs.shape[2]
    if not 0 <= blank < classes:
        raise ShapeError(f"ctc_loss: blank={blank} is none of the {classes} labels")
    rows, most = targets.shape
    counts = module.arange(most) < module.asarray(sizes)[:, None]
    if backend.of(targets).kind == "cpu":
        wrong = counts & ((targets < 0) | (targets >= classes) | (targets == blank))
        if wrong.any():
            raise ShapeError(
                f"ctc_loss: target {targets[wrong][0]} is not a label: they are 0 to {classes - 1},"
                f" without the blank, {blank}"
            )
    states = module.full((rows, 2 * most + 1), blank, dtype=backend.int64)
    states[:, 1::2] = module.where(counts, targets, blank)
    skips = module.zeros(states.shape, dtype=bool)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    return states, skips


class CTCLoss(_Loss):
    """:func:`ctc_loss` as a module."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any) -> Tensor:
        """Log-probabilities, labels and the lengths of both to the loss."""
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
