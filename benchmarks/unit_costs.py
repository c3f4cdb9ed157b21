"""What an act costs in each part, and what a city, a country and the world need by these costs.

python benchmarks/unit_costs.py [--quick] [--json] [--page]

`--quick`: shorter runs, and no catalogue of a million works; `--page`: writes the tables of docs/scaling.md.

Measured here: processor time of the dataflow, of Postgres and of the relay for an act; bytes of an act in each table
with its indexes, in the write-ahead log and in a topic; a reader's state in memory and in the recovery store; a slate
by the size of the catalogue; appends a second. Assumed: what readers do, and what a machine can do (`growth/needs.py`
has all assumptions). The table says for each thing that one has one of what of it is needed in the busiest hour, and
with how many readers it is used up; docs/scaling.md says what to do then. Run it on a machine that does nothing else.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from growth import costs, page
from growth.needs import Habits, Limits, Step, UnitCosts, in_order_of_breaking

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
STEPS = (Step("city", 1e5, 100_000), Step("country", 1e7, 1_000_000), Step("world", 1e9, 1_000_000))
QUICK_STEPS = tuple(Step(step.name, step.readers, 100_000) for step in STEPS)


def report(found: UnitCosts, steps: Sequence[Step]) -> dict[str, object]:
    needed = page.needed(found, steps)
    return {
        **asdict(found),
        "habits": asdict(Habits()),
        "limits": asdict(Limits()),
        "needs": {
            name: {need.name: {"amount": need.amount, "unit": need.unit, "times": need.times} for need in each}
            for name, each in needed.items()
        },
        "breaks_at": {need.name: need.breaks_at for need in in_order_of_breaking(needed[steps[-1].name])},
        "first_to_break": {name: need.name for name, need in page.first(found, steps).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", action="store_true", help=f"write the numbers into docs/{PAGE.name}")
    options = parser.parse_args()
    size, steps = (costs.QUICK, QUICK_STEPS) if options.quick else (costs.FULL, STEPS)
    found = costs.measure(size, lambda what: print(f"measuring {what} ...", file=sys.stderr))
    if options.page:
        PAGE.write_text(page.with_measured(PAGE.read_text("utf-8"), found, steps), "utf-8")
    if options.json:
        print(json.dumps(report(found, steps)))
    else:
        lines = [*page.costs_table(found), "", *page.needs_table(found, steps), "", *page.sentences(found, steps)]
        print("\n".join(lines))


if __name__ == "__main__":
    main()
