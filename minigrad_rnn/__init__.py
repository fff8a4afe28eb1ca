"""minigrad_rnn: recurrent networks as ordinary modules, built on minigrad's public names."""

from . import language as language
from . import layers as layers
from .layers import LSTM as LSTM
