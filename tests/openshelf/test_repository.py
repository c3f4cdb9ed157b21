"""What must never be in the repository, and what a reader of it must find true."""

import json
import re
import subprocess
from pathlib import Path

import yaml

from openshelf.alerts import RULES
from openshelf.database.roles import ROLES
from openshelf.jobs import JOBS

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())

# What a secret looks like. Words that stand for one (in tests, examples, documentation) are short, spelt or named.
SECRETS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64,}"),
    "access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "token": re.compile(r"\b(?:ghp|gho|ghs|github_pat|glpat|xox[abp]|sk-proj|sk-ant|hf)[_-][A-Za-z0-9_-]{20,}"),
    "web token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "password in an address": re.compile(r"\b[a-z+]+://[A-Za-z0-9._-]+:(?=[A-Za-z0-9]*\d)[A-Za-z0-9_-]{20,}@"),
    "value of a secret": re.compile(
        r"(?i)(?<![A-Za-z])(?:password|passwd|secret|token|api_?key|fernet_key)[\"']?\s*[:=]\s*[\"']?"
        r"(?=[A-Za-z0-9+/_-]*\d)(?=[A-Za-z0-9+/_-]*[A-Za-z])[A-Za-z0-9+/_-]{32,}={0,2}(?![A-Za-z0-9_.(])"
    ),
}
PRIVATE_FILES = re.compile(
    r"(?:^|/)(?:\.env|compose\.env|secrets\.toml|secret|id_rsa|.*\.pem|.*\.key|.*\.p12)$|^secrets/"
)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def found_in(text: str) -> list[str]:
    return [kind for kind, pattern in SECRETS.items() if pattern.search(text)]


def test_no_secret_is_in_the_repository() -> None:
    files = tracked()
    assert len(files) > 300
    texts = {path: path.read_text("utf-8", "ignore") for path in files if path.stat().st_size < 3_000_000}

    assert {str(path.relative_to(ROOT)): found_in(text) for path, text in texts.items() if found_in(text)} == {}
    assert [str(path) for path in files if PRIVATE_FILES.search(str(path.relative_to(ROOT)))] == []


def test_a_secret_would_be_found() -> None:
    key = "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" * 3
    examples = [
        key,
        "aws = AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "a1b2c3d4e5f6g7h8i9j0k1l2",
        "postgresql://openshelf:" + "9f86d081884c7d659a2feaa0c55ad015@db/openshelf",
        "OPENSHELF_SECRET=" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c",
    ]
    assert [bool(found_in(text)) for text in examples] == [True] * len(examples)


def test_files_with_secrets_are_ignored() -> None:
    for name in (".env", "compose.env", "secrets/openshelf_secret", ".openshelf/secret"):
        done = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", name], cwd=ROOT)
        assert done.returncode == 0, name


def test_ci_runs_the_targets_that_a_person_runs() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    run = {word for line in lines for word in re.findall(r"\bmake ([a-z]+)", line)}

    assert run <= targets
    assert run >= {"install", "lint", "test", "licences", "sbom"}
    for script in re.findall(r"\bsh (docker/\S+)", "\n".join(lines)):
        assert (ROOT / script).exists()


def test_the_list_of_licences_is_of_what_is_pinned() -> None:
    listed = {
        re.sub(r"[-_.]+", "-", line.split("|")[1].strip()).lower()
        for line in (ROOT / "docs" / "licences.md").read_text().splitlines()
        if line.startswith("| ")
    }
    pinned = {
        re.sub(r"[-_.]+", "-", name).lower()
        for name in re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==[^;\n]*$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
        )
    }
    elsewhere = {"axe-playwright-python", "bytewax", "openlineage-sql", "pymarc"}
    elsewhere |= {"pip-licenses", "prettytable", "wcwidth"}  # the tool does not list itself

    assert len(pinned) > 150
    assert pinned - listed - elsewhere == set()


def test_the_grafana_board_names_only_metrics_that_are_there() -> None:
    """docs/operations.md lists every metric of /metrics: tests/streaming/test_stream_metrics.py compares the two."""
    board = json.loads((ROOT / "docker" / "grafana" / "openshelf.json").read_text())
    documented = set(re.findall(r"`(openshelf_[a-z_]+)`", OPERATIONS))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expression in asked for name in re.findall(r"\bopenshelf_[a-z_]+", expression)}

    assert len(board["panels"]) > 10
    assert {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in named} <= documented


def test_the_runbook_has_a_paragraph_for_each_alert() -> None:
    runbook = OPERATIONS.partition("## Runbook")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\*\*`(\w+)`\*\*:", runbook, re.MULTILINE)) == set(RULES)


def test_the_page_says_what_runs_when() -> None:
    section = OPERATIONS.partition("## What runs when")[2].partition("\n## ")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.*) \|$", section, re.MULTILINE))

    assert {job.name for job in JOBS} == set(table) - {"rebuild_warehouse"}
    for job in JOBS:
        for step in job.steps:
            words = [word for word in step.words if word != "--json"]
            assert f"`openshelf {' '.join(words)}" in table[job.name]


def test_the_threat_model_names_tests_and_roles_that_are_there() -> None:
    named = set(re.findall(r"`((?:tests|docker|dashboard)/[\w./-]+)`", SECURITY))

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert all(f"`{role}`" in SECURITY for role in ROLES)
