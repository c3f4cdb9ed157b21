"""What did it learn? Trainings and their curves, versions with why they serve or not, and a way back."""

from collections.abc import Sequence

import psycopg
import streamlit as st

from dashboard import language
from dashboard.components import finding, furniture, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, plural
from openshelf.database import learning_desk
from openshelf.database.accounts import Account
from openshelf.database.learning import ModelRow, Term
from openshelf.database.learning_desk import CurvePoint, Training

CURVES = 3
KINDS = ("policy", "adapter")


def kinds() -> dict[str, str]:
    return {"policy": _("The policy, which chooses"), "adapter": _("The adapter, which sees likeness")}


def states() -> dict[str, str]:
    """Of versions and of trainings."""
    return {
        "champion": _("serves"), "retired": _("served before"), "candidate": _("never served"),
        "refused": _("refused"), "running": _("under way"), "done": _("done"), "skipped": _("skipped"),
        "failed": _("failed"),
    }  # fmt: skip


def named(state: str) -> str:
    return states().get(state) or state


def answer(versions: Sequence[ModelRow], runs: Sequence[Training], terms: Sequence[Term]) -> str:
    champion = next((row for row in versions if row.status == "champion"), None)
    if champion is None:
        return _("Nothing yet: no model serves, and popular books stand in for it.")
    since = terms[0].since if terms else champion.created_at
    said = _("{version} serves since {day}.").format(version=champion.version, day=language.day(since))
    latest = runs[0] if runs else None
    if latest is None:
        return said
    if latest.status == "running":
        return said + " " + _("A training is under way.")
    if latest.status in ("failed", "refused"):
        return (
            said
            + " "
            + _("The latest training, of {day}, was not good enough or failed; see why below.").format(
                day=language.day(latest.started_at)
            )
        )
    learned = (latest.count_new or 0) + (latest.count_old or 0)
    if learned:
        said += " " + plural(
            "The latest training learned from {count} slate.", "The latest training learned from {count} slates.",
            learned,
        )  # fmt: skip
    return said


def decide(versions: Sequence[ModelRow], terms: Sequence[Term], kind: str) -> None:
    """Let another version serve: a decision that is asked for twice."""
    champion = next((row for row in versions if row.status == "champion"), None)
    if champion is None:
        return
    staff.section(
        _("Decide what serves"),
        _("A version that does not load is refused, and the one that serves stays. Who decided is noted."),
    )
    sure = furniture.field("sure", _("Yes, let it serve everyone from now on"), "checkbox", required=True)
    if kind == "policy" and len(terms) > 1:
        furniture.form(
            "rollback", "/staff/models/rollback", [sure], _("Roll back"), folded=_("Back to the one before"),
            line=_("The version that served before {version} serves again, within seconds.").format(
                version=champion.version
            ),
            quiet=True,
        )  # fmt: skip
    others = [row for row in versions if row.status != "champion"]
    if others:
        options = [(row.version, f"{row.version} · {states()[row.status]}") for row in others]
        which = furniture.field("version", _("Version"), "select", options=options)
        furniture.form(
            "promote", "/staff/models/promote", [which, sure], _("Let it serve"), folded=_("Another version"),
            line=_("It takes the place of {version} within seconds. Nothing is lost: this can be taken back.").format(
                version=champion.version
            ),
            quiet=True,
        )  # fmt: skip


def curves(points: Sequence[CurvePoint], name: str, kind: str) -> None:
    staff.section(_("How training went"))
    shown = [point for point in points if point.name == name]
    if not shown:
        staff.quiet(_("No training has been recorded yet."))
        return
    runs = list(dict.fromkeys(point.run_id for point in shown))
    latest = [point for point in shown if point.run_id == runs[0]]
    words = _("{measure} of the latest training went from {first} to {last} in {steps} steps.").format(
        measure=name, first=f"{latest[0].value:.4g}", last=f"{latest[-1].value:.4g}", steps=len(latest)
    )
    lines = [Point(point.step, _("run {number}").format(number=point.run_id), point.value) for point in shown]
    staff.figure(
        f"curves-{kind}",
        graphs.lines(lines, name, words, from_zero=False, x_title=_("Step")),
        words,
        shown,
        [
            Column("run_id", _("Run"), str),
            Column("step", _("Step")),
            Column("value", name, lambda value: f"{value:.5g}"),
        ],
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    kind = staff.chosen("kind", KINDS, "policy")
    versions = learning_desk.versions(conn, account, kind)
    runs = learning_desk.trainings(conn, account, kind)
    terms = learning_desk.served(conn, account, kind)
    points = learning_desk.curves(conn, account, kind, CURVES)
    measures = sorted({point.name for point in points}, key=lambda name: (not name.startswith("loss/"), name))
    usual = measures[0] if measures else ""
    chosen = staff.chosen("measure", measures, usual)
    staff.title(
        "learning",
        _("What did it learn?"),
        answer(versions, runs, terms),
        [
            finding.select(
                "kind", _("Model"), kinds()["policy"], [("adapter", kinds()["adapter"])],
                "" if kind == "policy" else kind,
            ),
            finding.select(
                "measure", _("Measure of the curves"), usual or "–", [(name, name) for name in measures[1:]],
                "" if chosen == usual else chosen,
            ),
        ],
    )  # fmt: skip
    done = st.query_params.get("done")
    if done in {row.version for row in versions if row.status == "champion"}:
        furniture.said(_("{version} serves from now on.").format(version=done))
    if versions:
        words = plural("{count} version was trained so far.", "{count} versions were trained so far.", len(versions))
        staff.section(_("Versions"), _("The gate lets a new version serve only if what it would earn is not worse."))
        staff.figure(
            f"versions-{kind}",
            None,
            words,
            versions,
            [
                Column("version", _("Version")),
                Column("status", _("State"), named),
                Column("created_at", _("Trained")),
                Column("parent_version", _("From"), missing="–"),
                Column("status_reason", _("Why"), missing="–"),
            ],
        )
    decide(versions, terms, kind)
    curves(points, chosen, kind)
    if terms:
        staff.section(_("What served when"))
        staff.figure(
            f"served-{kind}",
            None,
            plural("{count} time that a version began to serve.", "{count} times that a version began to serve.",
                   len(terms)),
            terms,
            [
                Column("version", _("Version")),
                Column("since", _("From")),
                Column("until", _("Until"), missing=_("now")),
                Column("reason", _("Why")),
            ],
        )  # fmt: skip
    if runs:
        staff.section(_("Trainings"))
        failed = sum(run.status in ("failed", "refused") for run in runs)
        staff.figure(
            f"trainings-{kind}",
            None,
            _("{trainings}; {failed} failed or refused.").format(
                trainings=plural("{count} training", "{count} trainings", len(runs)), failed=language.number(failed)
            ),
            runs,
            [
                Column("run_id", _("Run"), str),
                Column("started_at", _("Began")),
                Column("status", _("State"), named),
                Column("version", _("Version"), missing="–"),
                Column("count_new", _("New slates"), missing="–"),
                Column("count_old", _("Older slates"), missing="–"),
                Column("message", _("What it said")),
            ],
        )


staff.live("learning", draw)
