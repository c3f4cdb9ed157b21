"""How long the warehouse takes: a full build over a year of interactions, and the build after one more day.

python benchmarks/warehouse.py [--interactions 10000000] [--pages] [--quick] [--json]     (--quick: 200,000)

The year is made in Postgres by generate_series: a reader has visits of one slate of 12 places; six come on screen, some
are opened, read, liked or skipped; one visit in four is of somebody who keeps no history. An embedded server of its
own, in a folder that is removed. Everything is built, tested and noted as `openshelf warehouse build` does it. The
processor time beside each wall time is that of Postgres and dbt together: on a busy machine it is the one to believe.

--pages: then the storefront opens over it, and a librarian asks for every staff page (`pages_ms`: the median and the
longest server time of five).
"""

import argparse
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median

import psycopg
from storefront import opened
from visiting.visit import Visit

from dashboard.state import ACCOUNT_COOKIE, token_hash
from openshelf import warehouse
from openshelf.contracts import utc_now
from openshelf.database import accounts, embedded, migrate, pool, sign_ins
from openshelf.settings import Settings

STAFF_PAGES = Path(__file__).resolve().parent.parent / "dashboard" / "app_pages" / "staff"
DAYS = 365
WORKS, ACTS_A_SLATE, PLACES = 10_000, 8, 12


def make_library(conn: psycopg.Connection) -> None:
    conn.execute(
        """with subjects as (
               insert into library.subjects (name) select 'Subject ' || n from generate_series(1, 40) as n
               returning subject_id
           ), works as (
               insert into library.works (work_key, title, title_sort, language, added_at)
               select 'work ' || n, 'Work ' || n, 'Work ' || n, (array['eng', 'vie', 'rus', 'fra'])[1 + n %% 4], now()
               from generate_series(1, %s::int) as n returning book_id
           )
           insert into library.work_subjects (book_id, subject_id, position)
           select book_id, (select min(subject_id) from subjects) + book_id %% 40, 0 from works""",
        [WORKS],
    )


def make_days(conn: psycopg.Connection, first_day: int, last_day: int, slates_a_day: int) -> None:
    """Slates and acts of the days so many days ago, `first_day` the earliest."""
    conn.execute(
        """insert into stream.slates (slate_id, event_id, reader_key, session_id, created_at, policy_version, arm,
               surface, event_received_at, stored_at, book_ids, propensities, sources, reasons, reason_book_ids)
           select md5('slate' || day || '/' || n)::uuid, md5('slate' || day || '/' || n)::uuid,
                  case when n %% 4 = 0 then 's_' || day || '_' || n else 'r_' || (n * 7919) %% 20000 end,
                  md5('visit' || day || '/' || n)::uuid, moment, 'policy-' || 1 + day / 60, 'champion',
                  (array['for_you', 'for_you', 'similar', 'browse'])[1 + n %% 4], moment, moment,
                  array(
                      select 1 + (n * 31 + place * place * 97 + day) %% %(works)s from generate_series(1, 12) as place
                  ),
                  array_fill(0.1::float8, array[12]),
                  array_fill('policy'::text, array[11]) || case when n %% 10 = 0 then 'popular' else 'policy' end,
                  array_fill('new_to_you'::text, array[12]), array_fill(null::int, array[12])
           from generate_series(%(last)s::int, %(first)s::int) as day
           cross join generate_series(1, %(slates)s::int) as n
           cross join lateral (
               select date_trunc('day', now()) - interval '1 day' * day + interval '80 seconds' * (n %% 1000) as moment
           ) as moments""",
        {"first": first_day, "last": last_day, "slates": slates_a_day, "works": WORKS},
    )
    conn.execute(
        """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
               slate_id, position, surface, reward, rewards_version, received_at, stored_at)
           select md5(slate_id::text || act)::uuid, 1, created_at + interval '20 seconds' * act, reader_key, session_id,
                  action, book_ids[place + 1], slate_id, place, surface, 0, 'benchmark', created_at,
                  created_at + interval '20 seconds' * act
           from stream.slates
           cross join generate_series(1, 8) as act
           cross join lateral (
               select case when act <= 6 then 'show'
                           else (array['open', 'open', 'read', 'like', 'skip', 'show'])[1 + (hashtext(slate_id::text)
                               & 1023 + act) %% 6] end as action,
                      case when act <= 6 then act - 1 else (act * 5) %% 6 end as place
           ) as acts
           where created_at >= date_trunc('day', now()) - interval '1 day' * %s::int
               and created_at < date_trunc('day', now()) - interval '1 day' * %s::int""",
        [first_day, last_day - 1],
    )


def taken(settings: Settings, build: Callable[[], warehouse.BuildReport]) -> tuple[warehouse.BuildReport, float]:
    """The build's report, and the seconds of processor that Postgres and dbt had for it."""

    def processor_s() -> float:
        process = embedded.postmaster(settings.home)
        assert process
        of_postgres = process.cpu_times()
        return of_postgres.children_user + of_postgres.children_system + time.process_time()

    began = processor_s()
    report = build()
    return report, round(processor_s() - began, 1)


def ask_for_pages(settings: Settings) -> dict[str, tuple[int, int]]:
    """Median and longest server time of each staff page, in ms."""
    token = secrets.token_urlsafe(32)
    with pool.connect(settings) as conn:
        librarian = accounts.create_demo(conn, "benchmark", "Benchmark", role="staff", history_enabled=False)
        sign_ins.begin(
            conn,
            librarian.account_id,
            token_hash(token),
            idle=timedelta(hours=1),
            expires_at=utc_now() + timedelta(hours=1),
        )
    found = {}
    with opened(settings.home) as url, closing(Visit(url, **{ACCOUNT_COOKIE: token})) as visit:
        visit.ask()
        for page in sorted(path.stem for path in STAFF_PAGES.glob("*.py")):
            visit.ask(page)  # the first of all imports what draws charts
            took = [visit.ask(page).ms for _ in range(5)]
            found[page] = (round(median(took)), round(max(took)))
    return found


def measure(interactions: int, *, with_pages: bool) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="openshelf-warehouse-"))
    os.environ["OPENSHELF_HOME"] = str(home)
    settings = Settings(home=home)  # pyright: ignore[reportCallIssue]
    try:
        slates_a_day = max(interactions // (DAYS * ACTS_A_SLATE), 1)
        with pool.connect(settings, autocommit=True, unlimited=True) as conn:
            migrate.migrate(conn)
            make_library(conn)
            make_days(conn, DAYS, 2, slates_a_day)
            conn.execute("vacuum analyze")
        full, full_cpu_s = taken(settings, lambda: warehouse.build(settings, full_refresh=True))
        with pool.connect(settings, autocommit=True, unlimited=True) as conn:
            make_days(conn, 1, 1, slates_a_day)
        day, day_cpu_s = taken(settings, lambda: warehouse.build(settings))
        with pool.connect(settings) as conn:
            row = conn.execute("select count(*) from marts.fct_interactions").fetchone()
        again = warehouse.build(settings)
        found: dict[str, object] = {
            "interactions": row[0] if row else 0,
            "models": full.models,
            "tests": full.tests,
            "cores": len(os.sched_getaffinity(0)),
            "full_s": full.seconds,
            "full_cpu_s": full_cpu_s,
            "day_s": day.seconds,
            "day_cpu_s": day_cpu_s,
            "nothing_new_s": again.seconds,
        }
        if with_pages:
            found["pages_ms"] = ask_for_pages(settings)
        return found
    finally:
        embedded.stop(settings.home)
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--pages", action="store_true", help="also how long each staff page takes")
    parser.add_argument("--quick", action="store_true", help="200,000 interactions, with the pages")
    parser.add_argument("--json", action="store_true", help="print JSON, as it does anyway")
    arguments = parser.parse_args()
    began = time.monotonic()
    found = measure(
        200_000 if arguments.quick else arguments.interactions, with_pages=arguments.pages or arguments.quick
    )
    print(json.dumps(found | {"whole_s": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
