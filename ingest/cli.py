"""`openshelf ingest` and `openshelf embed`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from ingest import epub_load, marc_load
from ingest.calibre import Choice
from ingest.dataset_cli import dataset_command, quality_command
from ingest.embed import embed_texts
from ingest.load import Difference, Report, difference, ingest_calibre
from ingest.open_library import ingest_open_library
from ingest.rejects import write_rejects
from ingest.texts_cli import texts_command
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.progress import progress
from openshelf.settings import get_settings

ingest_app = command_app("Foreign data into the catalogue.", group=True)
embed_app = command_app("Embed the texts of new and changed works.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RejectsFile = Annotated[
    Path | None,
    typer.Option("--rejects", dir_okay=False, help="Write what was rejected to this CSV file, with reasons."),
]
_SIGNS = {"insert": "+", "return": "+", "update": "~", "deactivate": "-", "reject": "!"}


@ingest_app.callback()
def _group() -> None:
    """Foreign data into the catalogue."""


@ingest_app.command("calibre")
def calibre_command(
    path: Annotated[
        Path | None, typer.Argument(help="Folder of the Calibre library; unset: OPENSHELF_CALIBRE_LIBRARY.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change; change nothing.")] = False,
    embed: Annotated[bool, typer.Option(help="Embed new and changed texts at the end.")] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Go on although more than a fifth of the books are gone.")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Read a column of your own as one of ours: '#genre=subjects'; unset: OPENSHELF_CALIBRE_COLUMNS."
        ),
    ] = None,
    virtual_library: Annotated[
        str | None, typer.Option(help="Only this virtual library; unset: OPENSHELF_CALIBRE_VIRTUAL_LIBRARY.")
    ] = None,
    rejects: RejectsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring the catalogue to what a Calibre library says. The library itself is only read."""
    settings = get_settings()
    library = path or settings.library_path
    choice = Choice.of(
        settings.calibre_columns.split(",") if column is None and settings.calibre_columns else column or (),
        virtual_library or settings.calibre_virtual_library,
    )
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        if dry_run:
            _print_difference(difference(conn, library, choice), as_json=as_json)
            return
        with progress("Reading books") as show:
            done = ingest_calibre(conn, library, allow_vanishing=yes, choice=choice, on_progress=show)
        _finish(conn, done, embed=embed, rejects=rejects, as_json=as_json)


@ingest_app.command("marc")
def marc_command(
    path: Annotated[Path, typer.Argument(help="A file of MARC 21 (UTF-8 or MARC-8) or MARCXML.")],
    source: Annotated[
        str | None, typer.Option(help="Whose records they are; unset: the file's name without its ending.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change; change nothing.")] = False,
    embed: Annotated[bool, typer.Option(help="Embed new and changed texts at the end.")] = True,
    rejects: RejectsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Take MARC records into the catalogue: new ones, changed ones, those marked as deleted out. All or none."""
    source = source or path.stem
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        if dry_run:
            _print_difference(marc_load.difference(conn, path, source), as_json=as_json)
            return
        with progress("Reading records") as show:
            done = marc_load.ingest_marc(conn, path, source, show)
        _finish(conn, done, embed=embed, rejects=rejects, as_json=as_json)


@ingest_app.command("epub")
def epub_command(
    path: Annotated[Path, typer.Argument(help="A folder of EPUB files, also in folders of its own.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change; change nothing.")] = False,
    embed: Annotated[bool, typer.Option(help="Embed new and changed texts at the end.")] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Go on although more than a fifth of the files are gone.")] = False,
    rejects: RejectsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring the catalogue to what a folder of EPUB files holds, by the metadata in them. The files are only read."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        if dry_run:
            _print_difference(epub_load.difference(conn, path), as_json=as_json)
            return
        with progress("Reading files") as show:
            done = epub_load.ingest_epubs(conn, path, allow_vanishing=yes, on_progress=show)
        _finish(conn, done, embed=embed, rejects=rejects, as_json=as_json)


@ingest_app.command("open-library")
def open_library_command(
    path: Annotated[Path, typer.Argument(help="A dump of Open Library's editions: ol_dump_editions_*.txt[.gz].")],
    as_json: JsonFlag = False,
) -> None:
    """Give our editions the ids of Open Library, found by ISBN in a dump. Nothing is fetched."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        with progress("Reading lines") as show:
            done = ingest_open_library(conn, path, show)
    report(done, as_json=as_json)


ingest_app.command("dataset")(dataset_command)
ingest_app.command("quality")(quality_command)
ingest_app.command("texts")(texts_command)


def _finish(conn: psycopg.Connection, done: Report, *, embed: bool, rejects: Path | None, as_json: bool) -> None:
    """Embed, write down what was rejected, report."""
    told = asdict(done)
    if embed:
        embedded = embed_texts(conn)
        told |= {"embedded": embedded.embedded}
        told["catalogue_version"] = embedded.catalogue_version or told["catalogue_version"]
    if rejects:
        write_rejects(rejects, ["record", "reason"], (reason.split(": ", 1) for reason in done.reasons))
    report(told, as_json=as_json)


def _print_difference(found: list[Difference], *, as_json: bool) -> None:
    changes = [change.change for change in found]
    counts = {
        "inserted": changes.count("insert"),
        "updated": changes.count("update"),
        "returned": changes.count("return"),
        "deactivated": changes.count("deactivate"),
        "rejected": changes.count("reject"),
    }
    if as_json:
        report(counts | {"difference": [asdict(change) for change in found]}, as_json=True)
        return
    for change in found:
        fields = f" ({', '.join(change.fields)})" if change.fields else ""
        typer.echo(f"{_SIGNS[change.change]} {change.title} [{change.calibre_id}]{fields}")
    report(counts, as_json=False)


@ingest_app.command("demo-library")
def demo_library_command(
    path: Annotated[Path | None, typer.Argument(help="Folder to make; unset: library/ in the home folder.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many books.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Build the demo library, a real Calibre library, unless it is there."""
    from ingest import demo_calibre  # Pillow and the fonts are for this command alone

    folder = path or get_settings().home / "library"
    with progress("Making books") as show:
        books = demo_calibre.build(folder, limit=limit, on_progress=show)
    report({"path": str(folder), "books": books}, as_json=as_json)


@embed_app.command()
def embed_command(
    replace: Annotated[
        bool, typer.Option("--replace", help="The model set is another one: remove the old one's vectors first.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Embed the texts of new and changed works. A run that was stopped goes on where it was."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        report(embed_texts(conn, replace=replace), as_json=as_json)
