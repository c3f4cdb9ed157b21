"""Charts of the staff pages: plain rows in, one Altair chart out, in one look that holds in the light and in the dark.

Every colour stands out 3 to 1 and more from both papers, and none says alone what it says: lines also differ in their
dashes, points in their shapes, and the same numbers stand in a table below. `words` is what the chart says in a
sentence, for who does not see it. Names and titles come from the caller, in the language of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import altair as alt
import pandas as pd
from babel import Locale

from dashboard import language
from dashboard.language import _

HEIGHT = 320
# After Okabe and Ito, each moved to the middle between the two papers.
COLOURS = ("#0072b2", "#c8550a", "#00875f", "#b3629a", "#a07400", "#8a7bc8", "#d1495b", "#7a7f87")
GREY = "#7a7f87"
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 2], [1, 3], [10, 4], [3, 1, 1, 1])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
_DAY = "%-d %b"


@dataclass(frozen=True)
class Point:
    """One value of a series. `at`: a day, a moment or a step. `n`: on how many it stands, as words.

    `low` and `high`: its interval, where it has one.
    """

    at: date | datetime | int
    series: str
    value: float
    low: float | None = None
    high: float | None = None
    n: str = ""


@dataclass(frozen=True)
class Rule:
    """A mark across a chart over time: what happened at that moment."""

    at: date | datetime
    label: str


def lines(
    points: Sequence[Point],
    title: str,
    words: str,
    *,
    rules: Sequence[Rule] = (),
    is_share: bool = False,
    by_month: bool = False,
    by_hour: bool = False,
    from_zero: bool = True,
    order: Sequence[str] = (),
    x_title: str | None = None,
) -> alt.LayerChart:
    """A line for each series, in its band where points have intervals. `at` of all points is of one kind."""
    names = _order(points, order)
    frame = _frame(points)
    is_step = bool(points) and isinstance(points[0].at, int)
    x = (
        alt.X("at:Q", title=x_title, axis=alt.Axis(tickMinStep=1, grid=False))
        if is_step
        else _time_axis("%H:%M" if by_hour else "%b %Y" if by_month else _DAY)
    )
    value = ".1%" if is_share else ",.4~r"
    y_axis = alt.Axis(format="%") if is_share else alt.Axis(format=",~r")
    colour = alt.Color("series:N", title=None, sort=names, scale=_scale(names, COLOURS))
    base = alt.Chart(frame).encode(x=x, color=colour)
    layers: list[alt.Chart] = []
    # Of more lines the bands would hide each other; their intervals stand in the tooltips and the table.
    if any(point.low is not None for point in points) and len(names) <= 3:
        layers.append(
            base.mark_area(opacity=0.16).encode(
                y=alt.Y("low:Q", title=title, axis=y_axis, scale=alt.Scale(zero=from_zero)), y2="high:Q"
            )
        )
    alone = len({point.at for point in points}) <= 1
    layers.append(
        base.mark_line(strokeWidth=2, point=False if len(frame) > 400 else alt.OverlayMarkDef(size=70 if alone else 34))
        .encode(
            y=alt.Y("value:Q", title=title, axis=y_axis, scale=alt.Scale(zero=from_zero)),
            strokeDash=alt.StrokeDash("series:N", title=None, sort=names, scale=_scale(names, _DASHES)),
            shape=alt.Shape("series:N", title=None, sort=names, scale=_scale(names, _SHAPES)),
            tooltip=[
                alt.Tooltip("at:Q", title=x_title or "") if is_step else _when(),
                alt.Tooltip("series:N", title=_("Line")),
                alt.Tooltip("value:Q", title=title, format=value),
                *_interval_tooltips(points, value),
            ],
        )
    )  # fmt: skip
    if rules and not is_step and points:
        layers += _rules(rules, min(_moment(point.at) for point in points))
    return finished(*layers, words=words)


def stacks(
    points: Sequence[Point], title: str, words: str, *, rules: Sequence[Rule] = (), order: Sequence[str] = ()
) -> alt.LayerChart:
    """A bar a day, of one part for each series; the first series lies at the bottom, and is the grey one."""
    names = _order(points, order)
    frame = _frame(points).assign(rank=[names.index(point.series) for point in points])
    shades = (GREY, *(colour for colour in COLOURS if colour != GREY), "#2a8f9d", "#946f3a", "#4b5d8a")
    bars = (
        alt.Chart(frame)
        .mark_bar(width={"band": 0.85}, stroke="transparent", strokeWidth=1)
        .encode(
            x=alt.X(
                "at:T", timeUnit="utcyearmonthdate", title=None,
                axis=alt.Axis(format=_DAY, labelOverlap=True, grid=False),
            ),
            y=alt.Y("sum(value):Q", title=title, axis=alt.Axis(format=",~r")),
            color=alt.Color("series:N", title=None, sort=names, scale=_scale(names, shades)),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("at:T", timeUnit="utcyearmonthdate", title=_("Day"), format="%-d %B %Y"),
                alt.Tooltip("series:N", title=_("Part")),
                alt.Tooltip("sum(value):Q", title=title, format=","),
            ],
        )
    )  # fmt: skip
    marks = _rules(rules, min(_moment(point.at) for point in points)) if rules and points else []
    return finished(bars, *marks, words=words)


def intervals(
    points: Sequence[Point], title: str, words: str, *, is_share: bool = False, at: float | None = None
) -> alt.LayerChart:
    """A row for each series: its value as a point on its interval. `at`: a line to compare with, such as zero."""
    names = list(dict.fromkeys(point.series for point in points))
    number = ".1%" if is_share else ",.4~r"
    axis = alt.Axis(format=number if is_share else ",~r", tickCount=6)
    base = alt.Chart(_frame(points)).encode(
        y=alt.Y("series:N", title=None, sort=names, axis=alt.Axis(labelLimit=220)),
        tooltip=[
            alt.Tooltip("series:N", title=_("Row")),
            alt.Tooltip("value:Q", title=title, format=number),
            *_interval_tooltips(points, number),
        ],
    )
    layers: list[alt.Chart] = []
    if at is not None:
        layers.append(alt.Chart(pd.DataFrame({"at": [at]})).mark_rule(strokeDash=[4, 4], color=GREY).encode(x="at:Q"))
    layers += [
        base.mark_rule(strokeWidth=3, color=COLOURS[0], opacity=0.75).encode(
            x=alt.X("low:Q", title=title, axis=axis, scale=alt.Scale(zero=False)), x2="high:Q"
        ),
        base.mark_point(filled=True, size=90, color=COLOURS[0], opacity=1).encode(x="value:Q"),
    ]
    return finished(*layers, words=words).properties(height=max(90, 38 * len(names) + 30))


def bars(points: Sequence[Point], title: str, words: str, *, is_share: bool = False) -> alt.LayerChart:
    """A bar for each series, lying."""
    names = list(dict.fromkeys(point.series for point in points))
    drawn = (
        alt.Chart(_frame(points))
        .mark_bar(color=COLOURS[0])
        .encode(
            y=alt.Y("series:N", title=None, sort=names, axis=alt.Axis(labelLimit=220)),
            x=alt.X("value:Q", title=title, axis=alt.Axis(format="%" if is_share else ",~r")),
            tooltip=[
                alt.Tooltip("series:N", title=_("Row")),
                alt.Tooltip("value:Q", title=title, format=".1%" if is_share else ",.4~r"),
            ],
        )
    )
    return finished(drawn, words=words).properties(height=max(90, 28 * len(names) + 30))


def finished(*layers: alt.Chart, words: str) -> alt.LayerChart:
    """The one look: calm axes, the legend below, numbers and months as the language of the page has them."""
    return (
        alt.LayerChart(layer=list(layers))
        .properties(height=HEIGHT, description=words)
        .configure(locale=_locale())
        .configure_view(strokeWidth=0)
        .configure_axis(domain=False, ticks=False, labelPadding=6, titlePadding=10, labelFontSize=12, titleFontSize=12)
        .configure_legend(orient="bottom", columns=2, labelLimit=260, labelFontSize=13, symbolSize=110, symbolOpacity=1)
    )


def _rules(rules: Sequence[Rule], first: datetime) -> list[alt.Chart]:
    """A line for each day on which something happened; what did is written beside it, towards the middle."""
    by_day: dict[date, list[Rule]] = {}
    for rule in rules:
        if _moment(rule.at) >= first:
            by_day.setdefault(_moment(rule.at).date(), []).append(rule)
    if not by_day:
        return []
    last = max(_moment(rule.at) for rule in rules)
    frame = pd.DataFrame(
        {
            "at": [_moment(happened[0].at) for happened in by_day.values()],
            "label": [", ".join(dict.fromkeys(each.label for each in happened)) for happened in by_day.values()],
            "is_late": [_moment(happened[0].at) > first + (last - first) * 0.7 for happened in by_day.values()],
        }
    )
    base = alt.Chart(frame).encode(
        x=alt.X("at:T", scale=alt.Scale(type="utc")),
        tooltip=[alt.Tooltip("label:N", title=_("Mark")), _when()],
    )
    texts = [
        base.transform_filter(f"datum.is_late == {str(is_late).lower()}")
        .mark_text(align="right" if is_late else "left", dx=-4 if is_late else 4, dy=-2, baseline="bottom",
                   color=GREY, fontSize=11, limit=170)
        .encode(y=alt.value(0), text=alt.Text("label:N"))
        for is_late in (False, True)
    ]  # fmt: skip
    return [base.mark_rule(strokeDash=[4, 4], color=GREY, strokeWidth=1.5), *texts]


def _when() -> alt.Tooltip:
    return alt.Tooltip("at:T", title=_("When"), format="%-d %B %Y")


def _interval_tooltips(points: Sequence[Point], number: str) -> list[alt.Tooltip]:
    shown = []
    if any(point.low is not None for point in points):
        shown += [
            alt.Tooltip("low:Q", title=_("From"), format=number),
            alt.Tooltip("high:Q", title=_("To"), format=number),
        ]
    if any(point.n for point in points):
        shown.append(alt.Tooltip("n:N", title=_("On the basis of")))
    return shown


def _frame(points: Sequence[Point]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": [point.at if isinstance(point.at, int) else _moment(point.at) for point in points],
            "series": [point.series for point in points],
            "value": [point.value for point in points],
            "low": [point.low for point in points],
            "high": [point.high for point in points],
            "n": [point.n for point in points],
        }
    )


def _order(points: Sequence[Point], order: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(point.series for point in points))
    return [name for name in order if name in found] + [name for name in found if name not in order]


def _scale(names: Sequence[str], values: Sequence[Any]) -> alt.Scale:
    return alt.Scale(domain=list(names), range=[values[i % len(values)] for i in range(len(names))])


def _time_axis(shown: str) -> alt.X:
    return alt.X(
        "at:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format=shown, labelOverlap=True, tickCount=8, grid=False),
    )


def _moment(at: date | datetime | int) -> datetime:
    """A day as its midnight UTC, so that a browser west of Greenwich does not move it."""
    if isinstance(at, datetime):
        return at
    assert isinstance(at, date)
    return datetime.fromisoformat(f"{at.isoformat()}T00:00:00+00:00")


def _locale() -> alt.Locale:
    """How Vega writes numbers and months: as the language of the page does."""
    spoken = Locale.parse(language.current())
    signs = spoken.number_symbols.get("latn", spoken.number_symbols)
    days, months = spoken.days["format"], spoken.months["format"]
    from_sunday = (6, 0, 1, 2, 3, 4, 5)
    return alt.Locale(
        number=alt.NumberLocale(
            decimal=str(signs["decimal"]), thousands=str(signs["group"]), grouping=[3], currency=["", ""]
        ),
        time=alt.TimeLocale(
            dateTime="%-d %B %Y, %H:%M", date="%-d %B %Y", time="%H:%M", periods=["AM", "PM"],
            days=[days["wide"][i] for i in from_sunday], shortDays=[days["abbreviated"][i] for i in from_sunday],
            months=[months["wide"][i] for i in range(1, 13)],
            shortMonths=[months["abbreviated"][i] for i in range(1, 13)],
        ),
    )  # fmt: skip
