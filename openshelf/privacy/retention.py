"""What is old goes: each kind after its own time, by one job that writes down what it removed."""

from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from openshelf import backups, stream_health
from openshelf.database import chats, erasures, learning, pool
from openshelf.database import retention as rows
from openshelf.privacy import erasing, recovery_files
from openshelf.settings import Settings

Counts = dict[str, int]

# A list that was removed can be brought back for as long.
_LIST_COMES_BACK = timedelta(days=1)


def run(conn: psycopg.Connection, settings: Settings, now: datetime) -> Counts:
    """Finish what was begun, remove what is old; what went, by store. Each kind in a transaction of its own."""
    conn.commit()
    with conn.transaction():
        run_id = rows.begin(conn, now)
    # Who was erased and is there again came with a backup that was restored by another road, or not to the end.
    erasing.ask_again(conn, settings)
    resumed = erasing.resume(conn, settings)
    counts: Counts = {"erasures finished": resumed["finished"], "erasures waiting": resumed["waiting"]}
    visits_before = now - timedelta(minutes=settings.retention_visit_minutes)
    events_before = now - timedelta(days=settings.retention_event_days)
    with conn.transaction():
        over = rows.visits_that_are_over(conn, visits_before)
    kinds: tuple[Callable[[], Counts], ...] = (
        lambda: erasing.sweep(conn),
        lambda: rows.remove_visits(conn, over, visits_before),
        lambda: rows.remove_old_histories(conn, now),
        lambda: {"reading.chats": chats.remove_old(conn, now)},
        lambda: rows.remove_of_nobodys_readers(conn, events_before),
        lambda: {
            "stream.event_log": erasures.trim_log(conn, stream_health.expected(settings), events_before, visits_before)
        },
        lambda: rows.remove_kinds(conn, _moments(settings, now)),
        lambda: {"learning.models": learning.forget_weights(conn, now - timedelta(days=settings.retention_model_days))},
    )
    for remove in kinds:
        with conn.transaction():
            removed = remove()
        for store, count in removed.items():
            counts[store] = counts.get(store, 0) + count
    counts["recovery store"] = recovery_files.scrub(settings, over)
    counts["backups"] = backups.remove_old(settings, now)
    with conn.transaction():
        rows.end(conn, run_id, counts)
    return counts


def tidy(settings: Settings, counts: Counts) -> None:
    """Let Postgres use the room of what went again: what is deleted stays in a table's file until then."""
    with pool.connect(settings, autocommit=True, unlimited=True) as conn:
        rows.vacuum(conn, [store for store, count in counts.items() if count and "." in store])


def _moments(settings: Settings, now: datetime) -> dict[str, datetime]:
    """Before when a row of each of the other kinds is old."""
    days = {
        "stream.dead_letters": settings.retention_dead_letter_days,
        "stream.erased": settings.retention_backup_days,
        "reading.sign_ins": settings.retention_sign_in_days,
        "reading.unanswered_searches": settings.retention_search_days,
        "reading.chat_feedback": settings.retention_search_days,
        "reading.audit_log": settings.retention_audit_days,
        "reading.erasure_certificates": settings.retention_certificate_days,
        "reading.retention_runs": settings.retention_certificate_days,
    }
    moments = {table: now - timedelta(days=count) for table, count in days.items()}
    return moments | {"reading.attempts": now, "reading.lists": now - _LIST_COMES_BACK}
