"""Two of the patterns of input and output as modules: one answer for a sequence, and one for each of its elements.

From a text to another text is :mod:`minigrad_rnn.seq2seq`; from what came before to what comes next is
:mod:`minigrad_rnn.language`.
"""

from .classifier import Classifier
from .pooling import POOLINGS, Pooling
from .tagger import Tagger

__all__ = ["POOLINGS", "Classifier", "Pooling", "Tagger"]
