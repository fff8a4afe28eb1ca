"""Language models over characters."""

from .corpus import Corpus, TextError, builtin_text, read_text
from .counts import CountModel
from .model import CharacterModel, bits_per_character, generate
from .vocabulary import Vocabulary

__all__ = [
    "CharacterModel",
    "Corpus",
    "CountModel",
    "TextError",
    "Vocabulary",
    "bits_per_character",
    "builtin_text",
    "generate",
    "read_text",
]
