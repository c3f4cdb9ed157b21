"""Folding of letters for search: case, accents, đ, ё. Pure; the same for what is stored and what is asked."""

import re
import unicodedata

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans({"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "ð": "d", "þ": "th"})
_NOT_WORD = re.compile(r"[^\w]+")


def fold(text: str) -> str:
    """Lower case without accents, NFC or NFD alike: 'Truyện Kiều' -> 'truyen kieu', 'ё' -> 'е', 'й' -> 'и'."""
    if text.isascii():  # most of what there is, and nothing to take apart
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def fold_words(text: str) -> str:
    """Folded words joined by single spaces, punctuation gone: a key to compare titles and names by."""
    return " ".join(_NOT_WORD.sub(" ", fold(text)).split())
