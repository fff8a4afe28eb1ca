"""Language models over characters."""

from .corpus import Corpus as Corpus
from .corpus import TextError as TextError
from .corpus import builtin_text as builtin_text
from .corpus import read_text as read_text
from .counts import CountModel as CountModel
from .model import CharacterModel as CharacterModel
from .model import bits_per_character as bits_per_character
from .model import generate as generate
from .vocabulary import Vocabulary as Vocabulary
