"""Titles that a text says somewhere, in part, out of order or misspelt: where, how much of each, and how surely.

A title is looked for among words that stand together, so that those of a story told around it do not add up. A word
counts by how rare it is in what the catalogue says in the language of the title: "before" says little, "Atuan" much.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from types import MappingProxyType

import psycopg
from rapidfuzz import fuzz, process

from models.sounds import title_key
from openshelf.database import of_catalogue
from openshelf.database import search as statements
from openshelf.folding import fold, fold_words

_MISSPELT = 5  # letters at least of a word that may be misspelt
_MISSPELT_SYLLABLE = 4
_MIN_RATIO = 72  # how alike, of 100, a misspelt word is spelt; beside it others of the title stand
_OTHER_ACCENTS = 0.4  # how much a syllable counts that has other accents than that of the title
_TELLING = 0.25  # a word of less weight leads to no title
_IDLE = 0.3  # how much a word counts that says little in any question
_ONE_WORD = 0.5
_APART = 0.8
_BETWEEN = 0.5  # how much a word between those of a title counts against it: it may stand for one of them
_WITH_AUTHOR = 0.6
_OWN_SCRIPT = 5  # letters below which a word is of the script that it is written in: "my" is no "мы"
_SLACK = 2  # words that may stand between those of a title
_FEW = 30  # works of a language whose words are counted by themselves


_NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True)
class SaidTitle:
    """A title of which words stand together in a text, from word `start` to before word `end`.

    `share` of it that was said, 0 to 1, the rarer a word the more; `said`: how much that is, about 1 for each word that
    stands in no other record; `words`: how many of its words were said; `between`: how much was said between them;
    `has_author`: a name of its author was said, too.
    """

    book_id: int
    start: int
    end: int
    share: float
    said: float
    words: int
    between: float
    is_whole: bool  # in order, and nothing else between
    is_as_spelt: bool = False  # no word of it is misspelt, or in another form
    likeness: float = 1.0  # of the word that is least like that of the title
    is_apart: bool = False  # its words stand anywhere in the text
    has_author: bool = False

    @property
    def surely(self) -> float:
        """How surely it was said, 0 to 1; one word may be any."""
        sure = self.share * (1 - 0.5 ** (2 * self.said)) * self.said / (self.said + _BETWEEN * self.between + 1e-9)
        sure *= _ONE_WORD if self.words == 1 else _APART if self.is_apart else 1.0
        return sure + _WITH_AUTHOR * self.has_author * min(1 - sure, sure)


def said_titles(
    conn: psycopg.Connection, text: str, *, in_syllables: bool = False, idle: Collection[str] = frozenset(),
    also: Mapping[str, Collection[str]] = _NOTHING,
) -> list[SaidTitle]:  # fmt: skip
    """The titles of which a text says something, the surest first, each in the one place where most of it is said.

    `in_syllables`: it is Vietnamese, of whose syllables each is common; `idle`: folded words that say little;
    `also`: other words for folded words, such as "three" for "3".
    """
    known = _titles(conn)
    words = [_Word.of(raw, also) for raw in re.findall(r"\w+", text)]
    spaces = (known.syllables, known.words) if in_syllables else (known.words,)
    best: dict[int, SaidTitle] = {}
    for space in spaces:
        for found in space.said(words, idle):
            if found.book_id not in best or found.surely > best[found.book_id].surely:
                best[found.book_id] = found
    return sorted(best.values(), key=lambda each: (-each.surely, each.book_id))


@dataclass(frozen=True)
class _Word:
    folded: str
    accented: str
    also: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: str, also: Mapping[str, Collection[str]]) -> "_Word":
        folded = fold(raw)
        return cls(folded, raw.casefold(), tuple(also.get(folded, ())))


@dataclass(frozen=True)
class _Form:
    """A title, or a part of one that it is called by."""

    book_id: int
    keys: tuple[str, ...]
    folded: tuple[str, ...]
    accented: tuple[str, ...]
    weights: tuple[float, ...]


class _Space:
    """Titles whose words are compared by one kind of key."""

    def __init__(
        self, forms: Sequence[_Form], rarities: Mapping[str, float], authors: Mapping[int, Sequence[str]],
        *, is_syllables: bool,
    ) -> None:  # fmt: skip
        self.forms = forms
        self.rarities = rarities  # of each key that stands anywhere in records, 0 to 1
        self.authors = authors  # of each work: their folded names
        self.is_syllables = is_syllables
        self.key_of = _syllable if is_syllables else title_key
        self.holders: defaultdict[str, list[int]] = defaultdict(list)
        for place, form in enumerate(forms):
            for key in {*form.keys}:
                self.holders[key].append(place)
        self.keys = tuple(sorted(self.holders))
        self.weights = {
            key: max(forms[n].weights[forms[n].keys.index(key)] for n in own) for key, own in self.holders.items()
        }

    def said(self, words: Sequence[_Word], idle: Collection[str]) -> list[SaidTitle]:
        heard = [self._heard(word) for word in words]  # of each word: keys of titles it may be, and how surely
        leads = {key for keys in heard for key in keys if self.weights[key] >= _TELLING}
        places = {place for key in leads for place in self.holders[key]}
        found = (self._best(self.forms[place], words, heard, idle) for place in places)
        return [self._with_author(each, words) for each in found if each is not None]

    def _heard(self, word: _Word) -> dict[str, float]:
        key = self.key_of(word.folded)
        heard = {each: 1.0 for each in (key, *map(self.key_of, word.also)) if each in self.holders}
        if heard:
            return heard
        if len(key) < (_MISSPELT_SYLLABLE if self.is_syllables else _MISSPELT) - 1 or key in self.rarities:
            return {}
        near = process.extract(key, self.keys, scorer=fuzz.ratio, score_cutoff=_MIN_RATIO, limit=5)
        return {other: (ratio / 100) ** 2 for other, ratio, _n in near if abs(len(other) - len(key)) <= 2}

    def _best(
        self, form: _Form, words: Sequence[_Word], heard: Sequence[Mapping[str, float]], idle: Collection[str]
    ) -> SaidTitle | None:
        """The form in the window of the words that holds most of it."""
        is_idle = [word in idle or (len(word) == 1 and not word.isdigit()) for word in form.folded]
        weights = [w * (_IDLE if idle else 1.0) for w, idle in zip(form.weights, is_idle, strict=True)]
        hits = [n for n, keys in enumerate(heard) if not keys.keys().isdisjoint(form.keys)]
        windows = (
            self._in_window(form, weights, words, heard, [n for n in hits if 0 <= n - start < len(form.keys) + _SLACK])
            for start in hits
        )
        best = max((each for each in windows if each), key=lambda each: each.surely, default=None)
        apart = self._in_window(form, weights, words, heard, hits)
        if apart and best and apart.words > max(best.words, 1):
            apart = replace(apart, between=0.0, is_apart=True)
            return max(best, apart, key=lambda each: each.surely)
        return best

    def _in_window(
        self, form: _Form, weights: Sequence[float], words: Sequence[_Word], heard: Sequence[Mapping[str, float]],
        hits: Sequence[int],
    ) -> SaidTitle | None:  # fmt: skip
        free = list(range(len(form.keys)))
        said, likeness, used, places = 0.0, 1.0, list[int](), list[int]()
        for n in hits:
            sure = {place: self._alike(words[n], heard[n], form, place) for place in free}
            place = max(sure, key=lambda each: (sure[each], -each), default=None)
            if place is None or not sure[place]:
                continue
            free.remove(place)
            said += weights[place] * sure[place]
            likeness = min(likeness, sure[place])
            used.append(n)
            places.append(place)
        total = sum(weights)
        if not used or not total:
            return None
        start, end = used[0], used[-1] + 1
        between = sum(self.rarities.get(self.key_of(words[n].folded), 1.0) for n in range(start, end) if n not in used)
        is_whole = not free and places == sorted(places) and end - start == len(form.keys)
        is_as_spelt = all(words[n].folded == form.folded[place] for n, place in zip(used, places, strict=True))
        return SaidTitle(
            form.book_id, start, end, said / total, said, len(used), between, is_whole, is_as_spelt, likeness
        )  # fmt: skip

    def _alike(self, word: _Word, heard: Mapping[str, float], form: _Form, place: int) -> float:
        """How surely a word is that word of a form."""
        sure = heard.get(form.keys[place], 0.0)
        if self.is_syllables:
            return sure * (1.0 if word.accented in (form.accented[place], word.folded) or word.also else _OTHER_ACCENTS)
        is_same_script = word.folded.isascii() == form.folded[place].isascii()
        return sure if is_same_script or word.also or len(word.folded) >= _OWN_SCRIPT else 0.0

    def _with_author(self, found: SaidTitle, words: Sequence[_Word]) -> SaidTitle:
        """The same with whether its author is named outside of it."""
        beside = [word.folded for n, word in enumerate(words) if not found.start <= n < found.end]
        names = self.authors.get(found.book_id, ())
        return replace(found, has_author=any(_is_named(name, beside, whole=self.is_syllables) for name in names))


def _is_named(name: str, words: Sequence[str], *, whole: bool) -> bool:
    """Whether the words hold a folded name, of Vietnamese the whole of it; else the last, nearly as it sounds."""
    if whole:
        return f" {name} " in f" {' '.join(words)} "
    last = title_key(name.split()[-1])
    return any(len(word) >= _NAME and fuzz.ratio(title_key(word), last) >= _NAME_RATIO for word in words)


_NAME, _NAME_RATIO = 4, 80  # letters at least of a last name, and how alike, of 100


@dataclass(frozen=True)
class _Titles:
    words: _Space
    syllables: _Space


# Vietnamese letters that sound alike, or are written for each other in haste.
_SPELT = (
    ("ngh", "ng"),
    ("gh", "g"),
    ("ph", "f"),
    ("qu", "w"),
    ("gi", "d"),
    ("z", "d"),
    ("c", "k"),
    ("q", "k"),
    ("y", "i"),
)


def _syllable(folded: str) -> str:
    """A Vietnamese syllable by its sound, without accents."""
    for spelt, said in _SPELT:
        folded = folded.replace(spelt, said)
    return folded


@of_catalogue.kept
def _titles(conn: psycopg.Connection) -> _Titles:
    works = statements.titles_and_authors(conn)
    sizes = Counter(work.language for work in works)
    rarities: dict[str | None, dict[str, float]] = {}
    for language, size in sizes.items():
        is_own = bool(language) and size >= _FEW
        rarities[language] = _rarities(conn, language if is_own else None, size if is_own else len(works))
    spaces: list[_Space] = []
    for is_syllables in (False, True):
        own = [work for work in works if (work.language == _VIETNAMESE) == is_syllables]
        forms = [form for work in own for form in _forms(work, rarities[work.language])]
        known = [rarities[language] for language in sizes if (language == _VIETNAMESE) == is_syllables]
        authors = {work.book_id: _names(work.authors_text) for work in own}
        spaces.append(_Space(forms, _least(known), authors, is_syllables=is_syllables))
    return _Titles(*spaces)


_VIETNAMESE = "vie"


def _least(rarities: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each key how rare it is where it is least so."""
    least: dict[str, float] = {}
    for own in rarities:
        for key, rarity in own.items():
            least[key] = min(rarity, least.get(key, 1.0))
    return least


def _rarities(conn: psycopg.Connection, language: str | None, total: int) -> dict[str, float]:
    """How rare each word of the records in a language is, by its key: 1 for what stands in one, 0 for what in all."""
    key_of = _syllable if language == _VIETNAMESE else title_key
    total = min(total, statements.MAX_COUNTED)
    counts: Counter[str] = Counter()
    for word, held_by in statements.count_words(conn, language):
        counts[key_of(word)] += held_by
    return {key: max(0.0, log((total + 1) / count) / log(total + 1)) for key, count in counts.items()}


def _names(authors_text: str) -> tuple[str, ...]:
    return tuple(name for author in authors_text.split(", ") if (name := fold_words(author)))


def _forms(work: statements.Titled, rarities: Mapping[str, float]) -> list[_Form]:
    """A title by what it is called by: the whole of it, and what stands before and after a colon or bracket."""
    key_of = _syllable if work.language == _VIETNAMESE else title_key
    first, *others = [part for part in re.split(r"[:(]|\. | or, |, или ", work.title) if part.strip()] or [work.title]
    subtitles = [part for part in others if len(part.split()) > 1]
    forms: list[_Form] = []
    for part in dict.fromkeys((work.title, first, *subtitles)):
        raw = re.findall(r"\w+", part)
        folded = tuple(fold(word) for word in raw)
        keys = tuple(key_of(word) for word in folded)
        weights = tuple(rarities.get(key, 1.0) for key in keys)
        forms.append(_Form(work.book_id, keys, folded, tuple(word.casefold() for word in raw), weights))
    return [form for form in forms if form.keys]
