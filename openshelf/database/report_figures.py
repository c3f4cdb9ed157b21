"""What the library did in a month, from the marts: as COUNTER counts use, and how many readers were reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg.rows import class_row

from openshelf.database.analytics import Marts


@dataclass(frozen=True)
class Use:
    """Of all, of a subject or of a language. None: too few readers, or it would tell of such.

    An investigation is an open of a book's page or text, a request an open of a text; unique ones count a book once in
    a session. `count_unanswered_searches` is known of all only.
    """

    value: str
    count_readers: int | None
    total_item_investigations: int | None
    total_item_requests: int | None
    unique_item_investigations: int | None
    unique_item_requests: int | None
    count_works: int | None
    count_unanswered_searches: int | None


@dataclass(frozen=True)
class MonthReport:
    """`before`: all of the month before, if it is known. `begins_on`: the first day of which there are figures."""

    month: date
    all: Use
    before: Use | None
    subjects: list[Use]
    languages: list[Use]
    begins_on: date | None

    @property
    def is_comparable(self) -> bool:
        """Whether the month before is one of which all days could have figures."""
        return self.before is not None and (self.begins_on is None or self.begins_on <= _month_before(self.month))


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def is_over(month: date, today: date) -> bool:
    """Of a month by its first day."""
    return _month_after(month) <= today


def usual_month(months: Sequence[date], today: date) -> date | None:
    """The last month that is over and has figures; while there is none, the one under way. `months`: latest first."""
    return next((month for month in months if is_over(month, today)), next(iter(months), None))


def months(marts: Marts) -> list[date]:
    """The first days of the months that can be reported, the latest first."""
    rows = marts.conn.execute(
        "select month_start_date from marts.mart_report_monthly where dimension = 'all' order by month_start_date desc"
    ).fetchall()
    return [month for (month,) in rows]


def month_report(marts: Marts, month: date) -> MonthReport | None:
    """None if nothing is known of the month that begins on this day."""
    of_all = _uses(marts, month, "all")
    if not of_all:
        return None
    before = _uses(marts, _month_before(month), "all")
    row = marts.conn.execute("select min(period_start_date) from marts.mart_readers_daily").fetchone()
    return MonthReport(
        month,
        of_all[0],
        before[0] if before else None,
        _uses(marts, month, "subject"),
        _uses(marts, month, "language"),
        row[0] if row else None,
    )


def _uses(marts: Marts, month: date, dimension: str) -> list[Use]:
    with marts.conn.cursor(row_factory=class_row(Use)) as cursor:
        return cursor.execute(
            """select value,
                   case when not is_suppressed then count_readers end as count_readers,
                   case when not is_suppressed then total_item_investigations end as total_item_investigations,
                   case when not is_suppressed then total_item_requests end as total_item_requests,
                   case when not is_suppressed then unique_item_investigations end as unique_item_investigations,
                   case when not is_suppressed then unique_item_requests end as unique_item_requests,
                   case when not is_suppressed then count_works end as count_works,
                   count_unanswered_searches
               from marts.mart_report_monthly where month_start_date = %s and dimension = %s
               order by is_suppressed, mart_report_monthly.count_readers desc, value""",
            [month, dimension],
        ).fetchall()
