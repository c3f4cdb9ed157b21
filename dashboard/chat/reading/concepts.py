"""What a book should be about and feel like: subjects, themes, moods, what to avoid, and the words that are left."""

import re
from collections.abc import Iterator
from dataclasses import replace

from dashboard.chat.lexicon import Concept, Language, lexicon
from dashboard.chat.reading.question import (
    BETWEEN,
    COMPLAINT_WITH_ACCENTS,
    DISMISSED,
    NOT,
    NOT_WITH_ACCENTS,
    Reading,
    Word,
)
from dashboard.chat.reading.wish import Wish

# "Not too sad" leaves room for a little.
_RATHER_LESS = r"\b(?:less|too|much|very|слишком|очень|менее|поменьше|quá|qua|bớt|bot|đỡ|nhiều|nhieu)\b"


# "Nặng quá" of what was just named.
_COMPLAINS = re.compile(r" (?:qua|for me|для меня)\b")


def concepts(reading: Reading, wish: Wish) -> Wish:  # noqa: C901
    """Subjects, themes and moods that the words name, and those to avoid. Longer phrases first."""
    found: list[tuple[int, Concept]] = []
    passing: list[tuple[int, Concept]] = []
    avoided: list[str] = []
    less: list[str] = []
    _pass_over_occasions(reading)
    if reading.take(_BEYOND_ME):
        less.append("difficult")
    for phrase, bare, concept in _phrases(reading):
        while match := _take_phrase(reading, phrase, bare):
            is_complaint = reading.is_answer and not match["no"] and _COMPLAINS.match(reading.original, match.end())
            if is_complaint:
                reading.negate(match, with_accents=not bare and reading.language == "vi")
                less.append(concept.name)
                continue
            if not match["no"] and DISMISSED.match(reading.original, match.end()):
                reading.negate(match, with_accents=not bare and reading.language == "vi")
                avoided.append(concept.name)
                continue
            if not match["no"]:
                (passing if _is_in_passing(reading, match) else found).append((match.start(), concept))
                continue
            reading.negate(match, with_accents=not bare and reading.language == "vi")
            is_mild = re.search(_RATHER_LESS, match["no"]) or (
                concept.kind == "mood" and not re.search(rf"\b(?:{NOT[reading.language]})\b", match["no"])
            )
            (less if is_mild else avoided).append(concept.name)
            while more := reading.take(
                rf"(?<=\0)(?: \|)? (?:or|nor|and|или|и|ни|да|hay|hoac|va) (?:{_alternatives(reading)})"
            ):
                reading.negate(more)
                avoided += [c.name for c in lexicon().concepts if c.any_phrase(reading.language).search(more[0])][:1]
    found += _compared(reading)
    while more := reading.take(r"(?<=\0) (?:or|nor|или|ни|hoac|hay) (?P<word>[^\W\d_]{4,})\b") if avoided else None:
        reading.negate(more)
        wish = replace(wish, avoid_words=(*wish.avoid_words, more["word"]))
    for word in _avoided_words(reading):
        wish = replace(wish, avoid_words=(*wish.avoid_words, word))
    in_passing = {concept.name for _place, concept in passing} - {concept.name for _place, concept in found}
    if not found:
        in_passing = set[str]()  # who asks for nothing else asks for it
    found = sorted((*found, *passing), key=lambda pair: pair[0])
    # To be read at night is not to be read to sleep; and for a child, anything may be.
    if wish.audience == "children" or any(concept.name == "horror" for _place, concept in found):
        found = [each for each in found if each[1].name != "bedtime"]
    known = lexicon()
    found += [(len(reading.folded), known.of(opposite)) for name in less if (opposite := known.of(name).opposite)]
    if wish.is_low and not any(concept.kind == "mood" or concept.name == "humour" for _place, concept in found):
        found += [(len(reading.folded), known.of(name)) for name in ("warm", "hopeful")]
    # "About art, but not by an art historian": what is asked for is not avoided.
    avoided = [name for name in avoided if all(concept.name != name for _place, concept in found)]
    asides = reading.asides() if _is_bounded(wish) else frozenset()
    asked = {concept.name for place, concept in found if reading.sentence_at(place) not in asides}
    in_passing |= {concept.name for _place, concept in found} - asked
    names: dict[str, list[str]] = {"subject": [], "theme": [], "mood": []}
    for _place, concept in found:
        if concept.name not in names[concept.kind] and concept.name not in avoided:
            names[concept.kind].append(concept.name)
    return replace(
        wish,
        subjects=tuple(names["subject"]), themes=tuple(names["theme"]), moods=tuple(names["mood"]),
        passing=tuple(sorted(in_passing)), avoid=tuple(dict.fromkeys(avoided)), less=tuple(dict.fromkeys(less)),
    )  # fmt: skip


_ABOUT = re.compile(
    r"\b(?:about|books? on|set in|set at|featuring|про|о|об|обо|ve|chu de|de tai|sach|truyen|tieu thuyet|tho)"
    r"(?: (?:the|a|an|my|his|her|their|how|being|old|young|life in|cac|nhung|nguoi))* $"
)
_KIND = re.compile(r" (?:stories|story|novels?|books?|tales|fiction|memoirs?|life|lives|poems?|poetry|mysteries)\b")


def _is_in_passing(reading: Reading, match: re.Match[str]) -> bool:
    """Whether what a phrase names may be told of who asks: "summer", "my wife", "school" but not "about school"."""
    if not lexicon().passing[reading.language].fullmatch(match[0].strip()):
        return False
    before, after = reading.original[: match.start()], reading.original[match.end() :]
    return not (_ABOUT.search(before) or _KIND.match(after))


_SHORT_BASE = 3
# What says that something was too hard.
_BEYOND_ME = (
    r"\b(?:(?:these|those|they|it|all|that) (?:are|is|s|re|was|were|went|go|goes|flew) )?(?:way |far |all |right "
    r"|just )?(?:over|above)"
    r" my head\b|\bbeyond me\b|\bout of my depth\b|\bloses? me\b|\blost me\b|\b(?:can t|couldn t|cannot"
    r"|didn t) follow\b"
    r"|\bне по зубам\b|\bничего не (?:понял\w*|понятно)\b|\bслишком заумн\w+|\bне осилил\w*"
    r"|\b(?:doc )?khong hieu (?:gi|noi)\b|\bnhuc dau qua\b|\bcao sieu qua\b|\bkho nuot\b"
)


def _compared(reading: Reading) -> Iterator[tuple[int, Concept]]:
    """What English comparatives ask for, by the word they are made of: "sillier", "gentlest"."""
    for word in reading.rest() if reading.language == "en" else ():
        base = re.sub(r"(?:er|est)$", "", word.folded)
        if base == word.folded or len(base) < _SHORT_BASE:
            continue
        bases = {base, f"{base}e", re.sub("i$", "y", base), base[:-1] if base[-1] == base[-2] else base}
        for concept in lexicon().concepts:
            if any(phrase.folded in bases for phrase in concept.asked["en"]):
                reading.take(rf"\b{word.folded}\b")
                yield len(reading.folded), concept
                break


def _pass_over_occasions(reading: Reading) -> None:
    """ "On the plane", "waiting for the bus": in Vietnamese of syllables that elsewhere name what a book is about."""
    for phrase in lexicon().occasions if reading.language == "vi" else ():
        pattern = phrase.pattern if reading.has_accents else phrase.bare
        while pattern and reading.take(pattern, with_accents=reading.has_accents):
            pass


def _take_phrase(reading: Reading, phrase: str, bare: bool) -> re.Match[str] | None:
    """A phrase, with the "no" before it if there is one."""
    no, between = reading.no, BETWEEN
    if not bare and reading.language == "vi":
        no = NOT_WITH_ACCENTS + (f"|{COMPLAINT_WITH_ACCENTS}" if reading.is_answer else "")
        between = "(?:(?:quá|nhiều|về|có|nào|ai|hay|kiểu|loại|dạy|toàn|phải|mấy|là|truyện|sách) )*"
    # "Без пошлости и чернухи": what is joined to something that is not wanted.
    joined = r"(?:без|without|no) [^\W\d_]{4,} (?:и|или|ни|and|or|nor) "
    return reading.take(
        rf"(?P<no>\b(?:(?:{no}) {between}|{joined}))?(?:{phrase})", with_accents=not bare and reading.language == "vi"
    )


def _phrases(reading: Reading) -> Iterator[tuple[str, bool, Concept]]:
    """(pattern, whether it is for the text without accents, concept), the longest first, of concepts that are there."""
    bare = reading.language == "vi" and not reading.has_accents
    with_accents = reading.language == "vi" and reading.has_accents
    languages: tuple[Language, ...] = (reading.language,) if reading.language == "en" else (reading.language, "en")
    there: list[tuple[int, str, bool, Concept]] = []
    for concept in lexicon().concepts:
        for language in languages:
            accents = with_accents  # "sống" is no "song"
            any_phrase = concept.any_asked(language, bare=bare and language == "vi")
            if not any_phrase.search(reading.written[accents]):
                continue
            for phrase in concept.asked[language]:
                pattern = phrase.bare if bare and language == "vi" else phrase.pattern
                # English in a Vietnamese sentence: only words that are no syllable of it.
                if pattern and (language != "en" or reading.language != "vi" or phrase.length >= 5):
                    there.append((phrase.length, pattern, not accents, concept))
    # Of two concepts of one name the subject comes first: it is the surer.
    there.sort(key=lambda each: (-each[0], ("subject", "theme", "mood").index(each[3].kind)))
    for _length, pattern, is_bare, concept in there:
        yield pattern, is_bare, concept


def _alternatives(reading: Reading) -> str:
    return "|".join(concept.any_phrase(reading.language).pattern for concept in lexicon().concepts)


def _avoided_words(reading: Reading) -> Iterator[str]:
    """ "No superheroes": words of no concept that must not stand in a record."""
    marks = {"en": r"no|without|avoid|except", "vi": r"khong co|tru|dung co", "ru": r"без|кроме"}[reading.language]
    # "Món Tây ngán lắm": what is said before it.
    while match := reading.take(r"\b(?P<word>[^\W\d_]{3,}) (?:ngan|chan)(?: (?:lam|roi))+\b"):
        reading.negate(match)
        yield match["word"]
    while match := reading.take(rf"\b(?:{marks}) (?:any |the |a )?(?P<words>[^\W\d_]{{3,}}(?: [^\W\d_]{{3,}})?)\b"):
        reading.negate(match)
        said = [word for word in match["words"].split() if word not in lexicon().silent[reading.language]]
        yield from said


def _is_bounded(wish: Wish) -> bool:
    """Whether it says how a book must be, so that who asks may tell more beside that."""
    return wish.is_measured or wish.is_young or bool(wish.audience or wish.written_in)


def words_left(reading: Reading, wish: Wish) -> Wish:
    """What is left: the words that a record should hold; and whether more of the same is asked for."""
    more = {
        "en": r"\b(?:(?<!or )more(?! than\b)|another|else|others|other ones|different|next)\b",
        "vi": r"\b(?:them|nua|khac)\b",
        "ru": r"\b(?:еще|друг(?:ое|ие|ую|ои|их))\b",
    }[reading.language]
    is_more = bool(re.search(more, " ".join(word.folded for word in reading.words)))
    capitals_say_nothing = reading.is_title_case()
    rest = reading.rest()
    runs: list[list[Word]] = [[]]  # of words that follow each other
    names: list[str] = []
    # Without accents a few syllables may be a name, though each of them could be an idle word.
    says_all = reading.language == "vi" and not reading.has_accents and len(rest) == len(reading.words) <= 3
    for n, word in enumerate(rest):
        is_first = word is reading.words[0] or word.begins
        next_is_name = n + 1 < len(rest) and rest[n + 1].raw[0].isupper()
        is_name = (
            word.raw[0].isupper()
            and word.folded not in lexicon().in_capitals
            and not capitals_say_nothing
            and len(word.raw) > 1
            and (
                not is_first
                # "Emma" and "It", but not "Another one" and "Something shorter".
                or len(reading.words) == 1
                or (len(reading.words) <= 3 and not reading.is_silent(word))
                or (reading.language == "vi" and next_is_name)
            )
        )
        if (reading.is_silent(word) and not is_name and not says_all) or (len(word.folded) < 2 and not is_name):
            runs.append([])
            continue
        # A name ends where its capitals end: "phố cổ Hội An".
        follows = (
            runs[-1]
            and reading.words.index(runs[-1][-1]) + 1 == reading.words.index(word)
            and is_name == (runs[-1][-1].folded in names)
        )
        runs[-1 if follows else len(runs) :] = [[*runs[-1], word]] if follows else [[word]]
        if is_name:
            names.append(word.folded)
    if reading.language == "vi":
        # Its words are of several syllables: what stands together is looked for together.
        words = [" ".join(word.accented if reading.has_accents else word.folded for word in run) for run in runs if run]
    else:
        words = [word.folded for run in runs for word in run]
    asides = reading.asides() if _is_bounded(wish) else frozenset()
    parted = [run for run in runs if run] if reading.language == "vi" else [[word] for run in runs for word in run]
    spoken = [
        (word, reading.sentence_at(reading.place_of(run[0])) in asides) for word, run in zip(words, parted, strict=True)
    ]
    words = [word for word, is_aside in spoken if not is_aside or word in names]
    in_passing = [word for word, is_aside in spoken if is_aside and word in names]
    return replace(
        wish,
        passing=tuple(dict.fromkeys((*wish.passing, *in_passing))),
        words=tuple(dict.fromkeys(words)),
        names=tuple(dict.fromkeys(names)),
        is_more=wish.is_more or is_more,
    )
