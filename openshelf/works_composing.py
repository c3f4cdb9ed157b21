"""One work told from its editions. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from openshelf import subjects as scheme
from openshelf.database.appeal import Appeal
from openshelf.database.ingestion import ActiveEdition, WorkRow
from openshelf.folding import fold, fold_words
from openshelf.works_alike import without_note

# Postgres refuses a search vector of more than 1 MB; nobody searches for what stands so far back.
MOST_INDEXED = 60_000  # characters of folded summary
_FAMILY_FIRST = frozenset({"vie", "zho", "jpn", "kor", "hun"})
EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")  # names so written begin with the family's
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})
_CHILDREN = re.compile(r"\b(children|picture books?|juvenile|kids|kinder|jeunesse|thieu nhi|детям|детск\w*)\b")
_YOUNG_ADULT = re.compile(r"\b(young adult|teens?|teenage|подростк\w*)\b")


@dataclass(frozen=True)
class Author:
    name: str
    sort: str


def author_sort(name: str, language_code: str | None) -> str:
    """What a person is filed under: 'Ursula K. Le Guin' -> 'Guin, Ursula K. Le', family names that come first stay."""
    words = name.split()
    if "," in name or len(words) < 2 or language_code in _FAMILY_FIRST or EAST_ASIAN.search(name):
        return name
    last = -2 if len(words) > 2 and fold_words(words[-1]) in _SUFFIXES else -1
    return f"{' '.join(words[last:])}, {' '.join(words[:last])}"


def audience(subjects: Iterable[str]) -> str:
    """'children', 'young adult' or 'adult', from the subjects."""
    # Folded text has и for й: the patterns above are written that way too.
    folded = " ; ".join(fold_words(subject) for subject in subjects)
    if _YOUNG_ADULT.search(folded):
        return "young adult"
    return "children" if _CHILDREN.search(folded) else "adult"


def primary(editions: Sequence[ActiveEdition]) -> ActiveEdition:
    """The edition that speaks for the work: with a plain title, a cover and a summary if there is one, the oldest."""
    if len(editions) == 1:
        return editions[0]
    return min(
        editions,
        key=lambda e: (without_note(e.title) != e.title, e.cover_path is None, e.summary is None, e.edition_id),
    )


Codes = Mapping[int, Sequence[tuple[str, str]]]  # edition_id -> scheme and code


def subjects_of(editions: Sequence[ActiveEdition], codes: Codes) -> list[str]:
    """Subjects of the work by our names, those of its primary edition first, in the order of the source."""
    first = primary(editions)
    ordered = [first, *(edition for edition in editions if edition is not first)]
    found = (scheme.subjects_of(edition.subjects, codes.get(edition.edition_id, ())) for edition in ordered)
    return list(dict.fromkeys(subject for subjects in found for subject in subjects))


def compose(
    editions: Sequence[ActiveEdition], authors: Sequence[Author], subjects: Sequence[str], appeal: Appeal
) -> WorkRow:
    """The work as readers see it, from its active editions (at least one), its `subjects_of` and what they say."""
    first = primary(editions)
    title = without_note(first.title)
    authors_text = ", ".join(author.name for author in authors)
    written = [first.authors_text] if first.authors_text != authors_text else []
    summary = first.summary or next((e.summary for e in editions if e.summary), None)
    covers = [e.edition_id for e in [first, *editions] if e.cover_path]
    ratings = [e.rating for e in editions if e.rating is not None]
    series = first if first.series_name else next((e for e in editions if e.series_name), first)
    # Whoever knows the author by another name finds the work too, and who types what it is filed under: of a title or
    # name in other letters that may be its romanised form.
    names = " ".join(filter(None, [authors_text, *written, series.series_name]))
    names_filed = _more_words([author.sort for author in authors], names)
    title_filed = _more_words([first.title_sort], title)
    return WorkRow(
        book_id=first.book_id,
        kind=first.kind,
        title=title,
        title_sort=without_note(first.title_sort),
        authors_text=authors_text,
        language=first.languages[0] if first.languages else None,
        year=min((e.published_on.year for e in editions if e.published_on), default=None),
        audience=audience(subjects),
        summary=summary,
        publisher=first.publisher,
        rating=sum(ratings) / len(ratings) if ratings else None,
        series_name=series.series_name,
        series_index=series.series_index,
        cover_edition_id=covers[0] if covers else None,
        subjects_text=", ".join(subjects),
        folded=fold_words(" ".join([title, names, title_filed, names_filed])),
        added_at=min(e.calibre_added_at or e.updated_at for e in editions),
        search_title=fold(f"{title} {title_filed}".rstrip()),
        search_names=fold(f"{names} {names_filed}".rstrip()),
        search_subjects=fold(" ".join(subjects)),
        search_summary=fold(summary or "")[:MOST_INDEXED],
        pages=appeal.pages,
        age_from=appeal.age_from,
        age_to=appeal.age_to,
        themes=tuple(appeal.themes),
        moods=tuple(appeal.moods),
        search_appeal=fold(" ".join([*appeal.themes, *appeal.moods])),
    )


def _more_words(filed: Iterable[str], shown: str) -> str:
    """Folded words of what something is filed under that do not stand in what is shown."""
    known = set(fold_words(shown).split())
    return " ".join(dict.fromkeys(word for word in fold_words(" ".join(filed)).split() if word not in known))
