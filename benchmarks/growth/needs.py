"""From unit costs to what so many readers need, and what of it breaks first. Pure.

Every need grows in proportion to the readers, so each has a number of readers at which one of what is needed (one
process, one server, one disk) is used up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
SNAPSHOT_S = 5.0
US, MB, GB, TB = 1e-6, 1e6, 1e9, 1e12


@dataclass(frozen=True)
class UnitCosts:
    """Measured. `_us`: processor time; bytes of tables: with their indexes."""

    works: int  # over which the dataflow was measured
    acts_per_s: float  # one process that catches up
    dataflow_us_per_act: float
    slates_per_act: float  # of the acts that were measured
    draw_us: dict[int, float]  # of a slate, by works
    model_mib: dict[int, float]  # in memory of each process, by works
    process_mib: float  # a process with its model and the states of the readers that were measured
    log_append_per_s: float  # acknowledged, one act a transaction
    postgres_append_us: float
    postgres_store_us: float  # an act and what follows from it
    relay_acts_per_s: float
    relay_us_per_act: float
    log_bytes: float  # an act in the log
    interaction_bytes: float  # an act in interactions
    slate_bytes: float
    session_bytes: float
    wal_bytes: float  # an act, appended and stored
    message_bytes: float  # an act as the relay sends it
    slate_message_bytes: float
    snapshot_bytes: float  # a reader's state in the recovery store
    state_bytes: float  # a reader's state in memory


@dataclass(frozen=True)
class Habits:
    """Assumed: what readers do."""

    active_share: float = 0.10  # of all readers, on one day
    acts_per_visit: int = 40  # places seen among them
    slates_per_visit: int = 10
    visit_minutes: int = 20
    peak: int = 4  # the busiest hour of the day, as a multiple of the mean
    recent_share: float = 0.75  # of a day's readers, those in memory: who acted in the last 12 hours


@dataclass(frozen=True)
class Limits:
    """Assumed: what one of each can do, where it was not measured."""

    storefront_visits: int = 30  # at once in one process
    server_cores: int = 16
    server_memory_gb: int = 64
    server_disk_tb: int = 4
    disk_write_mb_s: int = 200
    log_partitions: int = 12
    busy: float = 0.7  # how far a processor is loaded in the busiest hour
    days_kept: int = 365  # of log, interactions and slates, which nothing removes
    replay_h: int = 1  # that recommendations may stand still after a lost recovery store, or for another share
    week_days: int = 7  # what a topic keeps, and what a dataflow without a recovery store reads again


@dataclass(frozen=True)
class Step:
    name: str
    readers: float
    works: int


@dataclass(frozen=True)
class Need:
    """`amount` at a step, in `unit`; `limit`: what one has of it."""

    name: str
    unit: str
    amount: float
    limit: float
    breaks_at: float  # readers

    @property
    def times(self) -> float:
        return self.amount / self.limit


def needs(costs: UnitCosts, habits: Habits, limits: Limits, step: Step) -> list[Need]:
    """All that grows with the readers."""
    visits_a_day = step.readers * habits.active_share
    acts_a_day, slates_a_day = visits_a_day * habits.acts_per_visit, visits_a_day * habits.slates_per_visit
    acts, slates = acts_a_day / DAY_S * habits.peak, slates_a_day / DAY_S * habits.peak
    draw_us = costs.draw_us[step.works]
    bare_us = costs.dataflow_us_per_act - costs.slates_per_act * costs.draw_us[costs.works]
    processes = (acts * bare_us + slates * draw_us) * US / limits.busy
    postgres_cores = acts * (costs.postgres_append_us + costs.postgres_store_us) * US / limits.busy
    bytes_a_day = (
        acts_a_day * (costs.log_bytes + costs.interaction_bytes)
        + slates_a_day * costs.slate_bytes
        + visits_a_day * costs.session_bytes
    )
    in_memory = visits_a_day * habits.recent_share
    at_once = visits_a_day * habits.visit_minutes / (24 * 60) * habits.peak
    # Of a reader who acts, the whole state is written every five seconds.
    snapshots_a_s = min(acts, at_once / SNAPSHOT_S)
    topic_bytes_a_day = acts_a_day * costs.message_bytes + slates_a_day * costs.slate_message_bytes
    # Of one process, which is busy all the time.
    replay_h_a_day = (acts_a_day * bare_us + slates_a_day * draw_us) * US / 3_600
    rows = [
        ("visits at once: one storefront process", "visits", at_once, limits.storefront_visits),
        ("replay of a week: one process", "h", replay_h_a_day * limits.week_days, limits.replay_h),
        ("dataflow: one process", "processes", processes, 1),
        ("dataflow: 12 hosts of one log", "processes", processes, limits.log_partitions * limits.server_cores),
        ("appends: one Postgres", "acts/s", acts, costs.log_append_per_s),
        ("work of Postgres: one server", "cores", postgres_cores, limits.server_cores),
        ("tables kept: one disk", "TB", bytes_a_day * limits.days_kept / TB, limits.server_disk_tb),
        ("write-ahead log: one disk", "MB/s", acts * costs.wal_bytes / MB, limits.disk_write_mb_s),
        ("relay: one process", "acts/s", acts, costs.relay_acts_per_s),
        ("topics, in: one disk", "MB/s", topic_bytes_a_day / DAY_S * habits.peak / MB, limits.disk_write_mb_s),
        ("topics kept: one disk", "TB", topic_bytes_a_day * limits.week_days / TB, limits.server_disk_tb),
        ("states: memory of one host", "GB", in_memory * costs.state_bytes / GB, limits.server_memory_gb),
        ("recovery store: one disk", "MB/s", snapshots_a_s * costs.snapshot_bytes / MB, limits.disk_write_mb_s),
    ]  # fmt: skip
    return [Need(*row, breaks_at=row[3] / row[2] * step.readers) for row in rows]


def in_order_of_breaking(found: Sequence[Need]) -> list[Need]:
    return sorted(found, key=lambda need: need.breaks_at)


def first_to_break(found: Sequence[Need], before: Sequence[Need]) -> Need:
    """What breaks first of that of which one sufficed at the step before (nothing: of all)."""
    broken = {need.name for need in before if need.times > 1}
    return in_order_of_breaking([need for need in found if need.name not in broken])[0]
