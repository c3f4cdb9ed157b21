"""A wish -> the few works that really answer it, or none. Asks the database; decides by evidence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg

from dashboard.chat.parse import Wish
from models.search import Hit, search, search_any_word, similar
from openshelf.database import hand
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.database.search import Record
from openshelf.folding import fold_words

PASSAGES = 4
_CANDIDATES = 60
# MiniLM reads English only: between other texts its cosine says nothing, and words must speak.
COSINE_FLOOR = 0.38
# Share of the question's own words that a record must hold when nothing else speaks for it.
COVERAGE_FLOOR = 0.6
# Words are inflected: of a longer word the beginning must agree.
_STEM = 5


@dataclass(frozen=True)
class Passage:
    """One work that answers, and how strongly the evidence speaks for it."""

    record: Record
    evidence: float
    named_subjects: tuple[str, ...] = ()


def retrieve(
    conn: psycopg.Connection,
    wish: Wish,
    seen: Collection[int] = (),
    limit: int = PASSAGES,
    *,
    audiences: Sequence[str] | None = None,
) -> list[Passage]:
    """Works that answer the wish, best first; empty where nothing fits. `seen` are left out when more is asked.

    `audiences`: what the account that asks is limited to.
    """
    if wish.is_empty:
        return []
    filters = Filters(language=wish.written_in, year_from=wish.year_from, year_to=wish.year_to)
    model = _model_work(conn, wish, audiences)
    if model:
        hits = similar(conn, model, _CANDIDATES, audiences=audiences)
    else:
        hits = _candidates(conn, wish, filters, audiences)
    left_out = (set(seen) if wish.is_more else set()) | hand.excluded(conn)
    records = statements.records(
        conn, [hit.book_id for hit in hits if hit.book_id not in left_out], audiences=audiences
    )
    by_id = {hit.book_id: hit for hit in hits}
    passages = [
        passage
        for place, record in enumerate(records)
        if _allowed(record, wish) and (passage := _weigh(record, by_id[record.book_id], wish, place, bool(model)))
    ]
    return sorted(passages, key=lambda passage: -passage.evidence)[:limit]


def _model_work(conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None) -> int | None:
    """The work of "something like X", if X is ours."""
    hits = search(conn, wish.titled, "title", limit=1, audiences=audiences) if wish.titled else []
    return hits[0].book_id if hits else None


def _candidates(conn: psycopg.Connection, wish: Wish, filters: Filters, audiences: Sequence[str] | None) -> list[Hit]:
    words = [word[:_STEM] if len(word) > _STEM else word for word in (*wish.words, *wish.titled.split())]
    # Subjects in our own words: the bridge from a Vietnamese or Russian question to the English names of subjects.
    found = search_any_word(conn, wish.text, words, filters, _CANDIDATES, audiences=audiences)
    hits = {hit.book_id: hit for hit in found}
    for subject in wish.subjects:
        on_subject = Filters(**{**vars(filters), "subject": subject})
        found = search_any_word(conn, f"{wish.text} {subject}", [], on_subject, _CANDIDATES, audiences=audiences)
        for hit in found:
            hits.setdefault(hit.book_id, hit)
    return list(hits.values())


def _allowed(record: Record, wish: Wish) -> bool:
    subjects = record.subjects_text.split(", ")
    if set(wish.avoid) & set(subjects):
        return False
    if wish.written_in and record.language != wish.written_in:
        return False
    if wish.year_from and (record.year or 0) < wish.year_from:
        return False
    return not (wish.year_to and (record.year or 9_999) > wish.year_to)


def _weigh(record: Record, hit: Hit, wish: Wish, place: int, is_like: bool) -> Passage | None:
    """The evidence that this record answers, or None when there is not enough."""
    subjects = record.subjects_text.split(", ")
    named = tuple(subject for subject in wish.subjects if subject in subjects)
    words = wish.words if is_like else wish.words + tuple(wish.titled.split())
    coverage = _coverage(record, words, len(named), len(wish.subjects))
    cosine = hit.cosine or 0.0 if wish.language == "en" or is_like else 0.0
    if not (is_like or named or coverage >= COVERAGE_FLOOR or (cosine >= COSINE_FLOOR and _speaks(wish, coverage))):
        return None
    evidence = cosine + 1.2 * coverage + 0.2 * (subjects[0] in named) + 0.5 * _title_named(record, words)
    if not wish.written_in and record.language == {"en": "eng", "vi": "vie", "ru": "rus"}[wish.language]:
        evidence += 0.3
    return Passage(record, evidence - place / 1_000, named)


def _speaks(wish: Wish, coverage: float) -> bool:
    """Nearness alone is not enough for a question about one proper thing that no record mentions."""
    return coverage > 0 or len(wish.words) != 1 or bool(wish.subjects)


def _coverage(record: Record, words: tuple[str, ...], named: int, asked: int) -> float:
    """Share of the words and subjects asked for that the record holds; a word of the blurb counts 0.7."""
    if not words and not asked:
        return 0.0
    names = fold_words(
        f"{record.title} {record.authors_text} {record.series_name or ''} {record.subjects_text}"
    ).split()
    blurb = fold_words(record.summary or "").split()
    found = sum(1.0 if _stands_in(word, names) else 0.7 if _stands_in(word, blurb) else 0.0 for word in words)
    return (found + named) / (len(words) + asked)


def _title_named(record: Record, words: tuple[str, ...]) -> float:
    """Share of the title's words that were asked for: who says "Dune" means Dune before its sequels."""
    title = fold_words(record.title).split()
    return sum(word in words for word in title) / len(title) if title else 0.0


def _stands_in(word: str, text: list[str]) -> bool:
    if len(word) <= _STEM:
        return word in text
    stem = word[: max(_STEM, len(word) - 3)]
    return any(other.startswith(stem) for other in text)
