"""Recurrent layers."""

from .lstm import LSTM as LSTM
