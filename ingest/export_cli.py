"""`openshelf export`: what the catalogue holds, in the formats of others."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.epub_load import export_opf
from ingest.marc_load import export_marc
from openshelf.cli import command_app, report
from openshelf.database import migrate, pool

app = command_app("What the catalogue holds, in the formats of others.", group=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """What the catalogue holds, in the formats of others."""


@app.command("marc")
def marc_command(
    path: Annotated[Path, typer.Argument(dir_okay=False, help="File to write; MARCXML if its name ends in .xml.")],
    as_json: JsonFlag = False,
) -> None:
    """Write every edition as a MARC record: MARC 21 in UTF-8, or MARCXML."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        done = export_marc(conn, path)
    report(done, as_json=as_json)


@app.command("opf")
def opf_command(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Folder to write to; made if it is not there.")],
    as_json: JsonFlag = False,
) -> None:
    """Write every edition as an OPF package document, edition-N.opf: EPUB 3 metadata that Calibre reads too."""
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        count = export_opf(conn, folder)
    report({"records": count}, as_json=as_json)


@app.command("training")
def training_command(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Folder to make.")],
    vectors: Annotated[bool, typer.Option("--vectors", help="The works' vectors too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write what ranking models learn from as Parquet. Readers are numbers that this export alone knows."""
    from openshelf.export_training import export_training  # pyarrow comes with it

    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        done = export_training(conn, folder, with_vectors=vectors)
    report(done, as_json=as_json)
