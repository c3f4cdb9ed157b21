"""The curated works of the demo library, read and checked. Pure apart from reading the files beside it."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from stdnum import isbn as isbn_numbers

from openshelf.errors import IngestError
from openshelf.folding import fold_words

FOLDER = Path(__file__).with_name("demo_library")
LANGUAGES = frozenset({"eng", "vie", "rus", "fra", "deu", "spa", "ita", "por", "pol", "jpn", "zho"})
SHORTEST_BLURB = 120  # characters; less is too little to recommend from
MOST_SUBJECTS = 6
MOST_PAGES = 3_000


@dataclass(frozen=True)
class CuratedWork:
    title: str
    authors: tuple[str, ...]
    year: int  # of publication; negative before our era
    language: str  # ISO 639-3
    subjects: tuple[str, ...]  # the principal one first
    publisher: str
    rating: float  # stars, 0 to 5 in halves
    blurb: str
    isbn: str | None = None
    series: str | None = None
    series_index: float | None = None
    pages: int | None = None  # of a usual edition
    ages: tuple[int, ...] = ()  # of readers, from and to; one number: and older
    themes: tuple[str, ...] = ()  # what it is about, beside its subjects
    moods: tuple[str, ...] = ()  # how it feels, the strongest first

    @property
    def key(self) -> str:
        """What no other work of the catalogue has."""
        return f"{fold_words(self.title)}|{fold_words(' '.join(self.authors))}|{self.language}"


def parse(record: dict[str, Any]) -> CuratedWork:
    """One `[[work]]` table of a file."""
    values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in record.items()}
    return CuratedWork(**values)


def faults(work: CuratedWork, subjects: frozenset[str]) -> list[str]:
    """What is wrong with one work, in words; empty when it is fit to be shown."""
    found = [f"unknown subject {subject!r}" for subject in work.subjects if subject not in subjects]
    if not 1 <= len(work.subjects) <= MOST_SUBJECTS or len(set(work.subjects)) < len(work.subjects):
        found.append(f"subjects must be 1 to {MOST_SUBJECTS} different ones")
    if work.language not in LANGUAGES:
        found.append(f"unknown language {work.language!r}")
    if work.isbn is not None and not isbn_numbers.is_valid(work.isbn):
        found.append(f"ISBN {work.isbn} has a wrong check digit")
    if len(work.blurb) < SHORTEST_BLURB and work.language not in {"jpn", "zho"}:
        found.append(f"the blurb has only {len(work.blurb)} characters")
    if not (0 <= work.rating <= 5 and (work.rating * 2).is_integer()):
        found.append(f"rating {work.rating} is not 0 to 5 in halves")
    if (work.series is None) != (work.series_index is None):
        found.append("series and series_index go together")
    found += _faults_of_appeal(work)
    if not work.title.strip() or not all(author.strip() for author in work.authors):
        found.append("an empty title or author")
    return found


def _faults_of_appeal(work: CuratedWork) -> list[str]:
    found = []
    if work.pages is not None and not 0 < work.pages <= MOST_PAGES:
        found.append(f"{work.pages} pages cannot be")
    if len(work.ages) > 2 or list(work.ages) != sorted(set(work.ages)):
        found.append("ages are a first and a last one")
    if any(len(set(terms)) < len(terms) or not all(terms) for terms in (work.themes, work.moods)):
        found.append("a theme or mood is empty or there twice")
    return found


def check(works: Iterable[CuratedWork], subjects: frozenset[str]) -> None:
    """Raises IngestError naming every fault and every work that is there twice."""
    problems: list[str] = []
    seen: set[str] = set()
    for work in works:
        found = faults(work, subjects)
        if work.key in seen:
            found.append("is there twice")
        seen.add(work.key)
        problems += [f"{work.title}: {fault}" for fault in found]
    if problems:
        raise IngestError(f"the curated catalogue has {len(problems)} faults: {'; '.join(problems)}")


def known_subjects() -> frozenset[str]:
    return frozenset((FOLDER / "subjects.txt").read_text(encoding="utf-8").split("\n")) - {""}


@cache
def load_catalogue() -> tuple[CuratedWork, ...]:
    """All works, file by file.

    Raises:
        IngestError: a curated file does not hold what it should.
    """
    works: list[CuratedWork] = []
    for path in sorted((FOLDER / "works").glob("*.toml")):
        try:
            works += [parse(record) for record in tomllib.loads(path.read_text(encoding="utf-8"))["work"]]
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise IngestError(f"{path.name} cannot be read: {error}. Mend the file.") from error
    check(works, known_subjects())
    return tuple(works)
