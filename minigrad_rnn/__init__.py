"""minigrad_rnn: recurrent networks as ordinary modules, built on minigrad's public names."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

from . import (
    cells as cells,
    convert as convert,
    inspect as inspect,
    layers as layers,
    sequences as sequences,
)
from .cells import (
    ClockworkCell as ClockworkCell,
    DeepTransitionCell as DeepTransitionCell,
    GRUCell as GRUCell,
    IndRNNCell as IndRNNCell,
    LSTMCell as LSTMCell,
    MGUCell as MGUCell,
    RHNCell as RHNCell,
    RNNCell as RNNCell,
)
from .layers import (
    GRU as GRU,
    LSTM as LSTM,
    RNN as RNN,
    Bidirectional as Bidirectional,
    RecurrentLayer as RecurrentLayer,
    StackedCells as StackedCells,
    uncompiled as uncompiled,
    unrolled as unrolled,
)
from .sequences import (
    PackedSequence as PackedSequence,
    StatefulRNN as StatefulRNN,
    detach_state as detach_state,
    last_output as last_output,
    last_state as last_state,
    lengths_to_mask as lengths_to_mask,
    mask_to_lengths as mask_to_lengths,
    pack_padded_sequence as pack_padded_sequence,
    pack_sequence as pack_sequence,
    pad_packed_sequence as pad_packed_sequence,
    pad_sequence as pad_sequence,
    reverse_by_length as reverse_by_length,
    unpack_sequence as unpack_sequence,
    unpad_sequence as unpad_sequence,
)

if _TYPE_CHECKING:
    from . import (
        data as data,
        language as language,
        patterns as patterns,
        seq2seq as seq2seq,
        training as training,
        tree as tree,
    )
    from .ctc import ctc_beam_search as ctc_beam_search, ctc_greedy_decode as ctc_greedy_decode
    from .draw import draw as draw
    from .training import tbptt as tbptt

_LATER = {"data", "draw", "language", "patterns", "seq2seq", "training", "tree"}
_HOME = {"ctc_beam_search": "ctc", "ctc_greedy_decode": "ctc", "tbptt": "training"}  # of functions that live there


def __getattr__(name: str) -> _Any:
    """What is built on the layers is imported when it is first used: most programs need little of it."""
    if name in _LATER:
        return _import_module(f"minigrad_rnn.{name}")
    if name in _HOME:
        return getattr(_import_module(f"minigrad_rnn.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [name for name in list(globals()) if not name.startswith("_")]
__all__ += [name for name in sorted((*_LATER, *_HOME)) if name != "draw"]
