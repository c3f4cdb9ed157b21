"""Which editions are the same work. Pure.

Editions share a work when author, title without its edition note, and language agree after folding. Near matches
(a slip of the pen) are joined only within one author and never when a number or a word more tells them apart.
Nothing is lost: every edition keeps its own record.
"""

import re
from collections.abc import Iterable

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from openshelf.folding import fold_words

SIMILAR = 0.94  # Jaro-Winkler of two folded titles
_SHORTEST = 8  # characters; among shorter titles one letter is a difference

_EDITION_WORDS = (
    r"edition|edn?\.?|paperback|hardcover|hardback|softcover|large[ -]print|reissue|reprint|illustrated|annotated|"
    r"unabridged|revised|updated|anniversary|deluxe|collector'?s|movie tie[- ]in|\d{4} text|ebook|kindle|"
    r"издани[ея]|изд\.?|иллюстрированн\w+|tái bản|ấn bản|bản in|"
    r"ausgabe|auflage|éditions?|edición|edizione|edição|wydanie"
)
# A note in brackets at the end that holds an edition word ...
_IN_BRACKETS = re.compile(rf"\s*[(\[][^)\]]*\b(?:{_EDITION_WORDS})(?!\w)[^)\]]*[)\]]\s*$", re.IGNORECASE)
# ... or one after a dash, comma or colon that is nothing but edition words, ordinals and years.
_AFTER_DASH = re.compile(
    rf"\s*[:,\-–—](?=[^:,\-–—]*\b(?:{_EDITION_WORDS})(?!\w))\s*(?:the\s+)?(?:(?:\d+(?:st|nd|rd|th|-е|-ое|\.)?|first|second|third|fourth|fifth|new|special|"
    rf"{_EDITION_WORDS})\s*)+$",
    re.IGNORECASE,
)
_NUMBERS = (
    "one two three four five six seven eight nine ten first second third fourth fifth "
    "i ii iii iv v vi vii viii ix x xi xii mot hai ba bon nam sau bay tam chin muoi первыи второи третии"
)
_NUMBER_WORDS = frozenset(_NUMBERS.split())


def without_note(title: str) -> str:
    """'Dune (Paperback ed.)' -> 'Dune'; a title that is nothing but a note stays."""
    for pattern in (_IN_BRACKETS, _AFTER_DASH):
        shorter = pattern.sub("", title).strip()
        title = shorter or title
    return title


def author_key(names: Iterable[str]) -> str:
    """The first author, whichever way round the name is written: 'Le Guin, Ursula K.' = 'Ursula K. Le Guin'."""
    return next((" ".join(sorted(fold_words(name).split())) for name in names), "")


def work_key(title: str, authors: Iterable[str], languages: Iterable[str]) -> str:
    """author|title|language, folded: the identity of a work."""
    bare = fold_words(without_note(title)) or fold_words(title) or title.casefold().replace("|", " ")
    return f"{author_key(authors)}|{bare}|{next(iter(languages), '')}"


def same_work(one: str, other: str) -> bool:
    """Whether two work keys that differ still name one work."""
    (author, title, language), (other_author, other_title, other_language) = one.split("|"), other.split("|")
    if not author or author != other_author:
        return False
    if language and other_language and language != other_language:
        return False
    return title == other_title or _slip_of_the_pen(title, other_title)


def _slip_of_the_pen(title: str, other: str) -> bool:
    words, other_words = title.split(), other.split()
    if min(len(title), len(other)) < _SHORTEST or len(words) != len(other_words):
        return False
    if _numbers(words) != _numbers(other_words):
        return False
    allowed = 1 if min(len(title), len(other)) < 16 else 2
    if DamerauLevenshtein.distance(title, other, score_cutoff=allowed) > allowed:
        return False
    return JaroWinkler.similarity(title, other) >= SIMILAR


def _numbers(words: list[str]) -> list[str]:
    return [word for word in words if word in _NUMBER_WORDS or any(letter.isdigit() for letter in word)]


def assign(keys: Iterable[str], known: dict[str, int]) -> tuple[dict[str, str], list[str]]:
    """Find the work of each edition's key.

    Args:
        keys: work keys of editions, in a fixed order.
        known: keys of the works there are, with their book_id.

    Returns:
        edition's key -> key of its work, and the keys of works to make.
    """
    by_author: dict[str, list[str]] = {}
    for key in known:
        by_author.setdefault(key.split("|")[0], []).append(key)
    found: dict[str, str] = {}
    new: list[str] = []
    for key in keys:
        if key in found:
            continue
        if key in known:
            found[key] = key
            continue
        block = by_author.setdefault(key.split("|")[0], [])
        match = next((other for other in sorted(block) if same_work(key, other)), None)
        found[key] = match or key
        if match is None:
            block.append(key)
            new.append(key)
    return found, new
