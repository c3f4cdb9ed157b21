"""`openshelf ingest dataset`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer

from ingest import dataset_download
from ingest.embed import embed_texts
from ingest.rejects import write_rejects
from openshelf.cli import report
from openshelf.database import imported_acts, migrate, pool
from openshelf.errors import UsageError
from openshelf.progress import progress_of_parts
from openshelf.settings import get_settings

if TYPE_CHECKING:  # pandas comes with these: only this command waits for it
    from ingest.dataset import DatasetReport
    from models.dataset_acts import DataOptions

_SHOWN = 20  # changes that a dry run names


def dataset_command(
    name: Annotated[
        str | None,
        typer.Argument(help="movielens (ml-latest-small, ...), book-crossing, goodbooks-10k or csv; none: those held."),
    ] = None,
    path: Annotated[Path | None, typer.Argument(help="Folder of its files, as published.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change or be fetched; change nothing.")
    ] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch it from Kaggle first; needs kagglehub.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take its works and acts out again.")] = False,
    forget: Annotated[
        str | None, typer.Option(metavar="READER", help="Remove one of its readers, named as there, for good.")
    ] = None,
    min_ratings_per_work: Annotated[int, typer.Option(min=1, help="Works with fewer acts are left out ...")] = 1,
    min_ratings_per_reader: Annotated[
        int, typer.Option(min=1, help="... and readers, until all that are left have enough.")
    ] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Go on although more than a fifth of its works are gone.")] = False,
    embed: Annotated[bool, typer.Option(help="Embed new and changed texts at the end.")] = True,
    rejects: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File for what was rejected; unset: rejects/ in the home folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Take a published data set in: its works as a library of its own, its ratings as acts that models learn from."""
    from models.dataset_acts import DataOptions

    if name is None:
        with _database() as conn:
            report([asdict(one) for one in imported_acts.datasets(conn)], as_json=as_json)
    elif remove or forget is not None:
        _take_out(name, forget, as_json=as_json)
    elif download and path is not None:
        raise UsageError("either name the folder or --download")
    elif download and dry_run:
        report(dataset_download.plan(name, _downloads()), as_json=as_json)
    else:
        folder = dataset_download.fetch(name, _downloads()) if download else path
        if folder is None:
            raise UsageError(f"where is {name}? name its folder, or --download (--dry-run says what that fetches)")
        options = DataOptions(min_acts_per_reader=min_ratings_per_reader, min_acts_per_work=min_ratings_per_work)
        if dry_run:
            _preview(name, folder, options, as_json=as_json)
        else:
            _take_in(name, folder, options, yes=yes, embed=embed, rejects=rejects, as_json=as_json)


@contextmanager
def _database() -> Iterator[psycopg.Connection]:
    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        yield conn


def _downloads() -> Path:
    return get_settings().home / "datasets"


def _take_out(name: str, reader: str | None, *, as_json: bool) -> None:
    """The whole data set, or one of its readers."""
    from ingest import dataset

    with _database() as conn:
        if reader is None:
            _report(dataset.remove_dataset(conn, name), {}, as_json=as_json)
        else:
            removed = dataset.forget_reader(conn, name, reader, get_settings().reader_secret())
            report({"interactions_removed": removed}, as_json=as_json)


def _preview(name: str, folder: Path, options: "DataOptions", *, as_json: bool) -> None:
    from ingest import dataset

    with _database() as conn:
        changes, prepared = dataset.difference(conn, name, folder, options)
    counts = Counter(change.change for change in changes)
    told = {
        "inserted": counts["insert"],
        "updated": counts["update"],
        "returned": counts["return"],
        "deactivated": counts["deactivate"],
        "rejected": len(prepared.rejects),
        "reasons": dataset.told_reasons(prepared.rejects),
        "works": len(prepared.editions),
        "interactions": len(prepared.acts),
        "too_few": prepared.too_few,
    }
    if not as_json:
        for change in changes[:_SHOWN]:
            typer.echo(f"{change.change}: {change.title}")
        if len(changes) > _SHOWN:
            typer.echo(f"... and {len(changes) - _SHOWN} more")
    report(told, as_json=as_json)


def _take_in(
    name: str, folder: Path, options: "DataOptions", *, yes: bool, embed: bool, rejects: Path | None, as_json: bool
) -> None:
    from ingest import dataset

    settings = get_settings()
    with _database() as conn:
        with progress_of_parts() as steps:
            done = dataset.ingest_dataset(
                conn, name, folder,
                secret=settings.reader_secret(), options=options, allow_vanishing=yes, on_progress=steps,
            )  # fmt: skip
        more: dict[str, object] = {}
        if done.rejects:
            file = rejects or settings.home / "rejects" / f"{dataset.library_key(name).replace(':', '-')}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = ((reject.file, reject.line or "", reject.record, reject.reason) for reject in done.rejects)
            write_rejects(file, ["file", "line", "record", "reason"], rows)
            more["rejects"] = str(file)
        if embed:
            more["embedded"] = embed_texts(conn).embedded
        _report(done, more, as_json=as_json)


def _report(done: "DatasetReport", more: dict[str, object], *, as_json: bool) -> None:
    told = {name: value for name, value in vars(done).items() if name != "rejects"}
    report(told | more, as_json=as_json)


def quality_command(
    page: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Write a page with charts to this file, too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the catalogue: what there is, what is missing where readers look, how it is spread, what may be twice."""
    from ingest import quality

    with _database() as conn:
        found = quality.measured(conn)
    if page:
        quality.write_page(found, page)
    report(quality.plain(found) if as_json else quality.as_text(found), as_json=as_json)
