"""`openshelf ingest` and `openshelf embed`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from ingest.embed import EmbedReport, embed_changed
from ingest.load import Difference, difference, ingest_calibre
from ingest.progress import progress
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool
from openshelf.settings import get_settings

ingest_app = command_app("Foreign data into the catalogue.", group=True)
embed_app = command_app("Embed the texts of new and changed works.")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SIGNS = {"insert": "+", "return": "+", "update": "~", "deactivate": "-"}


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
    as_json: JsonFlag = False,
) -> None:
    """Bring the catalogue to what a Calibre library says. The library itself is only read."""
    library = path or get_settings().library_path
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        if dry_run:
            _print_difference(difference(conn, library), as_json=as_json)
            return
        with progress("Reading books") as show:
            done = asdict(ingest_calibre(conn, library, allow_vanishing=yes, on_progress=show))
        if embed:
            embedded = _embed(conn)
            done |= {"embedded": embedded.embedded}
            done["catalogue_version"] = embedded.catalogue_version or done["catalogue_version"]
    report(done, as_json=as_json)


def _print_difference(found: list[Difference], *, as_json: bool) -> None:
    changes = [change.change for change in found]
    counts = {
        "inserted": changes.count("insert"),
        "updated": changes.count("update"),
        "returned": changes.count("return"),
        "deactivated": changes.count("deactivate"),
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
def embed_command(as_json: JsonFlag = False) -> None:
    """Embed the texts of new and changed works."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        report(_embed(conn), as_json=as_json)


def _embed(conn: psycopg.Connection) -> EmbedReport:
    def load():  # -> TextEncoder; torch is loaded only when there is something to embed
        from models.embedding import load_encoder

        return load_encoder()

    with progress("Embedding texts") as show:
        return embed_changed(conn, load, show)
