"""How layers of a stack are connected."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import minigrad as mg

MERGE_MODES = ("concat", "sum", "mul", "ave", "none")  # the first is the default


@dataclasses.dataclass(frozen=True)
class Wiring:
    r"""The options of a stack of layers, apart from those of their equations.

    Args:
        merge_mode: how the outputs of two directions are put together: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"``
            (their mean), or ``"none"``: not at all, the two directions are stacks of their own, and the output is a
            pair.
        residual: what a layer reads is added to its output, from the second layer on (Wu et al. 2016).
        highway: a gate chooses between the output of a layer and what it reads, from the second layer on:
            :math:`y = T \odot \text{output} + (1 - T) \odot x` with :math:`T = \sigma(W_T x + b_T)` (Srivastava,
            Greff and Schmidhuber 2015), its bias being -1 at first.
        learn_initial_state: the state that a sequence begins with, where none is given, is a parameter of the layer,
            zeros at first.
    """

    merge_mode: str = "concat"
    residual: bool = False
    highway: bool = False
    learn_initial_state: bool = False

    def check(self, caller: str) -> None:
        """Refuse what is no merge mode, and options that exclude each other."""
        if self.merge_mode not in MERGE_MODES:
            names = ", ".join(f'"{name}"' for name in MERGE_MODES)
            raise mg.MinigradError(f"{caller}: merge_mode is one of {names}, not {self.merge_mode!r}")
        if self.residual and self.highway:
            raise mg.MinigradError(f"{caller}: residual and highway are two answers to one question; choose one")

    def check_sizes(self, caller: str, outputs: Sequence[tuple[int, ...]]) -> None:
        """Refuse what cannot be connected: ``outputs`` are the sizes of the streams that each layer puts out."""
        if (self.residual or self.highway) and len(set(outputs)) > 1:
            raise mg.ShapeError(
                f"{caller}: residual and highway connections need layers with outputs of one size, not"
                f" {[sizes[0] if len(sizes) == 1 else sizes for sizes in outputs]}"
            )

    def sizes(self, caller: str, directions: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes of what :meth:`merged` makes of outputs of these sizes.

        Raises:
            ShapeError: two directions that cannot be added or multiplied.
        """
        if len(directions) == 1 or self.merge_mode == "none":
            return directions
        if self.merge_mode == "concat":
            return (sum(directions),)
        if directions[0] != directions[1]:
            raise mg.ShapeError(
                f'{caller}: "{self.merge_mode}" needs two directions with outputs of one size, not {directions[0]} and'
                f' {directions[1]}\n  hint: "concat" puts them side by side, "none" leaves them apart'
            )
        return directions[:1]

    @property
    def multiplies(self) -> bool:
        """Whether outputs meet factors, through which a NaN in the gradient of padding would reach others."""
        return self.highway or self.merge_mode == "mul"

    def merged(self, outputs: list[mg.Tensor]) -> list[mg.Tensor]:
        """The outputs of two directions put together: one tensor, or both as they are."""
        if self.merge_mode == "none":
            return outputs
        a, b = outputs
        if self.merge_mode == "concat":
            return [mg.concat(outputs, dim=-1)]
        return [a * b if self.merge_mode == "mul" else a + b if self.merge_mode == "sum" else (a + b) * 0.5]

    def changed(self) -> list[str]:
        """The options that are not as by default, as they would be written in a call."""
        defaults = type(self)()
        return [f"{name}={value!r}" for name, value in vars(self).items() if value != getattr(defaults, name)]
