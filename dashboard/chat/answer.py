"""Retrieve, let a voice speak, check each line, and tell it in one structure whoever spoke.

The structure: an opening sentence, then for each work its title and authors as our record has them and one or
two sentences. A voice never writes a title: it writes the number of a record, and we write the title.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
import structlog

from dashboard.chat.grounding import grounded, plain, true_sentence
from dashboard.chat.parse import Language, Wish, parse
from dashboard.chat.retrieve import retrieve
from dashboard.chat.voice import Voice, VoiceError
from openshelf.database.search import Record

EXTRACTIVE = "catalogue"
_BOOK_LINE = re.compile(r"^[\s>*\-–•\d.)#]*\[\s*(?:id\s*[:=]?\s*)?(\d{1,10})\s*\]\s*[:\-–—]?\s*(.*)$", re.IGNORECASE)

_OPENINGS: dict[Language, str] = {
    "en": "Here is what our shelves hold for that.",
    "vi": "Đây là những cuốn trong thư viện hợp với câu hỏi của bạn.",
    "ru": "Вот что есть об этом на наших полках.",
}
_NOTHING: dict[Language, str] = {
    "en": "I found nothing in our catalogue that fits this. Try other words, a subject, an author or a title.",
    "vi": "Tôi không tìm thấy cuốn nào trong thư viện hợp với câu hỏi này. Hãy thử từ khác, một chủ đề, tác giả "
    "hoặc tên sách.",
    "ru": "В нашем каталоге нет ничего подходящего. Попробуйте другие слова, тему, автора или название.",
}
_UNCLEAR: dict[Language, str] = {
    "en": "Tell me what you would like to read: a subject, a mood, an author, or a book you enjoyed.",
    "vi": "Hãy cho tôi biết bạn muốn đọc gì: một chủ đề, một tâm trạng, một tác giả hay một cuốn bạn thích.",
    "ru": "Расскажите, что вам хотелось бы прочитать: тему, настроение, автора или книгу, которая понравилась.",
}

# nothing: nothing fits; hidden: all that fits the reader hid; limited: all that fits is for older readers;
# named: all that fits was named before; not-books: the question is no question for a librarian; unclear: no words.
REFUSALS = ("nothing", "hidden", "limited", "named", "not-books", "unclear")
# Ids of works -> how near each is to what the reader liked, -1 to 1.
Taste = Callable[[Sequence[int]], Mapping[int, float]]

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


def stream(records: Sequence[Record], wish: Wish, voice: Voice | None) -> Iterator[Piece]:
    """The answer piece by piece, as the voice speaks; a voice that fails is replaced in mid-answer."""
    if not records:
        yield Opening((_UNCLEAR if wish.is_empty else _NOTHING)[wish.language])
        yield Done(EXTRACTIVE)
        return
    waiting = {record.book_id: record for record in records}
    opened, spoken, excuse = False, False, None
    try:
        for piece in _spoken(voice, wish, records) if voice else ():
            if isinstance(piece, Opening):
                opened = True
            elif waiting.pop(piece.book_id, None) is None:
                continue
            elif not opened:
                yield Opening(_OPENINGS[wish.language])
                opened = True
            spoken = True
            yield piece
    except VoiceError as error:
        log.warning("the model's voice failed", reason=str(error))
        excuse = str(error)
    if not opened:
        yield Opening(_OPENINGS[wish.language])
    for record in waiting.values():
        yield _extract(record, wish)
    if voice and not spoken and not excuse:
        excuse = "the model said nothing usable"
    yield Done(voice.name if voice and spoken else EXTRACTIVE, excuse)


def ask(
    conn: psycopg.Connection,
    question: str,
    voice: Voice | None,
    before: Answer | None = None,
    *,
    audiences: Sequence[str] | None = None,
    hidden: Collection[int] = frozenset(),
    taste: Taste | None = None,
) -> Answer:
    """One whole answer."""
    wish, records = look_up(conn, question, before, audiences=audiences, hidden=hidden, taste=taste, voice=voice)
    return collect(stream(records, wish, voice), wish, before)


def look_up(
    conn: psycopg.Connection,
    question: str,
    before: Answer | None = None,
    *,
    audiences: Sequence[str] | None = None,
    hidden: Collection[int] = frozenset(),
    taste: Taste | None = None,
    voice: Voice | None = None,
) -> tuple[Wish, list[Record]]:
    """What is wished for, and the records that answer it; a follow-up stands on the answer before it.

    `audiences`: what the account that asks is limited to; `hidden`: works that its reader hid.
    """
    wish = parse(question, before.wish if before else None)
    passages = retrieve(conn, wish, seen=before.named if before else (), audiences=audiences)
    return wish, [passage.record for passage in passages if passage.record.book_id not in hidden]


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
    named = (before.named if before and wish.is_more else ()) + tuple(book.book_id for book in books)
    refusal = None if books else "unclear" if wish.is_empty else "nothing"
    return Answer(wish, opening, tuple(books), done.voice, done.excuse, named, refusal)


def _spoken(voice: Voice, wish: Wish, records: Sequence[Record]) -> Iterator[Opening | Told]:
    """What the voice says, line by line, each checked against the record it is about."""
    by_id = {record.book_id: record for record in records}
    is_first = True
    for line in _lines(voice.speak(wish.text, wish.language, records)):
        match = _BOOK_LINE.match(line)
        if match:
            record = by_id.get(int(match[1]))
            why = grounded(plain(match[2]), _own_words(record), wish.text) if record else ""
            if record and why:
                yield Told(record.book_id, record.title, record.authors_text, why, voice.name)
        elif is_first:
            opening = grounded(plain(line), "", wish.text, is_opening=True)
            if opening:
                yield Opening(opening)
        is_first = False


def _own_words(record: Record) -> str:
    fields = (record.title, record.authors_text, record.subjects_text, record.series_name, record.summary, record.year)
    return " ".join(str(value) for value in fields if value)


def _extract(record: Record, wish: Wish) -> Told:
    return Told(record.book_id, record.title, record.authors_text, true_sentence(record, wish), EXTRACTIVE)


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
