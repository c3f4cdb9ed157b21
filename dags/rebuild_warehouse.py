"""The whole warehouse once a night, a task for each model and its tests: by Cosmos."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from _defaults import DAG_ARGS, ROOT, TASK_ARGS, about
from airflow.sdk import DAG
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import InvocationMode, LoadMode, TestBehavior
from cosmos.profiles import BaseProfileMapping

from openshelf import warehouse
from openshelf.jobs import REBUILD
from openshelf.settings import get_settings

SETTINGS = get_settings()
# `openshelf warehouse build` leaves it there: before the first build there is no such DAG.
MANIFEST = warehouse.manifest_path(SETTINGS)


class FromSettings(BaseProfileMapping):
    """dbt's profile of the database in OPENSHELF_DATABASE_URL, made where a task runs: no password is in a DAG."""

    dbt_profile_type = "postgres"

    @property
    def env_vars(self) -> dict[str, str]:
        return warehouse.connection_variables(SETTINGS)

    @property
    def profile(self) -> dict[str, Any]:
        names = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "DBNAME", "sslmode": "SSLMODE"}
        given = {key: f"{{{{ env_var('WAREHOUSE_{name}') }}}}" for key, name in names.items()}
        given["port"] = "{{ env_var('WAREHOUSE_PORT') | as_number }}"
        given["password"] = "{{ env_var('DBT_ENV_SECRET_PASSWORD', '') }}"  # noqa: S105 - where it is, not what
        return {"type": "postgres", **given, "schema": "marts", "threads": 1}


if MANIFEST.exists():
    with DAG(
        REBUILD.name,
        schedule=REBUILD.cron,
        dagrun_timeout=timedelta(minutes=50),
        default_args=TASK_ARGS | {"execution_timeout": timedelta(minutes=10)},
        tags=["openshelf", "warehouse"],
        doc_md=about(REBUILD),
        **DAG_ARGS,
    ) as rebuild_warehouse:
        DbtTaskGroup(
            group_id="models",
            project_config=ProjectConfig(ROOT / "dbt", manifest_path=MANIFEST, project_name="openshelf"),
            profile_config=ProfileConfig(
                profile_name="openshelf", target_name="main", profile_mapping=FromSettings(conn_id="openshelf")
            ),
            execution_config=ExecutionConfig(
                invocation_mode=InvocationMode.DBT_RUNNER,
                dbt_executable_path=str(Path(sys.executable).with_name("dbt")),
            ),
            render_config=RenderConfig(load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.BUILD),
            operator_args={"install_deps": False, "dbt_cmd_flags": ["--exclude-resource-type", "unit_test"]},
        )
