"""Is it good? What readers answered to what they were recommended, from the marts."""

from datetime import datetime

import psycopg
import streamlit as st

from dashboard import language, resources, state
from dashboard.components import charts
from dashboard.components.figure import fewer, figure
from dashboard.language import _, plural
from openshelf.database import analytics
from openshelf.database.analytics import CurvePoint, Quality
from openshelf.errors import DatabaseError

WEEKS, USUAL_WEEKS = (2, 4, 12), 4
TRAININGS = 3


def build_hint() -> str:
    return _("Run `openshelf warehouse build`, or wait for the next scheduled build.")


def utc(moment: datetime) -> str:
    return f"{language.day(moment)}, {moment:%H:%M} UTC"


def span(low: float | None, high: float | None) -> str:
    """An interval of a rate."""
    return _("{low} to {high}").format(low=language.percent(low or 0), high=language.percent(high or 0))


def section(title: str) -> None:
    st.space("small")
    st.subheader(title)


def headline(recent: list[Quality]) -> None:
    together = next((row for row in recent if row.policy_version == "all"), None)
    if together is None:
        st.caption(_("No slate has been made yet: there is nothing to judge."))
        return
    first, last = language.day(together.first_date), language.day(together.last_date)
    section(_("The last four weeks, {first} to {last}").format(first=first, last=last))
    if not together.count_places_shown:
        few = together.count_places_shown is None
        st.caption(
            _("Readers: {few}. Rates are shown from 5 readers on.").format(few=fewer())
            if few
            else _("Nothing was on screen yet.")
        )
        return
    click, read, fallback, readers = st.columns(4)
    click.metric(_("Click rate"), language.percent(together.click_rate or 0))
    click.caption(span(together.click_rate_low, together.click_rate_high))
    read.metric(_("Read rate"), language.percent(together.read_rate or 0))
    read.caption(span(together.read_rate_low, together.read_rate_high))
    fallback.metric(_("Fallback share"), language.percent(together.fallback_share or 0))
    fallback.caption(_("not filled by the policy"))
    readers.metric(_("Places shown"), language.number(together.count_places_shown))
    readers.caption(plural("to {count} reader", "to {count} readers", together.count_readers_shown or 0))
    st.caption(
        _(
            "Click rate: of the places that were on screen, the share whose book was opened, read or finished within "
            "an hour of the recommendation. Read rate: read or finished. The ranges are 95 % Wilson intervals, which "
            "treat each place as independent of the others. Fallback share: of all places drawn, those filled by "
            "popularity or chance because the policy could not answer. Figures with fewer than 5 readers behind them "
            "are not shown."
        )
    )


def training(title: str, key: str, points: list[CurvePoint]) -> None:
    section(title)
    if not points:
        st.caption(_("No training has been recorded yet."))
        return
    names = sorted({point.name for point in points}, key=lambda name: (name not in {"loss", "loss/total"}, name))
    name = names[0] if len(names) == 1 else st.selectbox(_("Measure"), names, key=f"quality.{key}")
    chosen = [point for point in points if point.name == name]
    figure(key, charts.losses(chosen), charts.losses_in_words(chosen), chosen)


def answers(conn: psycopg.Connection, days: int) -> None:
    section(_("Answers to recommended books"))
    outcomes = analytics.daily_outcomes(conn, days)
    if not outcomes:
        st.caption(_("No recommended book has been on screen yet."))
        return
    figure("answers", charts.outcomes_by_day(outcomes), charts.outcomes_in_words(outcomes), outcomes)
    st.caption(_("By UTC day of the recommendation. A place counts once, under the strongest answer it had."))
    section(_("Click rate by policy"))
    daily = analytics.daily_quality(conn, days)
    rates = charts.click_rate_by_policy(daily, analytics.promotions(conn))
    figure("click-rate", rates, charts.rates_in_words(daily), daily)
    st.caption(_("The band is the 95 % Wilson interval of the day; a dashed line marks where a policy began to serve."))


def acts(conn: psycopg.Connection, days: int) -> None:
    section(_("What readers do"))
    periods, measures = {"day": _("Day"), "month": _("Month")}, {"acts": _("Acts"), "each": _("Acts per reader")}
    period = st.segmented_control(
        _("Period"), list(periods), format_func=periods.__getitem__, default="day", key="quality.period"
    )
    measure = st.segmented_control(
        _("Measure"), list(measures), format_func=measures.__getitem__, default="acts", key="quality.measure"
    )
    monthly = period == "month"
    rows = analytics.monthly_acts(conn) if monthly else analytics.daily_acts(conn, days)
    if not rows:
        st.caption(_("No act has been recorded yet."))
        return
    chart = charts.acts_over_time(rows, monthly=monthly, per_reader=measure == "each")
    figure("acts", chart, charts.acts_in_words(rows), rows)


def page(conn: psycopg.Connection) -> None:
    fresh = analytics.freshness(conn)
    if fresh is None:
        st.caption(_("The marts have not been built yet.") + " " + build_hint())
        return
    newest = utc(fresh.newest_act_at) if fresh.newest_act_at else "-"
    st.caption(
        _("Marts built {built}, with {count} acts, the newest from {newest}.").format(
            built=utc(fresh.built_at), count=language.number(fresh.count_acts), newest=newest
        )
    )
    headline(analytics.recent_quality(conn))
    weeks = st.segmented_control(
        _("Show"),
        WEEKS,
        format_func=lambda count: plural("{count} week", "{count} weeks", count),
        default=USUAL_WEEKS,
        key="quality.weeks",
    )
    days = 7 * (weeks or USUAL_WEEKS)
    answers(conn, days)
    acts(conn, days)
    titles = {
        "policy": _("Loss of the latest policy trainings"),
        "adapter": _("Loss of the latest adapter trainings"),
    }
    for kind, title in titles.items():
        training(title, f"{kind}-losses", analytics.training_curves(conn, kind, TRAININGS))


st.title(_("Is it good?"))
try:
    account = state.current_account()
    if account is None or not account.is_staff:
        st.error(_("This page is for library staff. Sign in with a staff account to see it."))
        st.stop()
    with resources.connection() as connection:
        page(connection)
except psycopg.errors.UndefinedTable:
    st.error(_("The marts are of an older version of the program.") + " " + build_hint())
except (psycopg.OperationalError, psycopg.InterfaceError, DatabaseError):
    st.error(_("The warehouse does not answer at the moment. The storefront goes on; try this page again shortly."))
