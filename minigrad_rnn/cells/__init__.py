"""Recurrent cells: the equations of one step, with their weights."""

from .clockwork import ClockworkCell as ClockworkCell
from .deep import DeepTransitionCell as DeepTransitionCell
from .gru import GRUCell as GRUCell, GRURecurrence as GRURecurrence
from .highway import RHNCell as RHNCell
from .indrnn import IndRNNCell as IndRNNCell
from .lstm import LSTMCell as LSTMCell, LSTMRecurrence as LSTMRecurrence
from .mgu import MGUCell as MGUCell
from .noise import Masks as Masks, Noise as Noise
from .nonlinearity import NONLINEARITIES as NONLINEARITIES
from .recurrence import Recurrence as Recurrence, State as State
from .rnn import RNNCell as RNNCell, RNNRecurrence as RNNRecurrence
from .statistics import StepStatistics as StepStatistics
from .weights import Weights as Weights
