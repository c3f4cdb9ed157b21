"""What is shown and hidden, staff's hand and the month's report: every figure equals the one computed by hand."""

from collections.abc import Callable
from datetime import date
from math import log2

import psycopg
import pytest
from psycopg.rows import dict_row
from staff_history import first_day, monday

from openshelf import warehouse
from openshelf.database import analytics, exposure, pool, report_figures
from openshelf.database.accounts import Account
from openshelf.settings import Settings


def rows_of(url: str, query: str) -> list[dict]:
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query).fetchall()


def test_a_week_is_spread_as_computed_by_hand(library: str) -> None:
    rows = rows_of(library, "select * from marts.mart_exposure_weekly order by policy_version")

    assert [(row["week_start_date"], row["policy_version"]) for row in rows] == [(monday(), "all"), (monday(), "v1")]
    for row in rows:
        # Drawn and on screen: 1 twice, 2, 5 and 6 once, to six readers. Pinned and boosted places are not counted.
        assert (row["count_shown"], row["count_works_shown"], row["count_works"], row["count_readers"]) == (
            30,
            4,
            10,
            6,
        )
        assert row["coverage"] == 0.4
        # Six works had nothing, three 6 places, one 12: twice 264 by 300, less 11 tenths.
        assert row["gini"] == pytest.approx(0.66)
        # The most opened fifth: works 1 (5 opens, 2 reads) and 7 (6 opens). Outside of it: 30 - 12 places.
        assert row["long_tail_share"] == 0.6
        # Of 28 opens, each of ten works counted once more: 1 has 8 of 38, 5 has 5, 2 and 6 have 1.
        by_hand = (12 * log2(38 / 8) + 6 * log2(38 / 5) + 12 * log2(38)) / 30
        assert row["novelty"] == pytest.approx(by_hand, abs=1e-6)
        assert row["is_suppressed"] is False


def test_slates_are_as_varied_and_repeated_as_computed_by_hand(library: str) -> None:
    (row, _) = rows_of(library, "select * from marts.mart_exposure_slates_weekly order by policy_version")

    # First day: 1 and 2 are alike, 5 is not; second day: 1 and 6 differ. Of 24 pairs 6 are alike.
    assert (row["count_pairs"], row["count_alike"], row["diversity"]) == (24, 6, 0.75)
    # Book 1 came again to each of six readers.
    assert (row["count_repeated"], row["count_shown"], row["repetition_rate"]) == (6, 30, 0.2)


@pytest.mark.timeout(600)  # it builds the warehouse anew
def test_a_week_that_was_measured_stays_when_its_acts_have_gone(
    built_template: str, for_warehouse: Callable[[str], Settings]
) -> None:
    settings = for_warehouse(built_template)
    library = pool.database_url(settings)
    query = "select count_pairs, diversity, repetition_rate from marts.mart_exposure_slates_weekly order by 1"
    spread = "select coverage, gini, count_shown, count_readers, novelty from marts.mart_exposure_weekly order by 1"
    before = rows_of(library, query), rows_of(library, spread)
    report = "select * from marts.mart_report_monthly order by dimension, value"
    reported = rows_of(library, report)
    with psycopg.connect(library) as conn:
        # As if later weeks had been measured since.
        conn.execute("update marts.mart_exposure_slates_weekly set newest_stored_at = now() + interval '1 day'")
        conn.execute("delete from stream.interactions where reader_key in ('r_a', 'r_b')")
        conn.execute("delete from stream.slates where reader_key in ('r_a', 'r_b')")

    warehouse.build(settings)

    assert (rows_of(library, query), rows_of(library, spread)) == before
    assert rows_of(library, report) == reported


def test_what_staff_filled_is_measured_apart(library: str) -> None:
    rows = rows_of(library, "select * from marts.mart_exposure_hand_weekly order by source")

    assert [(row["source"], row["count_shown"], row["count_opened"]) for row in rows] == [
        ("curated", 6, 3),
        ("pinned", 6, 5),
        ("policy", 30, 9),  # five open book 1, four open book 5
        ("staff", 6, 0),
    ]
    (quality,) = rows_of(
        library,
        """select count_shown, count_opened from marts.mart_quality_daily
           where policy_version = 'all' and dimension = 'all' and count_opened > 0""",
    )
    assert (quality["count_shown"], quality["count_opened"]) == (18, 9)


def test_a_month_is_counted_as_counter_counts(library: str) -> None:
    rows = rows_of(library, "select * from marts.mart_report_monthly")

    assert {row["month_start_date"] for row in rows} == {first_day().replace(day=1)}
    everything = next(row for row in rows if row["dimension"] == "all")
    assert everything["count_readers"] == 6
    # 26 opens, of which one is a double click, and two reads.
    assert (everything["total_item_investigations"], everything["total_item_requests"]) == (27, 2)
    assert (everything["unique_item_investigations"], everything["unique_item_requests"]) == (25, 2)
    assert (everything["count_works"], everything["count_unanswered_searches"]) == (6, 4)
    reach = {(row["dimension"], row["value"]): (row["count_readers"], row["is_suppressed"]) for row in rows}
    # Three read a book on nothing: held back, and with it the next smallest, which would tell of it.
    assert reach[("subject", "Moon")] == (6, False)
    assert reach[("subject", "Sea")] == (5, True)
    assert reach[("subject", "none")] == (3, True)
    assert reach[("language", "vie")] == (3, True)
    assert reach[("language", "eng")] == (6, True)


def test_what_was_not_on_screen_stands_by_how_often_it_was_found_all_the_same(library: str, librarian: Account) -> None:
    with psycopg.connect(library) as conn, analytics.reading(conn, librarian) as marts:
        never = exposure.never_shown(marts)
        counted = exposure.count_never_shown(marts)
        on_the_moon = exposure.count_never_shown(marts, subject="Moon")
        groups = exposure.groups(marts, 4, "all", "language")

    # Work 7 by six readers; 3 was pinned, which is no recommendation, by five; 8 by two, 9 by three: held back.
    assert [(work.book_id, work.count_opens_recent) for work in never] == [
        (7, 6), (3, 5), (8, None), (9, None), (4, 0), (10, 0)
    ]  # fmt: skip
    assert (counted, on_the_moon) == ((6, 10), (2, 4))
    assert {group.value: (group.count_works, group.share_of_catalogue, group.share_of_places) for group in groups} == {
        "eng": (8, 0.8, 1.0), "vie": (2, 0.2, 0.0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("months", "today", "opens"),
    [
        (["2024-03-01", "2024-02-01"], "2024-03-31", "2024-02-01"),
        (["2024-03-01", "2024-02-01"], "2024-04-01", "2024-03-01"),  # nobody has been here in April yet
        (["2023-12-01", "2023-11-01"], "2024-03-05", "2023-12-01"),
        (["2024-03-01"], "2024-03-31", "2024-03-01"),
        ([], "2024-03-31", None),
    ],
)
def test_a_report_opens_on_the_last_month_that_is_over(months: list[str], today: str, opens: str | None) -> None:
    found = report_figures.usual_month([date.fromisoformat(month) for month in months], date.fromisoformat(today))

    assert found == (opens and date.fromisoformat(opens))


def test_a_month_is_compared_with_one_that_figures_know_whole() -> None:
    use = report_figures.Use("all", 9, 9, 9, 9, 9, 9, 0)

    def comparable(begins_on: str) -> bool:
        month = date(2024, 3, 1)
        return report_figures.MonthReport(month, use, use, [], [], date.fromisoformat(begins_on)).is_comparable

    assert comparable("2024-01-20")
    assert comparable("2024-02-01")
    assert not comparable("2024-02-02")
