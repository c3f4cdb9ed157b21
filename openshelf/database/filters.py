"""What browsing, searching and the chat can be narrowed to: one set of fields, one set of conditions."""

from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True)
class Filters:
    """What every work must be; None leaves a field open.

    `language` is ISO 639-3; years are of first publication, both ends included; names without regard to case.
    """

    language: str | None = None
    subject: str | None = None
    format: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    audience: str | None = None
    series: str | None = None
    author: str | None = None


# Of `library.works as works`, with the fields of Filters as named parameters. Inactive works pass no filter.
CONDITIONS: LiteralString = """
    works.active
    and (%(language)s::text is null or works.language = %(language)s)
    and (%(audience)s::text is null or works.audience = %(audience)s)
    and (%(year_from)s::int is null or works.year >= %(year_from)s)
    and (%(year_to)s::int is null or works.year <= %(year_to)s)
    and (%(subject)s::text is null or exists (
        select from library.work_subjects join library.subjects using (subject_id)
        where work_subjects.book_id = works.book_id and lower(subjects.name) = lower(%(subject)s)
    ))
    and (%(author)s::text is null or exists (
        select from library.work_authors join library.authors using (author_id)
        where work_authors.book_id = works.book_id and lower(authors.name) = lower(%(author)s)
    ))
    and (%(series)s::text is null or exists (
        select from library.series where series.series_id = works.series_id and lower(series.name) = lower(%(series)s)
    ))
    and (%(format)s::text is null or exists (
        select from library.editions join library.files using (edition_id)
        where editions.book_id = works.book_id and editions.active and files.format = upper(%(format)s)
    ))
"""
