"""`openshelf experiments`: several arms at once, each reader always in the same one; `openshelf pins`: staff's hand."""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import psycopg
import typer

from models.cli_options import JsonFlag, time_of
from models.experiments import CHAMPION
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import analytics, audit, experiments, migrate, pins, pool
from openshelf.database.analytics import ExperimentArm, Marts
from openshelf.database.experiments import ArmRow, ExperimentRow
from openshelf.errors import UsageError

experiments_app = command_app("Let several models serve at once, each reader always the same one.", group=True)
pins_app = command_app("Works that staff put into a place of every slate for a time.", group=True)

_ARM = re.compile(r"([a-z][a-z0-9_-]{0,31})=([a-z][a-z0-9_-]*)(?::([0-9.]+))?")
POPULAR = "popular"
ArmsOption = Annotated[
    list[str],
    typer.Option("--arm", help="NAME=VERSION[:SHARE]; VERSION is a registered model, `champion` or `popular`."),
]
StopReason = Annotated[str, typer.Option(help="Why it is stopped; kept with it.")]


@experiments_app.command("start")
def start_experiment(
    name: str,
    arm: ArmsOption,
    note: Annotated[str, typer.Option(help="What it is to find out.")] = "",
    by: Annotated[str, typer.Option(help="Who starts it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Deal the readers among the arms from now on, by their shares (1 where none is given); one at a time."""
    arms = [arm_of(text) for text in arm]
    if len({each.arm for each in arms}) < max(len(arms), 2):
        raise UsageError("an experiment needs at least two arms of different names, each as --arm NAME=VERSION[:SHARE]")
    with pool.connect() as conn:
        migrate.check(conn)
        _check_loads(conn, arms)
        if experiments.start(conn, name, secrets.token_hex(8), arms, note, by) is None:
            running = experiments.running(conn)
            raise UsageError(
                f"experiment {running.name!r} is running: `openshelf experiments stop` ends it"
                if running
                else f"an experiment was named {name!r} before; take another name"
            )
        audit.note(conn, audit.OPERATOR, "start experiment", name)
    report({"experiment": name, "arms": {each.arm: each.version for each in arms}}, as_json=as_json)


@experiments_app.command("stop")
def stop_experiment(
    name: Annotated[str | None, typer.Argument(help="Unset: the one that runs.")] = None,
    reason: StopReason = "stopped by hand",
    as_json: JsonFlag = False,
) -> None:
    """Let the champion serve everyone again, within seconds; what was logged stays."""
    with pool.connect() as conn:
        migrate.check(conn)
        stopped = experiments.stop(conn, name, reason)
        if stopped is not None:
            audit.note(conn, audit.OPERATOR, "stop experiment", stopped)
    if stopped is None:
        raise UsageError("no experiment is running" if name is None else f"no experiment {name!r} is running")
    report({"stopped": stopped, "reason": reason}, as_json=as_json)


@experiments_app.command("list")
def list_experiments(as_json: JsonFlag = False) -> None:
    """Every experiment, oldest first."""
    with pool.connect() as conn:
        migrate.check(conn)
        rows = experiments.all_of(conn)
    if as_json:
        report(rows, as_json=True)
        return
    for row in rows:
        end = f"{row.stopped_at:%Y-%m-%d %H:%M}, {row.stop_reason}" if row.stopped_at else "running"
        typer.echo(f"{row.name}  {row.started_at:%Y-%m-%d %H:%M} to {end}  {row.note}")


@experiments_app.command("report")
def report_experiment(
    name: Annotated[str | None, typer.Argument(help="Unset: the newest.")] = None, as_json: JsonFlag = False
) -> None:
    """What each arm has done as of the last build of the warehouse; whether the experiment is sound comes first.

    Exit code 1 when it is not: then its rates mean nothing.
    """
    with pool.connect() as conn:
        migrate.check(conn)
        row = _find(conn, name)
        if not analytics.is_built(conn):
            raise UsageError("the warehouse has not been built: run `openshelf warehouse build`")
        marts = Marts(conn)
        arms = [arm for arm in analytics.experiment_arms(marts) if arm.experiment_name == row.name]
        trust = analytics.trust(marts, utc_now())
    if not arms or trust is None:
        raise UsageError(f"experiment {row.name!r} began after the last build: run `openshelf warehouse build`")
    faults = _faults(arms)
    if as_json:
        found = {"name": row.name, "built_at": trust.built_at, "is_healthy": not faults, "faults": faults, "arms": arms}
        report(found, as_json=True)
    else:
        said = "; ".join(["NOT SOUND", *faults]) if faults else "sound so far"
        typer.echo(f"{row.name}, as of {trust.built_at:%Y-%m-%d %H:%M}: {said}")
        for arm in arms:
            typer.echo(_in_words(arm))
    if faults:
        raise typer.Exit(1)


def _faults(arms: Sequence[ExperimentArm]) -> list[str]:
    """Why the experiment may say nothing; empty when it is sound."""
    control = arms[0]
    faults = []
    if control.is_ratio_off:
        split = ", ".join(f"{arm.arm} {arm.count_readers} (planned {arm.expected_readers})" for arm in arms)
        faults.append(f"readers are not dealt as planned (p {control.sample_ratio_p:.2g}): {split}")
    if control.count_crossed:
        faults.append(f"{control.count_crossed} readers have slates of two arms")
    if control.has_fallback_arm:
        faults.append("too many places of an arm were not filled by its own model")
    return faults


def _in_words(arm: ExperimentArm) -> str:
    """One line; figures of few readers are held back, as on the staff page."""
    begin = f"{arm.arm} ({arm.policy_version})"
    if arm.is_suppressed:
        return f"{begin}: fewer than 5 readers in an arm"
    said = f"{begin}: {arm.count_readers} readers (planned {arm.expected_readers}), "
    if arm.click_rate is None:
        said += "nothing shown yet"
    else:
        interval = f"{arm.click_rate_low:.1%} to {arm.click_rate_high:.1%}"
        said += f"opened {arm.click_rate:.1%} ({interval}) of {arm.count_shown} places"
    if arm.fallback_share is not None:
        said += f", {arm.fallback_share:.1%} of places by another model"
    if arm.lift is not None:
        said += f", difference {arm.lift:+.1%} ({arm.lift_low:+.1%} to {arm.lift_high:+.1%})"
    return said if arm.is_control else f"{said}: {arm.verdict}"


def arm_of(text: str) -> ArmRow:
    """Raises UsageError when it is not NAME=VERSION[:SHARE]."""
    found = _ARM.fullmatch(text)
    try:
        share = float(found[3] or 1) if found else 0.0
    except ValueError:
        share = 0.0
    if found is None or not share:
        raise UsageError(f"--arm {text!r} is not NAME=VERSION[:SHARE] in small letters, such as `ease=ease-0002:0.5`")
    return ArmRow(found[1], found[2], share)


def _check_loads(conn: psycopg.Connection, arms: list[ArmRow]) -> None:
    """A model that does not load is refused before any reader is dealt to it."""
    from models.catalogue import load_ranking  # these bring torch
    from models.serving import load_scorer

    catalogue = load_ranking(conn).catalogue
    for version in {arm.version for arm in arms} - {CHAMPION, POPULAR}:
        load_scorer(conn, version, catalogue)


def _find(conn: psycopg.Connection, name: str | None) -> ExperimentRow:
    rows = [row for row in experiments.all_of(conn) if name in (None, row.name)]
    if not rows:
        which = f" {name!r}; `openshelf experiments list` shows all" if name else " yet"
        raise UsageError(f"there is no experiment{which}")
    return rows[-1]


@pins_app.command("add")
def add_pin(
    book_id: int,
    position: Annotated[int, typer.Argument(min=0, max=49, help="Place in every slate, from 0.")],
    since: Annotated[str | None, typer.Option("--from", help="ISO time; unset: now.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="ISO time; unset: until it is removed.")] = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Put a work into a place of every slate; readers who met or hid it do not get it."""
    starts_at = time_of(since, "--from") if since else None
    ends_at: datetime | None = time_of(until, "--until") if until else None
    with pool.connect() as conn:
        migrate.check(conn)
        try:
            pin_id = pins.add(conn, book_id, position, starts_at, ends_at, note)
        except psycopg.errors.CheckViolation as error:
            raise UsageError("--until must be later than the start") from error
        if pin_id is not None:
            audit.note(conn, audit.OPERATOR, "pin", f"work {book_id} at place {position}")
    if pin_id is None:
        raise UsageError(f"there is no work {book_id}; `openshelf search` finds works and their ids")
    report({"pin_id": pin_id, "book_id": book_id, "position": position}, as_json=as_json)


@pins_app.command("remove")
def remove_pin(pin_id: int, as_json: JsonFlag = False) -> None:
    """Take a pin back; slates drawn with it keep their record."""
    with pool.connect() as conn:
        migrate.check(conn)
        if not pins.remove(conn, pin_id):
            raise UsageError(f"there is no pin {pin_id}; `openshelf pins list` shows all")
        audit.note(conn, audit.OPERATOR, "remove pin", str(pin_id))
    report({"removed": pin_id}, as_json=as_json)


@pins_app.command("list")
def list_pins(as_json: JsonFlag = False) -> None:
    """Every pin, those removed or over too."""
    with pool.connect() as conn:
        migrate.check(conn)
        rows = pins.all_of(conn)
    if as_json:
        report(rows, as_json=True)
        return
    for row in rows:
        end = row.removed_at or row.ends_at
        until = f"until {end:%Y-%m-%d %H:%M}" if end else "until it is removed"
        typer.echo(
            f"{row.pin_id}  work {row.book_id} at place {row.position}, from {row.starts_at:%Y-%m-%d %H:%M} {until}  "
            f"{row.note}"
        )
