"""What the staff pages share: the question, the answer in words, how far it can be trusted, filters, figures, states.

A page is a function of the marts:

    def draw(page: staff.Page) -> None:
        weeks = staff.weeks()
        rows = analytics.something(page.marts, 7 * weeks)
        staff.head(page, _("Yes: ..."), [staff.weeks_field(weeks)])
        staff.section(_("Click rate by day"))
        staff.figure("click-rate", graphs.lines(...), words, rows, columns)

    staff.page("quality", draw)
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Any

import altair as alt
import psycopg
import streamlit as st

from dashboard import language, resources, state
from dashboard.components import finding, furniture
from dashboard.components.graphs import Rule
from dashboard.components.registration import renderer
from dashboard.language import _, plural
from dashboard.words import address, staff_pages
from openshelf.contracts import utc_now
from openshelf.database import analytics
from openshelf.database.accounts import Account
from openshelf.database.analytics import Mark, Marts, Trust
from openshelf.errors import NotAllowedError

MIN_READERS = 5
ROWS_SHOWN = 300
# dbt's var recent_weeks: over these, readers are counted together.
_WEEKS = (2, 4, 12)
_USUAL_WEEKS = 4


@dataclass(frozen=True)
class Page:
    """What a page of the warehouse is drawn from."""

    address: str
    question: str
    marts: Marts
    trust: Trust


@dataclass(frozen=True)
class Column:
    """A column of a table and its file: attribute of the rows, heading, and how a value is shown.

    None is shown as "fewer than 5", unless `missing` says otherwise. `link`: row -> an address of ours, or of Calibre.
    """

    name: str
    label: str
    show: Callable[[Any], str] | None = None
    missing: str | None = None
    link: Callable[[Any], str | None] | None = None


def page(at: str, draw: Callable[[Page], None]) -> None:
    """A page that reads the marts, with the states in which it cannot. `at`: its address."""

    def from_marts(conn: psycopg.Connection, account: Account) -> None:
        with analytics.reading(conn, account) as marts:
            trust = analytics.trust(marts, utc_now())
            if trust is None:
                furniture.notice(_("The figures have not been built yet"), build_hint())
            else:
                draw(Page(at, _question(at), marts, trust))

    live(at, from_marts)


def live(at: str, draw: Callable[[psycopg.Connection, Account], None]) -> None:
    """A page for staff that reads what is there now; it checks by the functions it calls who may."""
    try:
        account = state.current_account()
        if account is None or not account.is_staff:
            raise NotAllowedError(at)
        way(at)
        with resources.connection() as conn:
            draw(conn, account)
    except NotAllowedError:
        furniture.notice(_("This page is for library staff"), _("Sign in with a staff account to see it."))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege):
        furniture.notice(_("The figures are of another version of the program"), build_hint())
    except state.OFFLINE:
        furniture.notice(
            _("The warehouse does not answer at the moment"),
            _("The storefront goes on; try this page again shortly."),
        )


def way(at: str) -> None:
    """The way through the pages for staff, above each of them."""
    finding.choices(
        "staff", _("Pages for library staff"), [(title, f"/{to}", to == at) for _file, to, title in staff_pages()]
    )


@contextmanager
def warehouse(account: Account) -> Iterator[tuple[Marts, Trust] | None]:
    """For a live page that shows figures of the warehouse, too; None before the first build."""
    with resources.connection() as conn, analytics.reading(conn, account) as marts:
        trust = analytics.trust(marts, utc_now())
        yield (marts, trust) if trust else None


def build_hint() -> str:
    return _("Run `openshelf warehouse build`, or wait for the next scheduled build.")


def _question(at: str) -> str:
    return next((title for _file, to, title in staff_pages() if to == at), at)


def head(page: Page, answer: str, fields: Sequence[dict[str, Any]] = ()) -> None:
    """Question, answer and filters. An answer out of figures that cannot be trusted is not given: what is wrong is."""
    trust = page.trust
    title(page.address, page.question, answer if trust.is_sound else _cannot_tell(trust), fields)
    banner(trust)


def title(at: str, question: str, answer: str, fields: Sequence[dict[str, Any]] = ()) -> None:
    """Question, answer and filters of a page that needs no warehouse."""
    finding.finder(f"head.{at}", question, answer, [finding.group(_("Show"), *fields)] if fields else [])


def _cannot_tell(trust: Trust) -> str:
    return _("This cannot be told now: {fault} The figures below are those of {built}.").format(
        fault=faults(trust)[0], built=moment(trust.built_at)
    )


def faults(trust: Trust) -> list[str]:
    """What speaks against the figures, each in a sentence; the gravest first."""
    said = []
    if trust.failures:
        said.append(
            _("{checks} in the last build, {at}.").format(
                checks=plural("{count} check failed", "{count} checks failed", len(trust.failures)),
                at=moment(trust.failed_at) if trust.failed_at else "",
            )
        )
    if trust.is_stale:
        said.append(_("The figures are stale since {built}.").format(built=moment(trust.built_at)))
    if trust.is_unusual and trust.usual is not None:
        said.append(
            _("In the last day {count} acts arrived, where {usual} are usual.").format(
                count=language.number(trust.count_last_day), usual=language.number(round(trust.usual))
            )
        )
    return said


def banner(trust: Trust) -> None:
    """Freshness and trust, above all that is drawn from the warehouse."""
    parts = [_("Built {built}").format(built=moment(trust.built_at))]
    if trust.count_tests is not None and not trust.failures:
        parts.append(plural("{count} check passed", "all {count} checks passed", trust.count_tests))
    if trust.usual is not None and not trust.is_unusual:
        parts.append(
            _("{count} acts in the last day, {usual} are usual").format(
                count=language.number(trust.count_last_day), usual=language.number(round(trust.usual))
            )
        )
    if trust.newest_act_at:
        parts.append(_("newest act {at}").format(at=moment(trust.newest_act_at)))
    line = escape(" · ".join(parts))
    if trust.is_sound:
        st.html(f'<p class="os-trust">{line}</p>')
        return
    wrong = " ".join(faults(trust))
    names = escape(", ".join(failure.partition(" (")[0] for failure in trust.failures[:5]))
    st.html(
        f'<div class="os-trust os-doubt" role="alert"><p><b>{escape(wrong)}</b></p>'
        f"{f'<p>{names}</p>' if names else ''}<p>{line}</p></div>"
    )


def section(heading: str, line: str = "") -> None:
    """The heading of a part. Only our own words."""
    furniture.section(heading, line)


def quiet(text: str) -> None:
    """A line that explains. Only our own words."""
    st.html(f'<p class="os-explains">{escape(text)}</p>')


def tiles(values: Sequence[tuple[str, str, str]]) -> None:
    """The few numbers that matter: name, value, and what it stands on (interval and n)."""
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b><span>{escape(basis)}</span></dd></div>"
        for name, value, basis in values
    )
    st.html(f'<dl class="os-tiles">{shown}</dl>')


def figure(
    key: str, chart: alt.LayerChart | None, words: str, rows: Sequence[Any], columns: Sequence[Column]
) -> None:  # fmt: skip
    """A chart, what it says in words, and the same numbers as a table and a CSV file; `key` names the file.

    Without a chart the table stands open.
    """
    quiet(words)
    if chart is not None:
        st.altair_chart(chart, width="stretch", key=f"chart.{key}")
    more = ""
    if len(rows) > ROWS_SHOWN:
        more = _("The first {shown} of {all} rows; the file has them all.").format(
            shown=language.number(ROWS_SHOWN), all=language.number(len(rows))
        )
    renderer("table")(
        key=f"table.{key}",
        data={
            "caption": words,
            "columns": [{"label": each.label, "is_number": _is_number(each, rows)} for each in columns],
            "rows": [[_cell(each, row) for each in columns] for row in rows[:ROWS_SHOWN]],
            "more": more,
            "fold": _("The numbers") if chart is not None else "",
        },
    )
    st.download_button(_("Download as CSV"), csv_of(rows, columns), f"{key}.csv", "text/csv", key=f"{key}.csv")


def _cell(column: Column, row: object) -> str | dict[str, str]:
    text = _shown(column, getattr(row, column.name))
    href = column.link(row) if column.link else None
    return {"text": text, "href": href} if href else text


def _is_number(column: Column, rows: Sequence[Any]) -> bool:
    values = [getattr(row, column.name) for row in rows]
    return any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _shown(column: Column, value: object) -> str:
    if value is None:
        return fewer() if column.missing is None else column.missing
    if column.show:
        return column.show(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return language.day(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return language.number(value) if isinstance(value, int | float) else str(value)


def csv_of(rows: Sequence[Any], columns: Sequence[Column]) -> str:
    """Exactly the rows of the table. Numbers and days as machines read them; what was held back says so."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([each.label for each in columns])
    writer.writerows([[_plain(each, getattr(row, each.name)) for each in columns] for row in rows])
    return out.getvalue()


def _plain(column: Column, value: object) -> str:
    if value is None:
        return fewer() if column.missing is None else column.missing
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value.isoformat() if isinstance(value, date) else str(value)
    # A spreadsheet would take it for a formula.
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@\t\r" else text


def fewer() -> str:
    """In place of a number with too few readers behind it, or one that would give such a number away."""
    return _("fewer than {count}").format(count=language.number(MIN_READERS))


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """'12.3% (10.1% to 14.9%)'."""
    if value is None or low is None or high is None:
        return fewer()
    return _("{value} ({low} to {high})").format(
        value=language.percent(value), low=language.percent(low), high=language.percent(high)
    )


def between(low: float | None, high: float | None) -> str:
    """An interval of a share."""
    return _("{low} to {high}").format(low=language.percent(low or 0), high=language.percent(high or 0))


def on_basis(places: int | None, readers: int | None) -> str:
    """The n of a rate, in words."""
    if places is None or readers is None:
        return fewer()
    return _("{places}, {readers}").format(
        places=plural("{count} place shown", "{count} places shown", places),
        readers=plural("{count} reader", "{count} readers", readers),
    )


def moment(at: datetime) -> str:
    return _("{day}, {time} UTC").format(day=language.day(at.astimezone(UTC)), time=f"{at.astimezone(UTC):%H:%M}")


def weeks() -> int:
    """How far back the address asks to look."""
    said = st.query_params.get("weeks", "")
    return int(said) if said in {str(each) for each in _WEEKS} else _USUAL_WEEKS


def weeks_field(chosen: int) -> dict[str, Any]:
    options = [(str(each), plural("{count} week", "{count} weeks", each)) for each in _WEEKS if each != _USUAL_WEEKS]
    usual = plural("{count} week", "{count} weeks", _USUAL_WEEKS)
    return finding.select("weeks", _("Period"), usual, options, "" if chosen == _USUAL_WEEKS else str(chosen))


def chosen(name: str, allowed: Sequence[str], usual: str = "") -> str:
    """What the address asks for under this name, if it is one of those allowed."""
    said = st.query_params.get(name, "")
    return said if said in allowed else usual


def here(page: Page, **changed: str | None) -> str:
    """The address of this page as it is, with some of it changed; None takes one away."""
    return address(page.address, **{**st.query_params.to_dict(), **changed})


def rules(marts: Marts, days: int) -> list[Rule]:
    """The marks of charts over time that begin so many days ago: promotions, loads, experiments, notes of staff."""
    since = utc_now().date() - timedelta(days=days)
    return [Rule(mark.happened_at, _mark_label(mark)) for mark in analytics.marks(marts, since)]


def _mark_label(mark: Mark) -> str:
    return _("books came") if mark.kind == "catalogue" else mark.label


def link(at: str, text: str, **query: object) -> None:
    """A way to another page. Only our own words."""
    st.html(f'<p class="os-aside"><a href="{escape(address(at, **query))}" target="_self">{escape(text)}</a></p>')
