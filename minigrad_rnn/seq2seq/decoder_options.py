"""Which options of a decoder go together, and what is said where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import minigrad as mg

from .attention import Attention
from .states import Layout

if TYPE_CHECKING:
    from .decoder import Decoder

MODES = ("state", "peeky", "autonomous")
ATTENDS = ("after", "before")


def check_options(decoder: Decoder, attention: Attention | None) -> None:
    """Refuse options that do not go together."""
    mode, attend, layout = decoder.mode, decoder.attend, decoder._layout
    if mode not in MODES:
        raise mg.MinigradError(f'Decoder: the mode is "state", "peeky" or "autonomous", not {mode!r}')
    if attend not in ATTENDS:
        raise mg.MinigradError(f'Decoder: attend is "after" or "before", not {attend!r}')
    outside = [n for n in (decoder.start, decoder.end) if n is not None and not 0 <= n < decoder.vocabulary_size]
    if outside:
        raise mg.MinigradError(f"Decoder: START or END is {outside[0]}, and there are {decoder.vocabulary_size} tokens")
    if layout.directions > 1:
        raise mg.MinigradError("Decoder: it writes from the start; its layer cannot have two directions")
    if (mode == "peeky") != (decoder.context_size > 0):
        raise mg.ShapeError(f"Decoder: a peeky one has a context_size, the others have none: {decoder.context_size}")
    if attention is None and (decoder.input_feeding or attend == "before"):
        raise mg.MinigradError('Decoder: input_feeding and attend="before" need an attention')
    if mode == "autonomous" and (decoder.input_feeding or attend == "before"):
        raise mg.MinigradError("Decoder: an autonomous one reads nothing, neither what it attends to nor what is fed")
    if attention is None:
        return
    size = layout.context_size if attend == "before" else decoder.features
    if attention.query_size != size:
        raise mg.ShapeError(f"Decoder: the queries of the attention have {size} features, not {attention.query_size}")


def check_stepwise(layout: Layout) -> None:
    """Refuse to train a layer step by step whose options must know a sequence as a whole."""
    found = []
    for stack in layout.stacks:
        for place in stack.places():
            noise, recurrence = stack.noise_of(*place), stack.recurrence_of(*place)
            found += [option for option in ("variational", "weight_dropout") if getattr(noise, option)]
            found += ["batch_norm"] if recurrence.batch_norm else []
    if found:
        raise mg.MinigradError(
            f"Decoder: {' and '.join(dict.fromkeys(found))} of the layer is for a sequence as a whole, but this decoder"
            " trains step by step (attention before the step, input feeding or scheduled sampling)\n"
            "  hint: attend after the step without input feeding, or use dropout or zoneout instead"
        )
