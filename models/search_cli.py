"""`openshelf search` and `openshelf similar`."""

from dataclasses import asdict, fields
from typing import Annotated, get_args

import psycopg
import typer

from models.search import Hit, Mode, search, similar
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.database import search as statements
from openshelf.database.filters import Filters
from openshelf.errors import UsageError

search_app = command_app("Search the catalogue.")
similar_app = command_app("Works closest in meaning to one work.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@search_app.command()
def search_command(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    mode: Annotated[str, typer.Option(help=" ".join(get_args(Mode)))] = "all",
    filter_: Annotated[
        list[str] | None, typer.Option("--filter", help="key=value: " + " ".join(f.name for f in fields(Filters)))
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Search the catalogue by words and meaning."""
    if mode not in get_args(Mode):
        raise UsageError(f"--mode {mode!r} is not one of {', '.join(get_args(Mode))}")
    filters = parse_filters(filter_ or [])
    with pool.connect() as conn:
        migrate.check(conn)
        _print(conn, search(conn, text, mode, filters, limit), as_json=as_json)  # pyright: ignore[reportArgumentType]


@similar_app.command()
def similar_command(
    book_id: Annotated[int, typer.Argument(help="Key of the work.")],
    limit: Annotated[int, typer.Option(min=1, max=200)] = 12,
    as_json: JsonFlag = False,
) -> None:
    """Works closest in meaning; of the same author or popular where the work has no embedding yet."""
    with pool.connect() as conn:
        migrate.check(conn)
        if not statements.exists(conn, book_id):
            raise UsageError(f"there is no work {book_id}; `openshelf search` shows the keys")
        _print(conn, similar(conn, book_id, limit), as_json=as_json)


def parse_filters(pairs: list[str]) -> Filters:
    """Filters of `key=value` words.

    Raises:
        UsageError: an unknown key, or a year that is no number.
    """
    values: dict[str, str | int] = {}
    names = {field.name for field in fields(Filters)}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in names:
            raise UsageError(f"--filter {pair!r}: write key=value with a key of {', '.join(sorted(names))}")
        if key.startswith("year_"):
            if not value.isdecimal() or len(value) > 4:
                raise UsageError(f"--filter {pair!r}: a year is a number such as 1954")
            values[key] = int(value)
        else:
            values[key] = value
    return Filters(**values)  # pyright: ignore[reportArgumentType]


def _print(conn: psycopg.Connection, hits: list[Hit], *, as_json: bool) -> None:
    names = {record.book_id: record for record in statements.records(conn, [hit.book_id for hit in hits])}
    rows = [
        asdict(hit) | {"title": names[hit.book_id].title, "authors": names[hit.book_id].authors_text} for hit in hits
    ]
    if as_json:
        report(rows, as_json=True)
        return
    if not rows:
        report(["Nothing found."], as_json=False)
    lines = []
    for hit, row in zip(hits, rows, strict=True):
        lines.append(f"{row['book_id']:>6}  {row['title']} / {row['authors']}  ({row['matched']})")
        if hit.inside:
            lines.append(f"        {hit.inside.chapter}: {hit.inside.text}")
    report(lines, as_json=False)
