"""`openshelf alerts`: rules on freshness, quality and operation, checked after each build of the warehouse.

A broken rule opens one incident, which is sent once (webhook, e-mail) and shown to staff until a check finds the rule
kept again. What the figures say of quality is judged only if they can be believed: else the freshness rule that is
broken says so, and nothing is said of quality.
"""

import math
import shutil
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import httpx
import psycopg
import structlog
import typer

from openshelf import backups
from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import alerts, migrate, pool
from openshelf.database.alerts import Incident, Measures, RuleRow
from openshelf.settings import Settings, get_settings

app = command_app("Rules that watch the figures, and who is told.", group=True)

TIMEOUT_S = 10.0
# How surely a fall must be no chance: two-sided p < 0.001 of the test of two shares.
_SURE = 3.29
# On fewer places, before or after, nothing is said of a rate.
_LEAST_PLACES = 200

_log = structlog.get_logger(__name__)

Kind = Literal["freshness", "quality", "operation"]
Unit = Literal["count", "hours", "share"]


@dataclass(frozen=True)
class Broken:
    """What was measured, and what is wrong in one sentence."""

    value: float
    words: str


@dataclass(frozen=True)
class Rule:
    """`judge(measures, threshold, now)`: how the rule is broken; None if it is kept, or nothing can be measured."""

    kind: Kind
    unit: Unit
    judge: Callable[[Measures, float, datetime], Broken | None]


def _build_failed(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    count = len(found.build_failures)
    if count <= threshold:
        return None
    named = "; ".join(found.build_failures)[:500]
    return Broken(count, f"The last build of the warehouse failed: {named}. Staff pages keep the figures before it.")


def _marts_old(found: Measures, threshold: float, now: datetime) -> Broken | None:
    if found.built_at is None:
        return None
    hours = _hours(now - found.built_at)
    if hours <= threshold:
        return None
    return Broken(hours, f"The warehouse was last built {hours:.0f} hours ago. See that its schedule runs.")


def _no_acts(found: Measures, threshold: float, now: datetime) -> Broken | None:
    if found.newest_act_at is None:
        return None
    hours = _hours(now - found.newest_act_at)
    if hours <= threshold:
        return None
    return Broken(hours, f"The newest act in the warehouse is {hours:.0f} hours old. See `openshelf stream health`.")


def _acts_missing(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    if not found.usual_a_day or found.count_last_day >= threshold * found.usual_a_day:
        return None
    share = found.count_last_day / found.usual_a_day
    return Broken(
        share,
        f"{found.count_last_day:,} acts arrived in the last day, where {found.usual_a_day:,.0f} are usual. "
        "Are acts lost on the way?",
    )


def _clicks_fell(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    (opened, shown), (opened_before, shown_before) = found.clicks_recent, found.clicks_before
    if min(shown, shown_before) < _LEAST_PLACES or not opened_before:
        return None
    now_rate, then_rate = opened / shown, opened_before / shown_before
    fall = 1 - now_rate / then_rate
    together = (opened + opened_before) / (shown + shown_before)
    spread = math.sqrt(together * (1 - together) * (1 / shown + 1 / shown_before))
    if fall <= threshold or (then_rate - now_rate) < _SURE * spread:
        return None
    return Broken(
        fall,
        f"The click rate of the last {alerts.RECENT_DAYS} days is {now_rate:.1%} ({opened:,} of {shown:,} places); "
        f"in the {alerts.BEFORE_DAYS} days before it was {then_rate:.1%} ({opened_before:,} of {shown_before:,}).",
    )


def _fallback_high(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    fallback, drawn = found.fallback_recent
    if drawn < _LEAST_PLACES or fallback / drawn <= threshold:
        return None
    return Broken(
        fallback / drawn,
        f"Of the places drawn in the last {alerts.RECENT_DAYS} days, {fallback / drawn:.1%} were not filled by the "
        f"policy ({fallback:,} of {drawn:,}).",
    )


def _training_failed(found: Measures, _threshold: float, _now: datetime) -> Broken | None:
    """A candidate that the gate refused is none: it happens in every young library, and nothing is to be done."""
    status, message = found.training or ("", "")
    if status != "failed":
        return None
    return Broken(1, f"The latest training of the policy failed: {message or 'no reason is known'}")


def _model_refused(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    if len(found.refusals) <= threshold:
        return None
    return Broken(len(found.refusals), f"A model that should serve does not load: {'; '.join(found.refusals)[:500]}")


def _dead_letters(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    if found.count_dead_letters <= threshold:
        return None
    return Broken(found.count_dead_letters, f"{found.count_dead_letters:,} events that could not be read are waiting.")


def _job_failed(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    # Of a build that failed another rule tells.
    failed = [each for each in found.failed_jobs if not (each[0] == "build_warehouse" and found.build_failures)]
    if len(failed) <= threshold:
        return None
    named = "; ".join(f"{job}: {message}" for job, message in failed)[:500]
    return Broken(len(failed), f"What the library does by itself failed: {named}. `openshelf status` says what to do.")


def _backup_old(found: Measures, threshold: float, now: datetime) -> Broken | None:
    hours = _hours(now - (found.backed_up_at or found.installed_at))
    if hours <= threshold:
        return None
    last = f"The newest backup is {hours:.0f} hours old." if found.backed_up_at else "There is no backup."
    return Broken(hours, f"{last} See `openshelf backup --list` and why `back_up` does not run.")


def _disk_low(found: Measures, threshold: float, _now: datetime) -> Broken | None:
    if found.free_share >= threshold:
        return None
    return Broken(
        found.free_share,
        f"Only {found.free_share:.1%} of the disk of the home folder is free. When it is full, Postgres ends.",
    )


RULES: Mapping[str, Rule] = {
    "build_failed": Rule("freshness", "count", _build_failed),
    "marts_old": Rule("freshness", "hours", _marts_old),
    "no_acts": Rule("freshness", "hours", _no_acts),
    "acts_missing": Rule("freshness", "share", _acts_missing),
    "clicks_fell": Rule("quality", "share", _clicks_fell),
    "fallback_high": Rule("quality", "share", _fallback_high),
    "training_failed": Rule("operation", "count", _training_failed),
    "model_refused": Rule("operation", "count", _model_refused),
    "dead_letters": Rule("operation", "count", _dead_letters),
    "job_failed": Rule("operation", "count", _job_failed),
    "backup_old": Rule("operation", "hours", _backup_old),
    "disk_low": Rule("operation", "share", _disk_low),
}
# Rules that came after the table was made, with their first thresholds.
_NEW_RULES = {"job_failed": 0.0, "backup_old": 50.0, "disk_low": 0.05}


@dataclass(frozen=True)
class Outcome:
    """What a check did, by rule. `undelivered`: channels that did not take what they should, and why."""

    opened: list[str]
    still_open: list[str]
    resolved: list[str]
    not_judged: list[str]
    sent: int
    undelivered: dict[str, str]


def check(settings: Settings, now: datetime | None = None) -> Outcome:
    """Judge every rule, note what changed, and send what nobody was told yet. Two checks take turns."""
    with pool.connect(settings) as conn:
        now = now or utc_now()
        with conn.transaction():
            alerts.alone(conn)
            alerts.introduce(conn, _NEW_RULES)
            opened, still_open, resolved, not_judged = _judge_all(conn, now, settings)
        sent, undelivered = _send_all(conn, settings, now)
    return Outcome(opened, still_open, resolved, not_judged, sent, undelivered)


def _judge_all(
    conn: psycopg.Connection, now: datetime, settings: Settings
) -> tuple[list[str], list[str], list[str], list[str]]:
    disk = shutil.disk_usage(settings.home)
    found = alerts.measures(conn, backups.newest_at(settings), disk.free / disk.total)
    rows = {row.rule: row for row in alerts.rules(conn) if row.rule in RULES}
    opened: list[str] = []
    still_open: list[str] = []
    resolved: list[str] = []
    not_judged: list[str] = []
    by_trust = sorted(rows, key=lambda rule: RULES[rule].kind == "quality")
    can_be_believed = True
    for name in by_trust:
        rule, row = RULES[name], rows[name]
        if rule.kind == "quality" and not can_be_believed:
            not_judged.append(name)
            continue
        broken = rule.judge(found, row.threshold, now) if row.is_on else None
        if broken is None:
            if alerts.resolve(conn, name, now):
                resolved.append(name)
            continue
        can_be_believed = can_be_believed and rule.kind != "freshness"
        is_new = alerts.open_incident(conn, name, now, broken.value, row.threshold, broken.words)
        (opened if is_new else still_open).append(name)
    return opened, still_open, resolved, not_judged


def _send_all(conn: psycopg.Connection, settings: Settings, now: datetime) -> tuple[int, dict[str, str]]:
    """What was sent, and which channel failed and why. What a channel did not take, it is offered by the next check."""
    channels: dict[str, Callable[[Incident], None]] = {}
    if settings.alert_webhook:
        channels["webhook"] = lambda incident: _post(settings, incident)
    if settings.alert_email:
        channels["mail"] = lambda incident: _mail(settings, incident)
    sent, undelivered = 0, {}
    for channel, send in channels.items():
        with conn.transaction():
            for incident in alerts.unsent(conn, channel, now):
                try:
                    send(incident)
                except (httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException, OSError, ValueError) as error:
                    # Never the address: it may hold a secret.
                    undelivered[channel] = type(error).__name__
                    _log.error("alert_not_sent", channel=channel, rule=incident.rule, error=type(error).__name__)
                    break
                alerts.mark_sent(conn, incident.incident_id, channel)
                sent += 1
    return sent, undelivered


def _post(settings: Settings, incident: Incident) -> None:
    assert settings.alert_webhook
    said = {
        "text": f"Openshelf: {incident.words}",  # what chat programs show
        "rule": incident.rule,
        "kind": RULES[incident.rule].kind,
        "incident_id": incident.incident_id,
        "opened_at": incident.opened_at.isoformat(),
        "value": incident.value,
        "threshold": incident.threshold,
        "words": incident.words,
    }
    answer = httpx.post(settings.alert_webhook.get_secret_value(), json=said, timeout=TIMEOUT_S)
    answer.raise_for_status()


def _mail(settings: Settings, incident: Incident) -> None:
    letter = EmailMessage()
    letter["Subject"] = f"Openshelf: {incident.rule.replace('_', ' ')}"
    letter["From"] = settings.alert_sender
    letter["To"] = settings.alert_email
    letter["Date"] = format_datetime(incident.opened_at)
    letter["Message-ID"] = f"<incident-{incident.incident_id}-{incident.opened_at:%Y%m%d%H%M%S}@openshelf>"
    letter.set_content(
        f"{incident.words}\n\nRule: {incident.rule}, threshold {incident.threshold:g}, measured {incident.value:.4g}.\n"
        "You are told once; the page for staff shows it until it is well again. What to do: docs/operations.md.\n"
    )
    url = urlsplit(settings.smtp_url.get_secret_value() if settings.smtp_url else "smtp://localhost:25")
    host = url.hostname or "localhost"
    context = ssl.create_default_context()
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, url.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=TIMEOUT_S)
    with server:
        if url.scheme == "smtp+tls":
            server.starttls(context=context)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(letter)


def _hours(age: timedelta) -> float:
    return age / timedelta(hours=1)


@app.command("check")
def check_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Judge the rules now, as after each build; exit code 1 if somebody should have been told and could not be."""
    settings = get_settings()
    with pool.connect(settings) as conn:
        migrate.check(conn)
    outcome = check(settings)
    report(outcome, as_json=as_json)
    if outcome.undelivered:
        raise typer.Exit(1)


@app.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Incidents, the open ones first."""
    with pool.connect() as conn:
        migrate.check(conn)
        found = alerts.incidents(conn)
    if as_json:
        report(found, as_json=True)
        return
    if not found:
        typer.echo("nothing was ever wrong")
    for incident in found:
        end = f"over {incident.resolved_at:%Y-%m-%d %H:%M}" if incident.resolved_at else "OPEN"
        typer.echo(f"{incident.opened_at:%Y-%m-%d %H:%M}  {end:22}  {incident.rule:16} {incident.words}")


@app.command("rules")
def rules_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Every rule with its threshold; staff change them on the page."""
    with pool.connect() as conn:
        migrate.check(conn)
        found = alerts.rules(conn)
    report(found if as_json else [_line(row) for row in found], as_json=as_json)


def _line(row: RuleRow) -> str:
    state = "on" if row.is_on else "off"
    if row.muted_until and row.muted_until > utc_now():
        state = f"muted until {row.muted_until:%Y-%m-%d %H:%M}"
    known = RULES.get(row.rule)
    return f"{row.rule:16} {known.kind if known else '?':10} {row.threshold:g}  {state}"
