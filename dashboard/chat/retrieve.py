"""A wish -> the works that really answer it, best first, or none and why. Asks the database; decides by evidence.

A work answers when it fulfils all that a wish demands (language, years, author, age, nothing to be avoided) and holds
enough of what it speaks of. What the question says falls into units: a subject, a theme, a mood, a word, a name. What a
work holds and lacks of them is weighed, the rarer a word the more, by weights that were fitted to questions with and
without an answer (`scores.ENOUGH`): where no work reaches zero the librarian would rather name nothing.

Here is which works are looked at and which of them a wish shuts out; names, units and weights are in
`dashboard.chat.finding`.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import psycopg

from dashboard.chat.finding.record import LANGUAGE_OF, NO_STORIES, View, readers_of
from dashboard.chat.finding.resolve import Ask, prefix, resolve
from dashboard.chat.finding.scores import Candidate, weigh
from dashboard.chat.finding.titles import browse
from dashboard.chat.lexicon import CODES, Language, accented, compiled, concepts_of_term, form_pattern, lexicon
from dashboard.chat.reading.question import VIETNAMESE
from dashboard.chat.reading.wish import LONG, SHORT, Wish
from models import embedding, query_text, query_vectors
from openshelf.database import of_catalogue
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.database.search import Record
from openshelf.folding import fold, fold_words

MAX_CANDIDATES = 50
_POOL = 60
_MAX_PHRASES = 100
_BESIDE_BEST = 0.5
_TEENS = (13, 17)
_CROSSES_OVER = 14  # years from which a reader may be shown what adults read, if its record says so
_SLACK = 1.15  # editions of one book differ by so much


@dataclass(frozen=True)
class Found:
    """What was looked at, best first, and why nothing of it may be named (one of `answer.REFUSALS`), if so."""

    candidates: tuple[Candidate, ...]
    refusal: str | None = None

    @property
    def answering(self) -> list[Candidate]:
        return [candidate for candidate in self.candidates if candidate.answers][:MAX_CANDIDATES]


@dataclass(frozen=True)
class Bounds:
    """What the reader may see and wants to see: `audiences` of a limited account, works hidden, works named before."""

    audiences: Sequence[str] | None = None
    hidden: Collection[int] = frozenset()
    named: Collection[int] = frozenset()


def retrieve(conn: psycopg.Connection, wish: Wish, bounds: Bounds) -> Found:
    """Works that answer the wish; none where nothing fits, with the reason."""
    if wish.asks in ("greeting", "thanks"):
        return Found((), wish.asks)
    if wish.asks in ("orders", "not-books"):
        return Found((), "not-books")
    if wish.asks == "nothing" or wish.is_empty:
        return Found((), "unclear")
    candidates = _look(conn, wish, bounds.audiences)
    kept = [c for c in candidates if not c.answers or _may_be_named(c, bounds)]
    if any(c.answers for c in kept):
        return Found(tuple(kept))
    answering = [c for c in candidates if c.answers]
    if answering:
        is_hidden = any(c.record.book_id in bounds.hidden for c in answering)
        return Found(tuple(kept), "hidden" if is_hidden else "named")
    if bounds.audiences is not None and any(c.answers for c in _look(conn, wish, None)):
        return Found(tuple(kept), "limited")
    return Found(tuple(kept), "nothing")


def _may_be_named(candidate: Candidate, bounds: Bounds) -> bool:
    return candidate.record.book_id not in bounds.hidden and candidate.record.book_id not in bounds.named


def _look(conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None) -> list[Candidate]:
    """All that was looked at, best first; what a filter shuts out is not among it."""
    ask = resolve(conn, wish, audiences)
    if ask is None:
        return []
    in_turn = _sequels(conn, ask.like, audiences) if wish.is_sequel else []
    if wish.in_order and ask.series:
        in_turn = _of_series(conn, sorted(ask.series)[0], wish, audiences)
    if in_turn:
        # In the order in which they follow each other.
        return [Candidate(record, 100.0 - place, True, 1.0, 1.0) for place, record in enumerate(in_turn)]
    hits = _pool(conn, ask, audiences)
    records = statements.records(conn, list(hits), audiences=audiences)
    had = statements.records(conn, list(wish.had), audiences=audiences) if wish.had else []
    known = {record.book_id for record in (*ask.like, *had)}
    # Who names a series by its name has read it; who names one book may go on with the next.
    is_read = len(ask.like) > 1 or wish.knows_series
    read = {record.series_name for record in ask.like if record.series_name} if is_read else set()
    # "No Sherlock Holmes" names several of a series at once.
    read |= {name for name, count in Counter(r.series_name for r in had).items() if name and count > 1}
    weighed = [
        weigh(ask, view, hits[record.book_id])
        for record in records
        if record.book_id not in known
        and record.series_name not in read
        # Who asks for it in another language asks for the same work.
        and (wish.written_in or not any(_is_same_work(record, each) for each in (*ask.like, *had)))
        and (view := View.of(record))
        and _fulfils(ask, view)
    ]
    best = max((c for c in weighed if c.answers), key=lambda c: c.coverage, default=None)
    if best and best.coverage and ask.units and not (ask.authors or ask.like or wish.named or ask.titled):
        # Whether anything answers is one question, which of the works another. What holds some of what the best one
        # does may be the better book; what lacks a name that the best one has is none.
        named = {unit.name for unit in ask.units if unit.is_name and unit.name in best.holds}
        weighed = [
            replace(c, answers=c.is_meant or (c.coverage >= _BESIDE_BEST * best.coverage and named.issubset(c.holds)))
            for c in weighed
        ]
    return sorted(weighed, key=lambda c: (not c.answers, -c.evidence, c.record.book_id))


def choose(
    conn: psycopg.Connection, wish: Wish, book_ids: Sequence[int], audiences: Sequence[str] | None
) -> list[Record]:
    """Of these works the one that answers a wish best: the shortest, the funniest, the one for a child of nine."""
    records = statements.records(conn, list(book_ids), audiences=audiences)
    if not records:
        return []
    if wish.length:
        return [min(records, key=lambda r: (r.pages or 10_000) if wish.length == "short" else -(r.pages or 0))]
    ask = resolve(conn, wish, audiences)
    if ask is None:
        return records[:1]
    weighed = [weigh(ask, View.of(record), 0.0) for record in records]
    return [max(weighed, key=lambda c: c.evidence).record]


def _sequels(conn: psycopg.Connection, liked: Sequence[Record], audiences: Sequence[str] | None) -> list[Record]:
    """What follows on a work in its series, in order; nothing where it is in none or the last."""
    return [
        each
        for record in liked
        if record.series_name
        for each in _of_series(conn, record.series_name, None, audiences)
        if (each.series_index or 1) > (record.series_index or 1)
    ]


def _of_series(conn: psycopg.Connection, name: str, wish: Wish | None, audiences: Sequence[str] | None) -> list[Record]:
    """The works of a series from its beginning, in the language that is asked for."""
    filters = Filters(series=name, language=wish.written_in if wish else None)
    found = statements.records(conn, browse(conn, filters, audiences, _POOL), audiences=audiences)
    return sorted(found, key=lambda record: record.series_index or 1)


def _is_same_work(one: Record, other: Record) -> bool:
    """Whether two records seem to be one work in two languages: by title, or by year and author or themes."""
    if one.language == other.language:
        return False
    title, same = (fold_words(re.split(r"[:.(]", record.title)[0]) for record in (one, other))
    if title == same:
        return True
    if one.year is None or one.year != other.year:
        return False
    return one.authors_text == other.authors_text or _is_filed_alike(one, other)


def _is_filed_alike(one: Record, other: Record) -> bool:
    """Whether nearly the same is said of two works, which names in other letters do not show."""
    said, also = ({*record.themes, *record.moods} for record in (one, other))
    return len(said & also) >= _FILED_ALIKE * len(said | also) > 0


_FILED_ALIKE = 0.8  # of their themes and moods


def _pool(conn: psycopg.Connection, ask: Ask, audiences: Sequence[str] | None) -> dict[int, float]:
    """Works worth a look, and how near in meaning each is: by names and likeness; else by topic, too."""
    wish = ask.wish
    base = Filters(language=wish.written_in, year_from=wish.year_from, year_to=wish.year_to, format=wish.format)
    found: dict[int, float] = {}
    for author in (*ask.authors, *sorted(ask.likely_authors)[:5]):
        found |= dict.fromkeys(browse(conn, replace(base, author=author), audiences, _POOL), 0.0)
    for name in ask.series:
        found |= dict.fromkeys(browse(conn, replace(base, series=name), audiences, _POOL), 0.0)
    found |= dict.fromkeys(ask.titles, 0.0)
    found |= dict.fromkeys(wish.meant, 0.0)
    if ask.titled is not None:
        found[ask.titled] = 1.0
    look = statements.Look(
        model=embedding.model_name(), own=wish.written_in or CODES[wish.language], filters=base,
        audiences=audiences, most=_POOL,
    )  # fmt: skip
    if ask.like:
        terms = [term for record in ask.like for term in (*record.themes, *record.moods[:2])]
        subjects = [name.casefold() for record in ask.like for name in record.subjects_text.split(", ")[:2]]
        vectors = statements.vectors(conn, [record.book_id for record in ask.like], look.model)
        middle = (
            query_vectors.vector_text(np.mean([vector.to_numpy() for vector in vectors], axis=0)) if vectors else None
        )
        near = statements.look(conn, replace(look, vector=middle, terms=terms, subjects=subjects))
        found |= {book_id: found.get(book_id) or cosine or 0.0 for book_id, cosine in near.items()}
    if ask.authors or (ask.like and not ask.units):
        return found
    known = lexicon()
    implied = [known.of(theme).subject for theme in wish.themes if known.of(theme).subject]
    near = statements.look(
        conn,
        replace(
            look,
            any_word=query_text.any_word(_phrases(ask)),
            vector=query_vectors.vector(ask.meaning) if ask.meaning else None,
            terms=_terms_of(conn, {unit.concept.name for unit in ask.units if unit.concept} | {*ask.nearest}),
            subjects=list(dict.fromkeys((*wish.subjects, *implied))),
            audience=wish.audience,
            pages=_pages(wish),
            age=wish.age if wish.is_young else None,
            best=bool(wish.is_measured or wish.by_women or wish.written_in) or not (ask.units or ask.like),
        ),
    )
    return found | {book_id: found.get(book_id) or cosine or 0.0 for book_id, cosine in near.items()}


def _pages(wish: Wish) -> tuple[int, int] | None:
    """The pages of works of the length that is asked for, the least and the most; None where none is asked for."""
    if not wish.is_measured:
        return None
    least = wish.min_pages or (LONG if wish.length == "long" else 0)
    most = wish.max_pages or (SHORT if wish.length == "short" else 0)
    return round(least / _SLACK), round(most * _SLACK) if most else 100_000


def _terms_of(conn: psycopg.Connection, names: Collection[str]) -> list[str]:
    """The themes and moods, as records of this catalogue have them, that mean one of these."""
    return [term for term, means in _known_terms(conn).items() if not means.isdisjoint(names)]


@of_catalogue.kept
def _known_terms(conn: psycopg.Connection) -> dict[str, frozenset[str]]:
    return {term: concepts_of_term(term) for term, _count in statements.count_terms(conn)}


def _phrases(ask: Ask) -> list[str]:
    """What full text is asked for: words of the question, and in the languages we know what else names its themes."""
    found = [" ".join(prefix(part) for part in fold_words(word).split()) for word in ask.wish.words]
    for unit in ask.units:
        if unit.concept is not None:
            found += unit.concept.index_words((ask.wish.language, "en"))
    return list(dict.fromkeys(phrase for phrase in found if phrase))[:_MAX_PHRASES]


def _fulfils(ask: Ask, view: View) -> bool:
    """Whether nothing that the wish demands is missing, and nothing it avoids is there."""
    wish, record = ask.wish, view.record
    if ask.names(record) and not wish.written_in:
        return True
    language = LANGUAGE_OF.get(record.language or "")
    if wish.written_in and record.language != wish.written_in:
        return False
    if wish.year_from and (record.year is None or record.year < wish.year_from):
        return False
    if wish.year_to and (record.year is None or record.year > wish.year_to):
        return False
    if not _for_reader(wish, record) or not _by_whom(wish, record) or not _is_meant_extreme(wish, record):
        return False
    least, most = (wish.min_pages or 0) / _SLACK, (wish.max_pages or record.pages or 0) * _SLACK
    if record.pages and not least <= record.pages <= most:
        return False
    authors = {*record.authors}
    if ask.avoided_authors & authors or (ask.authors and not set(ask.authors) & authors):
        return False
    return not _is_avoided(wish, view, language)


def _is_meant_extreme(wish: Wish, record: Record) -> bool:
    """Whether it may be the longest or shortest: the fattest novel is no biography, the thinnest book no picture book.

    Where no length, or just any, is asked for, it may be all.
    """
    if not wish.is_extreme:
        return True
    if wish.is_story and record.subjects_text.split(", ")[0].casefold() in NO_STORIES:
        return False
    asks_for_child = wish.audience or wish.is_young or {"children", "picture books"} & {*wish.subjects}
    return bool(asks_for_child) or record.audience != "children"


def _by_whom(wish: Wish, record: Record) -> bool:
    """Whether its authors are who the wish asks for, as far as names tell."""
    first = [fold_words(author).split(" ")[0] for author in record.authors if author]
    if wish.by_women:
        # A Vietnamese name ends with what a person is called by.
        last = accented(record.authors_text).replace(",", " ").split() if record.language == "vie" else []
        if not (lexicon().women.intersection(first) or lexicon().vietnamese_women.intersection(last)):
            return False
    if not (wish.is_translated or wish.is_native):
        return True
    if record.language == "rus":
        is_native = bool(lexicon().russians.intersection(first))
    elif record.language == "vie":
        is_native = fold(record.authors_text) != record.authors_text.casefold() and not _FOREIGN.search(
            record.authors_text
        )
    else:
        return not wish.is_translated
    return is_native if wish.is_native else not is_native


# Letters and names of other Latin alphabets.
_FOREIGN = re.compile(rf"[éèêëíóúñüöäçßáà](?!\w*{VIETNAMESE.pattern})\w{{3,}}|[fjwz]|\w{{8,}}", re.IGNORECASE)


def _is_avoided(wish: Wish, view: View, language: Language | None) -> bool:
    """Whether it is, or speaks of, what there should be none of."""
    for name in wish.avoid:
        concept = lexicon().of(name)
        if name in view.subjects or (concept.kind != "mood" and concept.stands_in(view.names, language or "en")):
            return True
        if name in view.terms:
            return True
        if concept.kind == "mood" and view.record.moods:
            continue  # who filed it would have said so
        if concept.kind != "subject" and concept.stands_in(view.blurb, language or "en"):
            return True
    avoided = [compiled(rf"\b{form_pattern(fold_words(word))}\b") for word in wish.avoid_words]
    return any(p.search(view.names.folded) or p.search(view.blurb.folded) for p in avoided)


def _for_reader(wish: Wish, record: Record) -> bool:
    if wish.audience == "adult":
        return record.audience == "adult"
    span = readers_of(record)
    if wish.age is not None and wish.is_young:
        if span:
            is_grown = record.audience == "adult" and wish.age < _CROSSES_OVER
            return span[0] - 1 <= wish.age <= span[1] + 1 and not is_grown
        if wish.age <= 9:
            return record.audience == "children"
        if wish.age <= 13:
            return record.audience in ("children", "young adult") or _is_told_to_all(record)
        return record.audience == "young adult" or _is_told_to_all(record)
    if wish.audience == "young adult" and span:
        return record.audience == "young adult" or (span[0] >= 10 and span[1] >= _TEENS[0])
    if wish.audience == "children" and span and record.audience == "young adult":
        return span[0] <= 10
    return wish.audience is None or record.audience == wish.audience


def _is_told_to_all(record: Record) -> bool:
    """Whether a work of facts that is meant for no age in particular is easy to read."""
    principal = record.subjects_text.split(", ")[0].casefold()
    return principal in NO_STORIES and any("easy" in concepts_of_term(mood) for mood in record.moods)
