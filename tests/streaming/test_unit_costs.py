"""benchmarks/unit_costs.py: what so many readers need, computed by hand once."""

from dataclasses import replace

import pytest

from benchmarks.growth import page
from benchmarks.growth.needs import (
    Habits,
    Limits,
    Need,
    Step,
    UnitCosts,
    first_to_break,
    in_order_of_breaking,
    needs,
)

COSTS = UnitCosts(
    works=10_000,
    acts_per_s=8_000,
    dataflow_us_per_act=120,
    slates_per_act=0.8,
    draw_us={10_000: 100, 1_000_000: 1_000},
    model_mib={10_000: 10, 1_000_000: 900},
    process_mib=350,
    log_append_per_s=10_000,
    postgres_append_us=60,
    postgres_store_us=40,
    relay_acts_per_s=30_000,
    relay_us_per_act=12,
    log_bytes=500,
    interaction_bytes=400,
    slate_bytes=1_000,
    session_bytes=400,
    wal_bytes=2_000,
    message_bytes=500,
    slate_message_bytes=2_000,
    snapshot_bytes=1_000,
    state_bytes=2_000,
)
# 864,000 readers: 86,400 visits a day, so 40 acts and 10 slates a second; four times as many in the busiest hour.
TOWN = Step("town", 864_000, 10_000)


def found(costs: UnitCosts = COSTS, step: Step = TOWN) -> dict[str, Need]:
    return {need.name: need for need in needs(costs, Habits(), Limits(), step)}


def test_each_need_is_what_it_is_by_hand() -> None:
    amounts = {name: need.amount for name, need in found().items()}

    assert amounts == pytest.approx(
        {
            "visits at once: one storefront process": 86_400 * 20 / 1_440 * 4,
            # 120 us less 0.8 slates at 100 us is 40 us an act.
            "replay of a week: one process": 7 * 86_400 * (40 * 40e-6 + 10 * 100e-6) / 3_600,
            "dataflow: one process": (160 * 40e-6 + 40 * 100e-6) / 0.7,
            "dataflow: 12 hosts of one log": (160 * 40e-6 + 40 * 100e-6) / 0.7,
            "appends: one Postgres": 160,
            "work of Postgres: one server": 160 * 100e-6 / 0.7,
            "tables kept: one disk": 365 * 86_400 * (40 * 900 + 10 * 1_000 + 400) / 1e12,
            "write-ahead log: one disk": 160 * 2_000 / 1e6,
            "relay: one process": 160,
            "topics, in: one disk": (160 * 500 + 40 * 2_000) / 1e6,
            "topics kept: one disk": 7 * 86_400 * (40 * 500 + 10 * 2_000) / 1e12,
            "states: memory of one host": 86_400 * 0.75 * 2_000 / 1e9,
            "recovery store: one disk": 160 * 1_000 / 1e6,
        }
    )


def test_at_the_number_of_readers_at_which_it_breaks_one_is_used_up() -> None:
    for name, need in found().items():
        there = found(step=replace(TOWN, readers=need.breaks_at))[name]

        assert there.times == pytest.approx(1)


def test_a_larger_catalogue_costs_the_dataflow_and_nothing_else() -> None:
    small, large = found(), found(step=replace(TOWN, works=1_000_000))

    grown = {name for name in small if large[name].amount > small[name].amount}

    assert {name.split(":")[0] for name in grown} == {"dataflow", "replay of a week"}


def test_what_breaks_first_is_asked_of_what_sufficed_before() -> None:
    now = list(found().values())
    order = in_order_of_breaking(now)
    none_suffices = [replace(need, amount=2 * need.limit) for need in order[:2]]

    assert [need.breaks_at for need in order] == sorted(need.breaks_at for need in now)
    assert first_to_break(now, []) == order[0]
    assert first_to_break(now, none_suffices) == order[2]


def test_the_page_gets_the_tables_where_it_has_a_place_for_them() -> None:
    steps = [TOWN, replace(TOWN, name="land", readers=1e8)]
    written = page.with_measured(f"before\n{page.BEGIN}\nold\n{page.END}\nafter", COSTS, steps)

    assert written.startswith(f"before\n{page.BEGIN}\n")
    assert written.endswith(f"{page.END}\nafter")
    assert "old" not in written
    assert "| appends: one Postgres | 10,000 acts/s | 160 | **19,000** | 54,000,000 readers |" in written
    assert "First to break on the way to the **town**: visits at once" in written
    with pytest.raises(ValueError, match="no lines"):
        page.with_measured("nothing", COSTS, steps)
