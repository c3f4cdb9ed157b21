"""One work told from its editions. Pure."""

from collections.abc import Mapping, Sequence

from ingest import subjects as scheme
from ingest.clean import Author, audience
from ingest.works import without_note
from openshelf.database.ingestion import ActiveEdition, WorkRow
from openshelf.folding import fold, fold_words

# Postgres refuses a search vector of more than 1 MB; nobody searches for what stands so far back.
MOST_INDEXED = 60_000  # characters of folded summary


def primary(editions: Sequence[ActiveEdition]) -> ActiveEdition:
    """The edition that speaks for the work: with a plain title, a cover and a summary if there is one, the oldest."""
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


def compose(editions: Sequence[ActiveEdition], authors: Sequence[Author], codes: Codes) -> WorkRow:
    """The work as readers see it, from its active editions (at least one)."""
    first = primary(editions)
    title = without_note(first.title)
    subjects = subjects_of(editions, codes)
    authors_text = ", ".join(author.name for author in authors)
    written = [first.authors_text] if first.authors_text != authors_text else []
    summary = first.summary or next((e.summary for e in editions if e.summary), None)
    covers = [e.edition_id for e in [first, *editions] if e.cover_path]
    ratings = [e.rating for e in editions if e.rating is not None]
    series = first if first.series_name else next((e for e in editions if e.series_name), first)
    # Whoever knows the author by another name finds the work too.
    names = " ".join(filter(None, [authors_text, *written, series.series_name]))
    return WorkRow(
        book_id=first.book_id,
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
        folded=fold_words(" ".join([title, names])),
        added_at=min(e.calibre_added_at or e.updated_at for e in editions),
        search_title=fold(title),
        search_names=fold(names),
        search_subjects=fold(" ".join(subjects)),
        search_summary=fold(summary or "")[:MOST_INDEXED],
    )
