"""Is it good? What readers answered to what they were recommended, from the marts."""

from datetime import datetime

import psycopg
import streamlit as st

from dashboard import resources, state
from dashboard.components import charts
from dashboard.components.figure import FEWER, figure
from openshelf.database import analytics
from openshelf.database.analytics import CurvePoint, Quality
from openshelf.errors import DatabaseError

SPANS = {"2 weeks": 14, "4 weeks": 28, "12 weeks": 84}
TRAININGS = 3
BUILD_HINT = "Run `openshelf warehouse build`, or wait for the next scheduled build."


def utc(moment: datetime) -> str:
    return f"{moment:%-d %B %Y, %H:%M} UTC"


def section(title: str) -> None:
    st.space("small")
    st.subheader(title)


def headline(recent: list[Quality]) -> None:
    together = next((row for row in recent if row.policy_version == "all"), None)
    if together is None:
        st.caption("No slate has been made yet: there is nothing to judge.")
        return
    section(f"The last four weeks, {together.first_date:%-d %b} to {together.last_date:%-d %b}")
    if not together.count_places_shown:
        few = together.count_places_shown is None
        st.caption(f"Readers: {FEWER}. Rates are shown from 5 readers on." if few else "Nothing was on screen yet.")
        return
    click, read, fallback, readers = st.columns(4)
    click.metric("Click rate", f"{together.click_rate:.1%}")
    click.caption(f"{together.click_rate_low:.1%} to {together.click_rate_high:.1%}")
    read.metric("Read rate", f"{together.read_rate:.1%}")
    read.caption(f"{together.read_rate_low:.1%} to {together.read_rate_high:.1%}")
    fallback.metric("Fallback share", f"{together.fallback_share:.1%}")
    fallback.caption("not filled by the policy")
    readers.metric("Places shown", f"{together.count_places_shown:,}")
    readers.caption(f"to {together.count_readers_shown:,} readers")
    st.caption(
        "Click rate: of the places that were on screen, the share whose book was opened, read or finished within an "
        "hour of the recommendation. Read rate: read or finished. The ranges are 95 % Wilson intervals, which treat "
        "each place as independent of the others. Fallback share: of all places drawn, those filled by popularity or "
        "chance because the policy could not answer. Figures with fewer than 5 readers behind them are not shown."
    )


def training(title: str, key: str, points: list[CurvePoint]) -> None:
    section(title)
    if not points:
        st.caption("No training has been recorded yet.")
        return
    names = sorted({point.name for point in points}, key=lambda name: (name not in {"loss", "loss/total"}, name))
    name = names[0] if len(names) == 1 else st.selectbox("Measure", names, key=f"quality.{key}")
    chosen = [point for point in points if point.name == name]
    figure(key, charts.losses(chosen), charts.losses_in_words(chosen), chosen)


def answers(conn: psycopg.Connection, days: int) -> None:
    section("Answers to recommended books")
    outcomes = analytics.daily_outcomes(conn, days)
    if not outcomes:
        st.caption("No recommended book has been on screen yet.")
        return
    figure("answers", charts.outcomes_by_day(outcomes), charts.outcomes_in_words(outcomes), outcomes)
    st.caption("By UTC day of the recommendation. A place counts once, under the strongest answer it had.")
    section("Click rate by policy")
    daily = analytics.daily_quality(conn, days)
    rates = charts.click_rate_by_policy(daily, analytics.promotions(conn))
    figure("click-rate", rates, charts.rates_in_words(daily), daily)
    st.caption("The band is the 95 % Wilson interval of the day; a dashed line marks where a policy began to serve.")


def acts(conn: psycopg.Connection, days: int) -> None:
    section("What readers do")
    period = st.segmented_control("Period", ["Day", "Month"], default="Day", key="quality.period")
    measure = st.segmented_control("Measure", ["Acts", "Acts per reader"], default="Acts", key="quality.measure")
    monthly = period == "Month"
    rows = analytics.monthly_acts(conn) if monthly else analytics.daily_acts(conn, days)
    if not rows:
        st.caption("No act has been recorded yet.")
        return
    chart = charts.acts_over_time(rows, monthly=monthly, per_reader=measure == "Acts per reader")
    figure("acts", chart, charts.acts_in_words(rows), rows)


def page(conn: psycopg.Connection) -> None:
    fresh = analytics.freshness(conn)
    if fresh is None:
        st.caption(f"The marts have not been built yet. {BUILD_HINT}")
        return
    newest = f"the newest from {utc(fresh.newest_act_at)}" if fresh.newest_act_at else "none so far"
    st.caption(f"Marts built {utc(fresh.built_at)}, with {fresh.count_acts:,} acts, {newest}.")
    headline(analytics.recent_quality(conn))
    span = st.segmented_control("Show", list(SPANS), default="4 weeks", key="quality.span") or "4 weeks"
    answers(conn, SPANS[span])
    acts(conn, SPANS[span])
    for kind in ("policy", "adapter"):
        curves = analytics.training_curves(conn, kind, TRAININGS)
        training(f"Loss of the latest {kind} trainings", f"{kind}-losses", curves)


st.title("Is it good?")
try:
    account = state.current_account()
    if account is None or not account.is_staff:
        st.error("This page is for library staff. Sign in with a staff account to see it.")
        st.stop()
    with resources.connection() as connection:
        page(connection)
except psycopg.errors.UndefinedTable:
    st.error(f"The marts are of an older version of the program. {BUILD_HINT}")
except (psycopg.OperationalError, psycopg.InterfaceError, DatabaseError):
    st.error("The warehouse does not answer at the moment. The storefront goes on; try this page again shortly.")
