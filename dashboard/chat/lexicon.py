"""What words mean to the librarian: forms of a word, and the subjects, themes and moods that words name. Pure.

The words are data: `words.toml`, for questions alone `asked.toml`, and for what is no question about books
`asides.toml`. All matching is on text in one form, see `spaced`.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

import langcodes
from babel import Locale

from openshelf.folding import fold

Language = Literal["en", "vi", "ru"]
Kind = Literal["subject", "theme", "mood"]

LANGUAGES: tuple[Language, ...] = ("en", "vi", "ru")
CODES: dict[Language, str] = {"en": "eng", "vi": "vie", "ru": "rus"}
_GLOSSED = 8  # words
_WORD = re.compile(r"(?:\w[\u0300-\u036f]*)+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
# Endings of Russian nouns, adjectives and verbs, folded (й is и); the longest are tried first.
RUSSIAN_ENDINGS = tuple(
    sorted(
        [
            "иями",
            "ями",
            "ами",
            "ием",
            "иях",
            "ях",
            "ах",
            "ого",
            "его",
            "ому",
            "ему",
            "ыми",
            "ими",
            "ете",
            "ать",
            "ять",
            "ить",
            "еть",
            "ует",
            "уют",
            "ыи",
            "ии",
            "ои",
            "еи",
            "ая",
            "яя",
            "ое",
            "ее",
            "ую",
            "юю",
            "ою",
            "ею",
            "ых",
            "их",
            "ым",
            "им",
            "ом",
            "ем",
            "ев",
            "ов",
            "ия",
            "ие",
            "ью",
            "ья",
            "ье",
            "ам",
            "ям",
            "ет",
            "ут",
            "ют",
            "ат",
            "ят",
            "ил",
            "ла",
            "ли",
            "а",
            "я",
            "о",
            "е",
            "у",
            "ю",
            "ы",
            "и",
            "ь",
        ],
        key=lambda ending: -len(ending),
    )
)


def is_cyrillic(text: str) -> bool:
    return bool(_CYRILLIC.search(text))


def accented(text: str) -> str:
    """Lower case with accents, in the one form that Vietnamese is compared in: "hoà" is "hòa", "khoẻ" is "khỏe"."""
    return _LATE_TONE.sub(_earlier_tone, unicodedata.normalize("NFC", text).casefold())


# Of two vowels at the end of a syllable the second may bear the mark of the tone, or the first; in "quý" it is one.
_LATE_TONE = re.compile(r"(?<!q)([ou])([àáảãạèéẻẽẹỳýỷỹỵ])\b")


def _earlier_tone(late: re.Match[str]) -> str:
    vowel, *tone = unicodedata.normalize("NFD", late[2])
    return unicodedata.normalize("NFC", late[1] + "".join(tone)) + vowel


def spaced(text: str, *, with_accents: bool = False) -> str:
    """Words with single spaces and a bar where punctuation parts them: what patterns are searched in."""
    form = accented if with_accents else fold
    parts: list[str] = []
    end = 0
    text = unicodedata.normalize("NFC", text)
    for match in _WORD.finditer(text):
        if parts:
            parts.append(gap(text[end : match.start()]))
        parts.append(form(match[0]))
        end = match.end()
    return "".join(parts)


def gap(between: str) -> str:
    """What stands for the characters between two words."""
    return " " if not between.strip(" \t\n'’`-‐&/") else " | "


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """A folded word without its ending; at least three letters of it."""
    if is_cyrillic(word):
        for ending in RUSSIAN_ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                return word[: -len(ending)]
        return word
    for ending in ("ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith(("ss", "us", "is")):
            return word[: -len(ending)]
    return word[:-1] if len(word) == 4 and word.endswith("s") and not word.endswith("ss") else word


def form_pattern(word: str) -> str:
    """A regular expression of the forms of one folded word; a star at its end leaves the ending open, "=" none."""
    if word.endswith("*"):
        return re.escape(word[:-1].removeprefix("=")) + r"\w*"
    if word.startswith("="):
        return re.escape(word[1:])
    root = stem(word)
    if is_cyrillic(word):
        if len(root) < _LONG_ROOT:
            return _short_russian(word, root)
        # "Взрослеть" is not in "взрослое".
        is_verb = word.endswith(("ать", "ять", "ить", "еть", "ться"))
        return re.escape(root) + (rf"(?!(?:{_ADJECTIVE})\b)" if is_verb else "") + r"\w{0,4}"
    if word.endswith("y") and len(word) > 3:
        return f"{re.escape(word[:-1])}(?:y|ies)"
    if len(root) >= 6:
        return re.escape(root) + r"\w{0,4}"
    return f"(?:{re.escape(root)}(?:s|es|e|ed|ing|ies|y)?|{re.escape(word)})" if root != word else word + "(?:s|es)?"


def _short_russian(word: str, root: str) -> str:
    """The forms of a short Russian word. Of so few letters many words are made, so that endings must be its own.

    What is a noun by its last letters is declined as such: "брат" is not in "брать", nor "месть" in "место". Of
    adjectives, verbs and cases any ending will do.
    """
    for last, (cut, endings) in _DECLINED.items():
        if re.search(rf"(?:{last})$", word) and len(word) - cut >= _LEAST_ROOT and not _NO_NOUN.search(word):
            return f"{re.escape(word[: len(word) - cut])}(?:{endings})"
    return f"{re.escape(root)}(?:{'|'.join(RUSSIAN_ENDINGS)})?"


_LEAST_ROOT, _LONG_ROOT = 3, 5  # letters
_ADJECTIVE = "ыи|ои|ая|ое|ую|ые|ого|ому|ым|ых|ыми"
# Endings of verbs, adjectives, and of nouns in other cases than that in which words are looked up.
_NO_NOUN = re.compile(
    r"(?:[аеиоуыя]ть|ться|[аеуяю]т|ил|л[аи]|[ая](?:ми|м|х)|[оеыи][мвх]|[ое]го|[ое]му|ью|[аеиоуыюя]и|[уюое]|[ая]я)$"
)
_HARD, _SOFT = "а|у|ом|ем|е|ы|и|ов|еи|ам|ами|ах|", "я|ю|ем|е|и|еи|ев|ям|ями|ях"
# Of nouns: how they end -> how many letters of that change, and into what.
_DECLINED = {
    "ья": (1, f"{_SOFT}|ею"), "я": (1, f"{_SOFT}|ею|ь|"), "ь": (1, f"{_SOFT}|ь|ью"), "[гжкхчшщ]и": (1, _HARD),
    "и": (1, f"{_SOFT}|ь|ью"), "[аы]": (1, f"{_HARD}ои|ою"), "": (0, _HARD),
}  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """A phrase of one language, as it is searched for; `bare` without accents, None where that would say nothing."""

    pattern: str
    bare: str | None
    length: int
    index_words: str
    folded: str = ""
    is_open: bool = False  # its ending is
    written: str = ""  # with its accents, without its star


@dataclass(frozen=True)
class Concept:
    """A subject, theme or mood, with what names it; `asked`: what names it in a question, more than that."""

    name: str
    kind: Kind
    phrases: dict[Language, tuple[Phrase, ...]]
    asked: dict[Language, tuple[Phrase, ...]]
    subject: str = ""  # of a theme: the subject whose works often speak of it
    includes: tuple[str, ...] = ()  # names of what is a kind of it
    opposite: str = ""  # of a mood: what is wished for where there shall be little of it
    near: tuple[str, ...] = ()  # of a mood: others that whoever wishes for it may well like

    def any_phrase(self, language: Language, *, bare: bool = False) -> re.Pattern[str]:
        """What finds it in a text of a language; `bare`: Vietnamese without its accents."""
        return _alternatives(self.name, language, bare)

    def any_asked(self, language: Language, *, bare: bool = False) -> re.Pattern[str]:
        """The same for a question."""
        return _alternatives(self.name, language, bare, is_asked=True)

    def index_words(self, languages: Sequence[Language]) -> list[str]:
        """What names it, folded and without endings: what a full text index is asked for."""
        phrases = [phrase for language in dict.fromkeys(languages) for phrase in self.phrases[language]]
        return [phrase.index_words for phrase in phrases if phrase.index_words]

    def stands_in(self, text: "Spaced", language: Language) -> bool:
        """Whether a text speaks of it."""
        return bool(self.any_phrase(language).search(text.accented if language == "vi" else text.folded))


@dataclass(frozen=True)
class Spaced:
    """A text in both forms that patterns are searched in."""

    folded: str
    accented: str

    @classmethod
    def of(cls, text: str) -> "Spaced":
        return cls(spaced(text), spaced(text, with_accents=True))


@dataclass(frozen=True)
class Lexicon:
    silent: dict[Language, frozenset[str]]  # folded; the Russian ones also without endings
    silent_vietnamese: frozenset[str]  # with accents
    occasions: tuple[Phrase, ...]  # Vietnamese expressions that say nothing about a book, the longest first
    passing: dict[Language, re.Pattern[str]]  # what is told of oneself more often than it is asked for, see `concepts`
    speech: frozenset[str]  # folded: what says nothing that could be false
    speech_vietnamese: frozenset[str]  # the same with accents
    women: frozenset[str]  # folded first names
    vietnamese_women: frozenset[str]  # with accents: names, and what stands before them
    russians: frozenset[str]
    nations: frozenset[str]  # folded English words
    in_capitals: frozenset[str]
    greetings: frozenset[str]
    thanks: frozenset[str]
    written_in: dict[str, tuple[Phrase, ...]]
    lengths: dict[Language, tuple[tuple[str, Phrase], ...]]  # "short" or "long" with what says so, the longest first
    # What tells whether others like a work that is named are asked for, by what it says: `others`, `read`, `unread`.
    likeness: dict[Language, dict[str, tuple[Phrase, ...]]]
    concepts: tuple[Concept, ...]

    def of(self, name: str) -> Concept:
        return _by_name()[name]


_SECTIONS: tuple[tuple[Kind, str], ...] = (("subject", "subjects"), ("theme", "themes"), ("mood", "moods"))


@cache
def lexicon() -> Lexicon:
    """The words of `words.toml`, read once."""
    raw = tomllib.loads((resources.files("dashboard.chat") / "words.toml").read_text("utf-8"))
    silent = {
        language: frozenset(
            word for each in f"{words} {raw['talk'][language]}".split() for word in spaced(each).split()
        )
        for language, words in raw["silent"].items()
    }
    asked = tomllib.loads((resources.files("dashboard.chat") / "asked.toml").read_text("utf-8"))
    concepts = tuple(
        _concept(name, kind, phrases, asked, silent)
        for kind, section in _SECTIONS
        for name, phrases in raw[section].items()
    )
    silent["ru"] |= {stem(word) for word in silent["ru"]}
    return Lexicon(
        silent=silent,
        silent_vietnamese=frozenset(accented(word) for word in f"{raw['silent']['vi']} {raw['talk']['vi']}".split()),
        occasions=tuple(
            sorted((_phrase(each, "vi") for each in _list(raw["occasions"]["vi"])), key=lambda phrase: -phrase.length)
        ),
        passing={
            language: re.compile("|".join(_phrase(each, language).pattern for each in _list(raw["passing"][language])))
            for language in LANGUAGES
        },
        speech=frozenset(
            word
            for words in (
                *raw["speech"].values(),
                *raw["silent"].values(),
            )
            for word in spaced(words).replace("|", " ").split()
        ),
        speech_vietnamese=frozenset(
            accented(word)
            for words in (raw["speech"]["vi"], raw["silent"]["vi"])
            for word in words.replace(",", " ").split()
        ),
        women=frozenset(map(fold, raw["names"]["women"].split())),
        vietnamese_women=frozenset(map(accented, raw["names"]["vietnamese_women"].split())),
        russians=frozenset(map(fold, raw["names"]["russian"].split())),
        nations=frozenset(map(fold, raw["names"]["nations"].split())),
        in_capitals=frozenset(map(fold, raw["names"]["in_capitals"].split())),
        greetings=frozenset(spaced(each) for each in _list(raw["small_talk"]["greeting"])),
        thanks=frozenset(spaced(each) for each in _list(raw["small_talk"]["thanks"])),
        written_in={
            code: tuple(_exact(_phrase(each, _language_of_letters(each))) for each in _list(phrases))
            for code, phrases in raw["written_in"].items()
        },
        lengths={
            language: tuple(
                sorted(
                    (
                        (name, _phrase(each, language))
                        for name, said in asked[language]["length"].items()
                        for each in _list(said)
                    ),
                    key=lambda pair: -pair[1].length,
                )
            )
            for language in LANGUAGES
        },
        likeness={
            language: {
                sign: tuple(_phrase(each, language) for each in _list(listed))
                for sign, listed in asked[language]["likeness"].items()
            }
            for language in LANGUAGES
        },
        concepts=concepts,
    )


@cache
def aside(section: str, language: Language, *, bare: bool = False) -> re.Pattern[str]:
    """What finds the phrases of a section of `asides.toml` in a question; `bare`: Vietnamese without its accents."""
    phrases = [_phrase(each, language) for each in _list(_asides()[section][language])]
    patterns = [phrase.bare if bare else phrase.pattern for phrase in phrases]
    return re.compile("|".join(pattern for pattern in patterns if pattern))


@cache
def other_languages(language: Language, *, bare: bool = False) -> tuple[str, dict[str, str]]:
    """A pattern for books in a language that `words.toml` knows nothing of, and its names there -> ISO 639-3 code.

    Names are those of the Unicode CLDR, of languages that have a code of two letters. Who asks for books in Welsh is
    not served by others: to know the languages that we lack is to know when to say so.
    """
    form = accented if language == "vi" and not bare else fold
    names: dict[str, str] = {}
    for code, name in Locale(language).languages.items():
        if len(code) > 2 or not (said := re.fullmatch(_LANGUAGE_NAMED[language], name)):
            continue
        if (three := langcodes.Language.get(code).to_alpha3()) not in lexicon().written_in:
            names[form(said[1])] = three
    return _IN_LANGUAGE[language].format(names="|".join(sorted(names, key=lambda name: -len(name)))), names


# Of a name in CLDR: what stands for it in a pattern. Of the Russian ones adjectives alone: "на Фиджи" is a journey.
_LANGUAGE_NAMED: dict[Language, str] = {"en": r"([A-Za-z]+)", "vi": r"Tiếng ([^()]+)", "ru": r"(\w+ск)ий"}
_IN_LANGUAGE: dict[Language, str] = {
    "en": r"\bin (?P<name>{names})(?= \||$| (?:please|language|if|for|or|and|by|about|at|not)\b)",
    "vi": r"\bti[eế]ng (?P<name>{names})\b",
    "ru": r"\b(?:на|по) (?P<name>{names})(?:ом|и)\b(?: язык\w*)?",
}


@cache
def _asides() -> dict[str, dict[str, str]]:
    return tomllib.loads((resources.files("dashboard.chat") / "asides.toml").read_text("utf-8"))


@lru_cache(maxsize=20_000)
def concepts_of_term(term: str) -> frozenset[str]:
    """Names of what a theme or mood of a record means, in whatever of the three languages its source says it.

    "Bittersweet" is sad, "đau buồn" is grief; a term that we have no word for means nothing.
    """
    folded = " ".join(spaced(term).replace("|", " ").split())
    named = _names_of_phrases().get(folded)
    if named:
        return named
    return frozenset(
        concept.name
        for concept in lexicon().concepts
        if any(concept.any_phrase(language, bare=True).fullmatch(folded) for language in LANGUAGES)
    )


@cache
def _names_of_phrases() -> dict[str, frozenset[str]]:
    """Names, and phrases that stand for themselves alone -> what they mean; a name means itself and nothing else."""
    found: dict[str, set[str]] = {}
    names = {" ".join(spaced(c.name).replace("|", " ").split()): c.name for c in lexicon().concepts}
    for concept in lexicon().concepts:
        for phrases in concept.phrases.values():
            for phrase in phrases:
                if not phrase.is_open and phrase.folded not in names:
                    found.setdefault(phrase.folded, set()).add(concept.name)
    return {phrase: frozenset(each) for phrase, each in found.items()} | {
        folded: frozenset({name}) for folded, name in names.items()
    }


def known(name: str) -> Concept | None:
    """The subject, theme or mood of that name, if we have words for it."""
    return _by_name().get(name)


def glosses(concept: Concept) -> list[str]:
    """What it is called in English with a few other words for it, and then with what readers ask for it by, in turn."""
    known = [phrase.folded for phrase in concept.phrases["en"][:_GLOSSED]]
    others = [phrase.folded for phrase in concept.asked["en"] if not phrase.is_open and phrase.folded not in known]
    groups = [known, *(others[n : n + _GLOSSED] for n in range(0, len(others), _GLOSSED))]
    return [f"{concept.name}: {', '.join(group)}" for group in groups]


@cache
def _by_name() -> dict[str, Concept]:
    return {concept.name: concept for concept in lexicon().concepts}


def _concept(
    name: str,
    kind: Kind,
    phrases: dict[str, str],
    asked: dict[str, dict[str, str]],
    silent: Mapping[Language, frozenset[str]],
) -> Concept:
    known: dict[Language, tuple[Phrase, ...]] = {
        language: tuple(_phrase(each, language) for each in _list(phrases[language])) for language in LANGUAGES
    }
    more: dict[Language, tuple[Phrase, ...]] = {
        language: tuple(
            _but_for(phrase, silent[language], language)
            for phrase in (
                *known[language],
                *(_phrase(each, language) for each in _list(asked[language].get(name, ""))),
            )
        )
        for language in LANGUAGES
    }
    return Concept(
        name, kind, known, more, phrases.get("subject", ""), tuple(_list(phrases.get("includes", ""))),
        phrases.get("opposite", ""), tuple(_list(phrases.get("near", ""))),
    )  # fmt: skip


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when first needed: all of them at once would take most of a second."""
    return re.compile(pattern)


@cache
def _alternatives(name: str, language: Language, bare: bool, is_asked: bool = False) -> re.Pattern[str]:
    concept = _by_name()[name]
    phrases = (concept.asked if is_asked else concept.phrases)[language]
    patterns = [phrase.bare if bare else phrase.pattern for phrase in phrases]
    return re.compile("|".join(pattern for pattern in patterns if pattern) or "(?!)")


def _phrase(text: str, language: Language) -> Phrase:
    if language == "vi":
        words = accented(text).split()
        bare = rf"\b{re.escape(fold(text))}\b" if len(words) > 1 else None
        # One syllable, without its accent, says nothing to an index that knows no accents.
        pattern = rf"\b{re.escape(' '.join(words))}\b"
        folded = " ".join(map(fold, words))
        return Phrase(pattern, bare, len(text), folded if bare else "", folded, written=" ".join(words))
    # A sign of equality before a word keeps it from its forms: "=дели" is no "деле".
    words = [fold(word) for word in text.replace("'", " ").replace("-", " ").split()]
    pattern = r"\b" + " ".join(form_pattern(word) for word in words) + r"\b"
    index_words = " ".join(word[1:] if word.startswith("=") else stem(word.rstrip("*")) for word in words)
    index_words = index_words.rstrip("*")
    written = text.replace("*", "").replace("=", "")
    folded = " ".join(words).replace("*", "").replace("=", "")
    return Phrase(pattern, pattern, len(text), index_words, folded, "*" in text, written)


# What is named after it is meant, though it would say nothing elsewhere: "about a brother".
_NAMED_AFTER: dict[Language, str] = {
    "en": r"(?<=\babout )|(?<=\babout a )|(?<=\babout the )", "ru": r"(?<=\bпро )|(?<=\bо )|(?<=\bоб )",
}  # fmt: skip


def _but_for(phrase: Phrase, silent: frozenset[str], language: Language) -> Phrase:
    """A phrase that is no form of a word that says nothing: "понять" names no pony, "my friend" no friendship."""
    if language == "vi" or " " in phrase.folded:
        return phrase
    others = [word for word in silent if word != phrase.folded and re.fullmatch(phrase.pattern, word)]
    if not others:
        return phrase
    pattern = rf"(?:{_NAMED_AFTER[language]}|\b(?!(?:{'|'.join(sorted(others))})\b)){phrase.pattern}"
    return replace(phrase, pattern=pattern, bare=pattern)


def _exact(phrase: Phrase) -> Phrase:
    """An English phrase in this form alone: who asks for a story set in Germany asks for none in German."""
    if is_cyrillic(phrase.folded) or phrase.is_open or not phrase.folded.isascii() or phrase.written != phrase.folded:
        return phrase
    pattern = rf"\b{phrase.folded}\b"
    return replace(phrase, pattern=pattern, bare=pattern)


def _language_of_letters(text: str) -> Language:
    if is_cyrillic(text):
        return "ru"
    return "vi" if text != fold(text) else "en"


def _list(text: str) -> Iterator[str]:
    return (part.strip() for part in text.replace("\n", " ").split(",") if part.strip())
