"""The marts follow the stream."""

from datetime import UTC, datetime

from _defaults import DEFAULT_ARGS, TAGS, WAREHOUSE, openshelf
from airflow.sdk import dag, task


@dag(
    schedule="*/15 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "warehouse"],
    doc_md="""
### Purpose
Build and test the dbt project, so that staff pages are at most a quarter of an hour old.
### Inputs
Schemas `library`, `stream` and `learning`.
### Outputs
Schemas `staging`, `intermediate`, `marts`, and the asset `openshelf://warehouse`.
### If it fails
Staff pages keep the last good marts and say how old they are. Run `openshelf warehouse build`: it names the model or
the test that failed. A failed test means wrong data, not a wrong build: look at its rows before building again.
""",
)
def build_warehouse() -> None:
    @task.bash(outlets=[WAREHOUSE], doc_md="`dbt build`: models, unit tests and data tests in order.")
    def build() -> str:
        return openshelf("warehouse", "build", "--json")

    build()


build_warehouse()
