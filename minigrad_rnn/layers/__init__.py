"""Recurrent layers."""

from .gru import GRU as GRU
from .lstm import LSTM as LSTM
from .path import Plan as Plan, unrolled as unrolled
from .rnn import RNN as RNN
