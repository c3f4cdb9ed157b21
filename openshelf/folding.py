"""Folding of letters for search: case, accents, đ, ё. Pure; the same for what is stored and what is asked."""

import re
import unicodedata

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans({"đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "ð": "d", "þ": "th"})
_NOT_WORD = re.compile(r"[^\w]+")


class _Letters(dict[str, str]):
    """Letter -> what it is folded to, found out once for each letter there is."""

    def __missing__(self, letter: str) -> str:
        decomposed = unicodedata.normalize("NFKD", letter.casefold().translate(_LETTERS))
        self[letter] = folded = "".join(c for c in decomposed if not unicodedata.combining(c))
        return folded


_FOLDED = _Letters()


def fold(text: str) -> str:
    """Lower case without accents, NFC or NFD alike: 'Truyện Kiều' -> 'truyen kieu', 'ё' -> 'е', 'й' -> 'и'."""
    if text.isascii():  # most of what there is, and nothing to take apart
        return text.lower()
    return "".join(map(_FOLDED.__getitem__, text))


def fold_words(text: str) -> str:
    """Folded words joined by single spaces, punctuation gone: a key to compare titles and names by."""
    return " ".join(_NOT_WORD.sub(" ", fold(text)).split())
