"""What an installation does by itself, and when: the one rhythm of `openshelf up --schedule` and of the DAGs.

Data alone: nothing is imported here but dataclasses, since Airflow reads it every half minute.
"""

from dataclasses import dataclass

# A step that fails is tried again so often, after pauses that double up to a longest one; then its job has failed until
# its next time. Both schedulers take these figures.
RETRIES = 2
FIRST_PAUSE_S = 30
LONGEST_PAUSE_S = 600


@dataclass(frozen=True)
class Step:
    """One `openshelf` command with the time it may take. `always`: it also runs when a step before it has failed."""

    name: str
    words: tuple[str, ...]
    minutes: int = 10
    always: bool = False


@dataclass(frozen=True)
class Job:
    """Steps in order, each as soon as the one before is done.

    `cron`: when, in UTC. `after`: instead of that, the job whose success starts it. `outlet`: the asset that is new
    once this job has succeeded. Of one job never two runs go on at once, and times that were missed are made up for by
    one run.
    """

    name: str
    steps: tuple[Step, ...]
    purpose: str
    inputs: str
    outputs: str
    if_it_fails: str
    cron: str | None = None
    after: str | None = None
    outlet: str | None = None


JOBS: tuple[Job, ...] = (
    Job(
        "refresh_catalogue",
        cron="17 * * * *",
        steps=(
            Step("ingest", ("ingest", "calibre", "--no-embed", "--json")),
            Step("embed", ("embed", "--json"), minutes=30),
            # Does nothing where OPENSHELF_SEARCH_INSIDE is false; what the limit cuts off, the next hour goes on with.
            Step("texts", ("ingest", "texts", "--json"), minutes=30),
        ),
        outlet="openshelf://catalogue",
        purpose="Bring the catalogue to what the Calibre library says: new, edited and removed books, then the "
        "embeddings of what changed, and the text inside books where that is searched.",
        inputs="The Calibre library of `OPENSHELF_CALIBRE_LIBRARY` (only read); schema `library` in Postgres.",
        outputs="Schema `library` and its catalogue version. Nothing is written when nothing changed.",
        if_it_fails="The old catalogue stays whole. Run `openshelf ingest calibre --dry-run` and read its one line: "
        "a missing or locked library mends itself at the next hour; when more than a fifth of the books vanished, "
        "look, and then run it once by hand with `--yes`.",
    ),
    Job(
        "train_adapter",
        after="refresh_catalogue",
        steps=(Step("adapter", ("train", "adapter", "--if-moved", "0.02", "--json")),),
        outlet="openshelf://adapter",
        purpose="Learn the projection of texts into the policy's space anew, once enough of the catalogue has "
        "changed since it was learned. On most days it has not, and the command says so.",
        inputs="Text embeddings; the champion adapter as the parent.",
        outputs="A candidate in schema `learning`, the champion if it brings related works closer; for a new library "
        "also its first policy.",
        if_it_fails="The old adapter keeps serving, new works are placed by it. `openshelf train adapter` says why.",
    ),
    Job(
        "build_warehouse",
        # The hour from four on is for the build of each model by itself (dags/rebuild_warehouse.py).
        cron="*/15 0-3,5-23 * * *",
        steps=(
            Step("build", ("warehouse", "build", "--json")),
            # A build that failed is what one of the rules is about.
            Step("alerts", ("alerts", "check", "--json"), always=True),
        ),
        outlet="openshelf://warehouse",
        purpose="Build and test the dbt project, so that staff pages are at most a quarter of an hour old, then see "
        "whether any figure asks for a person.",
        inputs="Schemas `library`, `stream` and `learning`.",
        outputs="Schemas `staging`, `intermediate`, `marts`; incidents in schema `learning`, and who is to be told "
        "is told.",
        if_it_fails="Staff pages keep the last good marts and say how old they are. Run `openshelf warehouse build`: "
        "it names the model or the test that failed. A failed test means wrong data, not a wrong build: look at its "
        "rows before building again.",
    ),
    Job(
        "estimate_policies",
        # Before the training: afterwards there is no slate that the newest policy has not learned from.
        cron="7 3 * * *",
        steps=(Step("estimates", ("evaluate", "policies", "--json"), minutes=25),),
        purpose="Estimate from the log what the newest policy would earn, served or not.",
        inputs="Slates with their propensities, interactions, and the newest version of the policy.",
        outputs="Estimates in schema `learning`, which the page *Would the new one be?* shows after the next build.",
        if_it_fails="The page shows older estimates and says of which day they are; training goes on. "
        "`openshelf evaluate policies` says why.",
    ),
    Job(
        "train_policy",
        # Seven minutes after a build of the warehouse, so that the two do not meet.
        cron="37 3 * * *",
        steps=(Step("policy", ("train", "policy", "--json"), minutes=30),),
        outlet="openshelf://policy",
        purpose="Train the policy on the slates since its parent and a sample of older ones, evaluate it on later "
        "acts, and let it serve if the gate lets it pass.",
        inputs="Slates and interactions; the champion as the parent.",
        outputs="A candidate in schema `learning` with its metrics; the champion, when the gate lets the candidate "
        "pass. The dataflow serves a new champion within seconds, without a restart.",
        if_it_fails="The old champion keeps serving. `openshelf models list` shows every candidate with what became "
        "of it; one that the gate refused is no failure, and a day without readers is skipped. `openshelf models "
        "rollback` brings the previous champion back.",
    ),
    Job(
        "retry_waiting",
        cron="52 * * * *",
        steps=(
            Step("dead_letters", ("stream", "dead-letters", "retry", "--json")),
            Step("quarantine", ("stream", "quarantine", "retry", "--json")),
        ),
        purpose="Take what could not be taken before: dead letters that this program understands by now, acts on "
        "works that have arrived since.",
        inputs="Dead letters and quarantine in schema `stream`.",
        outputs="Events in the log. What is still bad stays where it is; each event counts once.",
        if_it_fails="Nothing is lost. `openshelf stream dead-letters list` shows what waits, and why.",
    ),
    Job(
        "keep_privacy",
        cron="47 * * * *",
        steps=(Step("retention", ("retention", "run", "--json")),),
        purpose="Finish erasures that were interrupted, and remove what is older than readers chose and the settings "
        "say.",
        inputs="Every table of the register in docs/privacy.md.",
        outputs="Fewer rows; a certificate for each erasure that was finished.",
        if_it_fails="Readers' data stays longer than promised: mend it today. Run `openshelf retention run` and read "
        "its one line; `openshelf privacy resume` finishes erasures alone.",
    ),
    Job(
        "back_up",
        cron="7 2 * * *",
        steps=(Step("backup", ("backup", "--json"), minutes=60),),
        purpose="A backup of everything the database holds, of one moment.",
        inputs="The whole database.",
        outputs="A file under `backups` in the home folder; carry it to another machine. Old ones go by "
        "`OPENSHELF_RETENTION_BACKUP_DAYS`.",
        if_it_fails="Yesterday's backup is the newest: `openshelf backup --list`. A full disk is the usual cause.",
    ),
)
BY_NAME = {job.name: job for job in JOBS}
# Airflow alone runs it, in steps that Cosmos makes: dags/rebuild_warehouse.py.
REBUILD = Job(
    "rebuild_warehouse",
    # The builds of every quarter of an hour leave this hour to it: two at once would get into each other's way.
    cron="5 4 * * *",
    steps=(),
    purpose="Build and test every model of the warehouse as a task of its own: which one grows slow or fails is seen "
    "at a glance, and one can be cleared and run again alone. Through the day `build_warehouse` builds all at once in "
    "a sixth of the time.",
    inputs="The dbt project as `openshelf warehouse build` last built it; schemas `library`, `stream` and `learning`.",
    outputs="Schemas `staging`, `intermediate`, `marts`.",
    if_it_fails="The model that failed, and all behind it, keep their old rows; the next `build_warehouse` tries "
    "again. Look at the log of the task, mend the model or the data, and clear the task.",
)


def pause_s(count_failures: int) -> float:
    """How long to wait after so many failures before trying again."""
    return min(FIRST_PAUSE_S * 2 ** (count_failures - 1), LONGEST_PAUSE_S)
