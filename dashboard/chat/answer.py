"""Parse, retrieve, rerank, let a voice speak, check each line, and tell it in one structure whoever spoke.

The structure: an opening sentence, then for each work its title and authors as our record has them and one or
two sentences. A voice never writes a title: it writes the number of a record, and we write the title.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import psycopg
import structlog

from dashboard.chat import explain
from dashboard.chat.check import grounded, plain, supporting
from dashboard.chat.finding.titles import asked_by_title, mentions, resemble, title_alone
from dashboard.chat.lexicon import Language, concepts_of_term, known
from dashboard.chat.parse import parse
from dashboard.chat.reading.wish import ALL, Wish, merge
from dashboard.chat.rerank import Taste, rerank
from dashboard.chat.retrieve import Bounds, choose, retrieve
from dashboard.chat.voice import Turn, Voice, VoiceError
from openshelf.database import hand
from openshelf.database import search as statements
from openshelf.database.search import Record
from openshelf.folding import fold_words

EXTRACTIVE = "catalogue"
PASSAGES = 3
# nothing: nothing fits; hidden: all that fits the reader hid; limited: all that fits is for older readers;
# named: all that fits was named before; not-books: the question is no question for a librarian; unclear: no words;
# greeting, thanks: what to say to these.
REFUSALS = ("nothing", "hidden", "limited", "named", "not-books", "unclear", "greeting", "thanks")
_BOOK_LINE = re.compile(r"^[\s>*\-–•\d.)#]*\[\s*(?:id\s*[:=]?\s*)?(\d{1,10})\s*\]\s*[:\-–—]?\s*(.*)$", re.IGNORECASE)

# Told what each step made, by its name: wish, candidates, passages, checks.
Watch = Callable[[str, object], None]

log = structlog.get_logger()


@dataclass(frozen=True)
class Opening:
    """The first sentence."""

    text: str


@dataclass(frozen=True)
class Told:
    """One work of the answer; `why` is plain text."""

    book_id: int
    title: str
    authors_text: str
    why: str
    voice: str


@dataclass(frozen=True)
class Done:
    """The end: who spoke, and why a model did not where one was meant to."""

    voice: str
    excuse: str | None = None


Piece = Opening | Told | Done


@dataclass(frozen=True)
class Answer:
    """A whole answer. `voice` is the model's name or `catalogue`; no books means that nothing fits."""

    wish: Wish
    opening: str
    books: tuple[Told, ...]
    voice: str
    excuse: str | None = None
    named: tuple[int, ...] = field(default=())  # of this answer and those it follows on
    refusal: str | None = None  # why no book is named: one of REFUSALS


def ask(
    conn: psycopg.Connection,
    question: str,
    voice: Voice | None,
    before: Answer | None = None,
    *,
    audiences: Sequence[str] | None = None,
    hidden: Collection[int] = frozenset(),
    taste: Taste | None = None,
    watch: Watch | None = None,
) -> Answer:
    """One whole answer; `watch` is told what each step made."""
    wish, records = look_up(
        conn, question, before, audiences=audiences, hidden=hidden, taste=taste, voice=voice, watch=watch
    )
    return collect(stream(records, wish, voice, watch), wish, before)


def look_up(
    conn: psycopg.Connection,
    question: str,
    before: Answer | None = None,
    *,
    audiences: Sequence[str] | None = None,
    hidden: Collection[int] = frozenset(),
    taste: Taste | None = None,
    voice: Voice | None = None,
    watch: Watch | None = None,
) -> tuple[Wish, list[Record]]:
    """What is wished for, and the records that answer it; a follow-up stands on the answer before it.

    `audiences`: what the account that asks is limited to; `hidden`: works that its reader hid. Where no record
    answers, the wish's `refusal` says why.
    """
    turn = voice if isinstance(voice, Turn) else None
    named = mentions(conn, question, audiences)
    wish = parse(question, before.wish if before else None, mentions=named)
    if wish.asks == "books" and wish.is_empty and (meant := title_alone(conn, question, wish.language, audiences)):
        wish = replace(wish, meant=meant)
    title = asked_by_title(conn, question, audiences) if before or wish.is_empty else ""
    alone = parse(question, mentions=named) if before and title else wish
    if title and alone.asks == "books" and alone.is_empty and not alone.is_more:
        wish = replace(alone, named=title)
    if turn is not None and (wish.words or wish.is_empty) and (understood := turn.understand(wish.text)):
        wish = merge(wish, understood)
    wish = _placed(wish, before)
    if wish.asks == "why" and before is not None and before.books:
        book = before.books[wish.refers or 0] if (wish.refers or 0) < len(before.books) else before.books[-1]
        records = statements.records(conn, [book.book_id], audiences=audiences)
        return wish, [record for record in records if record.book_id not in hidden]
    if wish.chooses and before is not None and before.books:
        known = [book.book_id for book in before.books if book.book_id not in hidden]
        return wish, choose(conn, wish, known, audiences)
    wish = replace(wish, like=resemble(conn, wish, audiences))
    # Who asks on has seen what was named, and asks for another, unless it is called by its name.
    called = {each.book_id for each in named}
    told = [book_id for book_id in before.named if book_id not in called] if before and not wish.named else ()
    found = retrieve(conn, wish, Bounds(audiences, hidden, told))
    if found.refusal == "named" and before and wish.bounds != before.wish.bounds:
        # "Before 1968", and no other book than those named is: it was of them that this was asked.
        found = retrieve(conn, wish, Bounds(audiences, hidden))
    # What staff took out of the recommendations is not recommended here either.
    excluded = hand.excluded(conn)
    answering = [candidate for candidate in found.answering if candidate.record.book_id not in excluded]
    wish = replace(wish, refusal=found.refusal or (None if answering else "nothing"))
    order = (lambda records: turn.order(wish.text, records)) if turn is not None else None
    ranked = rerank(answering, taste, order)
    records = [candidate.record for candidate in ranked[:PASSAGES]]
    if watch is not None:
        watch("wish", wish)
        watch("candidates", found.candidates)
        watch("passages", records)
    return wish, records


def stream(records: Sequence[Record], wish: Wish, voice: Voice | None, watch: Watch | None = None) -> Iterator[Piece]:
    """The answer piece by piece, as the voice speaks; a voice that fails is replaced in mid-answer."""
    if not records:
        yield Opening(explain.refusal(wish))
        yield Done(EXTRACTIVE)
        return
    waiting = {record.book_id: record for record in records}
    opened, spoken, excuse = False, False, None
    try:
        for piece in _of_voice(voice, wish, records, watch):
            if isinstance(piece, Told):
                del waiting[piece.book_id]
            opened = spoken = True
            yield piece
            if not waiting:
                break  # all is said; what a model adds is not heard
    except VoiceError as error:
        log.warning("the model's voice failed", reason=str(error))
        excuse = str(error)
    if not opened:
        yield Opening(explain.opening(records, wish))
    for record in waiting.values():
        yield Told(record.book_id, record.title, record.authors_text, explain.why(record, wish), EXTRACTIVE)
    if voice and not spoken and not excuse:
        excuse = "the model said nothing usable"
    yield Done(voice.name if voice and spoken else EXTRACTIVE, excuse)


def collect(pieces: Iterable[Piece], wish: Wish, before: Answer | None = None) -> Answer:
    """Gather a stream."""
    opening, books, done = "", [], Done(EXTRACTIVE)
    for piece in pieces:
        if isinstance(piece, Opening):
            opening = piece.text
        elif isinstance(piece, Told):
            books.append(piece)
        else:
            done = piece
    named = (before.named if before else ()) + tuple(book.book_id for book in books)
    refusal = None if books else wish.refusal or "nothing"
    return Answer(wish, opening, tuple(books), done.voice, done.excuse, tuple(dict.fromkeys(named)), refusal)


def _placed(wish: Wish, before: Answer | None) -> Wish:
    """A wish that refers to "the second one" with the work that stood there."""
    if before is None or not before.books or wish.asks == "why":
        return wish
    if wish.refers is None and not wish.like and not wish.chooses:
        wish = _told_apart(wish, before)
    if wish.refers is None:
        return wish
    if wish.refers == ALL:
        return replace(wish, like=tuple(book.book_id for book in before.books))
    book = before.books[wish.refers] if wish.refers < len(before.books) else before.books[-1]
    if wish.is_same_author:
        return replace(wish, author=" ".join(book.authors_text.split(", ")[:1]).casefold())
    return replace(wish, like=(book.book_id,))


def _told_apart(wish: Wish, before: Answer) -> Wish:
    """A wish that calls a work of the answer before by its author's last name, with the place of that work."""
    asked = fold_words(wish.text).split()  # names of the question before are among the wish's, too
    said = {word for word in wish.names if len(word) > 3 and word in asked}
    for place, book in enumerate(before.books):
        lasts = {fold_words(author).split()[-1] for author in book.authors_text.split(", ") if fold_words(author)}
        if said & lasts:
            rest = tuple(word for word in wish.words if word not in lasts)
            return replace(wish, refers=place, words=rest, names=(), author="", named="")
    return wish


def _of_voice(
    voice: Voice | None, wish: Wish, records: Sequence[Record], watch: Watch | None
) -> Iterator[Opening | Told]:
    """What a voice says of use: an opening, ours if it has none, and each work once."""
    if voice is None:
        return
    told: set[int] = set()
    opened = False
    for piece in _spoken(voice, wish, records, watch):
        if isinstance(piece, Told):
            if piece.book_id in told:
                continue
            told.add(piece.book_id)
        if isinstance(voice, Turn):
            voice.heard()
        if not opened and isinstance(piece, Told):
            yield Opening(explain.opening(records, wish))
        opened = True
        yield piece


def _spoken(voice: Voice, wish: Wish, records: Sequence[Record], watch: Watch | None) -> Iterator[Opening | Told]:
    """What the voice says, line by line, each checked against the record it is about."""
    by_id = {record.book_id: record for record in records}
    all_words = " ".join(_own_words(record, wish.language) for record in records)
    is_first = True
    for line in _lines(voice.speak(wish.text, wish.language, records)):
        match = _BOOK_LINE.match(line)
        kept = ""
        if match:
            record = by_id.get(int(match[1]))
            kept = grounded(plain(match[2]), _own_words(record, wish.language)) if record else ""
            if record and kept:
                yield Told(record.book_id, record.title, record.authors_text, kept, voice.name)
        elif is_first:
            kept = grounded(plain(line), all_words, is_opening=True)
            if kept:
                yield Opening(kept)
        if watch is not None:
            watch("checks", {"said": line, "kept": kept})
        is_first = False


def _own_words(record: Record, language: Language) -> str:
    """What may be said of a record: its fields, sentences that tell of it, and our words for what it is filed under."""
    filed = [name.casefold() for name in record.subjects_text.split(", ")]
    filed += [name for term in (*record.themes, *record.moods) for name in concepts_of_term(term)]
    ours = [phrase.written for name in filed if (concept := known(name)) for phrase in concept.phrases[language]]
    fields = (record.title, record.authors_text, record.subjects_text, record.series_name, record.year, record.pages)
    return " . ".join(str(value) for value in (*fields, *supporting(record.summary), *ours) if value)


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Whole lines out of pieces of any size, without a reasoning model's thoughts."""
    buffer, is_thinking = "", False
    for piece in pieces:
        buffer += piece
        while "\n" in buffer:
            line, buffer = buffer.split("\n", 1)
            is_thinking = ("<think>" in line or is_thinking) and "</think>" not in line
            line = line.rpartition("</think>")[2].strip()
            if line and not is_thinking:
                yield line
    last = buffer.rpartition("</think>")[2].strip()
    if last and not is_thinking and "<think>" not in last:
        yield last
