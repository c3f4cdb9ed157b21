"""Charts: plain rows of the marts in, one Altair chart out. Colours hold for colour-blind eyes and for both themes.

Every chart carries a sentence that says the same in words (`description`, read aloud by screen readers).
"""

from collections.abc import Sequence
from datetime import date, datetime

import altair as alt
import pandas as pd

from openshelf.database.analytics import CurvePoint, Outcomes, PeriodActs, Promotion, Quality

HEIGHT = 340
NO_ANSWER = "no answer"
FEWER = "fewer than 5 readers"
# After Okabe and Ito: blues read, greens wish, warm colours decline, grey is silence.
COLOURS = {
    "finish": "#00456b",
    "read": "#0072b2",
    "open": "#56b4e9",
    "like": "#009e73",
    "want": "#8fd3bc",
    "rate": "#d9c24a",
    "skip": "#e69f00",
    "dislike": "#d55e00",
    "hide": "#7b3f61",
    "search": "#cc79a7",
    "visit": "#8d877c",
    "unhide": "#b79ac8",
    "reset": "#5b5348",
    NO_ANSWER: "#cfc9be",
    FEWER: "#a39c8f",
}
# The latest of several runs stands out, the older ones step back.
BY_RECENCY = ("#0072b2", "#56b4e9", "#b5ada0")
POLICIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#7b3f61", "#56b4e9", "#d55e00")


def outcomes_by_day(rows: Sequence[Outcomes]) -> alt.LayerChart:
    """Stacked bars: what became of the places on screen, day by day, the silence at the bottom."""
    known = [row for row in rows if row.count_places is not None]
    order = [name for name in (NO_ANSWER, FEWER, *COLOURS) if any(row.outcome == name for row in known)]
    order = list(dict.fromkeys(order))
    frame = pd.DataFrame(
        {
            "day": [_utc(row.slate_date) for row in known],
            "outcome": [row.outcome for row in known],
            "places": [row.count_places for row in known],
            "rank": [order.index(row.outcome) for row in known],
        }
    )
    bars = (
        alt.Chart(frame)
        .mark_bar(width={"band": 0.85})
        .encode(
            x=alt.X("utcyearmonthdate(day):O", title=None, axis=alt.Axis(format="%-d %b", labelOverlap=True)),
            y=alt.Y("sum(places):Q", title="Places shown"),
            color=_colour("outcome", order, "Answer"),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("utcyearmonthdate(day):T", title="Day"),
                alt.Tooltip("outcome:N", title="Answer"),
                alt.Tooltip("sum(places):Q", title="Places", format=","),
            ],
        )
    )
    return _finished(bars, words=outcomes_in_words(rows))


def outcomes_in_words(rows: Sequence[Outcomes]) -> str:
    shown = sum(row.count_places or 0 for row in rows)
    silent = sum(row.count_places or 0 for row in rows if row.outcome == NO_ANSWER)
    days = len({row.slate_date for row in rows if row.count_places is not None})
    if not shown:
        return "No day has enough readers to be shown."
    return f"{shown:,} books were on screen over {days} days; {silent / shown:.0%} had no answer."


def acts_over_time(rows: Sequence[PeriodActs], *, monthly: bool, per_reader: bool) -> alt.LayerChart:
    """One line an action; a point missing is a period with fewer than five readers."""
    known = [row for row in rows if row.count_acts is not None]
    order = [name for name in COLOURS if any(row.action == name for row in known)]
    frame = pd.DataFrame(
        {
            "period": [_utc(row.period_start_date) for row in known],
            "action": [row.action for row in known],
            "acts": [row.acts_per_reader if per_reader else row.count_acts for row in known],
            "readers": [row.count_readers for row in known],
        }
    )
    lines = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=36), strokeWidth=2)
        .encode(
            x=_time_axis("period", "%b %Y" if monthly else "%-d %b"),
            y=alt.Y("acts:Q", title="Acts per reader" if per_reader else "Acts"),
            color=_colour("action", order, "Action"),
            tooltip=[
                alt.Tooltip("utcyearmonthdate(period):T", title="From", format="%-d %B %Y"),
                alt.Tooltip("action:N", title="Action"),
                alt.Tooltip("acts:Q", title="Acts per reader" if per_reader else "Acts", format=",.4~r"),
                alt.Tooltip("readers:Q", title="Readers", format=","),
            ],
        )
    )
    return _finished(lines, words=acts_in_words(rows))


def acts_in_words(rows: Sequence[PeriodActs]) -> str:
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.action] = totals.get(row.action, 0) + (row.count_acts or 0)
    leading = sorted(((count, name) for name, count in totals.items() if count), reverse=True)[:3]
    if not leading:
        return "No action has enough readers to be shown."
    return "Most frequent: " + ", ".join(f"{name} ({count:,})" for count, name in leading) + "."


def losses(points: Sequence[CurvePoint]) -> alt.LayerChart:
    """One line a training run, the latest darkest. All points must be of one measure."""
    labels = {point.recency: run_label(point) for point in points}
    order = [labels[recency] for recency in sorted(labels)]
    frame = pd.DataFrame(
        {
            "step": [point.step for point in points],
            "loss": [point.value for point in points],
            "run": [labels[point.recency] for point in points],
        }
    )
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2, point=len(points) <= len(order))
        .encode(
            x=alt.X("step:Q", title="Step"),
            y=alt.Y("loss:Q", title="Loss", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "run:N",
                title="Training",
                sort=order,
                scale=alt.Scale(domain=order, range=[BY_RECENCY[min(i, 2)] for i in range(len(order))]),
            ),
            tooltip=["run:N", "step:Q", alt.Tooltip("loss:Q", format=".4f")],
        )
    )
    return _finished(lines, words=losses_in_words(points))


def losses_in_words(points: Sequence[CurvePoint]) -> str:
    latest = [point for point in points if point.recency == min(p.recency for p in points)]
    first, last = min(latest, key=lambda p: p.step), max(latest, key=lambda p: p.step)
    return (
        f"The latest training went from {first.value:.3f} at step {first.step} to {last.value:.3f} at step {last.step}."
    )


def run_label(point: CurvePoint) -> str:
    return f"run {point.run_id}, {point.started_at:%-d %b}" + (f", {point.version}" if point.version else "")


def click_rate_by_policy(rows: Sequence[Quality], promotions: Sequence[Promotion]) -> alt.LayerChart:
    """Daily click rate of each policy version with its 95 % interval; a dashed rule where one began to serve."""
    known = [row for row in rows if row.click_rate is not None]
    order = list(dict.fromkeys(row.policy_version for row in known))
    frame = pd.DataFrame(
        {
            "day": [_utc(row.first_date) for row in known],
            "policy": [row.policy_version for row in known],
            "rate": [row.click_rate for row in known],
            "low": [row.click_rate_low for row in known],
            "high": [row.click_rate_high for row in known],
            "n": [row.count_places_shown for row in known],
        }
    )
    colour = alt.Color(
        "policy:N",
        title="Policy",
        sort=order,
        scale=alt.Scale(domain=order, range=[POLICIES[i % len(POLICIES)] for i in range(len(order))]),
    )
    base = alt.Chart(frame).encode(x=_time_axis("day", "%-d %b"), color=colour)
    band = base.mark_area(opacity=0.2).encode(
        y=alt.Y("low:Q", title="Click rate", axis=alt.Axis(format="%")), y2="high:Q"
    )
    line = base.mark_line(point=alt.OverlayMarkDef(size=30), strokeWidth=2).encode(
        y="rate:Q",
        tooltip=[
            alt.Tooltip("utcyearmonthdate(day):T", title="Day"),
            alt.Tooltip("policy:N", title="Policy"),
            alt.Tooltip("rate:Q", title="Click rate", format=".1%"),
            alt.Tooltip("low:Q", title="From", format=".1%"),
            alt.Tooltip("high:Q", title="To", format=".1%"),
            alt.Tooltip("n:Q", title="Places shown", format=","),
        ],
    )
    layers: list[alt.Chart] = [band, line]
    first_day = min((row.first_date for row in known), default=date.max)
    marks = [p for p in promotions if p.kind == "policy" and p.promoted_at.date() >= first_day]
    if marks:
        layers += _promotion_marks(marks)
    return _finished(*layers, words=rates_in_words(rows))


def _promotion_marks(marks: Sequence[Promotion]) -> list[alt.Chart]:
    frame = pd.DataFrame(
        {
            "at": [mark.promoted_at for mark in marks],
            "version": [mark.version for mark in marks],
            "reason": [mark.reason for mark in marks],
        }
    )
    base = alt.Chart(frame).encode(
        x=alt.X("at:T", scale=alt.Scale(type="utc")),
        tooltip=["version:N", alt.Tooltip("at:T", title="Promoted"), "reason:N"],
    )
    rule = base.mark_rule(strokeDash=[4, 4], color="#8d877c")
    name = base.mark_text(align="left", dx=4, dy=-2, baseline="bottom", color="#8d877c", fontSize=11).encode(
        y=alt.value(0), text=alt.Text("version:N")
    )
    return [rule, name]


def rates_in_words(rows: Sequence[Quality]) -> str:
    known = [row for row in rows if row.click_rate is not None]
    if not known:
        return "No day has enough readers to be shown."
    last = known[-1]
    return f"On the last day shown, policy {last.policy_version} had a click rate of {last.click_rate:.1%}."


def _time_axis(field: str, date_format: str) -> alt.X:
    return alt.X(
        f"{field}:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format=date_format, labelOverlap=True, tickCount=8, grid=False),
    )


def _colour(field: str, order: list[str], title: str) -> alt.Color:
    return alt.Color(
        f"{field}:N", title=title, sort=order, scale=alt.Scale(domain=order, range=[COLOURS[name] for name in order])
    )


def _finished(*layers: alt.Chart, words: str) -> alt.LayerChart:
    """The one look: calm axes, the legend below where a phone has room, and the sentence for those who cannot see."""
    return (
        alt.LayerChart(layer=list(layers))
        .properties(height=HEIGHT, description=words)
        .configure_view(strokeWidth=0)
        .configure_axis(domain=False, ticks=False, labelPadding=6, titlePadding=10)
        .configure_legend(orient="bottom", columns=3, symbolType="square", symbolStrokeWidth=3, labelLimit=260)
    )


def _utc(day: date) -> datetime:
    """Midnight UTC, so that a browser west of Greenwich does not move the day."""
    return datetime.fromisoformat(f"{day.isoformat()}T00:00:00+00:00")
