"""Log -> relay -> broker -> sessions -> Postgres and topics, against librdkafka's mock cluster."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from mock_broker import MockBroker, mock_broker
from running_stream import Running, count, is_drained, running, wait_for
from small_catalogue import Work, add_work
from stream_acts import act, many_acts

from openshelf import broker, topics
from openshelf.contracts import new_event_id, parse_slate
from openshelf.database import events, stream
from openshelf.errors import BrokerError
from openshelf.settings import get_settings
from streaming.broker_source import OFFSET_HEADER


@pytest.fixture
def brokers(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with mock_broker() as address:
        monkeypatch.setenv("OPENSHELF_BROKERS", address)
        get_settings.cache_clear()
        yield address


def read_topic(brokers: str, topic: str, expected: int) -> list:
    consumer = broker.consumer(brokers, "tests")
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    messages, deadline = [], time.monotonic() + 30
    while len(messages) < expected and time.monotonic() < deadline:
        messages += [message for message in consumer.consume(500, timeout=0.5) if not message.error()]
    messages += [message for message in consumer.consume(500, timeout=0.5) if not message.error()]
    consumer.close()
    return messages


def test_acts_travel_over_the_broker_and_come_out_as_slates(
    conn: psycopg.Connection, brokers: str, tmp_path: Path
) -> None:
    for number in range(30):
        add_work(conn, Work(f"Work {number}", ["A. Author"], ["history"], None))
    acts = many_acts(80)
    events.append_many(conn, acts)
    events.append_raw(conn, new_event_id(), "r_1", b"poison")
    events.append_raw(conn, new_event_id(), "r_1", b"x" * 900_000)
    conn.commit()

    with running("relay", log=tmp_path / "relay"), running("run", log=tmp_path / "run") as flow:
        wait_for(lambda: count(conn, "interactions") == 80, "all acts")
        wait_for(lambda: count(conn, "dead_letters") == 2, "both dead letters")
        wait_for(lambda: is_drained(conn, "relay"), "the relay's progress")
        late = act()
        events.append(conn, late)
        conn.commit()
        wait_for(lambda: count(conn, "interactions") == 81, "an act after the others")
        assert flow.stop() == 0

    stored = conn.execute(
        "select count(*) from stream.interactions join stream.event_log using (event_id, partition, log_offset)"
        " where received_at = appended_at"
    )
    assert stored.fetchone() == (81,)
    slates = [parse_slate(message.value()) for message in read_topic(brokers, topics.SLATES, count(conn, "slates"))]
    assert late.event_id in stream.slates_of_events(conn, [late.event_id])
    assert {slate.slate_id for slate in slates} == {
        row[0] for row in conn.execute("select slate_id from stream.slates").fetchall()
    }
    (letter,) = read_topic(brokers, topics.DEAD_LETTERS, 1)
    assert letter.value() == b"poison"


def test_a_relay_killed_between_sending_and_noting_loses_nothing_and_doubles_nothing(
    conn: psycopg.Connection, brokers: str, tmp_path: Path
) -> None:
    acts = many_acts(600)
    events.append_many(conn, acts[:300])
    conn.commit()

    with running("relay", log=tmp_path / "relay") as relay:
        wait_for(lambda: not is_drained_at_start(conn), "the first acts to be sent")
        events.append_many(conn, acts[300:])
        conn.commit()
        relay.kill()
    # What a kill after sending and before noting leaves behind: the last stretch is sent again.
    conn.execute("update stream.progress set next_offset = greatest(0, next_offset - 5) where consumer = 'relay'")
    conn.commit()
    with running("relay", log=tmp_path / "relay"), running("run", log=tmp_path / "run"):
        wait_for(lambda: count(conn, "interactions") == 600, "all acts")
        wait_for(lambda: is_drained(conn) and is_drained(conn, "relay"), "everything to be drained")

    sent = read_topic(brokers, topics.INTERACTIONS, 600)
    assert len(sent) > 600
    assert all(OFFSET_HEADER in dict(message.headers()) for message in sent)
    rows = conn.execute("select count_acts + count_shows from stream.sessions").fetchall()
    assert sum(row[0] for row in rows) == 600


def is_drained_at_start(conn: psycopg.Connection) -> bool:
    """Whether the relay has noted nothing yet."""
    noted = conn.execute("select count(*) from stream.progress where consumer = 'relay'").fetchone()
    conn.commit()
    return noted == (0,)


def test_what_a_broker_that_went_away_had_not_confirmed_goes_to_its_successor(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    acts = many_acts(40)
    events.append_many(conn, acts[:20])
    conn.commit()

    relay = Running("relay", log=tmp_path / "log", OPENSHELF_BROKERS=(first := MockBroker()).address)
    wait_for(lambda: is_drained(conn, "relay"), "the first acts to be sent")
    first.kill()
    events.append_many(conn, acts[20:])
    conn.commit()
    wait_for(lambda: "broker_is_slow" in relay.lines(), "the relay to say that it waits")
    code = relay.stop()
    with mock_broker() as second, running("relay", log=tmp_path / "log", OPENSHELF_BROKERS=second):
        wait_for(lambda: is_drained(conn, "relay"), "the rest to be sent")
        sent = read_topic(second, topics.INTERACTIONS, 20)

    assert code == 1
    assert "openshelf: stopped while the broker was away" in relay.lines()
    assert {message.value() for message in sent} == {each.encode() for each in acts[20:]}


def test_a_broker_that_does_not_answer_is_named() -> None:
    with pytest.raises(BrokerError, match=r"the broker 127\.0\.0\.1:9 does not answer"):
        broker.check("127.0.0.1:9")


def test_topics_that_cannot_be_created_are_found_when_they_are_there(brokers: str) -> None:
    broker.ensure_topics(brokers, [topics.INTERACTIONS, topics.SLATES])

    assert broker.check(brokers).topics[topics.INTERACTIONS].partitions
