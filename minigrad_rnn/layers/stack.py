"""The loop over layers and directions, and how they are connected."""

from __future__ import annotations

import contextlib
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import minigrad as mg
from minigrad import nn

from ..cells import Noise, Recurrence, State, Weights
from ..cells.blame import blaming
from ..cells.cell import check_input, parameter
from ..cells.noise import Masks, Zones
from ..cells.numbers import is_probability
from ..cells.unroll import Run, Running, unroll
from ..cells.watch import show_steps
from .fused import fused, why_not, why_not_compiled
from .inputs import Sequences, arranged, silent
from .options import MERGE_MODES, Wiring
from .path import Plan, inside_unrolled
from .states import StateForm


class Stack(nn.Module):
    """Recurrences over sequences, in one or more layers and one or two directions.

    Attributes:
        fused: whether a sequence is one op (quick) or every op is recorded (to look at). The results are the same.
    """

    def __init__(
        self,
        input_size: int | None,
        num_layers: int,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        noise: Noise,
        wiring: Wiring,
    ) -> None:
        super().__init__()
        if not is_probability(dropout):
            name = type(self).__name__
            raise mg.MinigradError(f"{name}: dropout is a probability, from 0 to 1, not {dropout!r}")
        wiring.check(type(self).__name__)
        for idle in _idle(dropout, num_layers, bidirectional, wiring):
            warnings.warn(f"{type(self).__name__}: {idle}", UserWarning, stacklevel=4)
        self.input_size, self.num_layers, self.batch_first = input_size, num_layers, batch_first
        self.dropout, self.bidirectional, self.noise, self.wiring = dropout, bidirectional, noise, wiring
        self.fused = True

    # ---- what a kind of stack tells of itself -------------------------------------------------------------------

    @abstractmethod
    def recurrence_of(self, layer: int, reverse: bool) -> Recurrence:
        """The equations of one layer in one direction."""

    @abstractmethod
    def weights(self, layer: int, reverse: bool = False) -> Weights:
        """What they use."""

    @abstractmethod
    def noise_of(self, layer: int, reverse: bool) -> Noise:
        """Their regularisers."""

    @abstractmethod
    def sizes_of(self, layer: int, reverse: bool) -> tuple[int, ...]:
        """The sizes of the parts of their state, that of the output first."""

    # ---- layers and directions ----------------------------------------------------------------------------------

    @property
    def reverses(self) -> tuple[bool, ...]:
        """The directions: whether each goes from the end."""
        return (False, True) if self.bidirectional else (False,)

    @property
    def _streams(self) -> tuple[bool, ...]:
        """What goes from layer to layer: one sequence of outputs, or that of each direction if they are not merged."""
        return self.reverses if self.wiring.merge_mode == "none" else (False,)

    def places(self) -> Iterator[tuple[int, bool]]:
        """All layers and directions, in the order in which they run and in which states stand."""
        return ((layer, reverse) for layer in range(self.num_layers) for reverse in self.reverses)

    def part(self, layer: int, reverse: bool) -> str:
        """How one layer in one direction is called in scopes and plans."""
        return f"layer{layer}{_side(reverse, self.bidirectional)}"

    def plan(self) -> list[Plan]:
        """Which path each layer takes in each direction if it is called now, and why.

        >>> from minigrad_rnn import LSTM
        >>> LSTM(2, 3).plan()  # doctest: +ELLIPSIS
        [Plan(part='layer0', path='fused', reason='one op for the whole sequence, ...')]
        """
        return [self._plan(*place) for place in self.places()]

    def _plan(self, layer: int, reverse: bool) -> Plan:
        part, recorded = self.part(layer, reverse), self._why_unrolled(layer, reverse)
        if recorded:
            return Plan(part, "unrolled", recorded)
        lacks = why_not_compiled(self.recurrence_of(layer, reverse), self.weights(layer, reverse))
        if lacks is None and not self.training and self.noise_of(layer, reverse).zoneout:
            lacks = "zoneout has no compiled steps in evaluation"
        return Plan(part, "fused", "one op for the whole sequence, " + (f"in NumPy: {lacks}" if lacks else "compiled"))

    def _why_unrolled(self, layer: int, reverse: bool) -> str | None:
        if inside := inside_unrolled():
            return f"every op is recorded: inside {inside}"
        return why_not(self.recurrence_of(layer, reverse)) if self.fused else "every op is recorded: fused is False"

    def forward(
        self,
        input: Any,
        hx: Any = None,
        *,
        lengths: Any = None,
        mask: Any = None,
        return_all_states: bool = False,
        reverse: bool = False,
    ) -> Any:
        """Run over sequences. See the class for shapes.

        Args:
            input: the sequences: a tensor, a :class:`~minigrad_rnn.PackedSequence` or a list of tensors.
            hx: the state to begin with; left out, zeros, or what was learned.
            lengths: of a tensor, the number of steps of each row, 0 to T, in any order.
            mask: of a tensor, where there is an element: booleans ``(T, N)``, ``(N, T)`` with ``batch_first``.
                Elements may be anywhere: the result is that of each row without its gaps.
            return_all_states: whether to return, as a third result, the state of every step: each part
                ``(layers * directions, T, N, size)``, with ``batch_first`` ``(layers * directions, N, T, size)``.
            reverse: whether every sequence is read from its end to its start, wherever padding is. An output still
                stands where its input stands.
        """
        sequences = arranged(type(self).__name__, input, self.input_size, self.batch_first, lengths, mask)
        sequences = sequences._replace(reverse=reverse)
        form = self._form()
        batch = sequences.x.shape[1]
        initial = self._initial(sequences) if hx is None else form.split(hx, batch, sequences.batched)
        streams, runs = self._layers(sequences, initial, return_all_states)
        if self.wiring.multiplies or self.noise.variational:
            streams = [silent(stream, sequences.running) for stream in streams]
        outputs = tuple([sequences.back(stream) for stream in streams])
        output = outputs if self.wiring.merge_mode == "none" and self.bidirectional else outputs[0]
        last = form.join([run.last for run in runs], sequences.batched)
        if not return_all_states:
            return output, last
        return output, last, form.join([tuple(map(sequences.layout, run.states)) for run in runs])

    def step(self, x: mg.Tensor, state: Any = None) -> tuple[Any, Any]:
        """One step of a stream: the same as the whole sequence at once.

        Args:
            x: ``(N, input_size)`` or ``(input_size,)``.
            state: what the step before returned.

        Returns:
            The output ``(N, features)`` or ``(features,)``, and the state to go on from.
        """
        if self.bidirectional:
            raise endless(type(self).__name__)
        if any(self.recurrence_of(*place).batch_norm for place in self.places()):
            raise mg.MinigradError(
                f"{type(self).__name__}.step: batch_norm has statistics of its own for every step, and a stream does"
                " not say at which step it is\n  hint: a cell can be told: forward(x, state, t=...)"
            )
        noises = [self.noise_of(*place) for place in self.places()] if self.training else []
        if any(noise.variational or noise.weight_dropout for noise in noises):
            raise mg.MinigradError(
                f"{type(self).__name__}.step: variational and weight dropout draw one mask for a whole sequence, and a"
                " stream does not say where one begins\n  hint: eval() drops nothing; a call with a chunk of the"
                " sequence draws for that chunk"
            )
        check_input(self, x, "call the layer itself")
        dim = 1 if self.batch_first and x.ndim == 2 else 0
        output, state = self(x.unsqueeze(dim), state)
        return output.squeeze(dim), state

    def _layers(
        self, sequences: Sequences, initial: list[State], every: bool
    ) -> tuple[list[mg.Tensor], list[Run]]:
        """The loop over layers and directions. There is one stream of outputs, or two that are never merged."""
        streams, runs = [sequences.x], list[Run]()
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self.reverses:
                stream = streams[reverse % len(streams)]
                with mg.scope(self.part(layer, reverse)):
                    run = self._direction(layer, reverse, stream, initial[len(runs)], sequences, every)
                outputs.append(run.output)
                runs.append(run)
            merged = self.wiring.merged(outputs) if self.bidirectional else outputs
            streams = self._connected(layer, streams, merged, sequences.running)
        noises = [self.noise_of(self.num_layers - 1, reverse) for reverse in self._streams]
        masks = [noise.draw_output(y, self.training) for noise, y in zip(noises, streams, strict=True)]
        return [y if mask is None else y * mask for y, mask in zip(streams, masks, strict=True)], runs

    def _direction(
        self, layer: int, reverse: bool, x: mg.Tensor, state: State, sequences: Sequences, every: bool
    ) -> Run:
        recurrence, w = self.recurrence_of(layer, reverse), self.weights(layer, reverse)
        noise = self.noise_of(layer, reverse)
        zones: Zones = ()
        masks = Masks()
        if not noise.quiet:
            masks = noise.draw(x, w, self.training)
            sizes = recurrence.zoned_sizes(self.sizes_of(layer, reverse))
            zones, w = noise.zones(state[0], x.shape[:2], sizes, self.training), masks.on(w)
        path = unroll if self._why_unrolled(layer, reverse) else fused
        watched = mg.inspect.detecting_anomalies()
        with blaming(recurrence, w, x) if watched else contextlib.nullcontext():
            x = x if masks.input is None else masks.on_input(silent(x, sequences.running))
            return path(recurrence, x, state, w, zones, reverse != sequences.reverse, sequences.running, every)

    def _connected(
        self, layer: int, before: list[mg.Tensor], after: list[mg.Tensor], running: Running | None
    ) -> list[mg.Tensor]:
        """What goes on to the next layer: with connections around this one, and dropout."""
        if layer and self.wiring.residual:
            after = [y + x for x, y in zip(before, after, strict=True)]
        if layer and self.wiring.highway:
            after = [
                self._gated(layer, reverse, x, y, running)
                for reverse, x, y in zip(self._streams, before, after, strict=True)
            ]
        if self.dropout and layer < self.num_layers - 1:
            after = [mg.dropout(y, self.dropout, self.training) for y in after]
        return after

    def _gated(self, layer: int, reverse: bool, x: mg.Tensor, y: mg.Tensor, running: Running | None) -> mg.Tensor:
        weight, bias = (getattr(self, f"{kind}_highway{suffix(layer, reverse)}") for kind in ("weight", "bias"))
        with mg.scope(f"highway{layer}{_side(reverse, len(self._streams) == 2)}"), blaming():
            gate = mg.linear(x, weight, bias).sigmoid()
            show_steps("transform_gate", gate, running)
            return x + gate * (y - x)

    # ---- parameters and states of the stack itself --------------------------------------------------------------

    def outputs_of(self, layer: int) -> tuple[int, ...]:
        """The number of features of each stream that a layer puts out."""
        directions = tuple([self.output_of(layer, reverse) for reverse in self.reverses])
        return self.wiring.sizes(type(self).__name__, directions)

    def output_of(self, layer: int, reverse: bool) -> int:
        """The number of features that one direction of a layer puts out."""
        return self.sizes_of(layer, reverse)[0]

    def _wire(self, device: Any, dtype: Any) -> None:
        """Make the parameters that belong to no recurrence."""
        outputs = [self.outputs_of(layer) for layer in range(self.num_layers)]
        self.wiring.check_sizes(type(self).__name__, outputs)
        if self.wiring.highway:
            for layer, sizes in list(enumerate(outputs))[1:]:
                for end, features in zip([suffix(layer, r) for r in self._streams], sizes, strict=True):
                    setattr(self, f"weight_highway{end}", parameter((features, features), device, dtype))
                    setattr(self, f"bias_highway{end}", parameter((features,), device, dtype))
        if self.wiring.learn_initial_state:
            for place in self.places():
                recurrence = self.recurrence_of(*place)
                for name, size in zip(recurrence.names, recurrence.zoned_sizes(self.sizes_of(*place)), strict=True):
                    if size is not None:
                        setattr(self, f"initial_{name}{suffix(*place)}", parameter((size,), device, dtype))

    def _reset_wires(self) -> None:
        """Draw those parameters anew."""
        for name, weight in self.named_parameters():
            if name.startswith("weight_highway"):
                bound = len(weight) ** -0.5
                nn.init.uniform_(weight, -bound, bound)
            elif name.startswith("bias_highway"):
                nn.init.constant_(weight, -1.0)
            elif name.startswith("initial"):
                nn.init.zeros_(weight)

    def _initial(self, sequences: Sequences) -> list[State]:
        """The state of each layer and direction where none is given."""
        x = sequences.x
        batch, device, dtype = x.shape[1], x.device, self.dtype
        if dtype is None and x.dtype.kind == "f":
            dtype = x.dtype
        states = []
        for place in self.places():
            names, learned = self.recurrence_of(*place).names, self._learned(*place)
            states.append(tuple([
                learned[name].expand(batch, -1) if name in learned else mg.zeros(batch, n, dtype=dtype, device=device)
                for name, n in zip(names, self.sizes_of(*place), strict=True)
            ]))
        return states

    def _learned(self, layer: int, reverse: bool) -> dict[str, mg.Tensor]:
        """The parts that are learned: not those that only count or remember."""
        if not self.wiring.learn_initial_state:
            return {}
        names, end = self.recurrence_of(layer, reverse).zoned, suffix(layer, reverse)
        return {name: getattr(self, f"initial_{name}{end}") for name in names}

    @property
    def dtype(self) -> Any:
        """The dtype of the parameters; ``None`` if there are none."""
        return next((p.dtype for p in self.parameters()), None)

    @property
    def output_size(self) -> int:
        """Features of an output: of both directions where they stand side by side.

        Where they are left apart, of that of the first.
        """
        return self.outputs_of(self.num_layers - 1)[0]

    @property
    def batch_dim(self) -> int:
        """Which dim of the tensors of the state counts the sequences: 1, or 0 if layers differ in their states."""
        return 1 if self._form().uniform else 0

    def _form(self) -> StateForm:
        places = list(self.places())
        names = [self.recurrence_of(*place).names for place in places]
        return StateForm(self, names, [self.sizes_of(*place) for place in places])


def suffix(layer: int, reverse: bool) -> str:
    """The end of the names of the parameters of one layer in one direction."""
    return f"_l{layer}" + ("_reverse" if reverse else "")


def _side(reverse: bool, two: bool) -> str:
    """The end of the place of one direction, where there are two."""
    return (".bwd" if reverse else ".fwd") if two else ""


def endless(name: str) -> mg.MinigradError:
    """The error where a layer of two directions should take a single step."""
    return mg.MinigradError(
        f"{name}.step: a bidirectional layer reads a sequence from its end, which a stream does not have yet"
    )


def _idle(dropout: float, num_layers: int, bidirectional: bool, wiring: Wiring) -> Iterator[str]:
    """Which options do nothing in a stack of this many layers and directions."""
    between = {f"dropout={dropout}": dropout, "residual": wiring.residual, "highway": wiring.highway}
    for option, given in between.items():
        if given and num_layers == 1:
            yield f"{option} acts between layers, and there is only one"
    if not bidirectional and wiring.merge_mode in MERGE_MODES[1:]:
        yield f"merge_mode={wiring.merge_mode!r} puts two directions together, and there is only one"
