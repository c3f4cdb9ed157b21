"""A question in words -> what is wished for. By rules and a word list; pure."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from openshelf.contracts import clean_text
from openshelf.folding import fold_words

Language = Literal["en", "vi", "ru"]

MAX_QUESTION = 2_000
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
# Letters that of these three languages only Vietnamese has; NFC.
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")
_BEFORE = re.compile(r"\b(before|older than|until|truoc nam|truoc|до|раньше)\s+(?:года?\s+)?(1[0-9]{3}|20[0-9]{2})\b")
_AFTER = re.compile(r"\b(after|since|newer than|sau nam|sau|tu nam|после|с)\s+(?:года?\s+)?(1[0-9]{3}|20[0-9]{2})\b")


@dataclass(frozen=True)
class Wish:
    """What a question asks for. All words are folded; `subjects` and `avoid` are names of our subjects.

    `titled` is what stands after "something like"; `is_more` asks for others than those just named.
    """

    text: str
    language: Language
    words: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    titled: str = ""
    written_in: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    is_more: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.subjects or self.titled or self.written_in or self.year_from or self.year_to)


@dataclass(frozen=True)
class _Words:
    silent: dict[str, frozenset[str]]
    more: dict[str, tuple[str, ...]]
    avoid: dict[str, tuple[str, ...]]
    like: dict[str, tuple[str, ...]]
    written_in: dict[str, tuple[str, ...]]
    subjects: dict[str, tuple[str, ...]]


def parse(question: str, before: Wish | None = None) -> Wish:
    """Read one question; `before` is the wish it follows on, for "more of those" and "something shorter"."""
    text = " ".join(clean_text(question).split())[:MAX_QUESTION]
    folded = fold_words(text)
    language = language_of(text)
    known = _word_list()
    written_in, folded_rest = _written_in(_BEFORE.sub(" ", _AFTER.sub(" ", folded)), known)
    titled, rest = _titled(folded_rest, known.like[language])
    subjects, avoided, covered = _subjects(rest, known, language)
    earliest, latest = _years(folded)
    words = tuple(
        word
        for word in dict.fromkeys(rest.split())
        if word not in covered and word not in known.silent[language] and len(word) > 1 and not _YEAR.fullmatch(word)
    )
    is_more = any(_begins(word, known.more[language]) for word in folded.split())
    wish = Wish(text, language, words, subjects, avoided, titled, written_in, earliest, latest, is_more)
    return _follow(wish, before) if before else wish


def language_of(text: str) -> Language:
    """The language of a question, roughly: by script, then letters, then words."""
    if len(_CYRILLIC.findall(text)) * 2 > sum(c.isalpha() for c in text):
        return "ru"
    if len(_VIETNAMESE.findall(text)) >= 2:
        return "vi"
    words = fold_words(text).split()
    silent = _word_list().silent
    return "vi" if _count(words, silent["vi"]) > _count(words, silent["en"]) else "en"


def _follow(wish: Wish, before: Wish) -> Wish:
    """A question that says nothing by itself stands on the one before it."""
    if wish.words or wish.subjects or wish.titled or not (wish.is_more or wish.avoid or not wish.is_empty):
        return wish
    return Wish(
        text=before.text,
        language=wish.language if wish.text else before.language,
        words=before.words,
        subjects=before.subjects,
        avoid=before.avoid + wish.avoid,
        titled=before.titled,
        written_in=wish.written_in or before.written_in,
        year_from=wish.year_from or before.year_from,
        year_to=wish.year_to or before.year_to,
        is_more=wish.is_more,
    )


def _written_in(folded: str, known: _Words) -> tuple[str | None, str]:
    for code, phrases in known.written_in.items():
        for phrase in phrases:
            if _has(folded, phrase):
                return code, " ".join(folded.replace(phrase, " ").split())
    return None, " ".join(folded.split())


def _titled(folded: str, phrases: tuple[str, ...]) -> tuple[str, str]:
    """What follows "something like", and what stands before it."""
    for phrase in phrases:
        head, found, tail = f" {folded} ".partition(f" {phrase} ")
        if found and tail.strip():
            return tail.strip(), head.strip()
    return "", folded


def _subjects(folded: str, known: _Words, language: Language) -> tuple[tuple[str, ...], tuple[str, ...], set[str]]:
    """Subjects asked for, subjects to avoid, and the words that named them. Longest phrases first."""
    wanted: dict[str, int] = {}
    avoided: list[str] = []
    covered: set[str] = set()
    rest = f" {folded} "
    phrases = sorted(((p, s) for s, ps in known.subjects.items() for p in ps), key=lambda pair: -len(pair[0]))
    for phrase, subject in phrases:
        # Of a Russian word the list has the stem.
        ending = r"\w*" if _CYRILLIC.search(phrase) else ""
        match = re.search(rf" ((?:{'|'.join(known.avoid[language])}) )?{re.escape(phrase)}{ending}(?= )", rest)
        if not match:
            continue
        if match[1]:
            avoided.append(subject)
        else:
            wanted[subject] = match.start()
        covered |= set(match[0].split())
        rest = rest.replace(match[0], " " * len(match[0]), 1)
    ordered = sorted(wanted, key=lambda subject: wanted[subject])
    return tuple(s for s in ordered if s not in avoided), tuple(avoided), covered


def _years(folded: str) -> tuple[int | None, int | None]:
    after, before = _AFTER.search(folded), _BEFORE.search(folded)
    return (int(after[2]) if after else None), (int(before[2]) - 1 if before else None)


def _has(folded: str, phrase: str) -> bool:
    return f" {phrase} " in f" {folded} "


def _begins(word: str, starts: tuple[str, ...]) -> bool:
    return any(word == start or (_CYRILLIC.match(start) and word.startswith(start)) for start in starts)


def _count(words: list[str], among: frozenset[str]) -> int:
    return sum(word in among for word in words)


@cache
def _word_list() -> _Words:
    raw = tomllib.loads((resources.files("dashboard.chat") / "words.toml").read_text("utf-8"))
    silent = {language: frozenset(fold_words(words).split()) for language, words in raw["silent"].items()}
    lists = {
        name: {key: tuple(fold_words(phrase) for phrase in phrases) for key, phrases in raw[name].items()}
        for name in ("more", "avoid", "like", "written_in", "subjects")
    }
    return _Words(silent=silent, **lists)
