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
from small_history import MORNING, Warehouse, put_act, put_slate, slate_of

from openshelf import warehouse

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


def test_an_incremental_build_takes_in_all_that_changed_and_equals_a_full_one(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        row = conn.execute("select max(source_stored_at) from marts.fct_interactions").fetchone()
        assert row
        watermark = row[0]
        # Late by two years, in a slate that the marts hold as unanswered there.
        put_act(conn, "r_f", "open", "2024-02-28 10:20", 1, slate_id=slate_of("r_f", MORNING), position=0)
        # Stored before the newest row the marts hold, but committed after it was read.
        put_act(conn, "r_e", "search", "2024-02-28 11:00", stored_at=watermark - timedelta(hours=1))
        # Beyond the calendar of the last build.
        put_slate(conn, "r_d", "2055-06-15 08:00", "v3", {2: "policy"})
        put_act(conn, "r_d", "show", "2055-06-15 08:01", 2, slate_id=slate_of("r_d", "2055-06-15 08:00"), position=0)
        # Erased at the source.
        conn.execute("delete from stream.interactions where reader_key = 'r_c'")
        conn.execute("delete from stream.slates where reader_key = 'r_c'")

    warehouse.build(copied.settings)

    with psycopg.connect(copied.url) as conn:
        incremental = contents(conn)
        opened = conn.execute(
            "select outcome, slate_date from marts.fct_slate_places where slate_id = %s and position = 0",
            [slate_of("r_f", MORNING)],
        ).fetchone()
        searches = conn.execute("select count(*) from marts.fct_interactions where action = 'search'").fetchone()
        erased = [name for name, rows in incremental.items() if any("r_c" in row for row in rows)]
        days = conn.execute("select count(*) from marts.dim_dates where date_day = %s", [date(2055, 6, 15)]).fetchone()
    assert opened == ("open", date(2024, 2, 28))
    assert searches == (2,)
    assert erased == []
    assert days == (1,)

    warehouse.build(copied.settings, full_refresh=True)

    with psycopg.connect(copied.url) as conn:
        assert contents(conn) == incremental


def test_an_act_nobody_knows_stops_the_build_by_name_and_the_marts_keep_their_rows(copied: Warehouse) -> None:
    with psycopg.connect(copied.url) as conn:
        before = contents(conn)
        put_act(conn, "r_a", "juggle", "2024-02-28 12:00", 1)

    with pytest.raises(warehouse.WarehouseError, match=r"accepted_values_stg_stream__interactions_action.*old rows"):
        warehouse.build(copied.settings)

    with psycopg.connect(copied.url) as conn:
        after = contents(conn)
    assert after["fct_interactions"] == before["fct_interactions"]
    assert after["mart_actions_daily"] == before["mart_actions_daily"]


def test_a_model_that_breaks_its_contract_keeps_its_old_rows(copied: Warehouse, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(warehouse.PROJECT, project)
    model = project / "models" / "marts" / "mart_actions_daily.sql"
    model.write_text(
        model.read_text().replace("by_outcome.count_works,", "by_outcome.count_works::text as count_works,")
    )

    with pytest.raises(warehouse.WarehouseError, match=r"mart_actions_daily .*contract"):
        warehouse.build(copied.settings, select="mart_actions_daily", project=project)

    with psycopg.connect(copied.url) as conn:
        assert conn.execute("select sum(count_places) from marts.mart_actions_daily").fetchone() == (13,)


def test_a_project_that_is_not_there_is_said_in_one_line(copied: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(warehouse.WarehouseError, match="there is no dbt project at"):
        warehouse.build(copied.settings, project=tmp_path)


def test_the_command_reports_in_json_and_fails_with_one_line(copied: Warehouse, tmp_path: Path) -> None:
    command = [Path(sys.executable).parent / "openshelf", "warehouse", "build", "--json", "--select", "dim_actions"]
    environment = {"PATH": "/usr/bin:/bin", "OPENSHELF_HOME": str(tmp_path), "OPENSHELF_DATABASE_URL": copied.url}

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
    assert [m["name"] for m in models if m["unique_id"] not in keyed] == []
    assert [m["name"] for m in models if m["schema"] == "marts" and not m["contract"]["enforced"]] == []
    assert {m["schema"] for m in models} == {"staging", "intermediate", "marts"}


def test_the_staff_page_reads_exactly_the_marts_of_its_exposure() -> None:
    exposures = yaml.safe_load((warehouse.PROJECT / "models" / "exposures.yml").read_text())["exposures"]
    page = next(e for e in exposures if e["name"] == "staff_page_is_it_good")
    declared = {ref.removeprefix("ref('").removesuffix("')") for ref in page["depends_on"]}
    source = (warehouse.PROJECT.parent / "openshelf" / "database" / "analytics.py").read_text()

    read = set(re.findall(r"\bmarts\.(\w+)", source))

    # count_mart_rows counts these for the report; the page does not show them.
    assert read - {"fct_interactions", "fct_slate_places", "fct_sessions", "mart_quality_daily"} == declared


def test_the_seed_knows_every_action_of_the_contract(built: Warehouse) -> None:
    from openshelf.contracts import Action

    with psycopg.connect(built.url) as conn:
        seeded = {action for (action,) in conn.execute("select action from marts.dim_actions").fetchall()}

    assert seeded == {action.value for action in Action}
