"""Sequence to sequence: encoder, bridge, decoder, attention, and how to decode."""

from .attention import AdditiveAttention, Attention, DotAttention, Keys
from .beam import beam_search
from .bridge import Bridge
from .decoder import Decoder
from .decoder_state import Decoded, DecoderState
from .decoding import Hypothesis, Steps, greedy_decode
from .encoder import Encoded, Encoder
from .model import Seq2Seq
from .sampling import sample
from .scheduled import ScheduledSampling

__all__ = [
    "AdditiveAttention",
    "Attention",
    "Bridge",
    "Decoded",
    "Decoder",
    "DecoderState",
    "DotAttention",
    "Encoded",
    "Encoder",
    "Hypothesis",
    "Keys",
    "ScheduledSampling",
    "Seq2Seq",
    "Steps",
    "beam_search",
    "greedy_decode",
    "sample",
]
