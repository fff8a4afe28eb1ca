"""minigrad_rnn: recurrent networks as ordinary modules, built on minigrad's public names."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

from . import (
    cells as cells,
    convert as convert,
    data as data,
    inspect as inspect,
    language as language,
    layers as layers,
    patterns as patterns,
    seq2seq as seq2seq,
    sequences as sequences,
    training as training,
    tree as tree,
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
from .ctc import ctc_beam_search as ctc_beam_search, ctc_greedy_decode as ctc_greedy_decode
from .layers import (
    GRU as GRU,
    LSTM as LSTM,
    RNN as RNN,
    Bidirectional as Bidirectional,
    RecurrentLayer as RecurrentLayer,
    StackedCells as StackedCells,
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
from .training import tbptt as tbptt

if _TYPE_CHECKING:
    from .draw import draw as draw


def __getattr__(name: str) -> _Any:
    """Drawing is imported when it is first used: most programs never draw."""
    if name == "draw":
        return _import_module("minigrad_rnn.draw")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
