"""The page that says whether the installation has what it needs, did what it should, and has a backup."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from dashboard_pages import drawn, words_of
from streamlit.testing.v1 import AppTest

from openshelf import backups, doctor, schedule
from openshelf.contracts import utc_now
from openshelf.database import job_runs
from openshelf.errors import NotAllowedError
from openshelf.settings import get_settings

PAGE = "staff/installation"
Visit = Callable[..., AppTest]


def line(app: AppTest) -> str:
    return drawn(app, "finder")[0]["line"]


def rows(app: AppTest, number: int) -> list[list[str]]:
    return drawn(app, "table")[number]["rows"]


@pytest.fixture
def calibre_is_there() -> None:
    """What else this installation needs is there."""
    folder = get_settings().library_path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.db").touch()


def test_what_is_missing_comes_first_and_says_what_to_do(
    shelves: dict[str, int], visit: Visit, sign_in: Callable
) -> None:
    sign_in("edith", role="staff")

    page = visit(PAGE)

    assert line(page).startswith("No. calibre library: ")
    first = rows(page, 0)[0]
    assert first[:2] == ["calibre library", "missing"]
    assert "openshelf ingest demo-library" in first[2]
    assert ["schema", "there"] in [row[:2] for row in rows(page, 0)]
    jobs = {row[0]: row for row in rows(page, 1)}
    assert set(jobs) == set(schedule.BY_NAME)
    assert jobs["back_up"][1] == "has not run yet"
    assert jobs["train_adapter"][3] == "after refresh_catalogue"


def test_a_job_that_failed_is_named_with_when_and_what_it_said_and_what_to_do(
    shelves: dict[str, int], calibre_is_there: None, visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    sign_in("edith", role="staff")
    run_id = job_runs.begin(conn, "back_up", utc_now())
    job_runs.finish(conn, run_id, "failed", 3, "backup: the disk is full")
    conn.commit()

    page = visit(PAGE)

    assert line(page).startswith("It runs, but the job back_up failed (")
    assert line(page).endswith(" UTC): backup: the disk is full")
    ((job, when, said, to_do),) = rows(page, 0)
    assert (job, said) == ("back_up", "backup: the disk is full")
    assert when in line(page)
    assert "openshelf schedule once back_up" in to_do
    assert "job back_up" not in {row[0] for row in rows(page, 1)}
    assert {row[0]: row[1] for row in rows(page, 2)}["back_up"] == "failed"
    assert "nobody keeps it here" in words_of(page)


def test_an_installation_without_a_backup_is_told_so_and_one_with_a_new_one_is_well(
    shelves: dict[str, int], calibre_is_there: None, visit: Visit, sign_in: Callable, conn: psycopg.Connection
) -> None:
    sign_in("edith", role="staff")
    settings = get_settings()

    without = visit(PAGE)
    path = backups.new_path(settings)
    backups.make(settings, path)
    unkept = visit(PAGE)
    job_runs.announce(conn)
    with_one = visit(PAGE)

    assert line(without) == "It runs, but there is no backup."
    assert line(unkept).startswith("Yes, as far as can be seen here: its schedule")
    assert line(with_one) == "Yes."
    (backup,) = rows(with_one, 2)
    assert backup[0] == path.name


def test_a_backup_that_has_grown_old_is_told_of(
    shelves: dict[str, int], calibre_is_there: None, visit: Visit, sign_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in("edith", role="staff")
    monkeypatch.setattr(backups, "utc_now", lambda: utc_now() - timedelta(days=3))
    backups.make(get_settings(), backups.new_path(get_settings()))

    assert line(visit(PAGE)).startswith("It runs, but the newest backup is of ")


@pytest.mark.parametrize("role", [None, "reader"])
def test_only_staff_see_it(shelves: dict[str, int], visit: Visit, sign_in: Callable, role: str | None) -> None:
    if role:
        sign_in("lan", role=role)

    page = visit(PAGE)

    assert not drawn(page, "table")
    assert "library staff" in str(drawn(page, "notice")) + words_of(page)


def test_what_it_shows_is_refused_where_it_is_read(conn: psycopg.Connection, sign_in: Callable) -> None:
    reader = sign_in("lan")
    for who in (None, reader):
        with pytest.raises(NotAllowedError):
            doctor.for_staff(who, get_settings())
        with pytest.raises(NotAllowedError):
            schedule.for_staff(conn, who, utc_now())
        with pytest.raises(NotAllowedError):
            backups.for_staff(who, get_settings())
