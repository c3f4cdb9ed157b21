"""What a record says of its work: its text as it is searched, the ages of its readers, whether it is short or long."""

import re
from dataclasses import dataclass
from functools import lru_cache

from dashboard.chat.lexicon import CODES, Language, Spaced, concepts_of_term, spaced
from dashboard.chat.reading.numbers import YEARS, last_number
from dashboard.chat.reading.wish import LONG, SHORT
from openshelf.database.appeal import OLDEST
from openshelf.database.search import Record

NO_STORIES = frozenset(
    [
        "poetry",
        "drama",
        "essays",
        "history",
        "biography",
        "memoir",
        "politics",
        "society",
        "philosophy",
        "religion",
        "psychology",
        "economics",
        "business",
        "education",
        "language",
        "science",
        "mathematics",
        "physics",
        "astronomy",
        "biology",
        "nature",
        "environment",
        "medicine",
        "health",
        "technology",
        "computing",
        "engineering",
        "art",
        "architecture",
        "design",
        "music",
        "film",
        "photography",
        "cooking",
        "gardening",
        "crafts",
        "parenting",
        "sport",
        "travel",
    ]
)
LANGUAGE_OF: dict[str, Language] = {code: language for language, code in CODES.items()}


@dataclass(frozen=True)
class View:
    """A record as it is searched."""

    record: Record
    names: Spaced
    blurb: Spaced
    subjects: tuple[str, ...]
    terms: dict[str, float]  # names of the themes and moods that its source gives it: how much it is so, 0 to 1

    @classmethod
    @lru_cache(maxsize=4_000)  # of the catalogue alone
    def of(cls, record: Record) -> "View":
        names = f"{record.title} . {record.authors_text} . {record.series_name or ''}"
        subjects = tuple(s.strip().casefold() for s in record.subjects_text.split(", ") if s.strip())
        terms: dict[str, float] = {}
        for said in (record.themes, record.moods):
            for place, term in enumerate(said):
                for name in concepts_of_term(term):
                    terms.setdefault(name, max(0.7, 1.0 - 0.06 * place))
        return cls(record, Spaced.of(names), Spaced.of(record.summary or ""), subjects, terms)


def readers_of(record: Record) -> tuple[int, int] | None:
    """The ages of readers, in years, that its record or else its blurb names; None where they name none."""
    if record.age_from is not None:
        return record.age_from, OLDEST if record.age_to is None else record.age_to
    return ages(record.summary or "")


_AGES = re.compile(
    rf"\b(?P<a>{YEARS})(?: years?)? (?:to|and|or) (?:about )?(?P<b>{YEARS})(?: years?)?(?: olds?)?\b"
    rf"|\bfrom (?P<c>{YEARS}) years? up to (?:\w+ ){{0,4}}(?P<d>{YEARS})\b"
    rf"|\b(?:from|ages?|aged|of|at|for|over|until)(?: about| around| the age of"
    rf"| age)? (?P<from>{YEARS})\b(?! (?:(?:years? )?(?:to|and|or) (?:about )?{YEARS}\b|years (?:ago|of)|different"
    rf"|generations|lives|short|long|women|men|sisters"
    rf"|brothers))"
    rf"|\b(?P<olds>{YEARS}) years? olds\b|\bunder (?P<under>{YEARS})\b|\bup to (?:about )?(?P<upto>{YEARS})\b"
    rf"|\bот (?P<ra>{YEARS}) до (?P<rb>{YEARS})(?: лет)?\b|\b(?:с|от|лет с|для) (?P<rfrom>{YEARS})(?: лет)?\b(?! до)"
    rf"|\btu (?P<va>{YEARS}) (?:den|toi) (?P<vb>{YEARS}) tuoi|\b(?:tu|tren|khoang) (?P<vfrom>{YEARS}) tuoi"
    r"|\b(?P<small>дошкольник\w*|малыш\w*|toddlers|babies)\b"
)
_OF_READERS = re.compile(
    r"\b(?:ages?|aged|read|reads|reader|readers|reading|suits?|children|aloud|listeners|for|olds|tuoi|лет|детям|читател"
    r"|чтени|читать)\b"
)


def ages(summary: str) -> tuple[int, int] | None:
    """The ages of readers that a blurb names, in years; None where it names none."""
    for sentence in re.split(r"(?<=[.!?;])\s", summary):
        folded = spaced(sentence).replace("|", " ")
        folded = " ".join(folded.split())
        match = _AGES.search(folded)
        if not match or not _OF_READERS.search(folded):
            continue
        if match["small"]:
            return 2, 6
        found = {name: last_number(said) for name, said in match.groupdict().items() if said}
        low = next((found[k] for k in ("a", "c", "from", "olds", "ra", "rfrom", "va", "vfrom") if k in found), 0)
        high = next((found[k] for k in ("b", "d", "under", "upto", "rb", "vb") if k in found), low + 5)
        if 0 <= low <= 18 and low <= high <= 24:
            return low, high
    return None


_SHORT = re.compile(
    r"(?:^|\| )(?:short|brief|slim|compact|concise)\b|\b(?:very |and )(?:short|brief|slim|compact)\b"
    r"|\b(?:short|brief|slim|slender|compact|small|little|tiny|thin) (?:\w+ )?(?:novels?|books?|read|text|essay"
    r"|story|volume|memoir|study|tale|account|play|lectures?|fable|classic|masterpiece)\b"
    r"|\bnovella\b|\bin (?:one|a single) (?:sitting|evening|afternoon|breath)\b|\b(?:few|hundred) pages\b"
    r"|\b(?:tap|cuon|sach|van|truyen|ky|chuyen) (?:\w+ )?(?:mong|ngan|nho)\b|\b(?:ngan gon|co dong|doc gon|gon)\b"
    r"|\b(?:повест\w*|небольш\w*|коротк\w*|невелик\w*|притч\w*|тоненьк\w*|кратк\w*)\b"
)
_LONG = re.compile(
    r"\b(?:(?:very |a |this )long (?:novel|book|read|story|tale|poem)|long novel|longest|huge|vast|sprawling|epic"
    r"|panoramic|immense|enormous|massive|saga|generations|monumental|doorstopper|thick|leisurely|capacious"
    r"|hundreds of pages|pages long|many voiced|teeming|grand"
    r"|do so|dai hoi|truong thien|bo tieu thuyet|nhieu tap|hang nghin trang|tieu thuyet dai|day dan|su thi"
    r"|эпопе\w*|многотомн\w*|длинн\w*|объемн\w*|панорам\w*|сага|саги|толст\w+ роман|эпическ\w*|поколени\w*)\b"
)


def length_of(record: Record) -> str | None:
    """Whether a work is short or long: by its pages; where they are not known, by what its record says, if anything."""
    if record.pages:
        return "short" if record.pages <= 1.15 * SHORT else "long" if record.pages >= 0.85 * LONG else None
    blurb = spaced(record.summary or "")
    subjects = record.subjects_text.split(", ")
    is_short = bool(_SHORT.search(blurb)) or bool({"picture books", "short stories"} & set(subjects))
    is_long = bool(_LONG.search(blurb))
    return None if is_short == is_long else "short" if is_short else "long"
