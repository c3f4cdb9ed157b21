"""What a reader_key has said of books in the stream: the last like or dislike of each."""

import psycopg


def opinions(conn: psycopg.Connection, reader_key: str) -> dict[int, str]:
    """book_id -> 'like' or 'dislike', by the reader's last word since they last asked to be forgotten."""
    rows = conn.execute(
        """select distinct on (book_id) book_id, action from stream.interactions
           where reader_key = %(reader_key)s and action in ('like', 'dislike') and occurred_at > coalesce((
               select max(occurred_at) from stream.interactions
               where reader_key = %(reader_key)s and action = 'reset'), '-infinity')
           order by book_id, occurred_at desc, event_id desc""",
        {"reader_key": reader_key},
    )
    return dict(rows.fetchall())
