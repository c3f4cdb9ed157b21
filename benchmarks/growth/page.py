"""Unit costs and needs as docs/scaling.md shows them. Pure."""

import re
from collections.abc import Sequence

from .needs import Habits, Limits, Need, Step, UnitCosts, first_to_break, in_order_of_breaking, needs

BEGIN, END = "<!-- measured: begin, written by `python benchmarks/unit_costs.py --page` -->", "<!-- measured: end -->"


def needed(costs: UnitCosts, steps: Sequence[Step]) -> dict[str, list[Need]]:
    return {step.name: needs(costs, Habits(), Limits(), step) for step in steps}


def first(costs: UnitCosts, steps: Sequence[Step]) -> dict[str, Need]:
    """By step, what breaks first on the way to it from the step before."""
    found = list(needed(costs, steps).values())
    return {
        step.name: first_to_break(now, before)
        for step, now, before in zip(steps, found, [[], *found[:-1]], strict=True)
    }


def with_measured(page: str, costs: UnitCosts, steps: Sequence[Step]) -> str:
    """The page with these numbers.

    Raises:
        ValueError: the page has no place for them.
    """
    parts = [costs_table(costs), assumptions(Habits(), Limits()), needs_table(costs, steps), sentences(costs, steps)]
    block = "\n\n".join([BEGIN, *map("\n".join, parts), END])
    written, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return written


def costs_table(costs: UnitCosts) -> list[str]:
    draws = ", ".join(f"{works:,} works: {short(us)} us" for works, us in costs.draw_us.items())
    models = ", ".join(f"{works:,} works: {short(mib)} MiB" for works, mib in costs.model_mib.items())
    rows = {
        f"an act in the dataflow, over {costs.works:,} works, {short(costs.slates_per_act)} slates an act": (
            f"{short(costs.dataflow_us_per_act)} us of processor time"
        ),
        "one process that catches up": f"{short(costs.acts_per_s)} acts/s",
        "a slate of it, drawn 64 at once": draws,
        "a model in memory": models,
        "a process of the dataflow": f"{short(costs.process_mib)} MiB",
        "an act in the relay": f"{short(costs.relay_us_per_act)} us; {short(costs.relay_acts_per_s)} acts/s",
        "appending an act, one a transaction, synced": (
            f"{short(costs.postgres_append_us)} us of Postgres; {short(costs.log_append_per_s)} acts/s"
        ),
        "storing an act and what follows from it": f"{short(costs.postgres_store_us)} us of Postgres",
        "an act in the log; in interactions; in the write-ahead log": (
            f"{short(costs.log_bytes)}; {short(costs.interaction_bytes)}; {short(costs.wal_bytes)} bytes"
        ),
        "a slate; a session": f"{short(costs.slate_bytes)}; {short(costs.session_bytes)} bytes",
        "an act; a slate in a topic": f"{short(costs.message_bytes)}; {short(costs.slate_message_bytes)} bytes",
        "a reader's state in memory; in the recovery store": (
            f"{short(costs.state_bytes)}; {short(costs.snapshot_bytes)} bytes"
        ),
    }
    return ["| what | costs |", "|---|---|", *(f"| {what} | {cost} |" for what, cost in rows.items())]


def assumptions(habits: Habits, limits: Limits) -> list[str]:
    return [
        "Assumed of readers:",
        f"{habits.active_share:.0%} of them come on a day, for {habits.visit_minutes} minutes,",
        f"{habits.acts_per_visit} acts (the sight of a place is one) and {habits.slates_per_visit} slates;",
        f"the busiest hour has {habits.peak} times the mean;",
        f"{habits.recent_share:.0%} of a day's readers are in memory.",
        "Assumed of machines:",
        f"{limits.storefront_visits} visits at once in one storefront process; servers of {limits.server_cores} cores,",
        f"{limits.server_memory_gb} GB of memory and {limits.server_disk_tb} TB of disk, which writes",
        f"{limits.disk_write_mb_s} MB/s; processors {limits.busy:.0%} busy at most.",
        f"Tables are kept for {limits.days_kept} days; {limits.week_days} days of acts are to be read again within",
        f"{limits.replay_h} hour; a log has {limits.log_partitions} partitions, and so as many hosts at most.",
    ]


def needs_table(costs: UnitCosts, steps: Sequence[Step]) -> list[str]:
    """In the order in which things break, over the catalogue of the last step; what one cannot do is bold."""
    columns = {name: {need.name: need for need in found} for name, found in needed(costs, steps).items()}
    names = [f"{step.name}, {step.readers:,.0f} readers, {step.works:,} works" for step in steps]
    head = ["what one has one of", "one can do", *names, f"enough for, over {steps[-1].works:,} works"]
    rows = [head, ["---"] * len(head)]
    for need in in_order_of_breaking(list(columns[steps[-1].name].values())):
        amounts = [_amount(columns[step.name][need.name]) for step in steps]
        unit = {"processes": "process"}.get(need.unit, need.unit) if need.limit == 1 else need.unit
        rows.append([need.name, f"{short(need.limit)} {unit}", *amounts, f"{short(need.breaks_at)} readers"])
    return [f"| {' | '.join(row)} |" for row in rows]


def sentences(costs: UnitCosts, steps: Sequence[Step]) -> list[str]:
    return [
        f"- First to break on the way to the **{name}**: {need.name}, enough for {short(need.breaks_at)} readers."
        for name, need in first(costs, steps).items()
    ]


def _amount(need: Need) -> str:
    return f"**{short(need.amount)}**" if need.times > 1 else short(need.amount)


def short(value: float) -> str:
    """Two digits: more would be a pretence."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 1_000 else f"{rounded:g}"
