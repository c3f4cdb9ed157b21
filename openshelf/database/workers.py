"""The processes of the dataflows: what each says of itself every two seconds."""

from dataclasses import asdict, dataclass
from datetime import datetime

import msgspec
import psycopg
from psycopg.rows import dict_row

# A process beats every two seconds; after an outage of Postgres it may wait three more.
SILENT_AFTER_S = 10.0


class Spread(msgspec.Struct, frozen=True):
    """How measured values are spread.

    `counts`: by bound, how many were at most that and above the bound before; the last: how many were above all.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Counts(msgspec.Struct, frozen=True):
    """What a process did since it started. An act that is taken again after a crash counts again here."""

    count_acts: int  # stored, inferred skips among them; of the relay: sent
    count_slates: int
    count_dead_letters: int
    count_early: int  # put into quarantine: acts on works that the catalogue does not have yet
    count_undrawn: int  # slates that were asked for and not drawn, because of a fault
    count_refusals: int  # times that a model did not load
    places: dict[str, int]  # of the slates, by source
    batch_acts: Spread  # acts stored or sent together
    draw_ms: Spread  # of the calls that draw the slates of a batch


class Served(msgspec.Struct, frozen=True):
    """What a process draws slates with; nothing yet, or a relay: all None."""

    serves: str | None = None
    serves_since: datetime | None = None
    arms: dict[str, str] = {}
    catalogue_version: int | None = None
    refusal: str | None = None
    refused_at: datetime | None = None


@dataclass(frozen=True)
class Process:
    """Which process it is: of a host's share of the partitions, one of the host's processes."""

    consumer: str
    share_number: int
    share_count: int
    process: int
    count_processes: int
    host: str
    pid: int
    started_at: datetime


@dataclass(frozen=True)
class Worker(Process):
    """A process as it last said. `beat_age_s`: by Postgres' clock, as of reading."""

    beat_age_s: float
    serves: str | None
    serves_since: datetime | None
    arms: dict[str, str]
    catalogue_version: int | None
    refusal: str | None
    refused_at: datetime | None
    counts: Counts

    @property
    def share(self) -> str:
        return f"{self.share_number}/{self.share_count}"

    @property
    def is_silent(self) -> bool:
        return self.beat_age_s > SILENT_AFTER_S


def beat(conn: psycopg.Connection, process: Process, served: Served, counts: Counts) -> None:
    """Say that the process lives. It takes the row of the one that was in its place before."""
    conn.execute(
        """insert into stream.workers as worker (
               consumer, share_number, share_count, process, count_processes, host, pid, started_at, beat_at,
               serves, serves_since, arms, catalogue_version, refusal, refused_at, counts
           )
           values (
               %(consumer)s, %(share_number)s, %(share_count)s, %(process)s, %(count_processes)s, %(host)s, %(pid)s,
               %(started_at)s, clock_timestamp(), %(serves)s, %(serves_since)s, %(arms)s::jsonb,
               %(catalogue_version)s, %(refusal)s, %(refused_at)s, %(counts)s::jsonb
           )
           on conflict (consumer, share_count, share_number, process) do update set
               count_processes = excluded.count_processes, host = excluded.host, pid = excluded.pid,
               started_at = excluded.started_at, beat_at = excluded.beat_at, serves = excluded.serves,
               serves_since = excluded.serves_since, arms = excluded.arms,
               catalogue_version = excluded.catalogue_version, refusal = excluded.refusal,
               refused_at = excluded.refused_at, counts = excluded.counts""",
        {
            **asdict(process),
            **msgspec.structs.asdict(served),
            "arms": msgspec.json.encode(served.arms).decode(),
            "counts": msgspec.json.encode(counts).decode(),
        },
    )


def forget_lost(conn: psycopg.Connection, process: Process) -> None:
    """At a start: forget the processes of this dataflow as it was split before, and those silent for a day.

    Should one of them live after all, its next beat brings it back.
    """
    conn.execute(
        """delete from stream.workers
           where beat_at < now() - interval '1 day'
               or (consumer = %(consumer)s and share_count <> %(share_count)s)
               or (consumer = %(consumer)s and share_number = %(share_number)s and process >= %(count_processes)s)""",
        asdict(process),
    )


def leave(conn: psycopg.Connection, process: Process) -> None:
    """The process ends as it was asked to; the row of a successor in its place stays."""
    conn.execute(
        """delete from stream.workers
           where consumer = %(consumer)s and share_count = %(share_count)s and share_number = %(share_number)s
               and process = %(process)s and host = %(host)s and pid = %(pid)s and started_at = %(started_at)s""",
        asdict(process),
    )


def all_of(conn: psycopg.Connection) -> list[Worker]:
    """Every process, those of the sessions first, each dataflow's in order."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """select consumer, share_number, share_count, process, count_processes, host, pid, started_at,
                      extract(epoch from clock_timestamp() - beat_at)::double precision as beat_age_s,
                      serves, serves_since, arms, catalogue_version, refusal, refused_at, counts
               from stream.workers order by consumer desc, share_count, share_number, process"""
        ).fetchall()
    return [Worker(counts=msgspec.convert(row.pop("counts"), Counts), **row) for row in rows]
