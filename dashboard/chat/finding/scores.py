"""How much speaks for answering a wish with a record: the evidence piece by piece, its weights, and what is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log

from dashboard.chat.finding.record import LANGUAGE_OF, NO_STORIES, View, length_of, readers_of
from dashboard.chat.finding.resolve import Ask, Unit, closeness
from dashboard.chat.lexicon import CODES, Concept, Language, compiled, form_pattern, lexicon
from dashboard.chat.reading.wish import ANY_LANGUAGE, LONG, SHORT, Wish
from openshelf.database.audiences import AUDIENCES
from openshelf.database.search import Record
from openshelf.folding import fold_words

_NEAR_MOOD = 0.5
# Where a unit stands: in title, author, series or subjects; in the blurb.
_IN_NAMES, _IN_BLURB = 1.0, 0.7
_TITLE_ENOUGH = 0.4  # from here on a title is said so surely that the work answers
# Moods that say what a work is good for.
_USES = frozenset(("practical", "easy", "difficult"))
# Subjects that say for whom a work is, or of what renown, but not what it is.
_FORMLESS = frozenset((*AUDIENCES, "picture books", "classics"))
# A country is also meant by its language.
_COUNTRIES = {
    "Russia": "rus", "Vietnam": "vie", "Paris": "fra", "Germany": "deu", "Italy": "ita", "Japan": "jpn",
    "China": "zho",
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One work that was looked at: how strongly the evidence speaks for it, and whether it answers at all.

    `holds`: names of the subjects, themes, moods and words of the wish that its record holds; `lacks`: the others;
    `pieces`: the evidence piece by piece, without the weights; `is_meant`: it answers by its name, or its author's, or
    as the like of a book that was named; `signs`: what else speaks for answering with it, see `ENOUGH`.
    """

    record: Record
    evidence: float
    answers: bool
    coverage: float
    cosine: float
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    pieces: Mapping[str, float] = field(default_factory=dict)
    is_meant: bool = False
    signs: Mapping[str, float] = field(default_factory=dict)


# How much each piece of evidence speaks for a work. Fitted to the questions that the librarian may be tuned on, by
# comparing works that answer with works that do not.
WEIGHTS: dict[str, float] = {
    "nearness": 1.4, "gist": 2.5, "coverage": 2.0, "heard": 0.8, "alike": 1.0, "by likely author": 1.5,
    "in series": 1.2, "titled": 3.0, "title said": 4.0, "principal subject": 0.4, "rating": 0.1, "own language": 2.0,
    "length": 1.25, "thickness": 0.6, "age": 3.0, "later in its series": -0.1, "for children": -0.3, "no story": -0.55,
    "too much of": -0.3,
}  # fmt: skip


def weigh(ask: Ask, view: View, cosine: float) -> Candidate:
    """The evidence that this record answers, and whether it is enough."""
    wish, record = ask.wish, view.record
    language = LANGUAGE_OF.get(record.language or "")
    shares = {unit.name: _share(unit, view, language, ask.nearest) for unit in ask.units}
    known = _known_share(wish)
    total = sum(unit.weight for unit in ask.units) + known
    held = sum(unit.weight * shares[unit.name] for unit in ask.units)
    coverage = (held + known) / total if total else 0.0
    if language in ("vi", "ru") and (ask.like or wish.language != "en"):
        cosine = 0.0  # the encoder reads no Vietnamese or Russian: to it, all of it is alike
    by_likely = bool(ask.likely_authors & {*record.authors})
    in_series = record.series_name in ask.series if record.series_name else False
    is_titled = ask.names(record)
    is_named = bool(wish.named) and all(
        compiled(rf"\b{form_pattern(word)}\b").search(view.names.folded) for word in fold_words(wish.named).split()
    )
    in_series = in_series or is_named
    alike = _likeness(ask, view) if ask.like else 0.0
    principal = view.subjects[0] if view.subjects else ""
    is_later = record.series_name and (record.series_index or 1) > 1
    asks_for_it = in_series or by_likely or is_titled or ask.authors or _has_series(ask.like, record)
    for_grown = wish.audience is None and not wish.is_young and not ask.like and not is_titled
    evidence = {
        "nearness": cosine,
        "gist": _gist(ask, view),
        "coverage": held / (total - known) if ask.units else 0.0,
        # What is said around the name of a book is talk.
        "heard": 0.0 if ask.like else _heard(ask, view),
        "alike": alike,
        "by likely author": by_likely,
        "in series": in_series,
        "titled": is_titled,
        "title said": ask.titles.get(record.book_id, 0.0),
        "principal subject": principal in wish.subjects,
        "rating": ((record.rating or 4.0) - 4.0),
        "own language": not wish.written_in
        and (record.language in (CODES[wish.language], wish.also_in) or wish.also_in == ANY_LANGUAGE),
        "length": _of_length(wish, record),
        "thickness": _thickness(wish, record),
        "age": _of_age(wish, record),
        # A series is begun at its beginning.
        "later in its series": ((record.series_index or 1) - 1 if in_series else not asks_for_it) if is_later else 0,
        # Who asks for no child, asks for a grown-up.
        "for children": for_grown and record.audience == "children",
        "no story": (wish.is_story or wish.is_true)
        and (principal in NO_STORIES) == wish.is_story
        and principal not in wish.subjects,
        "too much of": sum(
            name in view.subjects or name in view.terms or lexicon().of(name).stands_in(view.blurb, language or "en")
            for name in wish.less
        ),
    }
    is_meant = (
        is_titled
        or by_likely
        or in_series
        or ask.titles.get(record.book_id, 0.0) >= _TITLE_ENOUGH
        # What is said about an author may be talk; a subject is not.
        or (bool(ask.authors) and (held > 0 or not any(unit.concept for unit in ask.units)))
        or bool(ask.like)
    )
    signs = _signs(ask, view, shares, cosine) if ask.units else {}
    answers = (
        is_meant
        or (not ask.units and not ask.like and not wish.named and _says_so(wish, record))
        or (bool(ask.units) and _is_enough(signs))
    )
    if ask.titled is not None and not is_titled and not in_series and (wish.named or wish.meant):
        answers = False  # "do you have Emma?" is not answered by books like it
    return Candidate(
        record, round(sum(WEIGHTS[name] * float(value) for name, value in evidence.items()), 4), answers,
        round(coverage, 3), round(cosine, 3),
        tuple(name for name, share in shares.items() if share), tuple(n for n, share in shares.items() if not share),
        {name: round(float(value), 4) for name, value in evidence.items() if value}, is_meant, signs,
    )  # fmt: skip


def _gist(ask: Ask, view: View) -> float:
    """How near in meaning the question is to what the record is filed under, whatever language the record is in."""
    if ask.toward is None:
        return 0.0
    terms = {**dict.fromkeys((name for name in view.subjects if name not in _FORMLESS), 1.0), **view.terms}
    weights = [(ask.toward[name], weight) for name, weight in terms.items() if name in ask.toward]
    if not weights:
        return 0.0
    best = sorted((cosine * weight for cosine, weight in weights), reverse=True)[:3]
    return sum(best) / 3


def _thickness(wish: Wish, record: Record) -> float:
    """Of works that are long enough, how long: the longest is what was asked for; twice as long is 1 more.

    Of short ones the shortest only where it says so, and then how short counts for more.
    """
    if not record.pages or wish.length is None or not (wish.length == "long" or wish.is_extreme):
        return 0.0
    doubled = (
        log(max(record.pages, 50) / LONG) / log(2) if wish.length == "long" else log(SHORT / record.pages) / log(2)
    )
    return doubled * (_EXTREME if wish.is_extreme else 1.0)


_EXTREME = 2.5


def _has_series(liked: Sequence[Record], record: Record) -> bool:
    return any(each.series_name == record.series_name for each in liked)


def _is_enough(signs: Mapping[str, float]) -> bool:
    """Whether a record holds, or is near to, enough of what was asked."""
    return sum(ENOUGH[name] * value for name, value in signs.items()) > 0


# What speaks for answering with a record, and what against it. Fitted to the questions that the librarian may be tuned
# on: whether any record answers, by logistic regression on the best record of each (benchmarks/chat_floor.py).
ENOUGH: dict[str, float] = {
    "one": 2.35, "topics": 1.4, "missing topics": -1.4, "moods": 1.4, "words": 0.8, "missing words": -1.95,
    "names": 1.2, "missing names": -2.4, "unknown name": -2.05, "nearness": 1.45, "known": 1.15,
    "teaches": -1.85, "terse": -2.05, "in Russian": 1.15,
}  # fmt: skip


def _signs(ask: Ask, view: View, shares: Mapping[str, float], cosine: float) -> dict[str, float]:
    """What a record holds and lacks of the units of a wish: the evidence for answering with it at all."""
    wish = ask.wish
    language = LANGUAGE_OF.get(view.record.language or "")
    concepts = [unit.concept for unit in ask.units if unit.concept]
    topics = [shares[each.name] for each in concepts if each.kind != "mood" and each.name != "learning"]
    meant = [
        shares[each.name] for each in concepts if each.kind != "mood" and each.name not in ("learning", *wish.passing)
    ]
    moods = [shares[each.name] for each in concepts if each.kind == "mood" and each.name not in _USES]
    said = [unit for unit in ask.units if unit.word]
    # What a word is nearest to is no proof that a record holds it.
    literal = {u.name: _share(u, view, language, {}) if ask.nearest else shares[u.name] for u in said}
    names = [(unit.rarity, literal[unit.name]) for unit in said if unit.is_name]
    words = [(unit.rarity, literal[unit.name]) for unit in said if not unit.is_name]
    asked_names = [(u.rarity, literal[u.name]) for u in said if u.is_name and u.name not in wish.passing]
    asked_words = [(u.rarity, literal[u.name]) for u in said if not u.is_name and u.name not in wish.passing]
    return {
        "one": 1.0,
        "topics": min(3.0, sum(topics)),
        "missing topics": min(2.0, sum(1 - share for share in meant)),
        "moods": min(1.0, sum(moods)),
        "words": _fading([rarity * share for rarity, share in words]),
        "missing words": ask.terse * _fading([rarity * (1 - share) for rarity, share in asked_words]),
        "names": min(1.0, sum(share for _rarity, share in names)),
        "missing names": min(1.5, sum(rarity * (1 - share) for rarity, share in asked_names)),
        "unknown name": float(any(rarity == 1.0 for rarity, _share in asked_names)),
        # To a question in another language nearness is that of our own words for its topics.
        "nearness": max(0.0, cosine - 0.2) if wish.language == "en" else 0.0,
        "known": min(1.5, _known_share(wish) + (wish.written_in not in (None, CODES[wish.language]))),
        "teaches": float(wish.teaches),
        # Who says little means each word of it.
        "terse": ask.terse,
        # Of Vietnamese words that stand together one piece is made; of Russian ones each may be missing.
        "in Russian": float(wish.language == "ru"),
    }


def _fading(values: Sequence[float]) -> float:
    """The sum of values of which each next smaller one counts less."""
    return sum(value * 0.6**n for n, value in enumerate(sorted(values, reverse=True)))


def _share(unit: Unit, view: View, language: Language | None, nearest: Mapping[str, float]) -> float:
    """How much of one unit a record holds, 0 to 1."""
    if unit.concept is not None:
        return _share_of_concept(unit.concept, view, language or "en")
    if unit.language == "vi":
        own = _share_of_run(unit.word, view)
    else:
        forms = " ".join(form_pattern(word) for word in fold_words(unit.word).split())
        pattern = compiled(rf"\b{forms}\b")
        is_named = pattern.search(view.names.folded) or any(
            pattern.search(name) for name in (*view.subjects, *view.terms)
        )
        own = _IN_NAMES if is_named else _IN_BLURB if pattern.search(view.blurb.folded) else 0.0
    if unit.is_name:
        return own
    return max(
        own,
        max(
            (near * _share_of_concept(lexicon().of(name), view, language or "en") for name, near in nearest.items()),
            default=0.0,
        ),
    )


def _share_of_concept(concept: Concept, view: View, read: Language) -> float:
    """How much a record is about a subject or theme, or feels so: by what it is filed under, else by its words."""
    name = concept.name
    if name in view.subjects:
        return 1.0
    if name in view.terms:
        return view.terms[name]
    narrower = max((view.terms.get(kind, 0.9 * (kind in view.subjects)) for kind in concept.includes), default=0.0)
    near = max((view.terms.get(kind, float(kind in view.subjects)) for kind in concept.near), default=0.0)
    return max(0.9 * narrower, _NEAR_MOOD * near, _share_of_words(concept, view, read))


def _share_of_words(concept: Concept, view: View, read: Language) -> float:
    """How much the words of a record and its neighbourhood speak of something."""
    name = concept.name
    if _COUNTRIES.get(name) == view.record.language and view.record.language:
        return 0.8
    # Who filed a record under terms would have said so; its words may say it in passing.
    is_filed = bool(view.record.moods if concept.kind == "mood" else view.record.themes)
    if concept.kind != "mood" and concept.stands_in(view.names, read):
        return 0.7 if is_filed else _IN_NAMES
    in_blurb = concept.stands_in(view.blurb, read)
    if concept.subject in view.subjects:
        return 0.9 if in_blurb else 0.5 if is_filed else 0.6
    if concept.kind == "subject":
        return 0.4 if in_blurb else 0.0
    return (0.6 if is_filed else 0.9) if in_blurb else 0.0


def _share_of_run(run: str, view: View) -> float:
    """Of Vietnamese syllables that stand together, the share of pairs that stand together in the record."""
    is_accented = run != fold_words(run)
    syllables = run.split()
    pairs = [" ".join(pair) for pair in pairwise(syllables)] or syllables
    # One syllable stands in many words, without its accent in most of them.
    sure = 1.0 if len(syllables) > 1 else 0.6 if is_accented else 0.3
    names, blurb = (text.accented if is_accented else text.folded for text in (view.names, view.blurb))
    found = [
        _IN_NAMES if f" {pair} " in f" {names} " else _IN_BLURB if f" {pair} " in f" {blurb} " else 0.0
        for pair in pairs
    ]
    return sure * sum(found) / len(found)


def _heard(ask: Ask, view: View) -> float:
    """Of the words said, the share that the record holds itself; rare words weigh more."""
    total = sum(ask.heard.values())
    if not total:
        return 0.0
    if ask.wish.language == "vi":
        return _share_of_run(" ".join(ask.heard), view)
    found = 0.0
    for word, rarity in ask.heard.items():
        pattern = compiled(rf"\b{form_pattern(fold_words(word))}\b")
        if pattern.search(view.names.folded):
            found += rarity
        elif pattern.search(view.blurb.folded):
            found += _IN_BLURB * rarity
    return found / total


# What makes one work like another, and how much. Fitted to the questions that the librarian may be tuned on, by
# comparing works that answer with works that do not (multinomial logit beside the other evidence).
LIKENESS: dict[str, float] = {
    "of the same": 13.3, "in the same mood": 4.75, "shared subjects": 1.2, "same readers": 3.2, "same author": 2.4,
    "reader's language": 8.5, "both tell a story": 1.4, "years apart": -1.8,
}  # fmt: skip


def _likeness(ask: Ask, view: View) -> float:
    """How like a record is to the nearest of the works that were named."""
    return max(
        sum(LIKENESS[name] * float(value) for name, value in _alike(ask, liked, view).items())
        for liked in map(View.of, ask.like)
    )


def _alike(ask: Ask, liked: View, view: View) -> dict[str, float]:
    """What a record has in common with a work that was named, piece by piece."""
    one, other = liked.record, view.record
    subjects, others = _about(liked.subjects), _about(view.subjects)
    return {
        "of the same": _in_common(
            subjects | _of_kind(liked.terms, is_mood=False), others | _of_kind(view.terms, is_mood=False), ask.rarity
        ),
        "in the same mood": _in_common(
            _of_kind(liked.terms, is_mood=True), _of_kind(view.terms, is_mood=True), ask.rarity
        ),
        "shared subjects": len(subjects.keys() & others.keys()),
        "same readers": one.audience == other.audience,
        "same author": bool({*one.authors} & {*other.authors}),
        "reader's language": other.language == (ask.wish.written_in or CODES[ask.wish.language]),
        "both tell a story": _tells_a_story(liked) == _tells_a_story(view),
        "years apart": _years_apart(one, other),
    }


def _years_apart(one: Record, other: Record) -> float:
    """How far apart in time, 0 to 1 for 150 years and more."""
    if one.year is None or other.year is None:
        return 0.3
    return min(abs(one.year - other.year), 150) / 150


def _principal(view: View) -> str:
    return next((name for name in view.subjects if name not in _FORMLESS), "")


def _tells_a_story(view: View) -> bool:
    return _principal(view) not in NO_STORIES


def _about(subjects: Sequence[str]) -> dict[str, float]:
    """Subjects with their weights, without those that only say for whom it is: the principal one says most."""
    return {name: 1.0 / (1 + 0.2 * n) for n, name in enumerate(subjects) if name not in _FORMLESS}


def _of_kind(terms: Mapping[str, float], *, is_mood: bool) -> dict[str, float]:
    return {name: share for name, share in terms.items() if (lexicon().of(name).kind == "mood") == is_mood}


def _in_common(one: Mapping[str, float], other: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """How much of each of two weighed sets of names the other has, or something near to it in meaning, 0 to 1.

    What few works have weighs more.
    """
    if not one or not other:
        return 0.0
    return (_found_in(one, other, rarity) + _found_in(other, one, rarity)) / 2


def _found_in(one: Mapping[str, float], other: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    weights = {name: weight * rarity.get(name, 1.0) for name, weight in one.items()}
    found = sum(
        weight * max(closeness(name, kin) * share for kin, share in other.items()) for name, weight in weights.items()
    )
    return found / sum(weights.values())


def _says_so(wish: Wish, record: Record) -> bool:
    """Whether a wish of a length alone is met by the record's own words."""
    return wish.length is None or length_of(record) == wish.length


def _of_length(wish: Wish, record: Record) -> float:
    """1 for the length that was asked for, down to -1 for one that is far from it."""
    if not wish.is_measured:
        return 0.0
    if record.pages:
        # How far beyond a bound, in shares of it: twice as long is as wrong as half as long.
        most = wish.max_pages or (SHORT if wish.length == "short" else record.pages)
        least = wish.min_pages or (LONG if wish.length == "long" else record.pages)
        beyond = max(record.pages / most, least / record.pages)
        return 1.0 if beyond <= 1 else max(-1.0, 1.0 - 2.5 * (beyond - 1))
    said = length_of(record)
    return 0.7 if said == wish.length else -0.7 if said else 0.0


def _of_age(wish: Wish, record: Record) -> float:
    """How well it suits a reader's age: best in the first half of the years it is for."""
    span = readers_of(record)
    if wish.age is None and wish.audience == "young adult":
        return -0.5 if record.audience == "adult" else -0.1 * (record.audience == "children")
    if wish.is_young and not span:
        return -0.2 * (record.audience == "adult")  # it may be easy, but nobody says that it is for the young
    age = wish.age if wish.is_young else None
    if not span or age is None or not span[0] <= age <= span[1]:
        return 0.0
    middle = span[0] + min(span[1] - span[0], 5) / 2
    grown = 0.4 * (record.audience == "adult")
    return 0.5 - 0.08 * abs(age - middle) - grown


def _known_share(wish: Wish) -> float:
    """What a wish asks for that is no matter of words and that each work looked at fulfils: it counts as found."""
    return (
        1.0 * (wish.is_young or wish.audience is not None) + 1.0 * wish.is_measured
        + 0.5 * bool(wish.year_from or wish.year_to) + 0.5 * bool(wish.by_women)
        + 0.4 * (wish.is_translated or wish.is_native)
    )  # fmt: skip
