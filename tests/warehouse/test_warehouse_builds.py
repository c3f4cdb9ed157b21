"""What a second build, a bad row and a broken model do to the marts."""

import json
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml
from small_history import MORNING, NIGHT, Warehouse, at, put_act, put_slate, slate_of

from dashboard.words import staff_pages
from openshelf import warehouse
from openshelf.contracts import utc_now
from openshelf.database import analytics
from openshelf.database.analytics import Marts
from openshelf.privacy import retention

# Everything the next build must make the same, whichever way it is built; built_at is when, not what.
CONTENT = """select table_name from information_schema.tables
             where table_schema = 'marts' and table_name <> 'mart_freshness' order by table_name"""


def contents(conn: psycopg.Connection) -> dict[str, list[str]]:
    names = [name for (name,) in conn.execute(CONTENT).fetchall()]
    assert len(names) > 15
    return {
        name: [row for (row,) in conn.execute(f"select t::text from marts.{name} as t order by t::text").fetchall()]
        for name in names
    }


def put_again(conn: psycopg.Connection) -> None:
    """Every act comes a second time, as after a kill of the dataflow."""
    conn.execute("create temporary table again on commit drop as select * from stream.interactions")
    conn.execute("insert into stream.interactions select * from again on conflict (event_id) do nothing")


def test_builds_after_each_other_take_in_all_that_changed_and_equal_a_full_one(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        row = conn.execute("select max(source_stored_at) from marts.fct_interactions").fetchone()
        assert row
        watermark = row[0]
        # Late by two years, in a slate that the marts hold as unanswered there.
        put_act(conn, "r_f", "open", "2024-02-28 10:20", 1, slate_id=slate_of("r_f", MORNING), position=0)
        # Stored before the newest row the marts hold, but committed after it was read.
        put_act(conn, "r_e", "search", "2024-02-28 11:00", stored_at=watermark - timedelta(hours=1))
        put_again(conn)
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        opened = conn.execute(
            "select outcome, slate_date from marts.fct_slate_places where slate_id = %s and position = 0",
            [slate_of("r_f", MORNING)],
        ).fetchone()
        searches = conn.execute("select count(*) from marts.fct_interactions where action = 'search'").fetchone()
        # An act whose slate comes after it.
        late = slate_of("r_d", "2055-06-15 08:00")
        put_act(conn, "r_d", "open", "2055-06-15 08:01", 2, slate_id=late, position=0)
        # An act that its reader takes back: the place is as unanswered as before.
        conn.execute("delete from stream.interactions where reader_key = 'r_f' and action = 'open'")
    assert opened == ("open", date(2024, 2, 28))
    assert searches == (2,)
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        unopened = conn.execute(
            "select outcome from marts.fct_slate_places where slate_id = %s and position = 0",
            [slate_of("r_f", MORNING)],
        ).fetchone()
        # Beyond the calendar of the last build.
        put_slate(conn, "r_d", "2055-06-15 08:00", "v3", {2: "policy"})
        put_again(conn)
    assert unopened == ("no answer",)
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        days = conn.execute("select count(*) from marts.dim_dates where date_day = %s", [date(2055, 6, 15)]).fetchone()
        joined = conn.execute("select outcome from marts.fct_slate_places where slate_id = %s", [late]).fetchone()
        incremental = contents(conn)
    assert days == (1,)
    assert joined == ("open",)

    warehouse.build(copied.settings, full_refresh=True)

    with psycopg.connect(copied.url) as conn:
        full = contents(conn)
    assert {name for name in full if full[name] != incremental[name]} == set()


COUNTED = """select slate_date, policy_version, dimension, value, count_readers, count_places, count_shown,
                    count_opened, count_read, count_skipped, count_fallback, count_answers, reward, is_suppressed
             from marts.mart_quality_daily
             union all
             select slate_date, 'outcome', outcome, '', count_readers, count_places, null, null, null, null, null,
                    null, null, is_suppressed
             from marts.mart_actions_daily
             union all
             select period_start_date, 'acts of a day', action, '', count_readers, count_acts, null, null, null, null,
                    null, null, acts_per_reader, is_suppressed
             from marts.mart_readers_daily
             union all
             select period_start_date, 'acts of a month', action, '', count_readers, count_acts, null, null, null, null,
                    null, null, acts_per_reader, is_suppressed
             from marts.mart_readers_monthly
             union all
             select hour_start_at::date, 'hour', hour_start_at::text, '', null, count_acts, null, null, null, null,
                    null, null, null, null
             from marts.mart_stream_hourly where count_acts > 0
             order by 1, 2, 3, 4, 5"""


def test_what_was_counted_stays_when_the_acts_go_and_an_erased_reader_is_counted_no_more(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = conn.execute(COUNTED).fetchall()
        # A visit is over: the retention job removes it from the stream and from the marts.
        for table in ("stream.interactions", "stream.slates", "stream.sessions", "marts.fct_interactions",
                      "marts.fct_slate_places", "marts.fct_sessions", "marts.dim_readers"):  # fmt: skip
            conn.execute(f"delete from {table} where reader_key = 's_guest'")
        # What is older of a history goes from the stream alone: a slate never later than the acts that answer it.
        for table in ("stream.interactions", "stream.slates"):
            conn.execute(f"delete from {table} where reader_key = 'r_a'")
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        first = conn.execute(COUNTED).fetchall()
        for table in ("stream.interactions", "stream.slates"):
            conn.execute(f"delete from {table} where reader_key = 'r_b'")
    # A full refresh builds the facts from what is left, and must not forget what it throws away.
    warehouse.build(copied.settings, full_refresh=True)
    with psycopg.connect(copied.url) as conn:
        second = conn.execute(COUNTED).fetchall()
        trace = [
            name
            for (name,) in conn.execute(CONTENT).fetchall()
            if conn.execute(f"select count(*) from marts.{name} as t where t::text ~ 's_guest|r_a|r_b'").fetchone()
            != (0,)
        ]
        counted = conn.execute("select sum(count_places) from stream.gone_places").fetchone()
        # Erased, as openshelf/privacy/erasing.py does it: marked first, then removed from every table.
        conn.execute("insert into stream.erased (mark, kind) values (stream.mark_of('r_c'), 'reader')")
        for table in ("stream.interactions", "stream.slates", "marts.fct_interactions", "marts.fct_slate_places"):
            conn.execute(f"delete from {table} where reader_key = 'r_c'")
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        whole = conn.execute(
            "select count_readers, count_places, count_shown, count_opened from marts.mart_quality_daily"
            " where policy_version = 'all' and dimension = 'all'"
        ).fetchone()

    assert first == before
    assert second == before
    assert trace == []
    assert counted == (2 + 3 + 3,)
    assert whole == (6, 17, 11, 5)


# Told of readers who keep a history, for as long as they keep it; when the newest row was stored; who there is.
OF_WHO_IS_THERE = {"mart_cohorts_weekly", "mart_freshness", "fct_interactions", "fct_slate_places", "fct_sessions",
                   "dim_readers", "dim_dates", "dim_models"}  # fmt: skip


def aggregates(conn: psycopg.Connection) -> dict[str, list[str]]:
    """What every mart says, but when its newest row was stored."""
    names = [name for (name,) in conn.execute(CONTENT).fetchall() if name not in OF_WHO_IS_THERE]
    return {
        name: [
            row
            for (row,) in conn.execute(
                f"select (to_jsonb(t) - 'newest_stored_at')::text from marts.{name} as t order by 1"
            ).fetchall()
        ]
        for name in names
    }


def test_no_figure_changes_when_the_retention_job_has_removed_visits(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        # A visit of staff goes as every visit does; both were built before, as every quarter of an hour.
        put_slate(conn, "s_staff_1", NIGHT, "v2", {1: "policy"})
        # A visit that was shown nothing but what staff pinned is no reader of the recommendations, before and after.
        put_slate(conn, "s_late", NIGHT, "v2", {1: "pinned"})
        put_act(conn, "s_late", "show", "2024-02-28 23:51", 1, slate_id=slate_of("s_late", NIGHT), position=0)
        put_act(conn, "s_staff_1", "open", "2024-02-28 23:52", 1, slate_id=slate_of("s_staff_1", NIGHT), position=0)
        conn.execute(
            """insert into stream.sessions (session_id, reader_key, arm, started_at, last_act_at, count_acts,
                   count_shows, reward) select gen_random_uuid(), 's_staff_1', 'champion', %s, %s, 1, 0, 0""",
            [at(NIGHT), at("2024-02-28 23:52")],
        )
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        before = aggregates(conn)
        gone = retention.run(conn, copied.settings, at("2024-02-29 12:00"))
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        after = aggregates(conn)
        hours = conn.execute(
            "select count_slates, count_slates_measured from marts.mart_stream_hourly where hour_start_at = %s",
            [at("2024-02-28 23:00")],
        ).fetchone()

    assert (gone["stream.slates"], gone["stream.interactions"]) == (3, 5)
    assert hours == (3, 3)
    assert len(before) > 15
    assert {name for name in before if before[name] != after[name]} == set()


SUBJECTS = """select value, count_shown, count_opened from marts.mart_quality_daily
              where policy_version = 'all' and dimension = 'subject' and slate_date = '2024-02-28' order by value"""
WORKS = """select book_id, count_shown_recent, count_opens_recent, count_readers_recent
           from marts.mart_exposure_works order by book_id"""


def test_what_was_done_with_a_work_counts_for_the_one_that_took_it_in_for_as_long_as_it_does(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = {name: rows for name, rows in contents(conn).items() if name != "dim_works"}
        apart = (conn.execute(SUBJECTS).fetchall(), conn.execute(WORKS).fetchall())
        conn.execute("update library.works set merged_into = 1, active = false where book_id = 2")
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        together = (conn.execute(SUBJECTS).fetchall(), conn.execute(WORKS).fetchall())
        incremental = contents(conn)
    warehouse.build(copied.settings, full_refresh=True)
    with psycopg.connect(copied.url) as conn:
        full = contents(conn)
        conn.execute("update library.works set merged_into = null, active = true where book_id = 2")
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        after = {name: rows for name, rows in contents(conn).items() if name != "dim_works"}

    # Work 1 (adventure) was shown six times and opened by five, and read once; work 2 was shown seven times, and opened
    # by the guest; work 3 was opened from a slate whose hour was over.
    assert apart == ([("adventure", 6, 5), ("none", 7, 1)], [(1, 6, 6, 5), (2, 7, 1, 1), (3, 0, 1, 1)])
    assert together == ([("adventure", 13, 6), ("none", 0, 0)], [(1, 13, 7, 6), (3, 0, 1, 1)])
    assert {name for name in full if full[name] != incremental[name]} <= {"dim_works"}
    assert {name for name in before if before[name] != after[name]} == set()


def test_what_is_never_shown_counts_by_kinds_that_are(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = conn.execute("select count_works, coverage from marts.mart_exposure_weekly").fetchall()
        conn.execute(
            """insert into library.works (work_key, title, title_sort, kind, added_at)
               select 'film ' || n, 'Film', 'Film', 'film', '2024-01-01' from generate_series(1, 5) as n"""
        )
    warehouse.build(copied.settings, full_refresh=True)
    with psycopg.connect(copied.url) as conn:
        after = conn.execute("select count_works, coverage from marts.mart_exposure_weekly").fetchall()
        listed = conn.execute("select count(*) from marts.mart_exposure_works").fetchone()
        put_slate(conn, "r_e", "2024-02-28 12:00", "v1", {4: "policy"})
        put_act(conn, "r_e", "show", "2024-02-28 12:01", 4, slate_id=slate_of("r_e", "2024-02-28 12:00"), position=0)
    warehouse.build(copied.settings)
    with psycopg.connect(copied.url) as conn:
        with_films = conn.execute(
            "select count_works, coverage from marts.mart_exposure_weekly where policy_version = 'all'"
        ).fetchall()

    # The three works came after that week; two of them were shown in it. Of the films, all were there.
    assert set(before) == {(2, 1.0), (2, 0.5)}
    assert sorted(after) == sorted(before)
    assert listed == (3,)
    assert with_films == [(2 + 5, round(3 / 7, 6))]


def test_staff_tests_and_programs_move_no_chart_and_are_counted_apart(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = conn.execute(COUNTED).fetchall()
        for reader in ("s_staff_1", "s_test_1", "r_robot", "r_lena"):
            put_slate(conn, reader, MORNING, "v1", {1: "policy"})
            slate_id = slate_of(reader, MORNING)
            put_act(conn, reader, "open", "2024-02-28 10:02", 1, slate_id=slate_id, position=0)
        for second in range(60):
            put_act(conn, "r_robot", "open", f"2024-02-28 10:03:{second:02d}", 2)
            put_act(conn, "r_robot", "search", f"2024-02-28 10:03:{second:02d}")
        conn.execute(
            """with account as (
                   insert into reading.accounts (username, display_name, role) values ('lena', 'Lena', 'staff')
                   returning account_id
               )
               insert into reading.pseudonyms (account_id, reader_key) select account_id, 'r_lena' from account"""
        )

    warehouse.build(copied.settings)

    with psycopg.connect(copied.url) as conn:
        after = [row for row in conn.execute(COUNTED).fetchall() if row[1] != "hour"]
        apart = conn.execute(
            "select traffic, sum(count_acts)::int, sum(count_readers)::int from marts.mart_traffic_daily"
            " where traffic <> 'reader' group by traffic order by traffic"
        ).fetchall()
    assert after == [row for row in before if row[1] != "hour"]
    assert apart == [("bot", 121, 1), ("staff", 2, 2), ("test", 1, 1)]


def test_an_act_nobody_knows_stops_the_build_by_name_and_the_marts_keep_their_rows(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = contents(conn)
        put_act(conn, "r_a", "juggle", "2024-02-28 12:00", 1)

    named = r"accepted_values_stg_stream__interactions_action.*old rows"
    with pytest.raises(warehouse.WarehouseError, match=named) as failed:
        warehouse.build(copied.settings)

    (query,) = re.findall(r"asked of Postgres: (.+)\)$", str(failed.value))
    with psycopg.connect(copied.url) as conn:
        assert conn.execute(Path(query).read_bytes()).fetchall() == [("juggle", 1)]
        after = contents(conn)
        trust = analytics.trust(Marts(conn), utc_now())
    assert trust
    assert not trust.is_sound
    assert [failure.startswith("accepted_values_stg_stream__interactions_action") for failure in trust.failures] == [
        True
    ]
    assert after["fct_interactions"] == before["fct_interactions"]
    assert after["mart_actions_daily"] == before["mart_actions_daily"]


def test_a_model_that_breaks_its_contract_keeps_its_old_rows(copied: Warehouse, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(warehouse.PROJECT, project)
    model = project / "models" / "marts" / "mart_actions_daily.sql"
    model.write_text(
        model.read_text().replace("    count_works,\n    count_readers,", "    count_works::text,\n    count_readers,")
    )

    with pytest.raises(warehouse.WarehouseError, match=r"mart_actions_daily .*contract"):
        warehouse.build(copied.settings, select="mart_actions_daily", project=project)

    with psycopg.connect(copied.url) as conn:
        assert conn.execute("select sum(count_places) from marts.mart_actions_daily").fetchone() == (13,)


def test_rows_of_other_definitions_are_made_anew_by_the_next_whole_build(copied: Warehouse, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(warehouse.PROJECT, project)
    model = project / "models" / "marts" / "mart_traffic_daily.sql"
    model.write_text(model.read_text().replace("sum(count_acts)::bigint as", "2 * sum(count_acts)::bigint as"))
    counted = "select sum(count_acts)::int from marts.mart_traffic_daily"

    for _ in range(2):  # the second build changes nothing
        warehouse.build(copied.settings, project=project)

        with psycopg.connect(copied.url) as conn:
            assert conn.execute(counted).fetchone() == (2 * 24,)


def test_days_are_those_of_utc_wherever_the_server_stands(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        # There a day of September has no midnight, and days counted from one midnight to the next are one too few.
        conn.execute(f"alter database {conn.info.dbname} set timezone = 'America/Santiago'")

    warehouse.build(copied.settings, select="dim_dates")

    with psycopg.connect(copied.url) as conn:
        last = conn.execute("select max(date_day) from marts.dim_dates").fetchone()
    assert last == (date(utc_now().year + 1, 12, 31),)


def test_a_project_that_cannot_be_read_is_said_in_one_line_and_noted(copied: Warehouse, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(warehouse.PROJECT, project)
    (project / "models" / "marts" / "mart_of_nothing.sql").write_text("select * from {{ ref('nothing') }}")

    with pytest.raises(warehouse.WarehouseError, match=r"^dbt failed: .*depends on a node named 'nothing'") as failed:
        warehouse.build(copied.settings, project=project)

    assert "\n" not in str(failed.value)
    with psycopg.connect(copied.url) as conn:
        trust = analytics.trust(Marts(conn), utc_now())
    assert trust
    assert trust.failures == [str(failed.value)]


def test_a_project_that_is_not_there_is_said_in_one_line(copied: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(warehouse.WarehouseError, match="there is no dbt project at"):
        warehouse.build(copied.settings, project=tmp_path)


def test_progress_is_told_from_node_to_node(copied: Warehouse) -> None:
    told: list[tuple[int, int]] = []

    warehouse.build(copied.settings, select="1+mart_training_runs+1", on_progress=lambda *both: told.append(both))

    assert len(told) > 12
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]


def test_the_command_reports_in_json_and_fails_with_one_line(copied: Warehouse) -> None:
    command = [Path(sys.executable).parent / "openshelf", "warehouse", "build", "--json", "--select", "dim_actions"]
    home = str(copied.settings.home)  # where dbt has parsed the project for this database
    environment = {"PATH": "/usr/bin:/bin", "OPENSHELF_HOME": home, "OPENSHELF_DATABASE_URL": copied.url}

    good = subprocess.run(command, env=environment, capture_output=True, text=True)
    with psycopg.connect(copied.url) as conn:
        conn.execute("drop schema staging cascade")
    bad = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["models"] == 1
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert bad.stderr.startswith("openshelf: the warehouse was not built: dim_actions (")
    assert bad.stderr.count("\n") == 1


def test_every_model_says_its_grain_and_has_a_tested_key(built: Warehouse) -> None:
    manifest = json.loads((built.settings.home / "dbt" / "target" / "manifest.json").read_text())
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    keyed = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        if (node.get("test_metadata") or {}).get("name") in {"unique", "unique_combination"}
    }

    assert len(models) > 30
    assert [m["name"] for m in models if "One row" not in m["description"]] == []
    # An ephemeral model's key is tested in the one table that is made of it.
    assert [
        m["name"] for m in models if m["unique_id"] not in keyed and m["config"]["materialized"] != "ephemeral"
    ] == []
    assert [m["name"] for m in models if m["schema"] == "marts" and not m["contract"]["enforced"]] == []
    assert {m["schema"] for m in models} == {"staging", "intermediate", "marts"}


def test_pages_read_the_marts_of_their_exposures_and_no_others() -> None:
    exposures = [
        each
        for file in (warehouse.PROJECT / "models").rglob("*exposures*.yml")
        for each in yaml.safe_load(file.read_text())["exposures"]
        if each["type"] == "dashboard"
    ]
    declared = {
        ref.removeprefix("ref('").removesuffix("')")
        for each in exposures
        for ref in each["depends_on"]
        if ref.startswith("ref")
    }
    folder = warehouse.PROJECT.parent / "openshelf"
    sources = [file.read_text() for file in [*folder.glob("*.py"), *(folder / "database").glob("*.py")]]

    read = {name for source in sources for name in re.findall(r"\bmarts\.((?:mart|fct|dim)_\w+)", source)}

    # Every page with figures has its exposure, by its question.
    without_figures = {"works", "installation", "notes"}
    assert {question for _file, to, question in staff_pages() if to not in without_figures} == {
        each["label"] for each in exposures
    }
    # Counted for the report of a build and of the demo; no page shows them.
    assert read - {"fct_interactions", "fct_slate_places", "fct_sessions"} <= declared
    assert {name for name in declared if name.startswith("mart_")} <= read


def test_the_seed_knows_every_action_of_the_contract(built: Warehouse) -> None:
    from openshelf.contracts import Action

    with psycopg.connect(built.url) as conn:
        seeded = {action for (action,) in conn.execute("select action from marts.dim_actions").fetchall()}

    assert seeded == {action.value for action in Action}


def test_a_source_is_late_when_its_newest_row_is_old_or_there_is_none(copied: Warehouse) -> None:
    now = utc_now().replace(microsecond=0)
    with psycopg.connect(copied.url) as conn:
        conn.execute("update stream.interactions set stored_at = %s", [now - timedelta(hours=25)])
        conn.execute("update stream.slates set stored_at = %s", [now - timedelta(hours=23)])
        conn.execute("delete from library.ingest_runs")

    assert warehouse.freshness(copied.settings) == [
        warehouse.SourceAge("library.ingest_runs", None, is_late=True),
        warehouse.SourceAge("stream.interactions", now - timedelta(hours=25), is_late=True),
        warehouse.SourceAge("stream.slates", now - timedelta(hours=23), is_late=False),
    ]
