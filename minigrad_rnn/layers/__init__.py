"""Recurrent layers."""

from .bidirectional import Bidirectional as Bidirectional
from .custom import RecurrentLayer as RecurrentLayer
from .gru import GRU as GRU
from .lstm import LSTM as LSTM
from .options import Wiring as Wiring
from .path import Plan as Plan, uncompiled as uncompiled, unrolled as unrolled
from .rnn import RNN as RNN
from .stacked import StackedCells as StackedCells

KINDS: dict[str, type[RNN | LSTM | GRU]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}  # by the names that users choose from
