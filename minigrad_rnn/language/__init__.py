"""Language models over characters."""

from .corpus import Corpus as Corpus, TextError as TextError, builtin_text as builtin_text, read_text as read_text
from .counts import CountModel as CountModel
from .model import CharacterModel as CharacterModel, bits_per_character as bits_per_character, generate as generate
from .vocabulary import Vocabulary as Vocabulary
