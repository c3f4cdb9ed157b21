"""Does anything need us? What is wrong now, what was, and the rules by which it is told."""

from collections.abc import Sequence

import psycopg
import streamlit as st

from dashboard import language
from dashboard.components import furniture, staff
from dashboard.components.staff import Column
from dashboard.language import _, plural
from openshelf.alerts import RULES
from openshelf.contracts import utc_now
from openshelf.database import alerts
from openshelf.database.accounts import Account
from openshelf.database.alerts import Incident, RuleRow
from openshelf.settings import get_settings


def names() -> dict[str, str]:
    """A rule in a few words."""
    return {
        "build_failed": _("The last build of the figures failed"),
        "marts_old": _("The figures are old"),
        "no_acts": _("No act has come for long"),
        "acts_missing": _("Far fewer acts than usual"),
        "clicks_fell": _("Readers open what is recommended less"),
        "fallback_high": _("The policy often does not answer"),
        "training_failed": _("The latest training failed"),
        "model_refused": _("A model does not load"),
        "dead_letters": _("Events could not be read"),
        "job_failed": _("What should happen by itself failed"),
        "backup_old": _("There is no fresh backup"),
        "disk_low": _("The disk is nearly full"),
    }


def meanings() -> dict[str, str]:
    """When a rule is broken, and what to do."""
    return {
        "build_failed": _(
            "A model or a test of the warehouse failed. Pages keep the figures before it; see the log of the build."
        ),
        "marts_old": _("So many hours since the last build. See that the schedule runs."),
        "no_acts": _("So many hours since the newest act. See whether the stream is well."),
        "acts_missing": _(
            "Acts of the last day as a share of a usual day are fewer than this. Acts may be lost on the way."
        ),
        "clicks_fell": _(
            "The click rate of a week is lower than in the four weeks before by this share, and by more than chance."
        ),
        "fallback_high": _(
            "Of the places of a week, more than this share were not filled by the policy. See what it refuses."
        ),
        "training_failed": _("The newest training of the policy failed. The one before serves on."),
        "model_refused": _(
            "A version that should serve does not load. The one before serves on; roll back or train again."
        ),
        "dead_letters": _("More events than this wait. Look at them, mend and replay them on the page of the stream."),
        "job_failed": _(
            "The newest run of a job of the schedule failed. What it said stands on the page of the installation."
        ),
        "disk_low": _("Less than this share of the disk is free. When it is full, the library stands still."),
        "backup_old": _("So many hours since the newest backup. See why it is not made; often the disk is full."),
    }


def amount(rule: str, value: float) -> str:
    unit = RULES[rule].unit if rule in RULES else "count"
    if unit == "share":
        return language.percent(value)
    if unit == "hours":
        return plural("{count} hour", "{count} hours", round(value))
    return language.number(value)


def limit(row: RuleRow) -> str:
    """When it is broken, in short."""
    said = {
        "marts_old": _("after {amount}"),
        "no_acts": _("after {amount}"),
        "acts_missing": _("below {amount} of a usual day"),
        "clicks_fell": _("by more than {amount}"),
        "fallback_high": _("more than {amount} of the places"),
        "dead_letters": _("more than {amount}"),
        "backup_old": _("after {amount}"),
        "disk_low": _("below {amount}"),
    }
    return said.get(row.rule, _("at once")).format(amount=amount(row.rule, row.threshold))


def answer(rules: Sequence[RuleRow], open_now: Sequence[Incident]) -> str:
    if not open_now:
        on = sum(rule.is_on for rule in rules)
        return plural("No. {count} rule is kept.", "No. All {count} rules are kept.", on)
    named = names().get(open_now[0].rule, open_now[0].rule)
    if len(open_now) == 1:
        return _("Yes: {what}.").format(what=named)
    return _("Yes: {what}, and {more}.").format(
        what=named, more=plural("{count} more", "{count} more", len(open_now) - 1)
    )


def told() -> str:
    settings = get_settings()
    ways = [
        *([_("an address on the web")] if settings.alert_webhook else []),
        *([_("by mail")] if settings.alert_email else []),
    ]
    if not ways:
        return _(
            "Nobody is told but who looks at this page. OPENSHELF_ALERT_WEBHOOK and OPENSHELF_ALERT_EMAIL change that."
        )
    return _("Told once for each: {ways}.").format(ways=", ".join(ways))


def draw_open(open_now: Sequence[Incident]) -> None:
    for incident in open_now:
        staff.section(
            names().get(incident.rule, incident.rule),
            _("Since {when}. Measured {value}, the rule says {threshold}. {meaning}").format(
                when=staff.moment(incident.opened_at),
                value=amount(incident.rule, incident.value),
                threshold=amount(incident.rule, incident.threshold),
                meaning=meanings().get(incident.rule, ""),
            ),
        )
        staff.quiet(incident.words)


def draw_past(past: Sequence[Incident]) -> None:
    staff.section(_("What was wrong before"))
    if not past:
        staff.quiet(_("Nothing so far."))
        return
    staff.figure(
        "incidents",
        None,
        plural("{count} time, well again since", "{count} times, well again since", len(past)),
        past,
        [
            Column("rule", _("What"), lambda rule: names().get(rule) or rule),
            Column("opened_at", _("From")),
            Column("resolved_at", _("Until")),
            Column("words", _("What was measured")),
        ],
    )


def draw_rules(rules: Sequence[RuleRow]) -> None:
    staff.section(_("Rules"), told())
    mutes = {"0": _("tell us"), "1": _("quiet for a day"), "7": _("quiet for a week"), "30": _("quiet for a month")}
    now = utc_now()
    for row in sorted(rules, key=lambda row: list(RULES).index(row.rule) if row.rule in RULES else 99):
        rule = RULES.get(row.rule)
        if rule is None:
            continue
        is_share = rule.unit == "share"
        number = 100 * row.threshold if is_share else row.threshold
        label = {"share": _("Threshold, %"), "hours": _("Threshold, hours"), "count": _("Threshold, number")}[rule.unit]
        how = limit(row) if row.is_on else _("not judged")
        if row.muted_until and row.muted_until > now:
            how += ", " + _("quiet until {when}").format(when=staff.moment(row.muted_until))
        furniture.form(
            f"rule_{row.rule}",
            "/staff/alerts/rule",
            [
                furniture.field("threshold", label, value=f"{number:g}", required=True),
                furniture.field(
                    "state", _("Whether it is judged"), "select", value="on" if row.is_on else "off",
                    options=[("on", _("judged")), ("off", _("not judged"))],
                ),
                furniture.field("mute", _("Whether we are told"), "select", value="0", options=list(mutes.items())),
            ],
            _("Save"),
            folded=f"{names()[row.rule]}: {how}",
            line=meanings()[row.rule],
            hidden={"rule": row.rule, "is_share": "1" if is_share else "0"},
            quiet=True,
        )  # fmt: skip


def draw(conn: psycopg.Connection, account: Account) -> None:
    rules, incidents = alerts.for_staff(conn, account)
    open_now = [incident for incident in incidents if incident.resolved_at is None]
    staff.title("alerts", _("Does anything need us?"), answer(rules, open_now))
    if st.query_params.get("done") == "changed":
        furniture.said(_("The rule is changed; the next build judges by it."))
    draw_open(open_now)
    draw_rules(rules)
    draw_past([incident for incident in incidents if incident.resolved_at])


staff.live("alerts", draw)
