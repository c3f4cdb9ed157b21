"""What is shown and what is hidden, from the marts, for staff. What too few readers stand behind is held back here."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, LiteralString

from psycopg.rows import class_row

from openshelf.database.analytics import Marts

Dimension = Literal["subject", "language"]


@dataclass(frozen=True)
class ExposureWeek:
    """A version's week ('all': of all together). None: held back, or of diversity and repetition not measured."""

    week_start_date: date
    policy_version: str
    count_readers: int | None
    count_shown: int | None
    count_works: int
    count_works_shown: int | None
    coverage: float | None
    gini: float | None
    long_tail_share: float | None
    long_tail_share_low: float | None
    long_tail_share_high: float | None
    novelty: float | None
    diversity: float | None
    repetition_rate: float | None
    repetition_rate_low: float | None
    repetition_rate_high: float | None


@dataclass(frozen=True)
class ExposureGroup:
    """A subject or language: its share of the catalogue, and of the places on screen."""

    value: str
    count_works: int
    share_of_catalogue: float
    count_works_shown: int | None
    coverage: float | None
    count_shown: int | None
    count_readers: int | None
    share_of_places: float | None
    share_of_places_low: float | None
    share_of_places_high: float | None


@dataclass(frozen=True)
class HiddenWork:
    """A work that was not on screen as a recommendation of late; `count_opens_recent` None: by too few readers."""

    book_id: int
    title: str
    authors_text: str
    language: str | None
    principal_subject: str | None
    added_at: datetime
    last_shown_date: date | None
    count_drawn_recent: int
    count_opens_recent: int | None


@dataclass(frozen=True)
class HandWeek:
    """What staff filled (`source` pinned, staff, curated) in a week, and what a policy drew (policy)."""

    week_start_date: date
    source: str
    count_readers: int | None
    count_shown: int | None
    click_rate: float | None
    click_rate_low: float | None
    click_rate_high: float | None


def weeks(marts: Marts, count: int) -> list[ExposureWeek]:
    """The last `count` weeks that had slates, by week and version, 'all' first."""
    with marts.conn.cursor(row_factory=class_row(ExposureWeek)) as cursor:
        return cursor.execute(
            """select week_start_date, policy_version, spread.count_works,
                   case when not spread.is_suppressed then spread.count_readers end as count_readers,
                   case when not spread.is_suppressed then spread.count_shown end as count_shown,
                   case when not spread.is_suppressed then spread.count_works_shown end as count_works_shown,
                   case when not spread.is_suppressed then spread.coverage end as coverage,
                   case when not spread.is_suppressed then spread.gini end as gini,
                   case when not spread.is_suppressed then spread.long_tail_share end as long_tail_share,
                   case when not spread.is_suppressed then spread.long_tail_share_low end as long_tail_share_low,
                   case when not spread.is_suppressed then spread.long_tail_share_high end as long_tail_share_high,
                   case when not spread.is_suppressed then spread.novelty end as novelty,
                   case when not slates.is_suppressed then slates.diversity end as diversity,
                   case when not slates.is_suppressed then slates.repetition_rate end as repetition_rate,
                   case when not slates.is_suppressed then slates.repetition_rate_low end as repetition_rate_low,
                   case when not slates.is_suppressed then slates.repetition_rate_high end as repetition_rate_high
               from marts.mart_exposure_weekly as spread
               left join marts.mart_exposure_slates_weekly as slates using (week_start_date, policy_version)
               where week_start_date > (select max(week_start_date) from marts.mart_exposure_weekly) - 7 * %s
               order by week_start_date, policy_version <> 'all', policy_version""",
            [count],
        ).fetchall()


def groups(marts: Marts, weeks: int, version: str, dimension: Dimension) -> list[ExposureGroup]:
    """Subjects or languages over a period that the marts have, the largest of the catalogue first."""
    with marts.conn.cursor(row_factory=class_row(ExposureGroup)) as cursor:
        return cursor.execute(
            """select value, count_works, share_of_catalogue,
                   case when not is_suppressed then count_works_shown end as count_works_shown,
                   case when not is_suppressed then coverage end as coverage,
                   case when not is_suppressed then count_shown end as count_shown,
                   case when not is_suppressed then count_readers end as count_readers,
                   case when not is_suppressed then share_of_places end as share_of_places,
                   case when not is_suppressed then share_of_places_low end as share_of_places_low,
                   case when not is_suppressed then share_of_places_high end as share_of_places_high
               from marts.mart_exposure_groups
               where weeks = %s and policy_version = %s and dimension = %s
               order by count_works desc, value""",
            [weeks, version, dimension],
        ).fetchall()


_NEVER: LiteralString = """from marts.mart_exposure_works where count_shown_recent = 0
    and (%(subject)s::text is null or principal_subject = %(subject)s)
    and (%(language)s::text is null or language = %(language)s)"""


def count_never_shown(marts: Marts, subject: str | None = None, language: str | None = None) -> tuple[int, int]:
    """Works not on screen in the last four weeks, and all works, of this subject and language."""
    row = marts.conn.execute(
        """select count(*) filter (where count_shown_recent = 0), count(*) from marts.mart_exposure_works
           where (%(subject)s::text is null or principal_subject = %(subject)s)
               and (%(language)s::text is null or language = %(language)s)""",
        {"subject": subject, "language": language},
    ).fetchone()
    assert row
    return row[0], row[1]


def never_shown(
    marts: Marts, subject: str | None = None, language: str | None = None, limit: int = 200
) -> list[HiddenWork]:
    """Of these works those that readers opened most all the same come first, then the latest in the library."""
    with marts.conn.cursor(row_factory=class_row(HiddenWork)) as cursor:
        return cursor.execute(
            f"""select book_id, title, authors_text, language, principal_subject, added_at, last_shown_date,
                    count_drawn_recent, case when not is_suppressed then count_opens_recent end as count_opens_recent
                {_NEVER}
                order by marts.mart_exposure_works.count_opens_recent desc, added_at desc, book_id limit %(limit)s""",
            {"subject": subject, "language": language, "limit": limit},
        ).fetchall()


def hand_weeks(marts: Marts, count: int) -> list[HandWeek]:
    """Every source that staff have a hand in, and the policy beside it."""
    with marts.conn.cursor(row_factory=class_row(HandWeek)) as cursor:
        return cursor.execute(
            """select week_start_date, source,
                   case when not is_suppressed then count_readers end as count_readers,
                   case when not is_suppressed then count_shown end as count_shown,
                   case when not is_suppressed then click_rate end as click_rate,
                   case when not is_suppressed then click_rate_low end as click_rate_low,
                   case when not is_suppressed then click_rate_high end as click_rate_high
               from marts.mart_exposure_hand_weekly
               where week_start_date > (select max(week_start_date) from marts.mart_exposure_hand_weekly) - 7 * %s
               order by week_start_date, source""",
            [count],
        ).fetchall()
