"""A book that was just put into Calibre is recommended at once, to the reader it is for, from its content alone."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from stored_library import store_history
from toy_world import COUNT_WORKS, GROUPS, START, act, group_of, logged_world

from ingest.demo_calibre import Placed, place, write_database
from ingest.demo_catalogue import CuratedWork, load_catalogue
from ingest.embed import embed_changed
from ingest.load import ingest_calibre
from models import registry
from models.adapter import AdapterConfig
from models.embedding import load_encoder
from models.recommender import DrawnSlate, SlateRequest
from models.runs import run_adapter, run_policy
from models.serving import load_recommender, stamp
from models.train import TrainConfig
from openshelf.contracts import Source
from openshelf.database import learning

LATER = START + timedelta(days=2)
NEWCOMER = COUNT_WORKS + 1  # of group 1, like works 1, 7, 13 ...
SLATES = 150


def shelf() -> list[Placed]:
    """61 English works, book_id n of the subject that stands for `group_of(n)`; the last is the newcomer."""
    by_subject: dict[str, list[CuratedWork]] = defaultdict(list)
    for work in load_catalogue():
        if work.language == "eng" and "Edition" not in work.title:  # another edition would be no new work
            by_subject[work.subjects[0]].append(work)
    subjects = sorted(by_subject, key=lambda name: (-len(by_subject[name]), name))[:GROUPS]
    works = [by_subject[subjects[group_of(number)]].pop() for number in range(1, NEWCOMER + 1)]
    return [replace(place([work], date(2026, 1, 1))[0], calibre_id=n) for n, work in enumerate(works, 1)]


def put_into_library(conn: psycopg.Connection, folder: Path, placed: list[Placed], *, embeds: bool = True) -> None:
    """As the ingest does: Calibre's database is read, and what is new is embedded."""
    folder.mkdir()
    write_database(folder / "metadata.db", placed, [0] * len(placed), "test")
    ingest_calibre(conn, folder)
    if embeds:
        embed_changed(conn, load_encoder)


def slates_of_a_reader_of(conn: psycopg.Connection, group: int) -> list[DrawnSlate]:
    liked = tuple(act(number) for number in range(1, COUNT_WORKS + 1) if group_of(number) == group)[:3]
    asked = [SlateRequest.of("r_test", liked, frozenset(), START, seed) for seed in range(SLATES)]
    return load_recommender(conn, LATER).draw(asked)


def sources_of_newcomer(slates: list[DrawnSlate]) -> Counter[Source]:
    return Counter(place.source for slate in slates for place in slate.places if place.book_id == NEWCOMER)


@pytest.fixture
def served(conn: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """A library of 60 works whose policy was born from content and has then learned from its readers."""
    put_into_library(conn, tmp_path / "before", shelf()[:COUNT_WORKS])
    run_adapter(conn, AdapterConfig(epochs=10), 42, START)
    store_history(conn, *logged_world(60, seed=3))
    learned = run_policy(conn, TrainConfig(epochs=10, batch=128), 42, LATER, promote=False)
    registry.promote(conn, learned.version, "by hand: so short a history convinces no gate", LATER)
    conn.commit()
    return conn


def test_a_new_work_is_drawn_at_once_for_the_right_reader_without_any_training(
    served: psycopg.Connection, tmp_path: Path
) -> None:
    champion, stamp_before = learning.champion(served, "policy"), stamp(served)
    before = sources_of_newcomer(slates_of_a_reader_of(served, 1))

    put_into_library(served, tmp_path / "after", shelf())
    drawn = [sources_of_newcomer(slates_of_a_reader_of(served, group))[Source.POLICY] for group in range(GROUPS)]

    assert champion
    assert learning.champion(served, "policy") == champion
    assert NEWCOMER not in registry.load_policy(served, champion.version).known_ids.tolist()
    acts = served.execute("select count(*) from stream.interactions where book_id = %s", [NEWCOMER]).fetchone()
    assert acts == (0,)
    assert stamp(served) != stamp_before  # so the dataflow loads it
    assert before.total() == 0
    assert drawn[1] > 0.7 * SLATES  # at random a fifth
    assert drawn[1] > 1.5 * max(drawn[:1] + drawn[2:])  # what is next to it in meaning is drawn for others, too


def test_a_work_that_is_not_embedded_yet_is_left_to_chance(served: psycopg.Connection, tmp_path: Path) -> None:
    put_into_library(served, tmp_path / "after", shelf(), embeds=False)

    assert sources_of_newcomer(slates_of_a_reader_of(served, 1))[Source.POLICY] == 0
