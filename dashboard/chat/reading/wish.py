"""What a question asks for: a `Wish`, as the rules read it, and what a language model understood besides."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from dashboard.chat.lexicon import Language, lexicon, spaced
from openshelf.database.audiences import AUDIENCES

# books: the usual; why: about a book just named; the others ask for no book.
Asks = Literal["books", "why", "greeting", "thanks", "orders", "not-books", "nothing"]
Length = Literal["short", "long"]
# Pages of a book that is quickly read, and of one for a long winter; a little more or less still passes.
SHORT, LONG = 200, 500
GROWN = 18  # years
ANY_LANGUAGE = "any"
ALL = -2  # works of the answer before


@dataclass(frozen=True)
class Wish:
    """What a question asks for.

    `text` as asked, `language` of the question; `subjects`, `themes`, `moods` and `avoid` are names of
    `words.toml`, `less` those there should be little of; `wanted`: the text without what is not wanted, `spoken`: its
    words that say something;
    `words` and `avoid_words` are folded words that records should hold, or not; `names` are those of the words that
    were written as names. `titled`: what books should be like; `named`: a title, author or series that must be there;
    `meant`: works of ours that it asks for by their titles;
    `author`: who must have written it. `age` in years; `min_pages` and `max_pages` as asked.
    `refers`: the place, from 0, of a work of the answer before that this is about; -1 the last, `ALL` each of them.
    """

    text: str
    language: Language
    asks: Asks = "books"
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()  # of what it speaks of: what may tell of who asks
    avoid: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    spoken: tuple[str, ...] = ()
    wanted: str = ""
    avoid_words: tuple[str, ...] = ()
    avoid_author: str = ""
    knows_author: bool = False  # all by the author to be avoided was read
    titled: str = ""
    is_titled_as_name: bool = False  # it was written as one
    named: str = ""
    meant: tuple[int, ...] = ()  # works of ours that are asked for themselves
    author: str = ""
    is_same_author: bool = False
    is_translated: bool = False
    is_native: bool = False  # by authors of the language it is in
    by_women: bool = False
    is_story: bool = False
    is_true: bool = False  # no story
    in_order: bool = False  # a series, from its beginning
    teaches: bool = False  # it asks for a manual, or how something is done
    written_in: str | None = None
    also_in: str | None = None  # a language that will do beside the reader's own, or `ANY_LANGUAGE`
    year_from: int | None = None
    year_to: int | None = None
    is_era: bool = False  # they may be the years of which it tells
    audience: str | None = None
    age: int | None = None
    length: Length | None = None
    is_extreme: bool = False  # the shortest or longest of all
    max_pages: int | None = None
    min_pages: int | None = None
    format: str | None = None
    is_low: bool = False  # who asks says to be sad or tired
    held: tuple[str, ...] = ()  # of the subjects, themes, moods and words: those of the question before
    is_more: bool = False
    refers: int | None = None
    is_sequel: bool = False  # what follows on the work it refers to, or is like
    chooses: bool = False  # one of the works that were named
    had: tuple[int, ...] = ()  # works that were read already, or are not wanted
    knows_series: bool = False  # more of a series than the work that was named
    like: tuple[int, ...] = ()  # set by `answer.look_up`: the works that books should be like
    refusal: str | None = field(default=None, compare=False)  # set by `answer.look_up`: why no book is named

    @property
    def has_topic(self) -> bool:
        return bool(
            self.words or self.subjects or self.themes or self.titled or self.named or self.author
            or self.is_same_author or self.like or self.meant or self.chooses or self.is_sequel
        )  # fmt: skip

    @property
    def is_young(self) -> bool:
        """Whether it is for somebody young of a certain age; at what age a grown-up asks bounds nothing."""
        return self.age is not None and self.age < GROWN

    @property
    def is_measured(self) -> bool:
        """Whether it asks for a length, or for pages from and to."""
        return bool(self.length or self.min_pages or self.max_pages)

    @property
    def bounds(self) -> tuple[int | str | None, ...]:
        """What a record either keeps to or not: its years, its language, its form, its pages."""
        return self.year_from, self.year_to, self.written_in, self.format, self.min_pages, self.max_pages

    @property
    def narrows(self) -> bool:
        return bool(
            self.moods or self.written_in or self.year_from or self.year_to or self.audience or self.age is not None
            or self.is_measured or self.format or self.avoid or self.avoid_words or self.avoid_author
            or self.is_translated or self.is_native or self.by_women
        )  # fmt: skip

    @property
    def is_empty(self) -> bool:
        return not (self.has_topic or self.narrows or self.refers is not None)


@dataclass(frozen=True)
class Mention:
    """A work of ours that a question names: the words of the question, folded, and the work."""

    words: str
    book_id: int
    is_sure: bool = False  # it is the whole title, and more than a word or written as a name
    may_be_meant: bool = False  # it is a title, not the name of a series or of a topic, and surely enough


class Understood(msgspec.Struct, forbid_unknown_fields=False):
    """What a language model is asked to make of a question; its JSON schema goes with the request."""

    subjects: list[str] = []
    avoid: list[str] = []
    moods: list[str] = []
    similar_title: str = ""
    author: str = ""
    year_from: int | None = None
    year_to: int | None = None
    is_era: bool = False  # they may be the years of which it tells
    audience: str = ""
    length: str = ""


def merge(wish: Wish, understood: Understood) -> Wish:
    """The wish of the rules with what a model understood besides. The rules win where they saw anything.

    Names that we have no word for, and titles and authors that the question does not hold, are left out.
    """
    if wish.asks != "books":
        return wish
    kinds = {concept.name: concept.kind for concept in lexicon().concepts}
    said = f" {' '.join(spaced(wish.text).replace('|', ' ').split())} "

    def known(names: Sequence[str], *wanted: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in names[:4] if kinds.get(name) in wanted))

    def quoted(text: str) -> str:
        folded = " ".join(spaced(text[:120]).replace("|", " ").split())
        return folded if folded and f" {folded} " in said else ""

    avoid = wish.avoid or tuple(
        n for n in known(understood.avoid, "subject", "theme", "mood") if n not in wish.subjects
    )
    subjects = wish.subjects or tuple(n for n in known(understood.subjects, "subject") if n not in avoid)
    has_years = wish.year_from or wish.year_to
    return replace(
        wish,
        subjects=subjects,
        moods=wish.moods or tuple(n for n in known(understood.moods, "mood") if n not in avoid),
        avoid=avoid,
        titled=wish.titled or ("" if wish.named or wish.author else quoted(understood.similar_title)),
        author=wish.author or ("" if wish.titled or wish.named else quoted(understood.author)),
        year_from=wish.year_from if has_years else _year_of(understood.year_from, said),
        year_to=wish.year_to if has_years else _year_of(understood.year_to, said),
        audience=wish.audience
        or (understood.audience if understood.audience in AUDIENCES[:2] and _is_for_someone(said) else None),
        length=wish.length
        or (understood.length if understood.length in ("short", "long") and not wish.max_pages else None),  # pyright: ignore[reportArgumentType]
    )


def _year_of(year: int | None, said: str) -> int | None:
    """A year only where the question holds a number: a model likes to make one up."""
    return year if year and 0 < year < 2_200 and re.search(r"\d", said) else None


def _is_for_someone(said: str) -> bool:
    return bool(re.search(r" (?:for|cho|для|my|мо\w+) ", said))
