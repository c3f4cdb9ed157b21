"""What a reader's acts say of their taste: the works they were glad or sorry of, and what these are near to."""

from collections.abc import Sequence

import numpy as np
import psycopg

# The acts that count: the newest, as in the session's state.
_ACTS = 50


def rewards(conn: psycopg.Connection, reader_key: str) -> dict[int, float]:
    """book_id -> the sum of the rewards of the reader's newest acts since they last asked to be forgotten."""
    rows = conn.execute(
        """select book_id, sum(reward)::float8 from (
               select book_id, reward from stream.acts
               where reader_key = %(reader_key)s and not inferred and book_id is not null and reward <> 0
                   and occurred_at > coalesce((
                       select max(occurred_at) from stream.interactions
                       where reader_key = %(reader_key)s and action = 'reset'), '-infinity')
               order by occurred_at desc, event_id desc limit %(acts)s
           ) as newest group by book_id""",
        {"reader_key": reader_key, "acts": _ACTS},
    )
    return dict(rows.fetchall())


def hidden(conn: psycopg.Connection, reader_key: str) -> set[int]:
    """Works that the reader hid and did not bring back."""
    rows = conn.execute(
        """select book_id from (
               select distinct on (book_id) book_id, action from stream.acts
               where reader_key = %s and action in ('hide', 'unhide')
               order by book_id, occurred_at desc, event_id desc
           ) as newest where action = 'hide'""",
        [reader_key],
    )
    return {book_id for (book_id,) in rows}


def vectors(conn: psycopg.Connection, book_ids: Sequence[int]) -> dict[int, np.ndarray]:
    """Text embeddings of those of the works that have one."""
    rows = conn.execute(
        "select book_id, embedding from library.text_embeddings where book_id = any(%s)", [list(book_ids)]
    )
    return {book_id: np.asarray(embedding.to_numpy(), dtype=np.float32) for book_id, embedding in rows}
