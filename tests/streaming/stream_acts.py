"""Acts, a small recommender and a running dataflow for the tests of the stream."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import numpy as np
import psycopg
from bytewax.testing import run_main

from models import rewards
from models.experiments import Serving
from models.recommender import DrawnSlate, SlateRequest
from models.states import ACT_ROW, ACTIONS, NO_WORK, works_of
from openshelf.contracts import Action, Interaction, Place, Source, Surface, new_event_id, utc_now
from openshelf.database import consumers, reader_history
from streaming import sessions_flow
from streaming.batch_sink import BatchSink
from streaming.log_source import LogSource
from streaming.session_state import Rules

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SILENCE = timedelta(minutes=30)
RULES = Rules(SILENCE, inferred_skip=-0.1)
SESSION = UUID(int=7)


def act(action: Action = Action.OPEN, book_id: int | None = 1, **changes: object) -> Interaction:
    fields: dict = {
        "event_id": new_event_id(),
        "occurred_at": utc_now(),
        "reader_key": "r_1",
        "session_id": SESSION,
        "action": action,
        "book_id": book_id,
        "surface": Surface.FOR_YOU,
    }
    return Interaction(**(fields | changes))


def add_works(conn: psycopg.Connection, count: int = 40) -> None:
    """The works that the acts of `many_acts` are about."""
    conn.execute(
        """insert into library.works (work_key, title, title_sort, added_at)
           select 'work ' || n, 'Work ' || n, 'Work ' || n, now() from generate_series(1, %s) as n""",
        [count],
    )
    conn.commit()


def many_acts(count: int, seed: int = 0, count_readers: int = 9) -> list[Interaction]:
    """Acts of several readers, in order, on books 1 to 40."""
    random = Random(seed)
    sessions = [uuid4() for _ in range(count_readers)]
    start = utc_now() - timedelta(minutes=20)
    out = []
    for n in range(count):
        reader = random.randrange(count_readers)
        out.append(
            act(
                random.choice([Action.OPEN, Action.LIKE, Action.SHOW, Action.HIDE, Action.WANT]),
                random.randint(1, 40),
                reader_key=f"r_{reader}",
                session_id=sessions[reader],
                occurred_at=start + timedelta(milliseconds=n),
            )
        )
    return out


def excluded_of(request: SlateRequest) -> set[int]:
    return {*works_of(request.met), *works_of(request.hidden)}


def acts_of(packed: bytes) -> list[tuple[Action, int | None]]:
    return [
        (ACTIONS[row["action"]], None if row["book_id"] == NO_WORK else int(row["book_id"]))
        for row in np.frombuffer(packed, ACT_ROW)
    ]


class SmallRecommender:
    """Draws 5 of the books 1 to 100 by the request's seed."""

    version = "small-1"
    catalogue_version = 1
    readers_at_once = 64

    def draw(self, requests: Sequence[SlateRequest]) -> list[DrawnSlate]:
        return [DrawnSlate.of(self.version, self._places(request)) for request in requests]

    def _places(self, request: SlateRequest) -> list[Place]:
        free = [book_id for book_id in range(1, 101) if book_id not in excluded_of(request)]
        return [
            Place(book_id=book_id, position=n, propensity=0.5, source=Source.POLICY, reason="new_to_you")
            for n, book_id in enumerate(Random(request.seed).sample(free, 5))
        ]


def only(recommender: object) -> Serving:
    """It serves everyone."""
    return Serving(recommender)  # pyright: ignore[reportArgumentType]


def catch_up(conn: psycopg.Connection, recommender: object | None, recovery: object = None) -> None:
    """Run the session dataflow over the log as it is now; `recommender`: of everyone, or a whole `Serving`."""
    conn.commit()
    serving = recommender if recommender is None or isinstance(recommender, Serving) else only(recommender)
    flow = sessions_flow.build_flow(
        LogSource(stop_at=consumers.end_offsets(conn)),
        BatchSink(lambda: serving),
        rewards=rewards.load(),
        history=lambda taken: reader_history.stored_acts(
            conn, taken.event.reader_key, before_offset=taken.raw.log_offset
        ),
        clock=utc_now,
        silence=SILENCE,
    )
    run_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=recovery)
    conn.commit()


def snapshot(conn: psycopg.Connection) -> list[list[tuple]]:
    """All that the dataflow stored, without the moments of storing."""
    tables = [
        "select event_id, reader_key, session_id, action, book_id, reward, partition, log_offset"
        " from stream.interactions order by event_id",
        "select slate_id, event_id, reader_key, created_at, policy_version, arm from stream.slates order by slate_id",
        "select * from stream.slate_places order by slate_id, position",
        "select * from stream.sessions order by session_id",
        "select source, partition, log_offset, reason, payload from stream.dead_letters order by 1, 2, 3",
    ]
    return [conn.execute(table).fetchall() for table in tables]  # pyright: ignore[reportArgumentType, reportCallIssue]
