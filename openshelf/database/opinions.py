"""What a reader_key has said of books in the stream: the last like or dislike of each."""

import psycopg


def opinions(conn: psycopg.Connection, reader_key: str) -> dict[int, str]:
    """book_id -> 'like' or 'dislike', by the reader's last word since they last asked to be forgotten; latest first."""
    rows = conn.execute(
        """select book_id, action from (
               select distinct on (book_id) book_id, action, occurred_at from stream.acts
               where reader_key = %(reader_key)s and action in ('like', 'dislike') and occurred_at > coalesce((
                   select max(occurred_at) from stream.interactions
                   where reader_key = %(reader_key)s and action = 'reset'), '-infinity')
               order by book_id, occurred_at desc, event_id desc
           ) as last_words order by occurred_at desc, book_id""",
        {"reader_key": reader_key},
    )
    return dict(rows.fetchall())


def begun(conn: psycopg.Connection, reader_key: str) -> dict[int, str]:
    """book_id -> 'reading' or 'read', by what this reader_key opened and finished; latest first.

    For who has no account to keep shelves with.
    """
    rows = conn.execute(
        """select book_id, case when bool_or(action = 'finish') then 'read' else 'reading' end
           from stream.acts where reader_key = %s and action in ('read', 'finish') and book_id is not null
           group by book_id order by max(occurred_at) desc, book_id""",
        [reader_key],
    )
    return dict(rows.fetchall())
