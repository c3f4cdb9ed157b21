"""What browsing, searching and the chat can be narrowed to: one set of fields, one set of conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True)
class Filters:
    """What every work must be; None leaves a field open.

    `language` is ISO 639-3; years are of first publication, both ends included; names without regard to case;
    `readable`: it opens in the browser now. `aloud`: its publisher says that text alone is enough to take in all of it,
    so it can be read aloud or in braille; a work that says nothing is not among them.
    """

    language: str | None = None
    subject: str | None = None
    format: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    audience: str | None = None
    series: str | None = None
    author: str | None = None
    kind: str | None = None
    readable: bool = False
    aloud: bool = False


EVERYTHING = Filters()

_CONDITIONS: dict[str, LiteralString] = {
    "language": "works.language = %(language)s",
    "audience": "works.audience = %(audience)s",
    "kind": "works.kind = %(kind)s",
    "year_from": "works.year >= %(year_from)s",
    "year_to": "works.year <= %(year_to)s",
    "subject": """works.book_id in (
        select work_subjects.book_id from library.work_subjects join library.subjects using (subject_id)
        where lower(subjects.name) = lower(%(subject)s)
    )""",
    "author": """works.book_id in (
        select work_authors.book_id from library.work_authors join library.authors using (author_id)
        where lower(authors.name) = lower(%(author)s)
    )""",
    "series": """works.series_id in (
        select series.series_id from library.series where lower(series.name) = lower(%(series)s)
    )""",
    "format": """works.book_id in (
        select editions.book_id from library.editions join library.files using (edition_id)
        where editions.active and files.format = upper(%(format)s)
    )""",
    "readable": """works.book_id in (
        select editions.book_id from library.editions join library.files using (edition_id)
        where editions.active and files.format in ('EPUB', 'PDF')
    )""",
    # The same rule as the book page's words (dashboard/book_access.py).
    "aloud": """works.book_id in (
        select editions.book_id from library.editions
        where editions.active and (
            editions.accessibility -> 'sufficient_modes' ? 'textual'
            or editions.accessibility -> 'modes' = '["textual"]'::jsonb
        )
    )""",
}
# Formats that open in the browser.
READABLE = ("EPUB", "PDF")
# Kinds of works that readers of this library see, of `library.works as works`: the setting `kinds`, which each
# connection of the pool brings along. Of a connection that says nothing: books.
SERVED: LiteralString = """works.kind = any((
    select string_to_array(coalesce(nullif(current_setting('openshelf.kinds', true), ''), 'book'), ',')
)::text[])"""
# What an account may see, of `library.works as works`; the parameter `audiences` is null for no limit.
WITHIN: LiteralString = f"((%(audiences)s::text[] is null or works.audience = any(%(audiences)s)) and {SERVED})"
# A decision of staff that holds at this moment.
PRESENT: LiteralString = "removed_at is null and starts_at <= now() and (ends_at is null or ends_at > now())"
# Staff have not taken the work out of what is recommended. Searching and browsing find it all the same.
RECOMMENDED: LiteralString = f"""not exists (
    select from library.steers where steers.book_id = works.book_id and factor = 0 and {PRESENT}
)"""


def conditions(filters: Filters) -> LiteralString:
    """SQL of `library.works as works` with `parameters`: only what is asked, so that the planner sees it.

    Inactive works pass no filter, and none outside the audiences that the parameters name.
    """
    allowed = "works.active and " + WITHIN
    for name, value in vars(filters).items():
        if value not in (None, False):
            allowed += " and " + _CONDITIONS[name]
    return allowed


def parameters(filters: Filters, audiences: Sequence[str] | None) -> dict[str, object]:
    return {**vars(filters), "audiences": None if audiences is None else list(audiences)}
