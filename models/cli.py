"""Commands on models that there are: models, recommend."""

from datetime import timedelta
from typing import Annotated

import typer

from models.cli_options import AtOption, JsonFlag, time_of
from openshelf.cli import command_app, report
from openshelf.database import audit, learning, migrate, pool, stream
from openshelf.errors import UsageError
from openshelf.progress import progress_of_parts

models_app = command_app("List, show, promote, roll back and reproduce models; what served when.", group=True)
recommend_app = command_app("A reader's current slate, with reasons and propensities.")

KindArgument = Annotated[str, typer.Argument(help="policy, adapter or a baseline's name.")]
OnOption = Annotated[str | None, typer.Option("--on", help="A day (UTC) or an ISO time; unset: from the first on.")]


@models_app.command("list")
def list_models(
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind.")] = None, as_json: JsonFlag = False
) -> None:
    """Every model, oldest first, with what became of it."""
    with pool.connect() as conn:
        migrate.check(conn)
        rows = learning.models(conn, kind)
    if as_json:
        report(rows, as_json=True)
    else:
        width = max((len(row.version) for row in rows), default=0)
        for row in rows:
            reason = row.status_reason or ""
            typer.echo(f"{row.version:{width}}  {row.status:9}  {row.created_at:%Y-%m-%d %H:%M}  {reason}")


@models_app.command("show")
def show_model(version: str, as_json: JsonFlag = False) -> None:
    """One model: its configuration, what it learned from, how it did."""
    with pool.connect() as conn:
        migrate.check(conn)
        row = learning.model(conn, version)
    if row is None:
        raise UsageError(f"there is no model {version!r}; `openshelf models list` names them")
    report(row, as_json=as_json)


@models_app.command("served")
def served_models(
    kind: Annotated[str | None, typer.Argument(help="policy, adapter or a baseline's name; unset: all.")] = None,
    on: OnOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Which version was the champion from when to when, and why it became so."""
    since = until = None
    if on is not None:
        since = time_of(on, "--on")
        # A bare day is all of it; a moment is that moment.
        until = since + (timedelta(days=1) if len(on) == len("2026-05-03") else timedelta(microseconds=1))
    with pool.connect() as conn:
        migrate.check(conn)
        terms = learning.terms(conn, kind, since, until)
    if as_json:
        report(terms, as_json=True)
        return
    if not terms:
        typer.echo("nothing served then")
    width = max((len(term.version) for term in terms), default=0)
    for term in terms:
        end = f"{term.until:%Y-%m-%d %H:%M}" if term.until else "now"
        typer.echo(f"{term.version:{width}}  {term.since:%Y-%m-%d %H:%M} to {end:16}  {term.reason}")


@models_app.command("promote")
def promote_model(version: str, at: AtOption = None, as_json: JsonFlag = False) -> None:
    """Make a model the champion of its kind, by hand; one that does not load is refused."""
    from models import registry

    with pool.connect() as conn:
        migrate.check(conn)
        registry.promote(conn, version, "promoted by hand", time_of(at))
        audit.note(conn, audit.OPERATOR, "promote model", version)
    report({"champion": version}, as_json=as_json)


@models_app.command("rollback")
def rollback_model(kind: KindArgument = "policy", at: AtOption = None, as_json: JsonFlag = False) -> None:
    """Promote the champion before the present one."""
    from models import registry

    with pool.connect() as conn:
        migrate.check(conn)
        version = registry.rollback(conn, kind, time_of(at))
        audit.note(conn, audit.OPERATOR, "roll back to model", version)
    report({"champion": version}, as_json=as_json)


@models_app.command("reproduce")
def reproduce_model(version: str, as_json: JsonFlag = False) -> None:
    """Train a model again from its recorded data and seed; exit code 1 when it comes out otherwise."""
    from models.reproduce import reproduce

    with pool.connect(unlimited=True) as conn:
        migrate.check(conn)
        with progress_of_parts() as show:
            done = reproduce(conn, version, on_progress=show)
    report(done, as_json=as_json)
    if not (done.same_weights and done.same_metrics):
        raise typer.Exit(1)


@recommend_app.command()
def recommend(
    reader_key: Annotated[str, typer.Argument(help="reader_key, as in the stream.")], as_json: JsonFlag = False
) -> None:
    """The reader's latest slate, as it was drawn."""
    with pool.connect() as conn:
        migrate.check(conn)
        slate = stream.latest_slate(conn, reader_key)
    if slate is None:
        raise UsageError(f"no slate was ever drawn for {reader_key!r}: an act of theirs draws one while `up` runs")
    if as_json:
        typer.echo(slate.encode().decode())
        return
    typer.echo(f"{slate.created_at:%Y-%m-%d %H:%M:%S}  {slate.policy_version}  {slate.slate_id}")
    for place in slate.places:
        because = f"{place.reason} {place.reason_book_id or ''}".strip()
        typer.echo(f"{place.position:2}  {place.book_id:7}  {place.propensity:.4f}  {place.source:7}  {because}")
