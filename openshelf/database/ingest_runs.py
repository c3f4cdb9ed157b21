"""The log of ingest runs, failed ones too."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from openshelf.contracts import clean_text


def start_run(conn: psycopg.Connection, path: str) -> int:
    row = conn.execute("insert into library.ingest_runs (path) values (%s) returning run_id", [path]).fetchone()
    assert row
    return row[0]


def finish_run(
    conn: psycopg.Connection,
    run_id: int,
    *,
    library_id: int | None,
    counts: Mapping[str, Any],
    failure: str | None = None,
) -> None:
    conn.execute(
        """update library.ingest_runs set finished_at = now(), status = %s, library_id = %s, counts = %s, message = %s
           where run_id = %s""",
        # What failed is quoted in the message, and may be anything.
        ["failed" if failure else "done", library_id, Jsonb(dict(counts)), failure and clean_text(failure), run_id],
    )


def last_recipe(conn: psycopg.Connection, library_id: int) -> str | None:
    """Recipe of reading and cleaning that the last whole run of this library used."""
    row = conn.execute(
        """select counts ->> 'recipe' from library.ingest_runs
           where library_id = %s and status = 'done' order by run_id desc limit 1""",
        [library_id],
    ).fetchone()
    return row[0] if row else None
