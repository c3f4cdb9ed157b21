"""Words of names by their sound, across scripts, endings and spellings; for comparing only, never for showing."""

import re
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process

# Words at least this long may differ by one letter; twice as long, by two.
MIN_LETTERS = 4
# How alike, of 100, words of names must sound.
MIN_NAME_RATIO = 84
# Cyrillic as it is written in Latin letters, and Latin spellings of one sound as one; for comparing names only.
_LATIN = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфыэ", "abvgdeziiklmnoprstufie", strict=True))
    | {"ж": "zh", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh", "ъ": "", "ь": "", "ю": "iu", "я": "ia"}
)
_SOUNDS = (
    ("ch", "h"), ("kh", "h"), ("ck", "k"), ("ph", "f"), ("th", "t"), ("w", "v"), ("y", "i"), ("x", "ks"), ("c", "k"),
    ("dzh", "j"), ("tz", "ts"),
)  # fmt: skip
_RUSSIAN_CASES = re.compile(
    r"(?:ого|его|ому|ему|ыми|ими|ых|их|ым|им|ом|ем|ев|ои|еи|ою|ии|ыи|ая|яя|ую|а|я|у|ю|е|ы|и|о)$"
)


@lru_cache(maxsize=100_000)
def key(word: str) -> str:
    """A folded word of a name by its sound, without Russian endings."""
    if any("\u0400" <= c <= "\u04ff" for c in word):
        bare = _RUSSIAN_CASES.sub("", word)
        word = (bare if len(bare) >= 3 else word).translate(_LATIN)
    elif len(word) > 4:
        word = re.sub(r"(?<=[sk])(?:ii|iy|yi|ij|y|i)$", "", word)  # Dostoevsky as Достоевск-
        word = re.sub(r"e$", "", re.sub(r"ea|ee", "i", word))  # Shakespeare as Шекспир
        word = re.sub(r"c(?=[eiy])", "s", word)
    for spelt, sound in _SOUNDS:
        word = word.replace(spelt, sound)
    word = re.sub(r"u(?=[aeio])", "v", word)  # Оруэлл is Orwell
    return re.sub(r"(.)\1", r"\1", word)


def is_near(key: str, other: str) -> bool:
    return key == other or (min(len(key), len(other)) >= MIN_LETTERS and fuzz.ratio(key, other) >= MIN_NAME_RATIO)


def near_keys(key: str, keys: Sequence[str]) -> list[str]:
    if len(key) < MIN_LETTERS:
        return [key] if key in keys else []
    found = process.extract(key, keys, scorer=fuzz.ratio, score_cutoff=MIN_NAME_RATIO, limit=20)
    return [other for other, _ratio, _place in found if len(other) >= MIN_LETTERS]


def title_key(word: str) -> str:
    """The same of a word of a title: a plural is its singular."""
    sound = key(word)
    return sound[:-1] if len(sound) > 4 and sound.endswith("s") and not sound.endswith("ss") else sound
