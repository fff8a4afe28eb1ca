"""Recurrent cells: the equations of one step, with their weights."""

from .gru import GRUCell as GRUCell, GRURecurrence as GRURecurrence
from .lstm import LSTMCell as LSTMCell, LSTMRecurrence as LSTMRecurrence
from .recurrence import Recurrence as Recurrence, State as State, Weights as Weights
from .rnn import RNNCell as RNNCell, RNNRecurrence as RNNRecurrence
