"""The dataflow as it runs: killed, stopped, started twice, its recovery store damaged."""

from dataclasses import asdict
from pathlib import Path

import psycopg
import torch
from running_stream import PATIENCE_S, Running, count, is_drained, running, wait_for
from stream_acts import act, add_works, many_acts

from models import registry
from models.policy import Policy, PolicyConfig
from openshelf.contracts import Action, utc_now
from openshelf.database import events, stream
from openshelf.settings import get_settings


def append(conn: psycopg.Connection, acts: list) -> None:
    events.append_many(conn, acts)
    conn.commit()


def test_killed_twice_it_loses_no_act_and_counts_none_twice(conn: psycopg.Connection, tmp_path: Path) -> None:
    add_works(conn)
    acts = many_acts(900)
    append(conn, acts[:300])

    for start in (300, 600):
        with running("run", log=tmp_path / "log") as flow:
            wait_for(lambda: count(conn, "interactions") > start - 300, "the first acts")  # noqa: B023
            append(conn, acts[start : start + 300])
            flow.kill()
    with running("run", log=tmp_path / "log") as flow:
        wait_for(lambda: is_drained(conn), "the log to be drained")
        code = flow.stop()

    stored = {row[0] for row in conn.execute("select event_id from stream.interactions").fetchall()}
    assert stored == {each.event_id for each in acts}
    per_session = dict(conn.execute("select session_id, count_acts + count_shows from stream.sessions").fetchall())
    expected = dict.fromkeys({each.session_id for each in acts}, 0)
    for each in acts:
        expected[each.session_id] += 1
    assert per_session == expected
    assert count(conn, "slates") == sum(each.action is not Action.SHOW for each in acts)
    assert code == 0


def test_a_second_one_is_refused_with_the_pid_of_the_first(conn: psycopg.Connection, tmp_path: Path) -> None:
    add_works(conn)
    append(conn, many_acts(1))

    with running("run", log=tmp_path / "first") as first:
        wait_for(lambda: count(conn, "interactions"), "the first act")
        with running("run", log=tmp_path / "second") as second:
            code = second.process.wait(PATIENCE_S)

    assert code == 1
    assert f"already running, pid {first.process.pid}" in second.lines()


def test_a_damaged_recovery_store_is_moved_aside_and_the_log_replayed(conn: psycopg.Connection, tmp_path: Path) -> None:
    add_works(conn)
    acts = many_acts(60)
    append(conn, acts[:30])
    with running("run", log=tmp_path / "log") as flow:
        wait_for(lambda: is_drained(conn), "the log to be drained")
        flow.stop()
    folder = get_settings().home / "recovery"
    (part,) = (folder / "sessions-log").glob("part-*")
    part.write_bytes(b"not a database" * 500)
    append(conn, acts[30:])

    with running("run", log=tmp_path / "log") as flow:
        wait_for(lambda: is_drained(conn), "the log to be drained")
        flow.stop()

    assert len(list(folder.glob("sessions-log.corrupt-*"))) == 1
    assert "recovery_store_moved_aside" in flow.lines()
    assert count(conn, "interactions") == 60
    rows = conn.execute("select count_acts + count_shows from stream.sessions").fetchall()
    assert sum(row[0] for row in rows) == 60


def test_a_new_champion_serves_without_a_restart(conn: psycopg.Connection, tmp_path: Path) -> None:
    add_works(conn)
    append(conn, [act(Action.LIKE, 1)])

    with running("run", log=tmp_path / "log"):
        wait_for(lambda: latest_version(conn) == "popular", "the first slate")
        champion = promote_untrained(conn)
        wait_for(lambda: served_after_an_act(conn) == champion, "a slate of the new champion")


def latest_version(conn: psycopg.Connection) -> str | None:
    slate = stream.latest_slate(conn, "r_1")
    conn.commit()
    return slate.policy_version if slate else None


def served_after_an_act(conn: psycopg.Connection) -> str | None:
    append(conn, [act(Action.LIKE, 2)])
    wait_for(lambda: is_drained(conn), "the act to be stored")
    return latest_version(conn)


def promote_untrained(conn: psycopg.Connection) -> str:
    config, now = PolicyConfig(), utc_now()
    policy = Policy(config, torch.nn.init.orthogonal_(torch.empty(config.dim, 384)), torch.arange(1, 31))
    tensors = registry.policy_tensors(policy, {})
    version = registry.register(
        conn, "policy", tensors, config=asdict(config), manifest={}, metrics={}, parent=None, now=now
    )
    registry.promote(conn, version, "a test", now)
    conn.commit()
    return version


def test_it_outlives_its_connections_to_postgres(conn: psycopg.Connection, tmp_path: Path) -> None:
    add_works(conn)
    acts = many_acts(60)
    append(conn, acts[:30])

    with running("run", log=tmp_path / "log") as flow:
        wait_for(lambda: count(conn, "interactions") == 30, "the first acts")
        drop_others(conn)
        append(conn, acts[30:])
        wait_for(lambda: count(conn, "interactions") == 60, "the acts after the outage")
        assert flow.process.poll() is None


def drop_others(conn: psycopg.Connection) -> None:
    conn.execute(
        """select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()"""
    )
    conn.commit()


def test_an_unknown_relay_target_is_one_line_and_exit_code_1(database: str, tmp_path: Path) -> None:
    relay = Running("relay", log=tmp_path / "log", OPENSHELF_BROKERS="127.0.0.1:9")

    code = relay.process.wait(PATIENCE_S)

    assert code == 1
    assert [line for line in relay.lines().splitlines() if "the broker 127.0.0.1:9 does not answer" in line]
