"""Simulated readers on the real path: the log, the running dataflow, its slates."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from models import simulate
from openshelf import readers
from openshelf.contracts import utc_now
from openshelf.database import accounts, pool
from openshelf.errors import OpenshelfError, UsageError
from openshelf.settings import get_settings

OPENSHELF = str(Path(sys.executable).with_name("openshelf"))
SUBJECTS = ["science", "history", "poetry", "cooking", "fantasy", "travel"]


@pytest.fixture
def library(conn: psycopg.Connection) -> psycopg.Connection:
    """Sixty works of six subjects, and one demo reader who keeps a history."""
    for number in range(60):
        subject = SUBJECTS[number % len(SUBJECTS)]
        row = conn.execute(
            """insert into library.works (work_key, title, title_sort, language, rating, subjects_text, added_at)
               values (%(title)s, %(title)s, %(title)s, 'eng', 4, %(subject)s, now()) returning book_id""",
            {"title": f"A book of {subject}, part {number}", "subject": subject},
        ).fetchone()
        assert row
        conn.execute("insert into library.subjects (name) values (%s) on conflict do nothing", [subject])
        conn.execute(
            "insert into library.work_subjects select %s, subject_id, 0 from library.subjects where name = %s",
            [row[0], subject],
        )
    conn.execute("update library.catalogue_version set version = version + 1")
    account = accounts.create_demo(conn, "anna", "Anna", role="reader", history_enabled=True)
    key = readers.account_key(get_settings().reader_secret(), account.account_id)
    accounts.pseudonym_or(conn, account.account_id, key)
    conn.commit()
    return conn


@pytest.fixture
def dataflow(library: psycopg.Connection, tmp_path: Path) -> Iterator[None]:
    with (tmp_path / "dataflow.log").open("wb") as log:
        flow = subprocess.Popen([OPENSHELF, "stream", "run"], stdout=log, stderr=log)
        yield
        if flow.poll() is not None:
            pytest.fail(f"the dataflow ended by itself: {(tmp_path / 'dataflow.log').read_text()[-2000:]}")
        flow.terminate()
        flow.wait(timeout=60)


def run_simulate(*options: str) -> dict:
    done = subprocess.run([OPENSHELF, "simulate", "--json", *options], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def number(conn: psycopg.Connection, statement: LiteralString) -> int:
    row = conn.execute(statement).fetchone()
    conn.commit()
    assert row
    return row[0]


@pytest.mark.usefixtures("dataflow")
def test_simulated_history_is_the_dataflows_own_and_goes_on_where_it_stopped(library: psycopg.Connection) -> None:
    report = run_simulate("--readers", "10", "--days", "6", "--start-days-ago", "12", "--seed", "4")

    assert report["sessions"] > 10
    assert report["acts"] == number(library, "select count(*) from stream.interactions where not inferred")
    assert report["slates"] == number(library, "select count(*) from stream.slates")
    assert number(library, "select count(*) from stream.dead_letters") == 0
    assert report["sessions"] == number(library, "select count(distinct session_id) from stream.interactions")
    answered = "select count(*) from stream.interactions as act where slate_id is not null"
    matched = """ and exists (select from stream.slate_places as place
                      where place.slate_id = act.slate_id and place.position = act.position
                          and place.book_id = act.book_id)"""
    assert number(library, answered) == number(library, answered + matched) > 100
    late = "select count(*) from stream.interactions where occurred_at not between now() - interval '12 days 1 hour'"
    assert number(library, late + " and now() - interval '6 days'") == 0
    of_anna = "from stream.interactions join reading.pseudonyms using (reader_key)"
    assert number(library, f"select count(distinct session_id) {of_anna}") > 1
    assert number(library, "select count(*) from reading.shelf_entries") == number(
        library, f"select count(distinct book_id) {of_anna} where action in ('want', 'read', 'finish')"
    )

    more = run_simulate("--readers", "10", "--days", "6", "--start-days-ago", "6", "--seed", "4")

    assert report["acts"] + more["acts"] == number(
        library, "select count(*) from stream.interactions where not inferred"
    )
    lives = json.loads((get_settings().home / "simulation.json").read_text())
    assert lives["runs"] == 2
    counts = [life["count_sessions"] for life in lives["readers"].values()]
    assert sum(counts) == report["sessions"] + more["sessions"]


@pytest.mark.usefixtures("library")
def test_without_a_dataflow_the_error_says_how_to_start_it() -> None:
    start = utc_now() - timedelta(days=4)

    with pytest.raises(OpenshelfError, match="openshelf stream run"):
        simulate.simulate(pool.connect, 10, 4, 4, start, patience_s=0.3)


@pytest.mark.parametrize(
    ("days", "days_ago", "message"),
    [(5, 4, "end in the future"), (5, 31, "last 29 days"), (0, 4, "at least 1")],
)
@pytest.mark.usefixtures("library")
def test_days_that_the_log_would_refuse_are_refused_before_the_first_act(
    days: int, days_ago: int, message: str, library: psycopg.Connection
) -> None:
    with pytest.raises(UsageError, match=message):
        simulate.simulate(pool.connect, 3, days, 4, utc_now() - timedelta(days=days_ago))

    assert number(library, "select count(*) from stream.event_log") == 0


@pytest.mark.usefixtures("database")
def test_an_empty_catalogue_is_refused() -> None:
    with pytest.raises(UsageError, match="openshelf ingest"):
        simulate.simulate(pool.connect, 3, 2, 4, None)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"seed": 4}', '{"seed": 4, "runs": 1, "readers": {"0": {"tastes": []}}}', "\x00\xff"]
)
def test_a_spoilt_file_of_lives_is_refused_and_left_as_it_is(
    library: psycopg.Connection, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "simulation.json"
    path.write_text(text)

    with pytest.raises(OpenshelfError, match=r"simulation\.json"):
        simulate.simulate(pool.connect, 3, 2, 4, None, state_path=path)

    assert path.read_text() == text
    assert number(library, "select count(*) from stream.event_log") == 0
