"""The languages that readers ask in, without any model: which one it is, and what it means in the book's words.

Pure: knows words and spellings; must not know the stores, the services or a model.
"""

from backend.app.language.detection import detect
from backend.app.language.glossary import FUNCTION_WORDS
from backend.app.language.translation import english_forms
from backend.app.language.vocabulary import Vocabulary, load_vocabulary, vocabulary_of

__all__ = ["FUNCTION_WORDS", "Vocabulary", "detect", "english_forms", "load_vocabulary", "vocabulary_of"]
