"""What a reader who has begun to type may mean."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg

from models.known_names import Directory, directories
from models.query_text import MIN_SUGGESTED, tidy
from openshelf.database import search as statements
from openshelf.folding import fold_words

# What is suggested while a reader types, in this order, and how many of each.
_SHARE = {"title": 5, "author": 2, "series": 1, "subject": 2}
KINDS = tuple(_SHARE)
MAX_NAMES = 20


@dataclass(frozen=True)
class Suggestion:
    """What a reader who has typed so far may mean. `kind`: title, author, series, subject; `book_id` of a title."""

    kind: str
    name: str
    book_id: int | None
    detail: str  # the authors of a title


def suggest(
    conn: psycopg.Connection,
    text: str,
    limit: int = 8,
    *,
    kinds: Collection[str] = KINDS,
    audiences: Sequence[str] | None = None,
) -> list[Suggestion]:
    """Titles, authors, series and subjects whose words begin as what was typed; the words before the last are whole."""
    words = fold_words(tidy(text)).split()
    if not words or (len(words[-1]) < MIN_SUGGESTED and len(words) == 1):
        return []
    found: dict[str, list[statements.Name]] = {}
    for kind in kinds:
        if kind == "title":
            prefix = " & ".join([*(f"'{word}':A" for word in words[:-1]), f"'{words[-1]}':*A"])
            found[kind] = statements.titles_beginning(conn, prefix, " ".join(words), limit, audiences=audiences)
        else:
            found[kind] = _beginning(directories(conn)[kind], words, audiences)
    shares = {kind: min(len(names), _SHARE[kind]) for kind, names in found.items()}
    for kind, names in found.items():  # what others leave free
        shares[kind] += max(0, min(len(names) - shares[kind], limit - sum(shares.values())))
    named = [name for kind, names in found.items() for name in names[: shares[kind]]]
    return [Suggestion(each.kind, each.name, each.book_id, each.detail) for each in named[:limit]]


def _beginning(directory: Directory, words: Sequence[str], audiences: Sequence[str] | None) -> list[statements.Name]:
    """Names that hold a word beginning as each of these; what holds most works first."""
    longest = max(words, key=len)
    first = bisect_left(directory.words, longest)
    last = bisect_left(directory.words, longest + "\U0010ffff", first)
    begun = [f" {word}" for word in words]
    found = []
    for place in sorted(set(directory.places[first:last])):
        name = directory.names[place]
        if all(word in name.folded for word in begun) and (audiences is None or set(audiences) & set(name.audiences)):
            found.append(name)
            if len(found) >= MAX_NAMES:
                break
    return found
