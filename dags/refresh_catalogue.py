"""The catalogue follows the Calibre library."""

from datetime import UTC, datetime

from _defaults import CATALOGUE, DEFAULT_ARGS, LONG_TIMEOUT, TAGS, openshelf
from airflow.sdk import dag, task


@dag(
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "catalogue"],
    doc_md="""
### Purpose
Bring the catalogue to what the Calibre library says: new, edited and removed books, then the embeddings of what
changed.
### Inputs
The Calibre library of `OPENSHELF_CALIBRE_LIBRARY` (only read); schema `library` in Postgres.
### Outputs
Schema `library`, its catalogue version, and the asset `openshelf://catalogue`. Nothing is written when nothing changed.
### If it fails
The old catalogue stays whole. Run `openshelf ingest calibre --dry-run` and read its one line: a missing or locked
library mends itself at the next hour; when more than a fifth of the books vanished, look, and then run it once by hand
with `--yes`.
""",
)
def refresh_catalogue() -> None:
    @task.bash(doc_md="Editions and works; embedding is a task of its own, with a longer limit.")
    def ingest() -> str:
        return openshelf("ingest", "calibre", "--no-embed", "--json")

    @task.bash(outlets=[CATALOGUE], execution_timeout=LONG_TIMEOUT, doc_md="Only texts that changed.")
    def embed() -> str:
        return openshelf("embed", "--json")

    ingest() >> embed()  # pyright: ignore[reportUnusedExpression]


refresh_catalogue()
