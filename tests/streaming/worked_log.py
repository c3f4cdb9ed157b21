"""A log in which all happens that the dataflow can meet, over a small catalogue with a policy that draws."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from uuid import UUID

import numpy as np
import psycopg
import torch
from pgvector import HalfVector
from running_stream import Running, count, is_drained, running, wait_for
from stream_acts import act

from models import registry
from models.embedding import MODEL_NAME
from models.policy import Policy, PolicyConfig
from openshelf.contracts import Action, Interaction, new_event_id, slate_id_of, utc_now
from openshelf.database import events

COUNT_WORKS = 60
COUNT_SHOWN = 4
ANSWERS = (Action.OPEN, Action.LIKE, Action.SKIP, Action.WANT, Action.READ, Action.HIDE)
BAD = (b"\xff", b"{}", b"[1]", b"\x00", b'{"version": 9}')
# What is popular is read anew by each process that starts. Here it decides nothing: see `add_catalogue`.
SETTINGS = {"OPENSHELF_COLD_POOL": str(COUNT_WORKS)}

Entry = tuple[UUID, str, bytes]


def make_entries(count: int, seed: int = 0) -> list[Entry]:
    """Log entries (event_id, reader_key, payload) of 8 readers who keep a history and 5 who do not.

    Places are shown, some of them answered, and the next slate is asked for, so that skips are inferred; silences end
    sessions; some acts come late; some entries nobody can read.
    """
    random = Random(seed)
    readers = [f"r_{n}" for n in range(8)] + [f"s_{n}" for n in range(5)]
    walks = {reader: _walk(reader, Random(f"{seed}/{reader}")) for reader in readers}
    made: list[Entry] = []
    while len(made) < count:
        reader = random.choice(readers)
        made += [(each.event_id, reader, each.encode()) for each in islice(walks[reader], random.randrange(2, 7))]
        if random.random() < 0.1:
            made.append((new_event_id(), reader, random.choice(BAD)))
    for at in range(20, count - 80, 23):
        made.insert(at + random.randrange(10, 80), made.pop(at))
    return made


def _walk(reader: str, random: Random) -> Iterator[Interaction]:
    """One reader's acts, without an end."""
    at, session = utc_now() - timedelta(hours=20), UUID(int=random.getrandbits(128))
    asked = act(Action.VISIT, None, reader_key=reader, session_id=session, occurred_at=at)
    yield asked
    while True:
        silence_s = random.choice([1, 5, 20, 20, 20, 2_400])
        at += timedelta(seconds=silence_s)
        if random.random() < (0.7 if silence_s > 1_800 else 0.1):
            session = UUID(int=random.getrandbits(128))
        common = {"reader_key": reader, "session_id": session, "slate_id": slate_id_of(asked.event_id)}
        shown = list(enumerate(random.sample(range(1, COUNT_WORKS + 1), COUNT_SHOWN)))
        for position, book_id in shown:
            at += timedelta(milliseconds=1)
            yield act(Action.SHOW, book_id, position=position, occurred_at=at, **common)
        for position, book_id in random.sample(shown, random.randrange(1, COUNT_SHOWN)):
            at += timedelta(seconds=1)
            asked = act(random.choice(ANSWERS), book_id, position=position, occurred_at=at, **common)
            yield asked
        if random.random() < 0.03:
            asked = act(Action.RESET, None, reader_key=reader, session_id=session, occurred_at=at)
            yield asked


def add_catalogue(conn: psycopg.Connection) -> None:
    """Works with random embeddings and, as champion, an untrained policy over them.

    Every work is rated and so counts as popular, and what is popular weighs nothing in the policy: with `SETTINGS`, a
    process that starts when some acts are stored draws as one does that started before them.
    """
    vectors = np.random.default_rng(0).standard_normal((COUNT_WORKS, 384)).astype(np.float32)
    for n, vector in enumerate(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)):
        conn.execute(
            """insert into library.works (work_key, title, title_sort, rating, added_at)
               values (%(n)s, %(n)s, %(n)s, 3, now())""",
            {"n": f"work {n}"},
        )
        conn.execute(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) values (%s, %s, '', %s)",
            [n + 1, MODEL_NAME, HalfVector(vector)],
        )
    torch.manual_seed(0)
    config = PolicyConfig(prior_weight=0.0)
    policy = Policy(config, torch.nn.init.orthogonal_(torch.empty(config.dim, 384)), torch.arange(1, COUNT_WORKS + 1))
    now = utc_now()
    tensors = registry.policy_tensors(policy, {})
    version = registry.register(
        conn, "policy", tensors, config=asdict(config), manifest={}, metrics={}, parent=None, now=now
    )
    registry.promote(conn, version, "a test", now)
    conn.commit()


class WorkedDatabase:
    """A database of its own, a dataflow over it that is started as often as needed, and acts that flow in meanwhile."""

    def __init__(self, url: str, home: Path) -> None:
        self.log = home / "log"
        self.environment = SETTINGS | {"OPENSHELF_DATABASE_URL": url, "OPENSHELF_HOME": str(home)}
        self.conn = psycopg.connect(url)
        self._count = 0

    def append(self, entries: list[Entry]) -> None:
        for entry in entries:
            events.append_raw(self.conn, *entry)
        self.conn.commit()
        self._count += len(entries)

    def count_stored(self) -> int:
        """Acts and dead letters."""
        return count(self.conn, "interactions where not inferred") + count(self.conn, "dead_letters")

    def wait_for_all(self) -> None:
        wait_for(lambda: self.count_stored() >= self._count and is_drained(self.conn), "all acts")

    def go_through(self, entries: list[Entry], workers: int, until: Callable[[Running], None] | None = None) -> None:
        """Half of the entries wait at the start, half come later; ends when all is stored, or by `until`."""
        before, half = self.count_stored(), len(entries) // 2
        self.append(entries[:half])
        with running("run", "--workers", str(workers), log=self.log, **self.environment) as flow:
            wait_for(lambda: self.count_stored() > before, "the first acts")
            self.append(entries[half:])
            if until:
                until(flow)
            else:
                self.wait_for_all()
                assert flow.stop() == 0
