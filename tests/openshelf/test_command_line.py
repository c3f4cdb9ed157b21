"""The command line as a person or a DAG runs it, in processes of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from command_help import help_of

from openshelf.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def openshelf(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openshelf", *words],
        env=os.environ | env,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_act_lands_in_the_log_and_is_reported(conn: psycopg.Connection) -> None:
    done = openshelf("act", "open", "--book", "3", "--reader", "r_1", "--json")

    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    stored = conn.execute("select event_id::text, reader_key from stream.event_log").fetchone()
    assert stored == (reported["event_id"], "r_1")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "Commands:"),
        (("--help",), 0, "Commands:"),
        (("migrat",), 2, "did you mean `openshelf migrate`?"),
        (("act", "dance"), 2, "dance"),
        (("act", "open"), 2, "action open needs a book_id"),
        (("act", "rate", "--book", "1", "--value", "nan"), 2, "1 to 5"),
        (("act", "visit", "--session", "x"), 2, "is not a UUID"),
        (("act", "visit", "--reader", "a b"), 2, "reader_key"),
    ],
)
def test_wrong_use_is_one_clear_message_and_exit_code(
    database: str, words: tuple[str, ...], code: int, said: str
) -> None:
    done = openshelf(*words)

    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_one_line() -> None:
    done = openshelf("migrate", OPENSHELF_DATABASE_URL="postgresql://nobody@127.0.0.1:9/x")

    assert done.returncode == 1
    assert re.fullmatch(r"openshelf: Postgres does not answer: .*OPENSHELF_DATABASE_URL.*\n", done.stderr)


def test_help_loads_neither_torch_nor_streamlit() -> None:
    code = """
import sys
sys.argv = ["openshelf", "--help"]
from openshelf.cli import main
try:
    main()
except SystemExit:
    print(sorted({"torch", "streamlit", "bytewax"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_in_the_readme(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"Usage: openshelf {name}" in help_of(capsys, name)
    assert f"openshelf {name}" in (ROOT / "README.md").read_text()


def test_a_command_that_ends_goes_through_no_garbage_any_more() -> None:
    """A second of each command that loads torch or dbt; what is left goes with the process."""
    ring = """
from openshelf import cli, garbage

class Ring:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("found")

Ring()
"""

    def said(first: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", f"{ring}{first}"], capture_output=True, text=True, check=True
        ).stdout

    assert said("") == "found\n"
    assert said("garbage.seldom()") == ""


def test_a_server_that_ends_a_statement_is_one_line(conn: psycopg.Connection) -> None:
    conn.execute("lock table stream.event_log in access exclusive mode")
    done = openshelf("stream", "lag", OPENSHELF_DATABASE_TIMEOUT_S="1")
    assert done.returncode == 1
    assert re.fullmatch(r"openshelf: Postgres did not finish the work: canceling .+ timeout\. See .+\n", done.stderr)
