"""Would the new one be? What a policy would have earned with the slates that were logged, before it serves anybody."""

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from dashboard import language
from dashboard.components import graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column, Page
from dashboard.language import _, plural
from openshelf.database import analytics
from openshelf.database.analytics import OffPolicy

# The answer is by this one: right where either its weights or its model of rewards is.
BEST = "dr"


def draw(page: Page) -> None:
    rows = analytics.offpolicy(page.marts)
    if not rows:
        staff.head(page, _("Nothing has been estimated yet."))
        staff.quiet(
            _(
                "`openshelf evaluate policies` estimates it from slates that the champion has not learned from; it "
                "needs readers who saw some."
            )
        )
        return
    staff.head(page, " ".join(answer(row) for row in rows if row.estimator == BEST) or _("Nothing can be told."))
    first = rows[0]
    if first.is_suppressed:
        return
    staff.quiet(
        _("Estimated on {day}, from {slates} of {readers}. A place on screen earned {logged} as it was.").format(
            day=staff.moment(first.reported_at),
            slates=plural("{count} slate", "{count} slates", first.count_slates or 0),
            readers=plural("{count} reader", "{count} readers", first.count_readers or 0),
            logged=_reward(first.logged_reward),
        )
    )
    for version, estimates in groupby(rows, lambda row: row.policy_version):
        policy(version, list(estimates))
    over_time(page)
    methods()


def answer(row: OffPolicy) -> str:
    if row.is_suppressed:
        return _("Fewer than {count} readers saw what {policy} is judged on.").format(
            count=staff.MIN_READERS, policy=_named(row)
        )
    words = {
        "better": _("{policy} would be better: a place on screen would earn {value} ({low} to {high}), not {logged}."),
        "worse": _("{policy} would be worse: a place on screen would earn {value} ({low} to {high}), not {logged}."),
        "no difference": _(
            "{policy} would make no difference that can be seen: {value} ({low} to {high}), now {logged}."
        ),
        "cannot tell": _("Of {policy} nothing can be told: {reason}."),
    }
    return words[row.verdict].format(
        policy=_named(row),
        value=_reward(row.value),
        low=_reward(row.low),
        high=_reward(row.high),
        logged=_reward(row.logged_reward),
        reason=row.reason or _("too few readers"),
    )


def policy(version: str, rows: Sequence[OffPolicy]) -> None:
    named = _named(rows[0])
    staff.section(named)
    told = [row for row in rows if row.can_tell and row.value is not None]
    names = estimators()
    points = [Point(0, names.get(row.estimator, row.estimator), row.value or 0, row.low, row.high) for row in told]
    silent = [names.get(row.estimator, row.estimator) for row in rows if row not in told]
    words = _("{told} of {all} estimators can tell of {policy}.").format(told=len(told), all=len(rows), policy=named)
    if silent:
        words += " " + _("These cannot: {names}.").format(names=", ".join(silent))
    chart = None
    if points:
        chart = graphs.intervals(points, _("Reward of a place"), words, at=rows[0].logged_reward)
    columns = [
        Column("estimator", _("Estimator"), lambda name: names.get(str(name), str(name))),
        Column("value", _("Reward of a place"), _reward, "-"),
        Column("low", _("From"), _reward, "-"),
        Column("high", _("To"), _reward, "-"),
        Column("effective_size", _("Effective sample size"), lambda size: language.number(round(size)), "-"),
        Column("capped_share", _("Weights cut"), language.percent, "-"),
        Column("can_tell", _("Can tell")),
        Column("reason", _("Why not")),
    ]
    staff.figure(f"estimates-{version}", chart, words, rows, columns)


def over_time(page: Page) -> None:
    rows = [row for row in analytics.offpolicy(page.marts, 52) if row.estimator == BEST]
    known = [row for row in rows if row.can_tell and row.value is not None]
    if len({row.reported_at for row in known}) < 2:
        return
    staff.section(_("Reports so far"))
    points = [Point(row.reported_at, _named(row), row.value or 0, row.low, row.high) for row in known]
    words = plural("{count} report", "{count} reports", len({row.reported_at for row in rows}))
    chart = graphs.lines(points, _("Reward of a place"), words, rules=staff.rules(page.marts, 365), from_zero=False)
    columns = [
        Column("reported_at", _("When")),
        Column("policy_version", _("Model")),
        Column("value", _("Reward of a place"), _reward, "-"),
        Column("low", _("From"), _reward, "-"),
        Column("high", _("To"), _reward, "-"),
    ]
    staff.figure("reports", chart, words, rows, columns)


def methods() -> None:
    with st.expander(_("How this is reckoned")):
        for text in (
            _("Every place was drawn with a probability, which is in the log. What another policy would have shown "
              "more often counts for more, what it would have shown less often counts for less."),
            _("Doubly robust adds a model of what a book earns, and is right when either the weights or that model is "
              "right. The answer above is by it."),
            _("Intervals draw readers again with replacement. Where few places of the log are like what the policy "
              "would show, the effective sample is small, and it is said that nothing can be told."),
            _("A place earns what models/rewards.toml says: opening 1, reading 2, finishing 3, skipping -1, and on."),
        ):  # fmt: skip
            staff.quiet(text)


def estimators() -> dict[str, str]:
    return {
        "ips": _("Inverse propensity"),
        "snips": _("Inverse propensity, self-normalised"),
        "independent": _("Each place by itself"),
        "cascade": _("Places given those above"),
        "dr": _("Doubly robust"),
        "cascade_dr": _("Doubly robust, places given those above"),
    }


def _named(row: OffPolicy) -> str:
    return _("Popularity") if row.policy_version == "popular" else row.policy_version


def _reward(value: float | None) -> str:
    return "-" if value is None else language.number(round(value, 4))


staff.page("offpolicy", draw)
