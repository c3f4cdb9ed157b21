"""Is it good? What readers answered to what they were recommended, from the marts."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from dashboard import language
from dashboard.components import finding, graphs, staff
from dashboard.components.graphs import Point, Rule
from dashboard.components.staff import Column, Page
from dashboard.language import _, plural
from dashboard.measures import actions, definition, dimensions, outcomes, part, traffic
from openshelf.database import analytics
from openshelf.database.analytics import OrganicActs, Outcomes, Quality

NO_ANSWER = "no answer"
FEWER = "fewer than 5 readers"
# From silence over wishes to reading, then what declines.
OUTCOMES = (NO_ANSWER, FEWER, "open", "read", "finish", "want", "like", "rate", "skip", "hide", "dislike")
LINES, PERIODS = 6, ("day", "month")


def draw(page: Page) -> None:
    weeks, by = staff.weeks(), staff.chosen("by", ["model", *analytics.DIMENSIONS], "model")
    versions = [row.policy_version for row in analytics.recent_quality(page.marts, weeks, "model")]
    version = staff.chosen("model", versions, "all") if by != "model" else "all"
    whole = next(iter(analytics.recent_quality(page.marts, weeks, "all", version)), None)
    staff.head(page, answer(whole, weeks), fields(weeks, by, versions, version))
    if whole is None:
        return
    tiles(whole)
    rules = staff.rules(page.marts, 7 * weeks)
    rates(page, weeks, by, version, rules)
    parts(page, weeks, by, version)
    if by == "model":
        answers(page, weeks, rules)
        acts(page, weeks, rules)
        organic(page, weeks, rules)
        returns(page)
        left_out(page, weeks)
    meanings()


def fields(weeks: int, by: str, versions: Sequence[str], version: str) -> list[dict]:
    names = dimensions()
    shown = [
        staff.weeks_field(weeks),
        finding.select("by", _("Look by"), names["model"], [(name, names[name]) for name in analytics.DIMENSIONS],
                       "" if by == "model" else by),
    ]  # fmt: skip
    if by != "model":
        shown.append(
            finding.select("model", _("Model"), _("All models"), [(each, each) for each in versions],
                           "" if version == "all" else version)
        )  # fmt: skip
    return shown


def answer(whole: Quality | None, weeks: int) -> str:
    if whole is None:
        return _("No slate has been made yet: there is nothing to judge.")
    if whole.click_rate is None:
        return _("It cannot be said: fewer than {count} readers were shown anything.").format(count=staff.MIN_READERS)
    period = plural("In the last {count} week", "In the last {count} weeks", weeks)
    return _(
        "{period} readers opened {rate} of the books they were shown, and declined {declined} of them. On {basis}."
    ).format(
        period=period,
        rate=staff.with_interval(whole.click_rate, whole.click_rate_low, whole.click_rate_high),
        declined=language.percent(whole.decline_rate or 0),
        basis=staff.on_basis(whole.count_shown, whole.count_readers),
    )


def tiles(whole: Quality) -> None:
    if whole.click_rate is None:
        return
    shares = [
        (_("Click rate"), whole.click_rate, whole.click_rate_low, whole.click_rate_high),
        (_("Read rate"), whole.read_rate, whole.read_rate_low, whole.read_rate_high),
        (_("Decline rate"), whole.decline_rate, whole.decline_rate_low, whole.decline_rate_high),
    ]
    staff.tiles(
        [
            *((name, language.percent(value or 0), staff.between(low, high)) for name, value, low, high in shares),
            (_("Fallback share"), language.percent(whole.fallback_share or 0), _("not filled by the policy")),
            (
                _("Places shown"),
                language.number(whole.count_shown or 0),
                plural("to {count} reader", "to {count} readers", whole.count_readers or 0),
            ),
        ]
    )


def rates(page: Page, weeks: int, by: str, version: str, rules: Sequence[Rule]) -> None:
    rows = analytics.daily_quality(page.marts, 7 * weeks, by, version)
    # Of many parts the largest are drawn; the table has them all.
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[_name(by, row)] = sizes.get(_name(by, row), 0) + (row.count_shown or 0)
    drawn = sorted((name for name in sizes if sizes[name]), key=lambda name: -sizes[name])[:LINES]
    points = [
        Point(row.first_date, _name(by, row), row.click_rate, row.click_rate_low, row.click_rate_high,
              staff.on_basis(row.count_shown, row.count_readers))
        for row in rows
        if row.click_rate is not None and _name(by, row) in drawn
    ]  # fmt: skip
    staff.section(
        _("Click rate by day"),
        _("The band is the 95 % interval of the day. A dashed line marks a promotion, new books, or a note of staff."),
    )
    last = points[-1] if points else None
    words = (
        _("On {day}, the last day shown, {name} had a click rate of {rate}.").format(
            day=language.day(last.at), name=last.series, rate=language.percent(last.value)
        )
        if last and isinstance(last.at, date)
        else _("No day has enough readers to be shown.")
    )
    chart = graphs.lines(points, _("Click rate"), words, rules=rules, is_share=True, order=drawn) if points else None
    staff.figure("click-rate-by-day", chart, words, rows, [Column("first_date", _("Day")), *_columns(by)])


def parts(page: Page, weeks: int, by: str, version: str) -> None:
    rows = analytics.recent_quality(page.marts, weeks, by, version)
    known = [row for row in rows if row.click_rate is not None]
    staff.section(
        _("Over the whole period"), plural("The last {count} week together.", "The last {count} weeks together.", weeks)
    )
    points = [
        Point(0, _name(by, row), row.click_rate or 0, row.click_rate_low, row.click_rate_high,
              staff.on_basis(row.count_shown, row.count_readers))
        for row in known[:20]
    ]  # fmt: skip
    words = _("No part has enough readers to be shown.")
    if known:
        best = max(known, key=lambda row: row.click_rate_low or 0)
        words = _("{name} is the surest to be opened: {rate}, on {basis}.").format(
            name=_name(by, best),
            rate=staff.with_interval(best.click_rate, best.click_rate_low, best.click_rate_high),
            basis=staff.on_basis(best.count_shown, best.count_readers),
        )
    if len(known) < len(rows):
        words += " " + plural(
            "{count} part is not shown, so that nobody can be told from it.",
            "{count} parts are not shown, so that nobody can be told from them.",
            len(rows) - len(known),
        )
    chart = graphs.intervals(points, _("Click rate"), words, is_share=True) if points else None
    staff.figure("click-rate-by-part", chart, words, rows, _columns(by))


def answers(page: Page, weeks: int, rules: Sequence[Rule]) -> None:
    rows = analytics.daily_outcomes(page.marts, 7 * weeks)
    staff.section(
        _("Answers to recommended books"),
        _("By UTC day of the recommendation. A place counts once, under the strongest answer it had."),
    )
    known = [row for row in rows if row.count_places]
    words = _outcomes_in_words(known)
    names = outcomes()
    points = [Point(row.slate_date, names[row.outcome], row.count_places or 0) for row in known]
    chart = None
    if points:
        chart = graphs.stacks(points, _("Places shown"), words, rules=rules, order=[names[each] for each in OUTCOMES])
    columns = [
        Column("slate_date", _("Day")),
        Column("outcome", _("Answer"), names.__getitem__),
        Column("count_places", _("Places")),
        Column("count_works", _("Works")),
    ]
    staff.figure("answers", chart, words, rows, columns)


def _outcomes_in_words(rows: Sequence[Outcomes]) -> str:
    shown = sum(row.count_places or 0 for row in rows)
    if not shown:
        return _("No day has enough readers to be shown.")
    books = plural("{count} book was on screen", "{count} books were on screen", shown)
    days = plural("{count} day", "{count} days", len({row.slate_date for row in rows}))
    # Where the silence is held back, it is part of a sum.
    untold = {row.slate_date for row in rows if row.outcome == FEWER} - {
        row.slate_date for row in rows if row.outcome == NO_ANSWER
    }
    told = sum(row.count_places or 0 for row in rows if row.slate_date not in untold)
    if not told:
        return _("{books} on {days}.").format(books=books, days=days)
    silent = sum(row.count_places or 0 for row in rows if row.outcome == NO_ANSWER)
    return _("{books} on {days}; {share} had no answer.").format(
        books=books, days=days, share=language.percent(silent / told)
    )


def acts(page: Page, weeks: int, rules: Sequence[Rule]) -> None:
    monthly = staff.chosen("acts", PERIODS, "day") == "month"
    rows = analytics.monthly_acts(page.marts) if monthly else analytics.daily_acts(page.marts, 7 * weeks)
    staff.section(_("What readers do"))
    finding.choices(
        "acts",
        _("Period of the acts"),
        [
            (_("By day"), staff.here(page, acts=None), not monthly),
            (_("By month"), staff.here(page, acts="month"), monthly),
        ],
    )
    names = actions()
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.action] = totals.get(row.action, 0) + (row.count_acts or 0)
    most = sorted((name for name in totals if totals[name]), key=lambda name: -totals[name])
    words = _("No action has enough readers to be shown.")
    if most:
        words = _("Most frequent: {acts}.").format(
            acts=", ".join(f"{names[name]} ({language.number(totals[name])})" for name in most[:3])
        )
    for each, title, key in _act_charts():
        points = [
            Point(row.period_start_date, names[row.action], value, n=_readers(row.count_readers))
            for row in rows
            if row.action in most[:LINES] and (value := each(row)) is not None
        ]  # fmt: skip
        chart = None
        if points:
            chart = graphs.lines(
                points, title, words, rules=rules, by_month=monthly, order=[names[name] for name in most]
            )
        staff.figure(key, chart, words if key == "acts" else title, rows, _act_columns())


def _act_charts() -> list:
    return [
        (lambda row: row.count_acts, _("Acts"), "acts"),
        (lambda row: row.acts_per_reader, _("Acts per reader"), "acts-per-reader"),
    ]


def _act_columns() -> list[Column]:
    return [
        Column("period_start_date", _("From")),
        Column("action", _("Action"), actions().__getitem__),
        Column("count_acts", _("Acts")),
        Column("count_readers", _("Readers")),
        Column("count_works", _("Works")),
        Column("acts_per_reader", _("Acts per reader")),
    ]


def organic(page: Page, weeks: int, rules: Sequence[Rule]) -> None:
    staff.section(
        _("What readers find without a recommendation"),
        _(
            "What readers who keep a history answered to books. What belongs to no place shown to them within the hour "
            "is organic: found by search, browsing, a list, or a row that staff chose. Of visits without a history it "
            "is not known once they are over."
        ),
    )
    names = actions()
    months = analytics.monthly_organic(page.marts)
    known = [row for row in months if row.organic_share is not None]
    last = sorted(
        (row for row in known if row.period_start_date == known[-1].period_start_date),
        key=lambda row: -(row.count_acts or 0),
    )
    words = _("No month has enough readers to be shown.")
    if last:
        words = _("In {month}: {shares}.").format(
            month=language.month(last[0].period_start_date),
            shares="; ".join(
                _("{kind} {share} of {acts}").format(
                    kind=names[row.action],
                    share=staff.with_interval(row.organic_share, row.organic_share_low, row.organic_share_high),
                    acts=plural("{count} act", "{count} acts", row.count_acts or 0),
                )
                for row in last[:3]
            ),
        )
    points = [_organic_point(0, row) for row in last]
    chart = graphs.intervals(points, _("Organic share"), words, is_share=True) if points else None
    staff.figure("organic-by-month", chart, words, months, _organic_columns(_("Month from")))
    days = analytics.daily_organic(page.marts, 7 * weeks)
    shown = [row for row in days if row.organic_share is not None]
    # A line through the few days of a kind that are shown would be one of chance.
    drawn = [
        row.action
        for row in last[:LINES]
        if 2 * sum(day.action == row.action for day in shown) >= sum(day.action == row.action for day in days)
    ]
    points = [_organic_point(row.period_start_date, row) for row in shown if row.action in drawn]
    title, chart = _("Organic share by day"), None
    if points:
        order = [names[action] for action in drawn]
        chart = graphs.lines(points, _("Organic share"), title, rules=rules, is_share=True, order=order)
    staff.figure("organic-by-day", chart, title, days, _organic_columns(_("Day")))


def _organic_point(at: date | int, row: OrganicActs) -> Point:
    n = ", ".join((plural("{count} act", "{count} acts", row.count_acts or 0), _readers(row.count_readers)))
    share = row.organic_share or 0
    return Point(at, actions()[row.action], share, row.organic_share_low, row.organic_share_high, n)


def _organic_columns(of: str) -> list[Column]:
    return [
        Column("period_start_date", of),
        Column("action", _("Action"), actions().__getitem__),
        Column("count_readers", _("Readers")),
        Column("count_acts", _("Acts")),
        Column("count_organic", _("Organic")),
        Column("organic_share", _("Organic share"), language.percent),
        Column("organic_share_low", _("From"), language.percent),
        Column("organic_share_high", _("To"), language.percent),
    ]


def returns(page: Page) -> None:
    rows = analytics.cohorts(page.marts)
    staff.section(
        _("Do they come back?"),
        _("Readers who keep a history, by the week in which they began. Who keeps none cannot be told from a new one."),
    )
    known = [row for row in rows if row.return_rate is not None]
    cohorts = list(dict.fromkeys(row.cohort_start_date for row in known if row.weeks_later))[-LINES:]
    points = [
        Point(row.weeks_later, language.day(row.cohort_start_date), row.return_rate or 0,
              n=_readers(row.count_readers))
        for row in known
        if row.cohort_start_date in cohorts
    ]  # fmt: skip
    words = _("No week has enough readers to be shown.")
    after = [row for row in known if row.weeks_later == 1 and row.count_readers]
    if after:
        words = _("Of {readers} whose first week is known, {share} came back in the week after.").format(
            readers=_readers(sum(row.count_readers or 0 for row in after)),
            share=language.percent(
                sum(row.count_returned or 0 for row in after) / sum(row.count_readers or 0 for row in after)
            ),
        )
    chart = None
    if points:
        chart = graphs.lines(points, _("Came back"), words, is_share=True, x_title=_("Weeks after the first"))
    columns = [
        Column("cohort_start_date", _("First week")),
        Column("weeks_later", _("Weeks after the first")),
        Column("count_readers", _("Readers")),
        Column("count_returned", _("Came back")),
        Column("return_rate", _("Share"), language.percent),
        Column("return_rate_low", _("From"), language.percent),
        Column("return_rate_high", _("To"), language.percent),
    ]
    staff.figure("returns", chart, words, rows, columns)


def left_out(page: Page, weeks: int) -> None:
    """That staff, tests and programs move no chart, and how much of them there was."""
    rows = analytics.traffic(page.marts, 7 * weeks)
    away = [row for row in rows if row.traffic != "reader"]
    names = traffic()
    counts = [plural("{count} act", "{count} acts", row.count_acts) for row in away]
    if away:
        acts = ", ".join(f"{names[row.traffic]} ({count})" for row, count in zip(away, counts, strict=True))
        staff.quiet(_("Not counted: {acts}.").format(acts=acts))


def meanings() -> None:
    with st.expander(_("What the measures mean")):
        for name, text in definition().values():
            staff.quiet(f"{name}: {text}")
        staff.quiet(
            _(
                "The ranges are 95 % Wilson intervals, which treat each place as independent of the others. Figures "
                "with fewer than {count} readers behind them are not shown, nor are those that would give them away."
            ).format(count=staff.MIN_READERS)
        )


def _columns(by: str) -> list[Column]:
    name = "policy_version" if by == "model" else "value"
    return [
        Column(name, dimensions()[by], None if by == "model" else lambda value: part(by, value)),
        Column("count_readers", _("Readers")),
        Column("count_shown", _("Places shown")),
        Column("count_opened", _("Opened")),
        Column("click_rate", _("Click rate"), language.percent),
        Column("click_rate_low", _("From"), language.percent),
        Column("click_rate_high", _("To"), language.percent),
        Column("read_rate", _("Read rate"), language.percent),
        Column("decline_rate", _("Decline rate"), language.percent),
        Column("fallback_share", _("Fallback share"), language.percent),
        Column("reward_per_place", _("Reward of a place")),
    ]


def _readers(count: int | None) -> str:
    return plural("{count} reader", "{count} readers", count or 0)


def _name(by: str, row: Quality) -> str:
    return row.policy_version if by == "model" else part(by, row.value)


staff.page("quality", draw)
