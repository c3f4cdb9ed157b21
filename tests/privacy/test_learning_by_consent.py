"""P17: what is learned from are acts of who keeps a history, and of nobody who has withdrawn since."""

from datetime import timedelta

import kept_reader
import psycopg

from models.warehouse_data import load_warehouse
from openshelf.contracts import Action, Interaction, Surface, new_event_id, utc_now
from openshelf.database import episodes, stream
from openshelf.privacy import choices, erasing
from openshelf.settings import get_settings


def learned_from(conn: psycopg.Connection) -> set[str]:
    """The readers in everything that training reads."""
    now = utc_now() + timedelta(minutes=1)
    slates = {slate.reader_key for slate in episodes.seen_slates(conn, None, now)}
    acts = {act.reader_key for act in episodes.acts(conn, now - timedelta(days=30), now)}
    ranked = {str(key) for key in load_warehouse(conn).reader_ids}
    conn.commit()
    assert slates == acts == ranked
    return acts


def test_nothing_is_learned_of_visits_nor_of_who_has_withdrawn(conn: psycopg.Connection) -> None:
    books = list(kept_reader.library(conn).values())
    staying, leaving = kept_reader.reader(conn), kept_reader.reader(conn, "minh")
    keys = [staying.reader_key or "", leaving.reader_key or "", "s_00000000000000000000000000000001"]
    for key in keys:
        done = kept_reader.acts(key, books[:3])
        kept_reader.append(conn, done)
        kept_reader.catch_up(conn)
        slate = stream.latest_slate(conn, key)
        assert slate
        answer = Interaction(
            event_id=new_event_id(), occurred_at=utc_now(), reader_key=key, session_id=done[0].session_id,
            action=Action.OPEN, book_id=slate.places[0].book_id, slate_id=slate.slate_id, position=0,
            surface=Surface.FOR_YOU,
        )  # fmt: skip
        kept_reader.append(conn, [answer])
    kept_reader.catch_up(conn)

    assert learned_from(conn) == {keys[0], keys[1]}
    with conn.transaction():
        (erasure_id,) = choices.stop_history(conn, leaving.account_id)
    erasing.finish(conn, get_settings(), erasure_id)
    assert learned_from(conn) == {keys[0]}
