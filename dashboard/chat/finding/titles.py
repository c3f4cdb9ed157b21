"""What of our catalogue a question names: works by their titles, series, authors."""

import re
from collections.abc import Sequence
from itertools import takewhile

import psycopg

from dashboard.chat.lexicon import Language, accented, compiled, form_pattern, lexicon
from dashboard.chat.reading.numbers import other_ways
from dashboard.chat.reading.question import QUOTED, VIETNAMESE, Reading, Word
from dashboard.chat.reading.wish import Mention, Wish
from models import known_names, search
from models.said_titles import SaidTitle, said_titles
from openshelf.database import catalogue
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.database.search import Record
from openshelf.folding import fold_words

# What may stand before a title of one word that is written without its capital.
_BEFORE_TITLE = re.compile(
    r"(?:like|loved?|adored?|enjoyed|finished|read|reading|reread|devoured|doc|thich|me|giong|после|вроде|типа|люблю|читал\w*)$"
)


def mentions(conn: psycopg.Connection, text: str, audiences: Sequence[str] | None) -> list[Mention]:
    """Works of ours that a question names: whole titles, and beginnings of titles that say enough."""
    reading = Reading.of(text)
    words = reading.words
    found: list[Mention] = []
    quoted = _words_quoted(reading)
    hits = known_names.titles_within(conn, " ".join(word.folded for word in words))
    said_nearly = _said_nearly(conn, reading)
    given = _places_given(reading)
    records = statements.records(conn, [book_id for _start, _end, book_id, _whole in hits], audiences=audiences)
    titles = {record.book_id: " ".join(re.findall(r"\w+", accented(record.title))) for record in records}
    authors = {record.book_id: record.authors for record in records}
    for start, end, book_id, is_whole in hits:
        said = words[start:end]
        if not said or book_id not in titles:
            continue
        telling = [word for word in said if not reading.is_silent(word)] or [w for w in said if w.raw[0].isupper()]
        folded = " ".join(word.folded for word in said)
        is_quoted = quoted.issuperset(range(start, end))
        is_written_as_name = is_quoted or (
            any(word.raw[0].isupper() and not word.begins for word in (telling if reading.language == "en" else said))
            and not (reading.is_title_case() and len(said) == 1)
        )
        bare = folded.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        is_concept = any(
            concept.any_asked(reading.language).fullmatch(each)
            for concept in lexicon().concepts for each in {folded, bare}
        )  # fmt: skip
        if len(said) == 1:
            before = words[start - 1].folded if start else ""
            is_syllable = reading.language == "vi" and len(folded) <= 3 and not is_quoted
            is_written_as_name = is_written_as_name or (
                said[0].raw[0].isupper() and bool(telling)
                and (_stands_alone(reading, folded) or _is_by(words[end : end + _AUTHOR_BESIDE], authors[book_id]))
            )  # fmt: skip
            is_name = (is_written_as_name and not is_syllable and (is_whole or not is_concept)) or (
                bool(_BEFORE_TITLE.search(before)) and not is_concept and bool(telling)
            )
        elif is_whole:
            # In Vietnamese any two syllables may meet: there a title shows by its capital, or by all its accents.
            is_exact = len(said) > 2 and " ".join(w.accented for w in said) == titles[book_id]
            is_name = bool(telling) and (
                is_written_as_name or is_exact or (not is_concept and reading.language != "vi")
            )
        else:
            goes_on = end < len(words) and said[-1].raw[0].isupper() and words[end].raw[0].isupper()
            is_name = (
                len(said[-1].folded) > 3 and any(len(word.folded) > 4 for word in telling) and not is_concept
                and not goes_on
            )  # fmt: skip
        if is_name:
            is_sure = is_whole and (is_quoted or is_written_as_name or len(said) > 2)
            if not any(each.start <= start and end <= each.end for each in said_nearly):
                found.append(Mention(folded, book_id, is_sure, is_sure and not _names_series(conn, folded)))
    found += [
        Mention(said, each.book_id, each.share >= _WHOLE, each.share >= _PART or each.start in given)
        for each in said_nearly
        if (said := " ".join(word.folded for word in words[each.start : each.end]))
    ]
    if found:
        allowed = {r.book_id for r in statements.records(conn, [m.book_id for m in found], audiences=audiences)}
        return [each for each in found if each.book_id in allowed]
    if not (found := _mentions_by_name(conn, reading)):
        return []
    allowed = {r.book_id for r in statements.records(conn, [each.book_id for each in found], audiences=audiences)}
    return [each for each in found if each.book_id in allowed]


_SAID, _TIE = 0.5, 0.02
_WHOLE, _PART = 0.8, 0.6  # of a title, by what its words say


def _said_nearly(conn: psycopg.Connection, reading: Reading) -> list[SaidTitle]:
    """The titles of which the most is said in their places: misspelt, in part or in another order, and no topic."""
    chosen: list[SaidTitle] = []
    given = _places_given(reading)
    for each in said(conn, reading.text, reading.language):
        words = reading.words[each.start : each.end]
        there = [other for other in chosen if other.start < each.end and each.start < other.end]
        is_as_sure = all(
            (each.start, each.end) == (other.start, other.end) and each.surely > other.surely - _TIE for other in there
        )
        if is_as_sure and not each.is_apart and _is_told(each, words, is_given=each.start in given):
            chosen.append(each)
    return [each for each in chosen if _is_no_topic(conn, reading.words[each.start : each.end], reading.language)]


def _is_no_topic(conn: psycopg.Connection, words: Sequence[Word], language: Language) -> bool:
    """Whether words are not the name of what a book is about, or of a series."""
    folded = " ".join(word.folded for word in words)
    return not (len(words) <= _TOPIC and _is_concept(folded, language)) and not _names_series(conn, folded)


_TOPIC = 2  # words that may name a topic, though they are a title, too


# What says that a title follows.
_CALLED = re.compile(
    r"\b(?:(?:it s|is|was|were|be|book|novel|something|one) (?:called|titled|entitled|named)|title (?:is|was)"
    r"|nhan de(?: la)?|ten (?:la|sach|truyen)|tua(?: sach)?(?: la)?|называ\w+|(?:под|с) названием|название) "
)


def _places_given(reading: Reading) -> frozenset[int]:
    """The places of words that are given as a title: in quotation marks, or first after "it was called"."""
    called = {
        next(n for n, end in enumerate(ends) if end > match.end())
        for match in _CALLED.finditer(reading.original)
        if (ends := reading.ends) and ends[-1] > match.end()
    }
    return _words_quoted(reading) | {n + more for n in called for more in range(2)}


def _is_told(each: SaidTitle, words: Sequence[Word], *, is_given: bool) -> bool:
    """Whether enough is said of a title: of a single word, all of one that stands in no other record."""
    if is_given:
        return each.surely >= _GIVEN and (each.words > 1 or each.share >= _PART)
    if each.words > 1:
        return each.surely >= _SAID
    is_long = len(words) == 1 and len(words[0].folded) >= _ONE_WORD
    return is_long and each.is_as_spelt and each.share >= _ALONE and each.said >= _ALONE


_ONE_WORD = 6  # letters
_GIVEN = 0.2


def said(conn: psycopg.Connection, text: str, language: Language) -> list[SaidTitle]:
    """Titles of which a question says something, the surest first."""
    idle = lexicon().silent_vietnamese if language == "vi" and VIETNAMESE.search(text) else lexicon().silent[language]
    return said_titles(conn, text, in_syllables=language == "vi", idle=idle, also=other_ways())


def _is_concept(folded: str, language: Language) -> bool:
    return any(concept.any_asked(language, bare=True).fullmatch(folded) for concept in lexicon().concepts)


def _names_series(conn: psycopg.Connection, folded: str) -> bool:
    return bool(known_names.series_named(conn, folded.split()))


_AUTHOR_BESIDE = 4  # words


def _stands_alone(reading: Reading, word: str) -> bool:
    """Whether a word begins a question or a part of it and is all of that: "Stoner. What a book"."""
    return bool(re.search(rf"(?:^|\| ){re.escape(word)} \|", reading.original))


def _is_by(said: Sequence[Word], authors: Sequence[str]) -> bool:
    """Whether one of some words is the last name of an author."""
    lasts = [fold_words(author).split()[-1] for author in authors if fold_words(author)]
    return any(compiled(form_pattern(last)).fullmatch(word.folded) for last in lasts for word in said)


def _words_quoted(reading: Reading) -> frozenset[int]:
    """The places of the words that stand in quotation marks."""
    found: set[int] = set()
    for match in QUOTED.finditer(reading.text):
        before = len(re.findall(r"\w+", reading.text[: match.start()]))
        found |= set(range(before, before + len(re.findall(r"\w+", match[1]))))
    return frozenset(found)


# Words of who asks for a book by its title, folded.
_REQUEST: dict[Language, str] = {
    "en": "do|you|have|got|any|an?|the|copy|of|book|novel|called|titled?|please|is|there|it|in|stock|on|shel(?:f|ves)"
    "|could|can|would|may|i|m|we|get|borrow|want|need|like|looking|for|after|whether|if|tell|me|at|moment|hi|hello",
    "vi": "co|cuon|quyen|sach|truyen|tieu|thuyet|khong|a|nhe|cho|minh|muon|tim|thu|vien|doc|em|toi|can|con|ten|la|voi",
    "ru": "есть|ли|у|вас|книг[ау]|роман|ищу|хочу|взять|можно|почитать|прочитать|прочесть|пожалуиста|мне|нужна|нужен"
    "|скажите|а",
}
_SAYS_ENOUGH = 5  # letters of a title of one word without its capital


def asked_by_title(conn: psycopg.Connection, text: str, audiences: Sequence[str] | None) -> str:
    """The title that is all a question says beside asking for it, folded: "My Brilliant Friend, please"; else nothing.

    For questions in which nothing else was read: the words of such titles say nothing in any other question.
    """
    reading = Reading.of(text)
    words, request = reading.words, compiled(_REQUEST[reading.language])
    found: dict[int, str] = {}
    for start, end, book_id, is_whole in known_names.titles_within(conn, " ".join(word.folded for word in words)):
        said = words[start:end]
        title = " ".join(word.folded for word in said)
        is_said = len(said) > 1 or len(title) >= _SAYS_ENOUGH or (bool(said) and said[0].raw[0].isupper())
        if is_whole and is_said and all(request.fullmatch(word.folded) for word in (*words[:start], *words[end:])):
            found[book_id] = title
    if not found:
        return ""
    allowed = {record.book_id for record in statements.records(conn, list(found), audiences=audiences)}
    return max((title for book_id, title in found.items() if book_id in allowed), key=len, default="")


def title_alone(
    conn: psycopg.Connection, text: str, language: Language, audiences: Sequence[str] | None
) -> tuple[int, ...]:
    """The work of whose title most is said in a question of which nothing else was read."""
    found = [each for each in said(conn, text, language)[:1] if each.words > 1 and each.share >= _PART]
    return tuple(record.book_id for record in statements.records(conn, [f.book_id for f in found], audiences=audiences))


_FEW = 3
_LIKE_A_NAME = 0.7
_ALONE = 0.9  # what is said of a title where one word of it is in no other


def _mentions_by_name(conn: psycopg.Connection, reading: Reading) -> list[Mention]:
    """Works of which a question names a word that no other title holds, or a series: "Mauses", "every Narnia"."""
    found: list[Mention] = []
    quoted = [fold_words(each).split() for each in QUOTED.findall(reading.text)]
    for place, word in enumerate(reading.words):
        is_name = word.raw[0].isupper() and not word.begins and not reading.is_title_case() and len(word.folded) > 3
        if not (is_name or any(word.folded in each for each in quoted)) or reading.is_silent(word):
            continue
        series = known_names.series_named(conn, [word.folded])[:1]
        ids = [book_id for name in series for book_id in browse(conn, Filters(series=name), None, _FEW)]
        if not ids:
            all_said = [each for each in said_titles(conn, word.raw) if each.likeness >= _LIKE_A_NAME]
            heard = [each.book_id for each in all_said if each.said >= _ALONE * all_said[0].said]
            records = statements.records(conn, heard[: _FEW + 1])
            is_one = len(records) == 1 or len({record.series_name or record.book_id for record in records}) == 1
            ids = heard if is_one else []
        # "Danielle Steel" is no title of which "steel" is a part.
        name = next((each for each in quoted if word.folded in each), _name_around(reading.words, place))
        records = statements.records(conn, ids)
        found += [Mention(word.folded, each.book_id) for each in records if _holds(each, name)]
    return found


def _name_around(words: Sequence[Word], place: int) -> list[str]:
    """The words with capitals, folded, among which a word stands; one that begins a sentence may be no name."""
    before = takewhile(lambda word: word.raw[0].isupper() and not word.begins, reversed(words[:place]))
    behind = takewhile(lambda word: word.raw[0].isupper() and not word.begins, words[place:])
    return [word.folded for word in (*before, *behind)]


def _holds(record: Record, name: Sequence[str]) -> bool:
    """Whether a record's title, series or author has each of some words."""
    own = fold_words(f"{record.title} {record.series_name or ''} {record.authors_text}").split()
    return all(any(compiled(form_pattern(word)).fullmatch(other) or word == other for other in own) for word in name)


def resemble(conn: psycopg.Connection, wish: Wish, audiences: Sequence[str] | None) -> tuple[int, ...]:
    """The works of "something like X", if they are ours: X a title, two titles, or an author."""
    if wish.like or not wish.titled:
        return wish.like
    whole = titled(conn, wish.titled, audiences)
    if whole:
        return (whole,)
    parts = [part for part in re.split(r" (?:and|or|и|или|va|hoac) | \| ", wish.titled) if part.strip()]
    found = tuple(book_id for part in parts if len(parts) > 1 and (book_id := titled(conn, part, audiences)))
    if found:
        return found
    return _of_series_or_author(conn, wish.titled, audiences) or tuple(
        book_id for part in parts if len(parts) > 1 for book_id in _of_series_or_author(conn, part, audiences)[:1]
    )


def _of_series_or_author(conn: psycopg.Connection, name: str, audiences: Sequence[str] | None) -> tuple[int, ...]:
    """A few works of the series, or else of the author, of that name."""
    words = _name_words(name)
    roads = [Filters(series=each) for each in known_names.series_named(conn, words)[:1]]
    roads = roads or [Filters(author=each) for each in known_names.authors_named(conn, words)[:1]]
    return tuple(book_id for filters in roads for book_id in browse(conn, filters, audiences, 3))


def titled(conn: psycopg.Connection, title: str, audiences: Sequence[str] | None) -> int | None:
    """The work whose title this is, or begins with this, in whatever form of the words."""
    wanted = " ".join(title.replace("|", " ").split())
    hits = search.search(conn, wanted, "title", limit=5, audiences=audiences)
    records = statements.records(conn, [hit.book_id for hit in hits], audiences=audiences)
    for record in records:
        if _is_title(wanted, record.title):
            return record.book_id
    for book_id, known in known_names.titles_near(conn, wanted):
        if _is_title(wanted, known, exactly=True):
            found = statements.records(conn, [book_id], audiences=audiences)
            return book_id if found else None
    return None


def _is_title(asked: str, title: str, *, exactly: bool = False) -> bool:
    """Whether all the words stand in the title, and not only a small part of it."""
    own = fold_words(title).split()
    main = fold_words(re.split(r"[:.(]", title)[0]).split() or own
    words = asked.split()
    held = sum(any(compiled(form_pattern(word)).fullmatch(other) for other in own) for word in words)
    is_whole = len(words) >= 0.6 * len(main)
    return held >= (len(words) if not exactly else 0.7 * len(words)) and is_whole


def browse(conn: psycopg.Connection, filters: Filters, audiences: Sequence[str] | None, limit: int) -> list[int]:
    cards = catalogue.browse(conn, filters, "rating", limit=limit, offset=0, audiences=audiences)
    return [card.book_id for card in cards]


def series_heard(
    conn: psycopg.Connection, titles: Sequence[SaidTitle], said: Sequence[str], audiences: Sequence[str] | None
) -> frozenset[str]:
    """The series that is asked for by words of its name, or of the titles in it."""
    for word in said:
        if len(word) > 3 and (named := known_names.series_named(conn, [word])):
            return frozenset(named)
    records = statements.records(conn, [each.book_id for each in titles if each.said >= _ALONE], audiences=audiences)
    return frozenset([record.series_name for record in records if record.series_name][:1])


def whole_title(
    conn: psycopg.Connection, wish: Wish, authors: frozenset[str], audiences: Sequence[str] | None
) -> int | None:
    """The work whose whole title the question is: "Dune", "мертвые души"; nearly, where it has words of its own; with
    its author beside it: "Dune Herbert"."""
    folded = fold_words(wish.text)
    for book_id, title in known_names.titles_near(conn, folded):
        is_near = bool(wish.words) and _is_title(folded, title, exactly=True)
        if folded in _full_and_main(title) or (
            is_near and abs(len(fold_words(title)) - len(folded)) <= 0.4 * len(folded)
        ):
            return book_id if statements.records(conn, [book_id], audiences=audiences) else None
    if not (wish.subjects or wish.themes or wish.moods) and (spelt := _spelt_nearly(conn, wish, folded)):
        return spelt if statements.records(conn, [spelt], audiences=audiences) else None
    names = {word for author in authors for word in fold_words(author).split()}
    beside = " ".join(word for word in folded.split() if word not in names)
    if beside and beside != folded:
        ids = [book_id for book_id, title in known_names.titles_near(conn, beside) if beside in _full_and_main(title)]
        for record in statements.records(conn, ids, audiences=audiences):
            if authors & {*record.authors}:
                return record.book_id
    return None


def _spelt_nearly(conn: psycopg.Connection, wish: Wish, folded: str) -> int | None:
    """The work whose title a question that says nothing else is spelt nearly like, without the talk around it."""
    words = folded.split()
    said = {part for run in wish.words for part in fold_words(run).split()}
    places = [n for n, word in enumerate(words) if word in said]
    if not places:
        return None
    if len(places) == 1:
        # All but these words only asks for the book, or is the article of its title.
        request = compiled(_REQUEST[wish.language])
        places = [n for n, word in enumerate(words) if not request.fullmatch(word)]
        if not places or len(" ".join(words[places[0] : places[-1] + 1])) < _SAYS_ENOUGH:
            return None
        if places[0] and words[places[0] - 1] in ("the", "a", "an"):
            places = [places[0] - 1, *places]
    spelt = " ".join(words[places[0] : places[-1] + 1])
    for asked in dict.fromkeys((folded, spelt)):
        for book_id, title in known_names.titles_near(conn, asked, limit=1):
            if any(abs(len(each) - len(asked)) <= _LONGER * len(asked) for each in _full_and_main(title)):
                return book_id
    return None


_LONGER = 0.2


def _full_and_main(title: str) -> tuple[str, str]:
    return fold_words(title), fold_words(title.split(":")[0])


def authors_called(conn: psycopg.Connection, name: str) -> tuple[str, ...]:
    """Authors of that name; of several names parted by "or", of each."""
    found: list[str] = []
    for part in re.split(r"\b(?:or|and|и|или|hoac|va)\b|\|", name):
        words = _name_words(part)
        found += (known_names.authors_named(conn, words) or known_names.authors_sounding(conn, words)) if words else []
    return tuple(dict.fromkeys(found))


def _name_words(name: str) -> list[str]:
    return [word for word in fold_words(name).split() if word not in ("s", "the", "братьев", "брат")]


def likely_authors(conn: psycopg.Connection, wish: Wish) -> frozenset[str]:
    """Authors whose names the question holds without a "by"."""
    if in_full := known_names.authors_in_full(conn, wish.wanted):
        return frozenset(in_full)
    names = [word for word in wish.names if len(word) > 1]
    said = [word for run in wish.words for word in fold_words(run).split()]
    if wish.language == "vi":
        for run in wish.words:
            words = fold_words(run).split()
            if len(words) > 1 and (found := known_names.authors_named(conn, words)):
                return frozenset(found)
        # A foreign name is often written by its sound, with hyphens: "Hê-minh-uây".
        by_sound = re.findall(r"\w+(?:-\w+)+", wish.text)
        return frozenset(known_names.authors_misspelt(conn, ["".join(fold_words(each).split()) for each in by_sound]))
    if 0 < len(said) <= _NAME_ALONE and len(fold_words(wish.text).split()) <= _NAME_ALONE:
        names = names or said  # "octavia butler", and nothing else
    if sounding := known_names.authors_sounding(conn, said):
        return frozenset(sounding)
    if misspelt := known_names.authors_misspelt(conn, said):
        return frozenset(misspelt)
    if not names:
        return frozenset()
    found = known_names.authors_named(conn, names)
    if not found and len(names) > 1 and wish.names:
        found = [author for name in names if len(name) > 3 for author in known_names.authors_named(conn, [name])]
    # Who names one by the first name alone talks of somebody else.
    return frozenset(
        author for author in found
        if (len(names) > 1 and all(name in fold_words(author).split() for name in names))
        or any(_is_surname(name, author) for name in names)
    )  # fmt: skip


_NAME_ALONE = 3  # words


def _is_surname(name: str, author: str) -> bool:
    last = fold_words(author).split()[-1:]
    return bool(last) and known_names.authors_named_last(name, last[0])
