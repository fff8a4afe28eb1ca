"""Sequences of different length: padded, packed, masked, reversed, and the state between them."""

from .lengths import (
    last_output as last_output,
    last_state as last_state,
    lengths_to_mask as lengths_to_mask,
    mask_to_lengths as mask_to_lengths,
    reverse_by_length as reverse_by_length,
)
from .packed import (
    PackedSequence as PackedSequence,
    pack_padded_sequence as pack_padded_sequence,
    pack_sequence as pack_sequence,
    pad_packed_sequence as pad_packed_sequence,
    unpack_sequence as unpack_sequence,
)
from .padded import pad_sequence as pad_sequence, unpad_sequence as unpad_sequence
from .state import StatefulRNN as StatefulRNN, detach_state as detach_state
