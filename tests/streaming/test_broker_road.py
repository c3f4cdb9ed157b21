"""Log -> relay -> broker -> sessions -> Postgres and topics. OPENSHELF_TEST_BROKERS: on a real broker, too."""

from datetime import timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest
from broker_road import Road, on_each_broker, read_all, send_with_unreadable_header_name
from mock_broker import MockBroker
from running_stream import Running, count, is_drained, running, wait_for
from stream_acts import act, add_works, many_acts

from openshelf import broker, topics
from openshelf.contracts import Action, Interaction, new_event_id, parse_slate, utc_now
from openshelf.database import dead_letters, events, stream
from openshelf.errors import OpenshelfError
from openshelf.settings import get_settings
from streaming import broker_source, recovery_store, sessions_flow, stopping
from streaming import running as running_flows
from streaming.broker_source import OFFSET_HEADER, PARTITION_HEADER, RECEIVED_HEADER, BrokerSource
from streaming.relay import run_relay


def append(conn: psycopg.Connection, acts: list[Interaction]) -> None:
    events.append_many(conn, acts)
    conn.commit()


def count_in_sessions(conn: psycopg.Connection) -> int:
    row = conn.execute("select coalesce(sum(count_acts + count_shows), 0)::int from stream.sessions").fetchone()
    conn.commit()
    assert row
    return row[0]


def stored_ids(conn: psycopg.Connection) -> set:
    return {row[0] for row in conn.execute("select event_id from stream.interactions where not inferred").fetchall()}


@on_each_broker
def test_acts_travel_in_each_reader_s_order_and_come_out_as_slates(
    conn: psycopg.Connection, road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = many_acts(80)
    append(conn, acts)
    events.append_raw(conn, new_event_id(), "r_1", b"poison")
    events.append_raw(conn, new_event_id(), "r_1", b"x" * 900_000)
    conn.commit()
    another_group = broker.consumer(road.settings, f"{road.settings.topic_prefix}-another")
    another_group.subscribe([road.settings.topics.interactions])

    with running("relay", log=tmp_path / "relay") as relay, running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: count(conn, "interactions") == 80, "all acts")
        wait_for(lambda: count(conn, "dead_letters") == 2, "both dead letters")
        late = act()
        append(conn, [late])
        wait_for(lambda: count(conn, "interactions") == 81, "an act after the others")
        wait_for(lambda: is_drained(conn, "relay"), "the relay's progress")
        second_ones_are_refused(relay, flow, monkeypatch)
        assert flow.stop() == 0

    messages = read_all(another_group, len(road.read(road.settings.topics.interactions)))
    another_group.close()
    sent = [message.value() for message in sorted(messages, key=lambda m: (m.partition(), m.offset()))]
    for reader in {each.reader_key for each in acts}:
        mine = [each.encode() for each in [*acts, late] if each.reader_key == reader]
        assert [value for value in sent if value in mine] == mine
    assert {message.partition() for message in messages if message.key() == b"r_1"} == {topics.partition_of("r_1")}
    stored = conn.execute(
        "select count(*) from stream.interactions join stream.event_log using (event_id, partition, log_offset)"
        " where received_at = appended_at"
    )
    assert stored.fetchone() == (81,)
    slates = road.read(road.settings.topics.slates)
    assert late.event_id in stream.slates_of_events(conn, [late.event_id])
    assert {parse_slate(message.value() or b"").slate_id for message in slates} == {
        row[0] for row in conn.execute("select slate_id from stream.slates").fetchall()
    }
    (letter,) = [m for m in road.read(road.settings.topics.dead_letters) if m.value() == b"poison"]
    (kept,) = [each for each in dead_letters.waiting(conn) if each.payload == b"poison"]
    assert dict(letter.headers() or []) == {
        "openshelf-reason": kept.reason.encode(),
        "openshelf-source": kept.source.encode(),
        "openshelf-partition": str(kept.partition).encode(),
        "openshelf-offset": str(kept.log_offset).encode(),
    }


def second_ones_are_refused(relay: Running, flow: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a dataflow on the log beside one on the broker: they would take the same acts."""
    monkeypatch.setattr(stopping, "on_signals", lambda: None)
    with pytest.raises(OpenshelfError, match=f"pid {relay.process.pid}"):
        run_relay(topics.WHOLE)
    with pytest.raises(OpenshelfError, match=f"pid {flow.process.pid}"):
        running_flows.run_sessions(1, topics.WHOLE)
    with monkeypatch.context() as patch:
        patch.delenv("OPENSHELF_BROKERS")
        get_settings.cache_clear()
        with pytest.raises(OpenshelfError, match=f"pid {flow.process.pid}"):
            running_flows.run_sessions(1, topics.WHOLE)
    get_settings.cache_clear()


@on_each_broker
def test_relay_and_dataflow_killed_at_work_lose_nothing_and_double_nothing(
    conn: psycopg.Connection, road: Road, tmp_path: Path
) -> None:
    acts = many_acts(600)
    append(conn, acts[:300])

    with running("relay", log=tmp_path / "relay") as relay, running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: count(conn, "interactions"), "the first acts")
        append(conn, acts[300:])
        relay.kill()
        flow.kill()
    # What a kill after sending and before noting leaves behind: the last stretch is sent again.
    conn.execute("update stream.progress set next_offset = greatest(0, next_offset - 5) where consumer = 'relay'")
    conn.commit()
    with running("relay", log=tmp_path / "relay"), running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: count(conn, "interactions where not inferred") == 600, "all acts")
        wait_for(lambda: is_drained(conn) and is_drained(conn, "relay"), "everything to be drained")
        assert flow.stop() == 0

    sent = road.read(road.settings.topics.interactions)
    assert len(sent) > 600
    assert all(OFFSET_HEADER in dict(message.headers() or []) for message in sent)
    assert stored_ids(conn) == {each.event_id for each in acts}
    assert count_in_sessions(conn) == 600
    assert count(conn, "slates") == sum(each.action is not Action.SHOW for each in acts)
    slates = road.read(road.settings.topics.slates)
    assert len({parse_slate(message.value() or b"").slate_id for message in slates}) == count(conn, "slates")
    assert count(conn, "dead_letters") == 0


@on_each_broker
def test_foreign_messages_are_acts_or_dead_letters_and_the_flow_goes_on(
    conn: psycopg.Connection, road: Road, tmp_path: Path
) -> None:
    def place(partition: int, offset: int, received_at: str) -> list:
        values = (str(partition), str(offset), received_at)
        return [
            (name, value.encode())
            for name, value in zip((PARTITION_HEADER, OFFSET_HEADER, RECEIVED_HEADER), values, strict=True)
        ]

    now = utc_now()
    good = [act(Action.LIKE, n, session_id=act().session_id) for n in range(1, 11)]
    bodies = [each.encode() for each in good]
    bad: list[tuple[bytes | None, str]] = [
        (b'{"temperature": 21.5}', "unknown field"),
        (b"\x00\x00\x00\x00\x07\x02\x10avro", "malformed"),
        (None, "the event is empty, as a tombstone is"),
        (b"", "the event is empty"),
        (bytes(950_000), "event of 950000 bytes is larger than 16384"),
    ]
    road.send(
        [
            *[{"value": value, "key": b"\xff\x00" if n else None} for n, (value, _) in enumerate(bad)],
            {"value": bodies[0]},  # neither key nor headers
            {"value": bodies[1], "key": b"r_2", "partition": 3},  # another reader's key, on another partition
            {"value": bodies[2], "headers": [(PARTITION_HEADER, b"\xff"), (OFFSET_HEADER, None)]},
            {"value": bodies[3], "headers": place(3, 7, "2026-05-03T12:00:00")},  # no time zone
            {"value": bodies[4], "headers": place(3, 7, "9999-12-31T23:59:59+00:00")},
            {"value": bodies[5], "headers": place(99, 7, now.isoformat())},
            {"value": bodies[6], "headers": place(3, -7, now.isoformat())},
            {"value": bodies[7], "timestamp": 10**16},
        ]
    )
    send_with_unreadable_header_name(road, bodies[8])
    road.send([{"value": bodies[9]}], **{"compression.type": "zstd"})
    # Again after six days, as another process that knows of nothing, and under the same id with another body.
    six_days_ago = int((now - timedelta(days=6)).timestamp() * 1000)
    old = act(Action.LIKE, 11, occurred_at=now - timedelta(days=6, minutes=1))
    road.send([{"value": old.encode(), "timestamp": six_days_ago}, {"value": old.encode()}, {"value": bodies[0]}])
    road.send([{"value": msgspec.structs.replace(good[0], book_id=12).encode()}], **{"compression.type": "gzip"})

    with running("relay", log=tmp_path / "relay"), running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: count(conn, "interactions") == 11, "the foreign acts")
        wait_for(lambda: count(conn, "dead_letters") == len(bad), "the dead letters")
        append(conn, [relayed := act(Action.LIKE, 20)])
        wait_for(lambda: count(conn, "interactions") == 12, "an act of the log")
        assert flow.stop() == 0

    assert stored_ids(conn) == {each.event_id for each in [*good, old, relayed]}
    assert count_in_sessions(conn) == 12
    assert conn.execute("select count(*) from stream.interactions where log_offset is not null").fetchone() == (1,)
    letters = dead_letters.waiting(conn)
    assert {letter.source for letter in letters} == {road.settings.topics.interactions}
    assert sorted(letter.payload for letter in letters) == sorted(value or b"" for value, _ in bad)
    for value, reason in bad:
        assert any(letter.payload == (value or b"") and reason in letter.reason for letter in letters)
    published = {m.key(): m for m in road.read(road.settings.topics.dead_letters)}
    for letter in letters:
        message = published[f"{letter.source}/{letter.partition}/{letter.log_offset}".encode()]
        headers = dict(message.headers() or [])
        assert headers["openshelf-source"] == letter.source.encode()
        assert headers["openshelf-offset"] == str(letter.log_offset).encode()
        assert letter.payload.startswith(message.value() or b"")
        # What a broker would refuse is cut there; the table has the whole.
        assert headers.get("openshelf-whole-bytes") == (b"950000" if len(letter.payload) > 500_000 else None)


@pytest.mark.parametrize("what_it_does", ["waits for acts", "waits for its slates to be confirmed"])
def test_a_broker_that_is_away_for_a_while_is_waited_for_and_shown(
    conn: psycopg.Connection, road: Road, tmp_path: Path, what_it_does: str
) -> None:
    acts = many_acts(60)
    assert road.mock

    with running("relay", log=tmp_path / "relay") as relay, running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: "sessions_started" in flow.lines(), "the dataflow to start")
        wait_for(lambda: "relay_started" in relay.lines(), "the relay to start")
        if what_it_does != "waits for acts":
            road.mock.answer_after(500)
        append(conn, acts[:30])
        wait_for(lambda: count(conn, "interactions") == 30, "the first acts")
        road.mock.go_away()
        road.mock.answer_after(0)
        append(conn, acts[30:])
        wait_for(lambda: "broker_is_slow" in relay.lines(), "the relay to say that it waits")
        # It reads no topic while slates of its are out, and which of the two it is in is chance where answers are fast.
        words = ("topic_is_not_read", "broker_is_slow")
        wait_for(lambda: any(word in flow.lines() for word in words), "the dataflow to say that it waits")
        road.mock.come_back()
        wait_for(lambda: count(conn, "interactions") == 60, "the acts of the outage")
        wait_for(lambda: "topic_is_read_again" in flow.lines(), "the dataflow to say that it is over")
        assert (relay.process.poll(), flow.process.poll()) == (None, None)

    assert stored_ids(conn) == {each.event_id for each in acts}
    assert count_in_sessions(conn) == 60


def test_a_broker_that_goes_away_while_the_dataflow_starts_is_waited_for(conn: psycopg.Connection, road: Road) -> None:
    every = broker_source.partitions(road.settings)
    source = BrokerSource(road.settings, every, len(every))
    assert road.mock
    road.mock.go_away()

    part = source.build_part("read_acts", source.list_parts()[0], None)

    assert part.next_batch() == []
    part.close()


def test_what_an_empty_successor_of_a_broker_does_not_hold_is_sent_to_it(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    add_works(conn)
    acts = many_acts(40)
    append(conn, acts[:20])
    first, second = MockBroker(), MockBroker()
    for name in (topics.Topics().interactions, topics.Topics().slates, topics.Topics().dead_letters):
        first.make_topic(name)
        second.make_topic(name)

    with running("relay", log=tmp_path / "log", OPENSHELF_BROKERS=first.address) as relay:
        wait_for(lambda: is_drained(conn, "relay"), "the first acts to be sent")
        first.kill()
        append(conn, acts[20:])
        wait_for(lambda: "broker_is_slow" in relay.lines(), "the relay to say that it waits")
        code = relay.stop()
    with (
        running("relay", log=tmp_path / "log", OPENSHELF_BROKERS=second.address),
        running("run", log=tmp_path / "run", OPENSHELF_BROKERS=second.address),
    ):
        wait_for(lambda: count(conn, "interactions") == 40, "all acts")
    second.kill()

    assert code == 1
    assert "openshelf: stopped while the broker was away" in relay.lines()
    assert stored_ids(conn) == {each.event_id for each in acts}
    assert count_in_sessions(conn) == 40


@pytest.mark.parametrize("other", ["the log's", "another topic's", "of other steps", "of 3 partitions"])
def test_a_recovery_store_of_another_flow_is_moved_aside(
    conn: psycopg.Connection, road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    folder, mine = tmp_path / "store", running_flows.fingerprint(road.settings, conn)
    without_broker = road.settings.model_copy(update={"brokers": None})
    with monkeypatch.context() as patch:
        if other == "of other steps":
            patch.setattr(sessions_flow, "STEP_IDS", ("read_acts", "store_batch"))
        if other == "of 3 partitions":
            patch.setattr(recovery_store, "COUNT_PARTITIONS", 3)
        if other == "another topic's":
            road.mock.make_topic("another.interactions.v1") if road.mock else None
        settings = {
            "the log's": without_broker,
            "another topic's": road.settings.model_copy(update={"topic_prefix": "another"}),
        }.get(other, road.settings)
        recovery_store.prepare(folder, running_flows.fingerprint(settings, conn), utc_now)

    recovery_store.prepare(folder, mine, utc_now)
    recovery_store.prepare(folder, mine, utc_now)

    assert len(list(tmp_path.glob("store.corrupt-*"))) == 1
    assert recovery_store.fault_of(folder, mine) is None
