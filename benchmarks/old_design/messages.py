"""What the consumer makes of a click before it asks for recommendations. Pure; the standard library only."""

import json
from collections.abc import Sequence

TOPIC = "UserInteraction"
GROUP = "quix"
# Lists in Redis: every event, and every recommendation, until a scheduled job takes them to Postgres.
INTERACTIONS = "user_interactions"
RECOMMENDATIONS = "recommendations"
COUNT_LAST = 5
COUNT_RECOMMENDED = 5
REWARDS = {"skip": -1, "click": 1, "read": 2}

Event = dict[str, object]


def with_reward(event: Event) -> Event:
    """The event and its worth. An unknown action raises, and stops the stream: so it was."""
    return {**event, "reward": REWARDS[str(event["action"])]}


def request_of(session: Sequence[str]) -> list[list[str | int]]:
    """The body of `POST /predict/`: the last events of a session, stored as JSON, the latest last."""
    last = [json.loads(stored) for stored in session[-COUNT_LAST:]]
    return [[event["sid"], event["uid"], event["bid"], event["reward"]] for event in last]


def latencies_ms(interactions: Sequence[str], recommendations: Sequence[str]) -> list[float]:
    """From the click to its recommendation in Redis, ascending, from what the design itself stores.

    The consumer takes one event after the other, so the n-th event stored and the n-th five recommendations belong
    together.
    """
    sent = [json.loads(each)["timestamp"] for each in interactions]
    done = [json.loads(each)["timestamp"] for each in recommendations[::COUNT_RECOMMENDED]]
    return sorted((at - since) * 1000 for since, at in zip(sent, done, strict=False))
