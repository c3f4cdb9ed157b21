"""What is old goes, each kind after its own time: the clock is moved on, the rows are gone, a row says so."""

from datetime import datetime, timedelta

import kept_reader
import psycopg
import pytest

from models import registry
from openshelf.contracts import utc_now
from openshelf.database import accounts, events, learning
from openshelf.errors import ModelError
from openshelf.privacy import choices, retention
from openshelf.settings import get_settings


@pytest.fixture
def books(conn: psycopg.Connection) -> list[int]:
    return list(kept_reader.library(conn).values())


def run(conn: psycopg.Connection, after: timedelta) -> dict[str, int]:
    counts = retention.run(conn, get_settings(), utc_now() + after)
    return {store: count for store, count in counts.items() if count}


def happened(conn: psycopg.Connection, reader_key: str, moment: datetime) -> None:
    """Move what a reader did to another time."""
    conn.execute("update stream.interactions set occurred_at = %s where reader_key = %s", [moment, reader_key])
    conn.execute("update stream.slates set created_at = %s where reader_key = %s", [moment, reader_key])
    conn.execute("update stream.sessions set last_act_at = %s where reader_key = %s", [moment, reader_key])
    conn.execute("update stream.event_log set appended_at = %s where reader_key = %s", [moment, reader_key])
    conn.commit()


def test_a_visit_of_who_keeps_no_history_is_gone_an_hour_after_its_last_act(
    conn: psycopg.Connection, books: list[int]
) -> None:
    visitor, reader = "s_00000000000000000000000000000001", kept_reader.reader(conn)
    assert reader.reader_key
    kept_reader.append(conn, kept_reader.acts(visitor, books[:3]))
    kept_reader.append(conn, kept_reader.acts(reader.reader_key, books[:3]))
    kept_reader.catch_up(conn)

    soon = run(conn, timedelta(minutes=50))
    later = run(conn, timedelta(minutes=62))

    assert soon == {}
    assert later["stream.interactions"] == later["stream.event_log"] == 7
    assert kept_reader.rows_with(conn, [visitor]) == []
    assert kept_reader.count(conn, "stream.interactions", reader.reader_key) == 7


def test_a_visit_that_goes_on_keeps_its_beginning(conn: psycopg.Connection, books: list[int]) -> None:
    visitor = "s_00000000000000000000000000000001"
    kept_reader.append(conn, kept_reader.acts(visitor, books[:3]))
    kept_reader.catch_up(conn)
    conn.execute("update stream.interactions set occurred_at = occurred_at - interval '3 hours'")
    conn.commit()

    assert "stream.interactions" not in run(conn, timedelta(0))


def test_a_history_is_kept_for_as_long_as_its_reader_chose(conn: psycopg.Connection, books: list[int]) -> None:
    kept = {}
    for days in (30, 90, None):
        account = kept_reader.reader(conn, f"reader{days or 'ever'}")
        choices.keep_history(conn, account.account_id, days)
        assert account.reader_key
        kept_reader.append(conn, kept_reader.acts(account.reader_key, books[:1]))
        kept[days] = account.reader_key
    kept_reader.catch_up(conn)
    for reader_key in kept.values():
        happened(conn, reader_key, kept_reader.days_ago(60))

    run(conn, timedelta(0))
    after_now = {days: kept_reader.count(conn, "stream.interactions", key) for days, key in kept.items()}
    run(conn, timedelta(days=200))
    after_long = {days: kept_reader.count(conn, "stream.interactions", key) for days, key in kept.items()}

    assert after_now == {30: 0, 90: 3, None: 3}
    assert after_long == {30: 0, 90: 0, None: 3}
    assert kept_reader.count(conn, "stream.event_log") == 0, "raw events go after 90 days, whatever a reader chose"


def test_events_that_the_dataflow_has_not_taken_stay(conn: psycopg.Connection, books: list[int]) -> None:
    reader = kept_reader.reader(conn)
    assert reader.reader_key
    kept_reader.append(conn, kept_reader.acts(reader.reader_key, books[:1]))
    happened(conn, reader.reader_key, kept_reader.days_ago(100))

    assert "stream.event_log" not in run(conn, timedelta(0))


def test_offsets_go_on_when_the_whole_log_was_trimmed(conn: psycopg.Connection, books: list[int]) -> None:
    reader = kept_reader.reader(conn)
    assert reader.reader_key
    kept_reader.append(conn, kept_reader.acts(reader.reader_key, books[:2]))
    kept_reader.catch_up(conn)
    run(conn, timedelta(days=100))
    assert kept_reader.count(conn, "stream.event_log") == 0

    new = kept_reader.acts(reader.reader_key, books[2:4])
    assert events.append(conn, new[0]) == 5
    kept_reader.append(conn, new[1:])
    kept_reader.catch_up(conn)

    assert kept_reader.count(conn, "stream.event_log") == len(new)
    row = conn.execute("select count(*) from stream.interactions where event_id = %s", [new[0].event_id]).fetchone()
    assert row == (1,)


def test_the_small_kinds_go_in_their_time_and_a_row_says_what_went(conn: psycopg.Connection) -> None:
    reader = kept_reader.reader(conn)
    conn.execute(
        "insert into reading.sign_ins (token_hash, account_id, expires_at) values ('a', %s, now() + interval '1 day')",
        [reader.account_id],
    )
    conn.execute("insert into reading.unanswered_searches (folded) values ('gibt es nicht')")
    conn.execute("insert into reading.attempts values ('password', 'x', 3, now() + interval '1 hour')")
    conn.execute("insert into reading.audit_log (actor, act, subject) values ('account 1', 'promote', 'policy-1')")
    conn.execute(
        "insert into stream.dead_letters (source, partition, log_offset, reason, payload) values ('log', 0, 0, '', '')"
    )
    conn.execute("insert into stream.erased (mark, kind) values ('m', 'reader')")
    conn.commit()

    went = {days: set(run(conn, timedelta(days=days))) for days in (0, 6, 10, 40, 100, 400)}

    assert went == {
        0: set(),
        6: {"reading.attempts"},
        10: {"reading.sign_ins"},
        40: {"stream.dead_letters"},
        100: {"stream.erased"},
        400: {"reading.unanswered_searches", "reading.audit_log"},
    }
    runs = conn.execute("select counts, finished_at from reading.retention_runs order by run_id").fetchall()
    assert len(runs) == 6
    assert runs[3][0]["stream.dead_letters"] == 1
    assert all(finished_at for _, finished_at in runs)


def test_it_tidies_the_files_of_the_tables_that_it_emptied(conn: psycopg.Connection, books: list[int]) -> None:
    kept_reader.append(conn, kept_reader.acts("s_00000000000000000000000000000001", books))
    kept_reader.catch_up(conn)
    counts = retention.run(conn, get_settings(), utc_now() + timedelta(hours=2))
    conn.commit()

    retention.tidy(get_settings(), counts)

    row = conn.execute("select pg_relation_size('stream.interactions')").fetchone()
    assert row == (0,), "an empty table takes no room"
    assert accounts.demo_accounts(conn) == []


def test_weights_go_when_they_have_not_served_for_long_and_what_is_known_of_them_stays(
    conn: psycopg.Connection,
) -> None:
    now = utc_now()

    def made(version: str, days_ago: int, status: str, *served_days_ago: int) -> None:
        row = learning.ModelRow(
            version, "policy", None, status, None, {}, {}, {}, "hash", now - timedelta(days=days_ago)
        )  # fmt: skip
        learning.insert_model(conn, row, b"weights")
        for days in served_days_ago:
            learning.insert_promotion(conn, "policy", version, now - timedelta(days=days), "")

    made("policy-0001", 400, "refused")
    made("policy-0002", 400, "retired", 400)
    made("policy-0003", 395, "retired", 395)  # until a month ago
    made("policy-0004", 390, "candidate")
    made("policy-0005", 30, "retired", 30)
    made("policy-0006", 20, "champion", 20)
    made("policy-0007", 10, "refused")
    conn.commit()

    counts = run(conn, timedelta(0))

    kept = conn.execute(
        "select version from learning.models where octet_length(weights) > 0 order by version"
    ).fetchall()
    assert counts["learning.models"] == 3
    assert [version[-1] for (version,) in kept] == ["3", "5", "6", "7"]
    assert len(learning.models(conn, "policy")) == 7
    with pytest.raises(ModelError, match="weights of policy-0002 are gone"):
        registry.load_policy(conn, "policy-0002")
    # However long ago: the champion, and the one that one can go back to.
    run(conn, timedelta(days=4_000))
    kept = conn.execute(
        "select version from learning.models where octet_length(weights) > 0 order by version"
    ).fetchall()
    assert [version[-1] for (version,) in kept] == ["5", "6"]
