"""Is everything in its place? What the installation needs, what it does by itself, and its backups. Live."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from dashboard import language
from dashboard.components import staff
from dashboard.components.staff import Column
from dashboard.language import _, plural
from openshelf import backups, doctor, schedule
from openshelf.backups import Backup
from openshelf.contracts import utc_now
from openshelf.database.accounts import Account
from openshelf.doctor import Finding
from openshelf.schedule import Failure, Line
from openshelf.settings import get_settings

# Backups are made by night; when one failed there is a day to mend it.
BACKUP_LATE = timedelta(days=2)


@dataclass(frozen=True)
class Check:
    """A finding as the table shows it."""

    name: str
    state: str
    words: str


@dataclass(frozen=True)
class Task:
    """A job as the table shows it."""

    job: str
    result: str
    finished_at: datetime | None
    next: str
    words: str


def results() -> dict[str | None, str]:
    return {
        None: _("has not run yet"),
        "running": _("is running"),
        "done": _("well"),
        "failed": _("failed"),
        "interrupted": _("was interrupted"),
    }


def answer(
    found: Sequence[Finding], is_kept: bool, failed: Sequence[Failure], newest: Backup | None, now: datetime
) -> str:
    """What a person has to do something about, the worst of it first."""
    missing = [each for each in found if each.needed and not each.ok]
    if missing:
        return _("No. {name}: {words}").format(name=missing[0].name, words=missing[0].text)
    if failed:
        return _("It runs, but the job {job} failed ({when}): {words}").format(
            job=failed[0].job, when=staff.moment(failed[0].failed_at), words=failed[0].message
        )
    if newest is None:
        return _("It runs, but there is no backup.")
    if now - newest.made_at > BACKUP_LATE:
        return _("It runs, but the newest backup is of {when}.").format(when=staff.moment(newest.made_at))
    if not is_kept:
        return _("Yes, as far as can be seen here: its schedule is kept elsewhere, or by nobody.")
    return _("Yes.")


def draw_tiles(is_kept: bool, jobs: Sequence[Line], failed: Sequence[Failure], kept: Sequence[Backup]) -> None:
    newest = kept[0] if kept else None
    staff.tiles(
        [
            (
                _("Newest backup"),
                language.day(newest.made_at.date()) if newest else _("none"),
                _("{time} UTC; {size} MB; {count} kept").format(
                    time=f"{newest.made_at:%H:%M}",
                    size=language.number(round(newest.size_bytes / 1e6, 1)),
                    count=language.number(len(kept)),
                )
                if newest
                else _("make one: `openshelf backup`"),
            ),
            (
                _("The schedule"),
                _("is kept") if is_kept else _("nobody keeps it here"),
                _("what is to be done by the hour and by night")
                if is_kept
                else _("`openshelf up --schedule`, unless Airflow has it"),
            ),
            (
                _("Jobs that failed"),
                language.number(len(failed)),
                plural("of {count} job, at its last run", "of {count} jobs, at their last run", len(jobs)),
            ),
        ]
    )


def draw_failures(failed: Sequence[Failure]) -> None:
    if not failed:
        return
    staff.section(_("What failed, and what to do"), _("It stands here until the job has ended well."))
    staff.figure(
        "failures",
        None,
        plural("{count} job", "{count} jobs", len(failed)),
        failed,
        [
            Column("job", _("Job")),
            Column("failed_at", _("When")),
            Column("message", _("What it said")),
            Column("remedy", _("What to do")),
        ],
    )


def draw_checks(found: Sequence[Finding]) -> None:
    staff.section(_("What it needs"), _("As `openshelf doctor` says it."))
    states = {True: _("missing"), False: _("absent, and not needed")}
    ill_first = sorted(found, key=lambda each: (each.ok, not each.needed))
    staff.figure(
        "needs",
        None,
        plural("{count} check", "{count} checks", len(found)),
        [Check(each.name, _("there") if each.ok else states[each.needed], each.text) for each in ill_first],
        [Column("name", _("What")), Column("state", _("State")), Column("words", _("In words"))],
    )


def draw_jobs(jobs: Sequence[Line]) -> None:
    staff.section(
        _("What it does by itself"),
        _("By its own schedule, or by Airflow, which tells how its runs ended."),
    )
    staff.figure(
        "jobs",
        None,
        plural("{count} job", "{count} jobs", len(jobs)),
        [
            Task(
                each.job,
                results()[each.status],
                each.finished_at,
                _("now")
                if each.is_due
                else staff.moment(each.next_at)
                if each.next_at
                else _("after {job}").format(job=each.after),
                each.message or "–",
            )
            for each in jobs
        ],
        [
            Column("job", _("Job")),
            Column("result", _("How its last run ended")),
            Column("finished_at", _("When"), missing="–"),
            Column("next", _("Next")),
            Column("words", _("What it said")),
        ],
    )


def draw_backups(kept: Sequence[Backup]) -> None:
    staff.section(
        _("Backups"), _("Carry them to another machine: a disk that breaks takes its backups along. Newest first.")
    )
    if not kept:
        staff.quiet(_("None yet."))
        return
    staff.figure(
        "backups",
        None,
        plural("{count} backup", "{count} backups", len(kept)),
        kept,
        [
            Column("path", _("File"), lambda path: path.name),
            Column("made_at", _("When")),
            Column("size_bytes", _("MB"), lambda size: language.number(round(size / 1e6, 1))),
            Column("rows", _("Rows")),
            Column("schema", _("Schema")),
        ],
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    settings, now = get_settings(), utc_now()
    found = doctor.for_staff(account, settings)
    is_kept, jobs, failed = schedule.for_staff(conn, account, now)
    kept = backups.for_staff(account, settings)
    staff.title(
        "installation", _("Is everything in its place?"), answer(found, is_kept, failed, kept[0] if kept else None, now)
    )
    draw_tiles(is_kept, jobs, failed, kept)
    draw_failures(failed)
    # Jobs that failed have a table of their own.
    draw_checks([each for each in found if each.name not in {f"job {failure.job}" for failure in failed}])
    draw_jobs(jobs)
    draw_backups(kept)


staff.live("installation", draw)
