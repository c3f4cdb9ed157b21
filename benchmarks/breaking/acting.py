"""Readers who act: `python acting.py JOURNAL SEED PER_SECOND`, a process of its own that can be killed.

It commits acts as the storefront does (`dashboard.acts.record`: the change that is kept and the event in one
transaction) and keeps a journal, a line for each step: `sent` before the commit, `acked` after it. A line is one
write to a file opened for appending, so a killed process leaves whole lines.
"""

import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from dashboard import acts
from dashboard.acts import Deed, Reader
from openshelf.contracts import Action, Interaction, Slate, Surface, new_event_id, utc_now
from openshelf.database import events, pool, stream
from openshelf.errors import OpenshelfError

COUNT_WORKS = 2_000
COUNT_THREADS = 3
READERS_PER_THREAD = 8
ANSWERS = (Action.OPEN, Action.OPEN, Action.LIKE, Action.READ, Action.SKIP, Action.HIDE)
BAD_SHARE, WRONG_CLOCK_SHARE, NEW_SESSION_SHARE = 0.02, 0.05, 0.02
# By how much a reader's device goes wrong.
CLOCK_ERRORS = (timedelta(minutes=-90), timedelta(minutes=-40), timedelta(seconds=-20), timedelta(minutes=4))
AWAY = (psycopg.Error, PoolTimeout, OpenshelfError)


@dataclass
class Acting:
    """A reader with a browser open. `account_id`: who is signed in, and keeps what they put on a shelf."""

    reader_key: str
    random: Random
    account_id: int | None = None
    session_id: UUID = field(default_factory=new_event_id)
    has_acted: bool = False

    def reader(self) -> Reader:
        if self.random.random() < NEW_SESSION_SHARE:
            self.session_id = new_event_id()
        return Reader(self.reader_key, self.session_id, self.account_id)

    def deeds(self, slate: Slate | None) -> list[Deed]:
        """What they do next: look at the slate that was drawn for them and answer a place, or open some work."""
        book_id = self.random.randint(1, COUNT_WORKS)
        if slate is None or not self.has_acted or self.random.random() < 0.3:
            action = self.random.choice((Action.OPEN, Action.LIKE, Action.WANT)) if self.has_acted else Action.LIKE
            return [Deed(action, Surface.BROWSE, book_id)]
        seen = slate.places[: self.random.randint(1, 4)]
        shown = [
            Deed(Action.SHOW, Surface.FOR_YOU, place.book_id, None, slate.slate_id, place.position) for place in seen
        ]
        answered = self.random.choice(seen)
        action = self.random.choice(ANSWERS)
        return [*shown, Deed(action, Surface.FOR_YOU, answered.book_id, None, slate.slate_id, answered.position)]


class Journal:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, what: str, reader_key: str, event_ids: list[UUID], *, is_bad: bool = False) -> None:
        line = {"what": what, "reader": reader_key, "events": [str(event_id) for event_id in event_ids], "bad": is_bad}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def act_once(acting: Acting, journal: Journal) -> None:
    """One transaction, as a page commits it.

    Raises:
        psycopg.Error, PoolTimeout, OpenshelfError: Postgres is away; whether it took the acts nobody knows.
    """
    with pool.get_pool().connection() as conn:
        if acting.random.random() < BAD_SHARE:
            event_id = new_event_id()
            journal.write("sent", acting.reader_key, [event_id], is_bad=True)
            events.append_raw(conn, event_id, acting.reader_key, b"no act: " + str(event_id).encode())
            conn.commit()
            journal.write("acked", acting.reader_key, [event_id], is_bad=True)
            return
        slate = stream.latest_slate(conn, acting.reader_key)
        now = utc_now()
        if acting.random.random() < WRONG_CLOCK_SHARE:
            now += acting.random.choice(CLOCK_ERRORS)
        made = acts.record(conn, acting.reader(), acting.deeds(slate), now)
        event_ids = [event.event_id for event in made]
        journal.write("sent", acting.reader_key, event_ids)
        try:
            conn.commit()
        except AWAY:
            if acting.account_id is None:
                _send_again(acting, made, journal)
            raise
        journal.write("acked", acting.reader_key, event_ids)
        acting.has_acted = True


def _send_again(acting: Acting, made: list[Interaction], journal: Journal) -> None:
    """Nobody knows whether these were taken: the same events again, which count once."""
    time.sleep(0.5)
    with pool.get_pool().connection() as conn:
        events.append_many(conn, made)
        conn.commit()
    journal.write("acked", acting.reader_key, [event.event_id for event in made])


def act_on(readers: list[Acting], journal: Journal, per_second: float, seed: int) -> None:
    """Act until killed, whatever happens to Postgres."""
    random = Random(seed)
    while True:
        try:
            act_once(random.choice(readers), journal)
        except AWAY:
            time.sleep(0.2)
        time.sleep(random.expovariate(per_second))


def people(seed: int, accounts: dict[str, int]) -> list[list[Acting]]:
    """By thread. Some come back with every process: those with an account, and others; the rest are new."""
    random = Random(seed)
    signed_in = [Acting(key, Random(random.random()), account_id) for key, account_id in accounts.items()]
    passing = [
        Acting(f"{'r' if n % 3 else 's'}_reader{n}{f'of{seed}' if n % 2 else ''}", Random(random.random()))
        for n in range(COUNT_THREADS * READERS_PER_THREAD)
    ]
    everyone = signed_in + passing
    return [everyone[thread::COUNT_THREADS] for thread in range(COUNT_THREADS)]


def main() -> None:
    path, seed, per_second, accounts = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), json.loads(sys.argv[4])
    journal = Journal(path)
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # that it is away is what we came for
    pool.get_pool()
    for number, readers in enumerate(people(seed, accounts)):
        work = threading.Thread(
            target=act_on, args=[readers, journal, per_second / COUNT_THREADS, seed + number], daemon=True
        )
        work.start()
    print("acting", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
