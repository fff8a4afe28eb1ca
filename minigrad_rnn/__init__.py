"""minigrad_rnn: recurrent networks as ordinary modules, built on minigrad's public names."""

from . import language as language, layers as layers
from .layers import LSTM as LSTM
