"""`openshelf ingest texts`: what stands inside books, to be searched."""

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from ingest.rejects import write_rejects
from ingest.texts import ingest_texts
from openshelf.cli import report
from openshelf.database import migrate, pool, texts
from openshelf.errors import UsageError
from openshelf.progress import progress
from openshelf.settings import get_settings


def texts_command(
    remove: Annotated[bool, typer.Option("--remove", help="Remove every text that was read.")] = False,
    leave_out: Annotated[
        list[int] | None, typer.Option(help="A work (its number) that is not to be searched inside from now on.")
    ] = None,
    take_in: Annotated[
        list[int] | None, typer.Option(help="A work that was left out and may be searched again.")
    ] = None,
    leave_out_library: Annotated[
        list[Path] | None, typer.Option(help="A whole library (its folder) that is not to be searched inside.")
    ] = None,
    take_in_library: Annotated[list[Path] | None, typer.Option(help="A library that was left out.")] = None,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", dir_okay=False, help="Write what was rejected to this CSV file, with reasons."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read the text of new and changed EPUB files, so that readers can search inside books.

    Only where OPENSHELF_SEARCH_INSIDE is true; where it is not, texts that were read before are removed. A run that was
    stopped goes on where it was.
    """
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        _choose(conn, leave_out, take_in, leave_out_library, take_in_library)
        if remove or not get_settings().search_inside:
            removed = texts.remove(conn)
            conn.commit()
            told = {"removed": removed}
            if not get_settings().search_inside:
                told |= {"search_inside": False}
            report(told, as_json=as_json)
            return
        with progress("Reading texts") as show:
            done = ingest_texts(conn, show)
    if rejects:
        write_rejects(rejects, ["file", "reason"], (reason.split(": ", 1) for reason in done.reasons))
    report(done, as_json=as_json)


def _choose(
    conn: psycopg.Connection,
    leave_out: list[int] | None,
    take_in: list[int] | None,
    leave_out_library: list[Path] | None,
    take_in_library: list[Path] | None,
) -> None:
    """Write down what may be searched inside. Raises UsageError for what there is not; then nothing is."""
    for is_on, numbers, folders in ((False, leave_out, leave_out_library), (True, take_in, take_in_library)):
        for number in numbers or ():
            if not texts.let_search_work(conn, number, is_on=is_on):
                raise UsageError(f"there is no work {number}; nothing was changed.")
        for folder in folders or ():
            if not texts.let_search_library(conn, str(folder.resolve()), is_on=is_on):
                raise UsageError(f"no library was ingested from {folder}; nothing was changed.")
    conn.commit()
