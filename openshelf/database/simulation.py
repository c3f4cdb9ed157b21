"""What the simulator reads of the catalogue."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from openshelf.database.filters import SERVED


@dataclass(frozen=True)
class WorkFacts:
    book_id: int
    language: str | None
    rating: float | None
    added_at: datetime
    subjects: list[str]  # the principal one first


def work_facts(conn: psycopg.Connection) -> list[WorkFacts]:
    """All active works, by book_id."""
    with conn.cursor(row_factory=class_row(WorkFacts)) as cursor:
        return cursor.execute(
            f"""select works.book_id, works.language, works.rating, works.added_at,
                      coalesce(array_agg(subjects.name order by work_subjects.position)
                          filter (where subjects.name is not null), '{{}}') as subjects
               from library.works
               left join library.work_subjects using (book_id)
               left join library.subjects using (subject_id)
               where works.active and {SERVED}
               group by works.book_id order by works.book_id"""
        ).fetchall()
