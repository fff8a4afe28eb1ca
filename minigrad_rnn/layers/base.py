"""What RNN, LSTM and GRU share: the parameters, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import minigrad as mg

from ..cells import Noise, Recurrence, StepStatistics, Weights
from ..cells.cell import check_sizes, parameter
from ..cells.initial import initialise
from ..cells.numbers import is_whole
from ..cells.options import sorted_options
from .options import Wiring
from .stack import Stack, suffix


class RecurrentBase(Stack):
    r"""A recurrence over a sequence, in one or more layers and one or two directions.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0: the parameters of layer 0, see
            :class:`~minigrad_rnn.cells.Weights`; those of the direction from the end end in ``_reverse``. All are
            uniform within :math:`\pm 1/\sqrt{\text{hidden\_size}}` at first, unless ``init`` says otherwise.
        fused: whether a sequence is one op (quick) or every op is recorded (to look at). The results are the same.
    """

    kind: type[Recurrence]
    recurrence: Recurrence
    weight_hh_l0: mg.nn.Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: Any,
        dtype: Any,
        options: dict[str, Any],
    ) -> None:
        name = type(self).__name__
        recurrence, noise, wiring = sorted_options(name, options, self.kind, Noise, Wiring)
        noise.check(name, recurrence.zoned)
        check_sizes(self, input_size=input_size, num_layers=num_layers)
        several = isinstance(hidden_size, Sequence)
        self.hidden_sizes = tuple(hidden_size) if isinstance(hidden_size, Sequence) else (hidden_size,) * num_layers
        super().__init__(input_size, len(self.hidden_sizes), batch_first, dropout, bidirectional, noise, wiring)
        check_sizes(self, hidden_size=min(self.hidden_sizes, default=0))
        if several and num_layers not in (1, len(self.hidden_sizes)):
            raise mg.ShapeError(f"{name}: {len(self.hidden_sizes)} hidden sizes for num_layers={num_layers}")
        self.hidden_size = hidden_size if several else self.hidden_sizes[0]
        self.recurrence, self.bias, self.proj_size = recurrence, bias, proj_size
        _check_projection(name, proj_size, min(self.hidden_sizes))
        self._make_parameters(input_size, device, dtype)
        self.reset_parameters()

    def _make_parameters(self, inputs: int, device: Any, dtype: Any) -> None:
        for layer, hidden in enumerate(self.hidden_sizes):
            shapes = self.recurrence.shapes(inputs, hidden, self.bias, self.proj_size or hidden)
            for reverse in self.reverses:
                for name, shape in shapes.items():
                    setattr(self, name + suffix(layer, reverse), parameter(shape, device, dtype))
                if self.recurrence.batch_norm:
                    rows = self.recurrence.normalised_rows(hidden)
                    statistics = StepStatistics(rows, self.recurrence.batch_norm, device, dtype)
                    setattr(self, "statistics" + suffix(layer, reverse), statistics)
            inputs = self.outputs_of(layer)[0]
        self._wire(device, dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for layer, hidden in enumerate(self.hidden_sizes):
            for reverse in self.reverses:
                initialise(self.recurrence, self.weights(layer, reverse), hidden)
        self._reset_wires()

    def weights(self, layer: int, reverse: bool = False) -> Weights:
        """The parameters of one layer in one direction."""
        end = suffix(layer, reverse)
        return Weights(*[vars(self).get(name + end) for name in Weights._fields])

    @property
    def dtype(self) -> Any:
        """The dtype of the parameters."""
        return self.weight_hh_l0.dtype

    def recurrence_of(self, layer: int, reverse: bool) -> Recurrence:  # noqa: ARG002
        """The equations, the same for all layers."""
        return self.recurrence

    def noise_of(self, layer: int, reverse: bool) -> Noise:  # noqa: ARG002
        """The regularisers, the same for all layers."""
        return self.noise

    def sizes_of(self, layer: int, reverse: bool) -> tuple[int, ...]:  # noqa: ARG002
        """The sizes of the parts of the state of a layer."""
        hidden = self.hidden_sizes[layer]
        return self.recurrence.sizes(hidden, self.proj_size or hidden)

    def extra_repr(self) -> str:
        """The sizes, and what is not as by default."""
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        usual |= {"proj_size": 0}
        changed = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        options = [*self.recurrence.changed(), *self.noise.changed(), *self.wiring.changed()]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *changed, *options])


def _check_projection(name: str, proj_size: int, hidden_size: int) -> None:
    if not is_whole(proj_size) or not 0 <= proj_size < hidden_size:
        raise mg.ShapeError(
            f"{name}: proj_size={proj_size} must be from 0 (no projection) to hidden_size - 1 = {hidden_size - 1}\n"
            "  hint: the projection makes the state smaller; to make it larger, put a linear layer behind"
        )
