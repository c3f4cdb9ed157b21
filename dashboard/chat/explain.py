"""The librarian's own words: openings, refusals, and why a work answers, made of its record and the wish alone. Pure.

Every claim is about a field that the record has; a sentence of its blurb is quoted, never reworded. The same question
with the same works gets the same words; other works get others. The words themselves are in `sayings.toml`.
"""

import tomllib
import zlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from dashboard.chat.check import cut, quotable, sentences, supporting
from dashboard.chat.finding.record import ages, length_of
from dashboard.chat.lexicon import (
    CODES,
    LANGUAGES,
    Language,
    Spaced,
    compiled,
    concepts_of_term,
    form_pattern,
    lexicon,
)
from dashboard.chat.reading.wish import Wish
from openshelf.database.search import Record
from openshelf.folding import fold_words

# A quotation in another language than the question's is kept short: it is there to show, not to be read at length.
_MAX_FOREIGN = 220
_MIN_SENTENCE = 20
_SUBJECTS_SAID = 2


def opening(records: Sequence[Record], wish: Wish) -> str:
    """The first sentence about the works that were found."""
    say = _sayings()[wish.language]
    if wish.asks == "why":
        return _one_of(say["openings_why"], records)
    variants = (
        say["more"]
        if wish.is_more and len(records) > 1
        else say["openings"]
        if len(records) > 1
        else say["openings_one"]
    )
    parts = _parts(wish, say["wish"])
    first = _one_of(variants, records).format(wish=say["wish"]["for"].format(parts=", ".join(parts)) if parts else "")
    return f"{first} {note}" if (note := _note(records, wish, say)) else first


def refusal(wish: Wish) -> str:
    """Why no work is named, and what can be done: most often, to ask the library for it."""
    say = _sayings()[wish.language]["refusals"]
    reason = wish.refusal or "nothing"
    if reason == "nothing" and wish.author and (author := as_asked(wish.text, wish.author)):
        return _one_of(say["author"], wish.text).format(author=author)
    return _one_of(say[reason], wish.text)


def why(record: Record, wish: Wish) -> str:
    """One to three sentences on why this work answers: what it is, and what its record says that was asked for."""
    say = _sayings()[wish.language]
    facts = _facts(record, wish, say)
    quoted = _quotation(record, wish, how_many=3 if wish.asks == "why" else 1)
    if not quoted:
        return facts if facts and record.summary else f"{facts} {say['no_summary']}".strip()
    own = CODES[wish.language] == record.language
    if own or record.language is None:
        return cut(f"{facts} {quoted}".strip())
    if len(quoted) > _MAX_FOREIGN:
        quoted = quoted[:_MAX_FOREIGN].rsplit(" ", 1)[0] + "…"
    return f"{facts} {say['quote_other'].format(quote=quoted)}".strip()


def as_asked(text: str, folded: str) -> str:
    """Words of a question as they were written there; empty where they do not stand together."""
    words = text.split()
    wanted = folded.split()
    for start in range(len(words) - len(wanted) + 1):
        part = words[start : start + len(wanted)]
        if fold_words(" ".join(part)) == " ".join(wanted):
            return " ".join(part).strip(" .,;:!?\"'“”«»()")
    return ""


def subject_said(name: str, language: Language, *, after_without: bool = False) -> str:
    """A subject in a language; empty where we have no word for it."""
    if language == "en":
        return name
    forms = _sayings()["subjects"].get(name.casefold())
    return "" if not forms else forms[0] if language == "vi" else forms[2 if after_without else 1]


def term_said(term: str, language: Language) -> str:
    """A theme or mood of a record in a language; in the words of its source where we know no other for it."""
    if language == "en":
        return term
    forms = _sayings()["terms"]
    names = [term, term.casefold(), *sorted(concepts_of_term(term))]
    name = next((each for each in names if each in forms), None)
    return forms[name][0 if language == "vi" else 1] if name else term


def language_said(code: str | None, language: Language) -> str:
    names = _sayings()["languages"].get(code or "")
    return names[LANGUAGES.index(language)] if names else ""


def _parts(wish: Wish, say: dict[str, Any]) -> list[str]:
    """What was understood, in few words."""
    language = wish.language
    asked = [name for name in wish.subjects if name not in wish.passing]
    topics = [said for name in asked if (said := subject_said(name, language))][:3]
    parts = [say["topic"].format(subjects=_join(topics, language))] if topics else []
    themes = [name for name in wish.themes if name not in wish.passing]
    if themes and "theme" in say:
        parts.append(say["theme"].format(themes=_join(themes[:3], language)))
    if wish.length:
        parts.append(say["length"][wish.length])
    if wish.age is not None:
        ends_in_one = wish.age % 10 == 1 and wish.age != 11
        parts.append(say["age_one" if ends_in_one and "age_one" in say else "age"].format(age=wish.age))
    elif wish.audience:
        parts.append(say["audience"][wish.audience])
    if wish.year_from and wish.year_to:
        parts.append(say["between"].format(first=wish.year_from, last=wish.year_to))
    elif (wish.year_from or wish.year_to) and not wish.is_era:
        parts.append(
            say["after"].format(year=wish.year_from)
            if wish.year_from
            else say["before"].format(year=(wish.year_to or 0) + 1)
        )
    if wish.written_in and (said := language_said(wish.written_in, language)):
        parts.append(say["language"].format(language=said))
    avoided = [
        said
        for name in wish.avoid
        if (said := subject_said(name, language, after_without=True)) and name in _sayings()["subjects"]
    ]
    if avoided:
        parts.append(say["without"].format(subjects=_join(avoided, language)))
    return parts


def _note(records: Sequence[Record], wish: Wish, say: dict[str, Any]) -> str:
    """What our records cannot tell, said plainly."""
    if not wish.is_measured or all(record.pages for record in records):
        return ""
    if not any(length_of(record) for record in records):
        return say["no_length"]
    return say["no_pages"] if wish.max_pages or wish.min_pages else ""


def _facts(record: Record, wish: Wish, say: dict[str, Any]) -> str:
    """What the record is: subjects, year, series, language, as far as it says."""
    subjects = [name for part in record.subjects_text.split(", ") if (name := part.strip())]
    asked = [name for name in wish.subjects if name in (s.casefold() for s in subjects)]
    ordered = list(dict.fromkeys((*asked, *subjects)))
    limit = len(ordered) if wish.asks == "why" else _SUBJECTS_SAID
    said = [each for name in ordered if (each := subject_said(name, wish.language))][:limit]
    small = _join(said, wish.language)
    year = "" if record.year is None else str(record.year) if record.year > 0 else say["bc"].format(year=-record.year)
    has_plain_year = bool(record.year and record.year > 0)
    fields = {"subjects": small[:1].upper() + small[1:], "subjects_small": small, "year": year}
    if said and year and (has_plain_year or wish.language == "en"):
        parts = [_one_of(say["facts"], [record]).format(**fields)]
    elif said and year:
        parts = [f"{fields['subjects']}; {year}."]
    elif said:
        parts = [_one_of(say["facts_subjects"], [record]).format(**fields)]
    elif has_plain_year:
        parts = [_one_of(say["facts_year"], [record]).format(**fields)]
    else:
        parts = []
    if record.series_name:
        parts.append(say["series"].format(series=record.series_name))
    if wish.is_measured and record.pages:
        parts.append(say["pages"].format(pages=record.pages))
    if (wish.age is not None or wish.audience) and record.age_from is not None:
        last = record.age_to
        words = say["readers_from" if last is None else "readers"]
        parts.append(words.format(first=record.age_from, last=last))
    other = record.language and record.language != CODES[wish.language] and record.language != wish.written_in
    if other and (language := language_said(record.language, wish.language)):
        parts.append(say["in_language"].format(language=language))
    return " ".join(parts)


def _quotation(record: Record, wish: Wish, how_many: int) -> str:
    """The sentences of the blurb that say most of what was asked, in their order; never an order."""
    # Where nothing is beyond doubt, what its first sentence says is at least what it begins with.
    told = supporting(record.summary) or _first(record.summary)
    usable = [sentence for sentence in told if len(sentence) >= _MIN_SENTENCE]
    if not usable:
        return ""
    language: Language = "en"
    for each in LANGUAGES:
        if CODES[each] == record.language:
            language = each
    scored = sorted(range(len(usable)), key=lambda n: (-_speaks_of(usable[n], wish, language), n))
    return " ".join(usable[n] for n in sorted(scored[:how_many]))


def _first(blurb: str | None) -> list[str]:
    """The first sentence of a blurb, if it may be quoted; of one with an order in it, none."""
    whole, usable = sentences(blurb or ""), quotable(blurb)
    return usable[:1] if len(usable) == len(whole) else []


def _speaks_of(sentence: str, wish: Wish, language: Language) -> float:
    text = Spaced.of(sentence)
    known = lexicon()
    named = sum(known.of(name).stands_in(text, language) for name in (*wish.themes, *wish.moods, *wish.subjects))
    patterns = [compiled(rf"\b{form_pattern(fold_words(word))}\b") for word in wish.spoken if " " not in word]
    score = named + sum(bool(pattern.search(text.folded)) for pattern in patterns)
    return score + 2 * (wish.age is not None and ages(sentence) is not None)


def _join(names: Sequence[str], language: Language) -> str:
    """ "a, b and c" in a language."""
    conjunction = _sayings()[language]["join"]
    return conjunction.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _one_of(variants: Sequence[str], about: Sequence[Record] | str) -> str:
    """One wording, the same for the same works or the same text."""
    key = about if isinstance(about, str) else " ".join(str(record.book_id) for record in about)
    return variants[zlib.crc32(key.encode()) % len(variants)]


@cache
def _sayings() -> dict[str, Any]:
    return tomllib.loads((resources.files("dashboard.chat") / "sayings.toml").read_text("utf-8"))
