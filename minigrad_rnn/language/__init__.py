"""Language models over characters and words."""

from ..data import read_text
from .corpus import Corpus, TextError, Window, Windows, builtin_text, line_window, spaced
from .counts import CountModel
from .measure import bits_per_character, cross_entropy, perplexity, surprise
from .model import LanguageModel
from .vectors import Vectors, VectorsError, read_vectors
from .vocabulary import Vocabulary, split
from .writing import complete, generate, write

__all__ = [
    "Corpus",
    "CountModel",
    "LanguageModel",
    "TextError",
    "Vectors",
    "VectorsError",
    "Vocabulary",
    "Window",
    "Windows",
    "bits_per_character",
    "builtin_text",
    "complete",
    "cross_entropy",
    "generate",
    "line_window",
    "perplexity",
    "read_text",
    "read_vectors",
    "spaced",
    "split",
    "surprise",
    "write",
]
