"""A softmax over very many classes that spends its time on the frequent ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..backend import xp
from ..errors import ShapeError
from ..ops import activation, indexing, joining, ordering, reduction, shape
from ..tensor import Tensor
from .containers import ModuleList, Sequential
from .linear import Linear
from .linear_cross_entropy import class_numbers
from .losses import _class_log_likelihood, _no_such_class
from .module import Module


class AdaptiveResult(NamedTuple):
    """What :class:`AdaptiveLogSoftmaxWithLoss` gives: a log-probability for each row, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    r"""Softmax in two levels: the frequent classes and, as one class each, clusters of ever rarer ones.

    .. math:: \ln p(y) = \ln p_{head}(y), \quad\text{or}\quad \ln p_{head}(\text{cluster of } y) + \ln p_{cluster}(y)

    Most rows need the head alone, and each cluster sees the few rows that belong to it, through a narrower layer the
    rarer its classes are (Grave et al. 2017). The classes must be numbered from the most frequent on.

    Args:
        in_features: features of a row.
        n_classes: number of classes.
        cutoffs: where the head ends and each cluster but the last ends: rising, between 1 and ``n_classes - 1``.
        div_value: each cluster's layer is by this factor narrower than the one before.
        head_bias: whether the head adds a bias.
        device, dtype: of the parameters.

    Attributes:
        head: linear, to ``cutoffs[0]`` classes and the clusters.
        tail: for each cluster two linear maps.

    Shape:
        - input ``(*, in_features)``, target ``(*)``: class numbers.
        - output ``(*)``, the log-probabilities of the targets, and ``loss``, minus their mean.

    >>> import minigrad as mg
    >>> softmax = mg.nn.AdaptiveLogSoftmaxWithLoss(4, 10, cutoffs=[2, 5])
    >>> output, loss = softmax(mg.ones(3, 4), [0, 4, 9])
    >>> output.shape, softmax.log_prob(mg.ones(3, 4)).shape
    ((3,), (3, 10))
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        cutoffs = [int(cutoff) for cutoff in cutoffs]
        if not cutoffs or cutoffs != sorted(set(cutoffs)) or cutoffs[0] < 1 or cutoffs[-1] >= n_classes:
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs rise, each between 1 and n_classes - 1 = {n_classes - 1};"
                f" these are {cutoffs}"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*cutoffs, n_classes]
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._clusters()):
            width = int(in_features // div_value ** (i + 1))
            first = Linear(in_features, width, False, device, dtype)
            self.tail.append(Sequential(first, Linear(width, high - low, False, device, dtype)))

    def _clusters(self) -> list[tuple[int, int]]:
        """The first class of each cluster, and the one behind its last."""
        return list(zip(self.cutoffs[:-1], self.cutoffs[1:], strict=True))

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.head.reset_parameters()
        clusters: Any = self.tail
        for first, second in clusters:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input: Tensor, target: Any) -> AdaptiveResult:
        """The log-probabilities of the targets, and minus their mean.

        Raises:
            ShapeError: shapes that do not fit, or a target that is no class. (On a GPU, choosing the rows of each
                cluster waits for it.)
        """
        rows, classes = self._rows(input), class_numbers("AdaptiveLogSoftmaxWithLoss", input, target)
        outside = (classes < 0) | (classes >= self.n_classes)
        if outside.any():
            raise _no_such_class(classes[outside][0], self.n_classes)
        in_head, likelihoods = classes, []
        for i, (low, high) in enumerate(self._clusters()):
            members = (classes >= low) & (classes < high)
            in_head = xp(classes).where(members, self.shortlist_size + i, in_head)
            scores = self.tail[i](indexing._getitem(rows, members))
            within = _class_log_likelihood(scores, (classes[members] - low)[:, None], 1)[0][:, 0]
            likelihoods.append(indexing.place_into_zeros(within, members, members.shape))
        output = _class_log_likelihood(self.head(rows), in_head[:, None], 1)[0][:, 0]
        for likelihood in likelihoods:
            output = output + likelihood
        output = shape.reshape(output, tuple(input.shape[:-1]))
        return AdaptiveResult(output, -reduction.mean(output))

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes, ``(*, n_classes)``."""
        rows = self._rows(input)
        head = activation.log_softmax(self.head(rows), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            place = self.shortlist_size + i
            parts.append(activation.log_softmax(cluster(rows), 1) + head[:, place : place + 1])
        return shape.reshape(joining.concat(parts, 1), (*input.shape[:-1], self.n_classes))

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row, ``(*)``; only rows for which the head prefers a cluster see the clusters."""
        rows = self._rows(input)
        best = ordering.argmax(self.head(rows), 1)
        beyond = best.data >= self.shortlist_size
        rare = ordering.argmax(self.log_prob(indexing._getitem(rows, beyond)), 1)
        return shape.reshape(indexing._index_put(best, rare, beyond, False), tuple(input.shape[:-1]))

    def _rows(self, input: Tensor) -> Tensor:
        if not input.shape or input.shape[-1] != self.in_features:
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: the input is (*, {self.in_features}), not {tuple(input.shape)}"
            )
        return shape.reshape(input, (math.prod(input.shape[:-1]), self.in_features))

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.in_features}, {self.n_classes}, cutoffs={self.cutoffs[:-1]}, div_value={self.div_value}"
