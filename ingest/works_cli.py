"""`openshelf works`: why editions are one work; merge and split works; what authors are called."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import psycopg
import typer

from openshelf import works_deciding
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool, works
from openshelf.database.audit import OPERATOR
from openshelf.works_deciding import Explanation

app = command_app("Why editions are one work; merge and split works; what authors are called.", group=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Note = Annotated[str, typer.Option(help="Why, in at most 200 characters.")]


@contextmanager
def _library() -> Iterator[psycopg.Connection]:
    with pool.connect() as conn:
        migrate.check(conn)
        yield conn


@app.command("why")
def why_command(
    book_id: Annotated[int, typer.Argument(help="Of the work, as in /book?id=7.")], as_json: JsonFlag = False
) -> None:
    """Say why the editions of a work are one, what staff decided, and which translations are linked."""
    with _library() as conn:
        found = works_deciding.explain(conn, OPERATOR, book_id)
    report(asdict(found) if as_json else _lines(found), as_json=as_json)


def _lines(found: Explanation) -> list[str]:
    lines = [f"work {found.book_id}"]
    for edition in found.editions:
        marks = "".join([" [withdrawn]" * (not edition.active), " [staff decided]" * edition.is_pinned])
        author = f" / {edition.authors_text}" if edition.authors_text else ""
        lines.append(f"  edition {edition.edition_id}: {edition.title}{author}{marks}")
        lines.append(f"    {edition.work_reason or 'it is the first one'}")
    for other in found.translations:
        lines.append(f"  translation {other.book_id} ({other.language or '?'}): {other.title}: {other.reason}")
    lines += [f"  taken in: work {book_id}" for book_id in found.taken_in]
    for made in found.decisions:
        editions = f", editions {made.edition_ids}" if made.edition_ids else ""
        note = f": {made.note}" if made.note else ""
        undone = f" [taken back {made.undone_at:%Y-%m-%d}]" if made.undone_at else ""
        lines.append(
            f"  decision {made.decision_id} of {made.decided_at:%Y-%m-%d}: {made.decision} {made.book_id} and "
            f"{made.other_id}{editions}{note}{undone}"
        )
    return lines


@app.command("merge")
def merge_command(
    book_id: Annotated[int, typer.Argument(help="The work that stays.")],
    others: Annotated[list[int], typer.Argument(help="Works that are the same.")],
    note: Note = "",
    as_json: JsonFlag = False,
) -> None:
    """Make works one; no ingest takes it back. What readers did with the others counts for the one that stays."""
    with _library() as conn:
        moved = works_deciding.merge(conn, OPERATOR, book_id, others, note)
    report({"book_id": book_id, "editions_moved": moved}, as_json=as_json)


@app.command("split")
def split_command(
    book_id: Annotated[int, typer.Argument(help="The work.")],
    editions: Annotated[list[int], typer.Argument(help="Its editions that are another one: `works why` numbers them.")],
    note: Note = "",
    as_json: JsonFlag = False,
) -> None:
    """Make editions a work of their own; no ingest takes it back."""
    with _library() as conn:
        other = works_deciding.split(conn, OPERATOR, book_id, editions, note)
    report({"book_id": book_id, "other_id": other}, as_json=as_json)


@app.command("undo")
def undo_command(
    decision: Annotated[int, typer.Argument(help="Its number: `works why` tells it.")], as_json: JsonFlag = False
) -> None:
    """Take a decision back: the editions go to where they were, and what readers had of them."""
    with _library() as conn:
        made = works_deciding.undo(conn, OPERATOR, decision)
    report({"decision": made.decision, "book_id": made.book_id, "other_id": made.other_id}, as_json=as_json)


@app.command("near")
def near_command(
    look_again: Annotated[bool, typer.Option("--look-again", help="Compare all works anew first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many pairs.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List pairs of works that may be one: merge them, or leave them. Ingests find them."""
    with _library() as conn:
        if look_again:
            works_deciding.look_again(conn, OPERATOR)
            conn.commit()
        found = works.near(conn, limit)
    lines = [f"{pair.book_id} {pair.title} <> {pair.other_id} {pair.other_title}: {pair.reason}" for pair in found]
    report([asdict(pair) for pair in found] if as_json else lines, as_json=as_json)


@app.command("alias")
def alias_command(
    written: Annotated[str, typer.Argument(help="As books write it: 'Richard Bachman'.")],
    name: Annotated[str | None, typer.Argument(help="What the author is called here: 'Stephen King'.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the alias back.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Call an author by another name than books do, on pages, in search and for telling works apart."""
    if (name is None) != remove:
        raise typer.BadParameter("name what the author is called, or take the alias back with --remove")
    with _library() as conn:
        if name is None:
            told = works_deciding.remove_alias(conn, OPERATOR, written)
        else:
            told = works_deciding.put_alias(conn, OPERATOR, written, name)
    report({"works": told}, as_json=as_json)


@app.command("aliases")
def aliases_command(as_json: JsonFlag = False) -> None:
    """List the aliases of authors."""
    with _library() as conn:
        found = works.aliases(conn)
    report(found if as_json else [f"{alias.written} is {alias.name}" for alias in found], as_json=as_json)
