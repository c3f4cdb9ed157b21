"""The models learn from yesterday."""

from datetime import UTC, datetime

from _defaults import CATALOGUE, DEFAULT_ARGS, LONG_TIMEOUT, POLICY, TAGS, WAREHOUSE, openshelf
from airflow.sdk import dag, task


@dag(
    # Seven minutes after a build of the warehouse, so that the two do not meet.
    schedule="37 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "training"],
    doc_md="""
### Purpose
Train the adapter on the catalogue, then the policy on the slates since its parent and a sample of older ones.
### Inputs
Text embeddings, slates and interactions; the champion of each kind as the parent.
### Outputs
A candidate of each kind in schema `learning` with its metrics; the champion, when the gate lets the candidate pass; the
asset `openshelf://policy`. The dataflow serves a new champion within seconds, without a restart.
### If it fails
The old champion keeps serving. `openshelf models list` shows every candidate with what became of it; one that the gate
refused is no failure, and a day without readers is skipped. `openshelf models rollback` brings the previous champion
back.
""",
)
def train_models() -> None:
    @task.bash(inlets=[CATALOGUE], doc_md="The projection of text embeddings into the policy's space.")
    def train_adapter() -> str:
        return openshelf("train", "adapter", "--json")

    @task.bash(
        inlets=[WAREHOUSE],
        outlets=[POLICY],
        execution_timeout=LONG_TIMEOUT,
        doc_md="REINFORCE, warm from its parent.",
    )
    def train_policy() -> str:
        return openshelf("train", "policy", "--json")

    train_adapter() >> train_policy()  # pyright: ignore[reportUnusedExpression]


train_models()
