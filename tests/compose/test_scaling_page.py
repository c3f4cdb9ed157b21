"""docs/scaling.md: what it shows fits compose.yaml and the benchmark whose numbers it quotes."""

import re
from pathlib import Path
from typing import Any

import yaml

from benchmarks.growth.needs import Habits, Limits, Step, UnitCosts, needs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def additions() -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def test_additions_to_compose_are_to_services_that_it_has() -> None:
    assert len(additions()) == 2
    for addition in additions():
        assert set(addition["services"]) <= set(SERVICES)


def test_further_hosts_know_the_first_by_the_names_that_compose_uses() -> None:
    first, further = additions()

    published = {name for name, service in first["services"].items() if service["ports"]}
    known = {line.split(":")[0] for service in further["services"].values() for line in service["extra_hosts"]}
    started = re.search(r"--no-deps (.*)", PAGE)

    assert known == published
    assert started
    assert set(started[1].split()) == set(further["services"])


def test_the_table_has_all_that_the_benchmark_computes() -> None:
    cost = dict.fromkeys(UnitCosts.__dataclass_fields__, 1.0) | {"draw_us": {1: 1.0}, "works": 1}
    names = {need.name for need in needs(UnitCosts(**cost), Habits(), Limits(), Step("town", 1, 1))}  # pyright: ignore[reportArgumentType]

    assert {line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("|")} >= names
