"""One work told from its editions. Pure."""

from collections.abc import Sequence

from ingest.clean import audience
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


def subjects_of(editions: Sequence[ActiveEdition]) -> list[str]:
    """Subjects of the work, those of its primary edition first, in Calibre's order."""
    first = primary(editions)
    ordered = [first, *(edition for edition in editions if edition is not first)]
    return list(dict.fromkeys(subject for edition in ordered for subject in edition.subjects))


def compose(editions: Sequence[ActiveEdition]) -> WorkRow:
    """The work as readers see it, from its active editions (at least one)."""
    first = primary(editions)
    title = without_note(first.title)
    subjects = subjects_of(editions)
    summary = first.summary or next((e.summary for e in editions if e.summary), None)
    covers = [e.edition_id for e in [first, *editions] if e.cover_path]
    ratings = [e.rating for e in editions if e.rating is not None]
    series = first if first.series_name else next((e for e in editions if e.series_name), first)
    names = " ".join(filter(None, [first.authors_text, series.series_name]))
    return WorkRow(
        book_id=first.book_id,
        title=title,
        title_sort=without_note(first.title_sort),
        authors_text=first.authors_text,
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
