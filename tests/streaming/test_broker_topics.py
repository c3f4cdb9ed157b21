"""Topics are made or found as they are, and what the broker refuses is said or tried again."""

import pytest
from broker_road import Road, on_each_broker
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from mock_broker import PRODUCE, TOPIC_AUTHORIZATION_FAILED

from openshelf import broker, topics
from openshelf.errors import BrokerError
from streaming.publishing import ConfirmedSender, OutMessage


@on_each_broker
def test_topics_are_made_or_what_they_are_is_said(
    road: Road,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The mock makes no topic by request, and one of 4 partitions as soon as it is asked for one."""
    monkeypatch.setattr(broker, "CREATE_TIMEOUT_S", 10.0 if road.mock is None else 0.5)
    name = f"{road.settings.topic_prefix}.made.v1"

    made = broker.ensure_topics(road.settings, [name])
    again = broker.ensure_topics(road.settings, [name])

    assert made == again
    # Where log lines go depends on whether another test has run a command in this process.
    said = capsys.readouterr().out + caplog.text
    if road.mock:
        assert made == {name: [0, 1, 2, 3]}
        assert "4 partitions, not 12" in said
        return
    assert made == {name: list(range(topics.PARTITIONS))}
    assert "topic_is_otherwise" not in said
    admin = AdminClient(broker.client_settings(road.settings))
    (future,) = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]).values()
    assert future.result(10)["retention.ms"].value == str(topics.RETENTION_MS)
    admin.delete_topics([name])[name].result(10)


@pytest.mark.parametrize(
    ("count_partitions", "copies", "retention_ms", "said"),
    [
        (12, 1, topics.RETENTION_MS, []),
        (12, 3, -1, []),
        (12, 1, None, []),
        (4, 1, None, ["4 partitions, not 12"]),
        (12, 1, 3_600_000, ["0.0 days, not 7"]),
    ],
)
def test_a_topic_that_is_otherwise_is_described(
    count_partitions: int, copies: int, retention_ms: int | None, said: list[str]
) -> None:
    found = broker.oddities(count_partitions, copies, retention_ms, replication=1)

    assert len(found) == len(said)
    assert all(words in oddity for words, oddity in zip(said, found, strict=True))


def test_fewer_copies_than_wanted_are_said() -> None:
    assert "1 copies, not 3" in broker.oddities(12, 1, topics.RETENTION_MS, replication=3)[0]


@pytest.mark.parametrize(("code", "said"), [(3, "is absent and cannot be created"), (29, "is not for us")])
def test_a_topic_that_cannot_be_had_is_named_with_what_to_do(
    road: Road, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    monkeypatch.setattr(broker, "CREATE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(broker, "APPEARS_WITHIN_S", 0.3)
    assert road.mock
    road.mock.make_topic("strange.v1")
    road.mock.refuse_topic("strange.v1", code)

    with pytest.raises(BrokerError, match=f"topic strange.v1 {said} .*(Create it with 12|Grant)"):
        broker.ensure_topics(road.settings, ["strange.v1"])


def test_what_the_broker_refuses_for_a_time_is_sent_again_in_order(road: Road) -> None:
    assert road.mock
    topic = road.settings.topics.slates
    road.mock.refuse_requests(PRODUCE, TOPIC_AUTHORIZATION_FAILED, 2)

    ConfirmedSender(lambda: broker.producer(road.settings)).send(
        [OutMessage(topic, "r_1", str(n).encode()) for n in range(50)]
    )

    values = [int(message.value() or b"") for message in road.read(topic)]
    assert values[-50:] == list(range(50))


def test_topics_of_installations_that_share_a_broker_differ_in_their_prefix() -> None:
    assert topics.Topics().interactions == "openshelf.interactions.v1"
    assert topics.Topics("hanoi").dead_letters == "hanoi.dead-letters.v1"
