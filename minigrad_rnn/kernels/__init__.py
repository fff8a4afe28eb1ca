"""Whole sequences as single ops, written with the array module of their arrays."""

from .gru import gru_sequence as gru_sequence
from .lstm import lstm_sequence as lstm_sequence
from .rnn import rnn_sequence as rnn_sequence
