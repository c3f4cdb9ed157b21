"""`python -m old_design.consumer BROKER REDIS_PORT SERVICE_URL`: the Quix Streams consumer.

Settings are the defaults of its parts, but for one, without which events would wait for nothing: this broker answers a
waiting consumer after 5 ms instead of 500, as it does ours.
"""

import json
import sys

import redis  # pyright: ignore[reportMissingImports] - in the environment of its own
import requests
from quixstreams import Application  # pyright: ignore[reportMissingImports]
from quixstreams.models.topics import (  # pyright: ignore[reportMissingImports]
    TopicAdmin,
    TopicConfig,
    TopicManager,
)

from .messages import COUNT_LAST, GROUP, INTERACTIONS, TOPIC, Event, request_of, with_reward

PREDICT_TIMEOUT_S = 10


class ListedTopics(TopicAdmin):
    """Partitions from the list of topics alone: the broker of tests does not say how topics are configured."""

    def inspect_topics(self, topic_names: list[str], timeout: float = 30) -> dict[str, TopicConfig | None]:
        listed = self.list_topics(timeout)
        return {
            name: TopicConfig(len(listed[name].partitions), replication_factor=1, extra_config={})
            for name in topic_names
            if name in listed
        }


def main() -> None:
    broker, redis_port, service = sys.argv[1:]
    store = redis.Redis(port=int(redis_port), decode_responses=True, socket_timeout=10)

    def keep(event: Event) -> None:
        stored = json.dumps(event)
        store.rpush(INTERACTIONS, stored)
        store.rpush(str(event["sid"]), stored)

    def recommend(event: Event) -> None:
        session = store.lrange(str(event["sid"]), -COUNT_LAST, -1)
        try:
            requests.post(f"{service}/predict/", json=request_of(session), timeout=PREDICT_TIMEOUT_S)
        except requests.RequestException as error:
            print(f"no recommendation: {error}", file=sys.stderr)

    app = Application(
        broker_address=broker,
        consumer_group=GROUP,
        auto_offset_reset="latest",
        topic_manager=TopicManager(ListedTopics(broker), GROUP),
        consumer_extra_config={"fetch.wait.max.ms": 5},
        loglevel="WARNING",
    )
    events = app.dataframe(app.topic(TOPIC, value_deserializer="json"))
    events.apply(with_reward).update(keep).update(recommend)
    app.run()


if __name__ == "__main__":
    main()
