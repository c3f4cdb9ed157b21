"""What is measured of the catalogue: by hand on a few works, and on a page that needs nothing else."""

import json
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from ingest import cli, dataset, quality
from openshelf.contracts import utc_now

SECRET = b"k" * 32
TITLE = "Emma <script>alert(1)</script>"


@pytest.fixture
def measured(conn: psycopg.Connection, tmp_path: Path) -> quality.Quality:
    """Four books of a data set, one of them twice, with six ratings; and a visit that opened the one without a year."""
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "ratings.csv").write_text("reader,work,rating\na,w,5\nb,w,5\nc,w,4\nd,w,1\ne,w,5\na,x,2\n")
    (folder / "works.csv").write_text(
        "work,title,authors,year,language,isbn\n"
        "w,Emma &lt;script&gt;alert(1)&lt;/script&gt;,Jane Austen,1815,en,0141439580\n"
        "x,Persuasion,Jane Austen,1817,en,\n"
        "y,Истории,,,ru,\n"
        "z,Persuasion: A Tale of Bath,Jane Austen,1998,en,\n"
    )
    dataset.ingest_dataset(conn, "csv", folder, secret=SECRET)
    row = conn.execute("select book_id from library.works where language = 'rus'").fetchone()
    assert row
    for _ in range(4):
        conn.execute(
            """insert into stream.interactions (event_id, version, occurred_at, reader_key, session_id, action, book_id,
                   surface, reward, rewards_version, received_at)
               values (%s, 1, %s, 's_1', %s, 'open', %s, 'browse', 1, 'x', now())""",
            [uuid4(), utc_now() - timedelta(days=2), uuid4(), row[0]],
        )
    conn.commit()
    return quality.measured(conn)


def bars(found: quality.Quality, heading: str) -> dict[str, int | None]:
    return {bar.name: bar.count for bar in found.distributions[heading]}


def test_gaps_are_counted_and_weighed_by_what_readers_met(measured: quality.Quality) -> None:
    gaps = {gap.field: gap for gap in measured.gaps}
    works = measured.works

    assert (gaps["summary"].works, gaps["cover"].works) == (works, works)
    assert (gaps["year"].works, gaps["year"].demanded) == (1, pytest.approx(4 / 10))
    assert (gaps["authors"].works, gaps["authors"].demanded) == (1, pytest.approx(4 / 10))
    assert (gaps["language"].works, gaps["language"].demanded) == (0, 0)
    assert gaps["ISBN"].works == works - 1
    assert gaps["ISBN"].demanded == pytest.approx(5 / 10)


def test_distributions_add_up(measured: quality.Quality, conn: psycopg.Connection) -> None:
    assert sum(count or 0 for count in bars(measured, "Kinds").values()) == measured.works
    assert bars(measured, "Languages") == {"eng": measured.works - 1, "rus": 1}
    assert bars(measured, "Years of first publication")["not known"] == 1
    assert bars(measured, "Years of first publication")["1800 to 1899"] == 2
    assert bars(measured, "Stars in data sets") == {"1.0": 1, "2.0": 1, "4.0": 1, "5.0": 3}
    assert bars(measured, "Acts on each work")["5-9"] == 1
    assert sum(count or 0 for count in bars(measured, "Acts on each work").values()) == measured.works


def test_few_readers_alike_are_not_told_of(measured: quality.Quality) -> None:
    # Four readers of the data set did one thing each, one did two, a visit four.
    assert bars(measured, "Acts of each reader") == {"1": None, "2-4": None}
    assert "under 5" in "\n".join(quality.as_text(measured))


def test_the_page_needs_nothing_else_and_runs_nothing(measured: quality.Quality, tmp_path: Path) -> None:
    page = tmp_path / "quality.html"

    quality.write_page(measured, page)

    text = page.read_text()
    assert "<svg" in text
    assert "<script" not in text.lower()
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text)
    assert f"<td class='n'>{measured.works}</td>" in text
    assert text.count("<h2>") >= 8


def test_without_a_renderer_the_tables_say_it_all(
    measured: quality.Quality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)

    quality.write_page(measured, tmp_path / "quality.html")

    text = (tmp_path / "quality.html").read_text()
    assert "<svg" not in text
    assert "<td>rus</td><td class='n'>1</td>" in text


def test_the_command_says_it_on_a_terminal_as_a_page_and_for_programs(
    measured: quality.Quality, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    cli.ingest_app(args=["quality", "--html", str(tmp_path / "q.html")], standalone_mode=False)
    told = capsys.readouterr().out
    cli.ingest_app(args=["quality", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)

    assert told.startswith(f"{measured.works} works, {measured.editions} editions")
    assert (tmp_path / "q.html").exists()
    assert found["works"] == measured.works
    assert {gap["field"] for gap in found["gaps"]} >= {"summary", "cover", "ISBN"}


def test_an_empty_catalogue_can_be_measured(conn: psycopg.Connection, tmp_path: Path) -> None:
    found = quality.measured(conn)
    quality.write_page(found, tmp_path / "q.html")

    assert (found.works, found.twins) == (0, [])
    assert all(gap.works == 0 and gap.demanded is None for gap in found.gaps)
    assert quality.as_text(found)[0] == "0 works, 0 editions"
