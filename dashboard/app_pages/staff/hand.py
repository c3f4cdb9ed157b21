"""What do we choose ourselves? Books that staff pin, boost, bury or exclude, and rows for the first page."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
import streamlit as st

from dashboard import language, staff_acts
from dashboard.components import finding, furniture, graphs, staff
from dashboard.components.finding import Row
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, plural
from openshelf.contracts import utc_now
from openshelf.database import exposure, hand
from openshelf.database.accounts import Account
from openshelf.database.hand import CuratedRow, PinnedWork, Steer

HAND_WEEKS = 26


def decisions() -> dict[str, str]:
    return {
        "exclude": _("Do not recommend it"),
        "boost": _("Recommend it more"),
        "bury": _("Recommend it less"),
    }


def said() -> dict[str, str]:
    return {
        "exclude": _("The book is not recommended any more. It can still be found and read."),
        "boost": _("The book is recommended more from now on."),
        "bury": _("The book is recommended less from now on."),
        "pin": _("The book stands at its place from now on."),
        "row": _("The row stands on the first page."),
        "back": _("That was taken back."),
    }


def when(starts_at: datetime, ends_at: datetime | None) -> str:
    """When it holds; days as staff gave them, the last one included."""
    first = language.day(starts_at)
    if ends_at is None:
        return _("from {first}").format(first=first)
    return _("{first} to {last}").format(first=first, last=language.day(ends_at - timedelta(microseconds=1)))


def what(factor: float) -> str:
    if factor == hand.EXCLUDED:
        return _("not recommended")
    times = language.number(round(factor if factor > 1 else 1 / factor, 2))
    return _("{times} times more").format(times=times) if factor > 1 else _("{times} times less").format(times=times)


def state(starts_at: datetime) -> str:
    return _("not yet") if starts_at > utc_now() else ""


def answer(steers: Sequence[Steer], pins: Sequence[PinnedWork], rows: Sequence[CuratedRow]) -> str:
    parts = [
        *([plural("{count} book pinned", "{count} books pinned", len(pins))] if pins else []),
        *([plural("{count} book steered", "{count} books steered", len(steers))] if steers else []),
        *([plural("{count} row on the first page", "{count} rows on the first page", len(rows))] if rows else []),
    ]
    if not parts:
        return _("Nothing: the policy alone chooses what is recommended.")
    return ", ".join(parts) + "."


def draw_held(steers: Sequence[Steer], pins: Sequence[PinnedWork], rows: Sequence[CuratedRow]) -> None:
    held: list[Row] = [
        {
            "title": pin.title,
            "line": _("pinned to place {place}").format(place=pin.position + 1),
            "status": state(pin.starts_at),
            "note": pin.note,
            "date": when(pin.starts_at, pin.ends_at),
            "key": f"pin:{pin.pin_id}",
        }
        for pin in pins
    ]
    steered: list[Row] = [
        {
            "title": steer.title,
            "line": what(steer.factor),
            "status": state(steer.starts_at),
            "note": steer.note,
            "date": when(steer.starts_at, steer.ends_at),
            "key": f"steer:{steer.steer_id}",
        }
        for steer in steers
    ]
    chosen: list[Row] = [
        {
            "title": row.heading,
            "line": plural("a row of {count} book", "a row of {count} books", len(row.book_ids)),
            "status": state(row.starts_at),
            "note": "",
            "date": when(row.starts_at, row.ends_at),
            "key": f"row:{row.row_id}",
        }
        for row in rows
    ]
    finding.records(
        "held",
        _("What holds now, and what will"),
        [*held, *steered, *chosen],
        _("Nothing."),
        button=("/staff/hand/take-back", "which", _("Take it back"), {}),
    )


def draw_forms(book: str) -> None:
    span = [
        furniture.field("from", _("First day"), "date", hint=_("Empty: from now.")),
        furniture.field("until", _("Last day"), "date", hint=_("Empty: until it is taken back.")),
    ]
    why = furniture.field("note", _("Why"), hint=_("Other staff read this."))
    which = furniture.field(
        "book", _("Book"), value=book, required=True, hint=_("Its title, its number, or the address of its page.")
    )
    strengths = {"a little": _("a little"), "clearly": _("clearly"), "strongly": _("strongly, four times")}
    furniture.form(
        "steer",
        "/staff/hand/steer",
        [
            which,
            furniture.field("what", _("What to do"), "select", options=list(decisions().items())),
            furniture.field(
                "strength",
                _("How much more or less"),
                "select",
                value="clearly",
                options=[(key, strengths[key]) for key in staff_acts.STRENGTHS],
            ),
            *span,
            why,
        ],
        _("Do it"),
        heading=_("Steer a book"),
        line=_("Excluded books vanish from every shelf, slate and answer within a second; searching still finds them."),
    )
    furniture.form(
        "pin",
        "/staff/hand/pin",
        [
            which,
            furniture.field(
                "place",
                _("Place on everyone's shelf"),
                "select",
                options=[(str(n), str(n)) for n in range(1, hand.MAX_PIN_PLACES + 1)],
            ),
            *span,
            why,
        ],
        _("Pin it"),
        folded=_("Pin a book to a place"),
        line=_("Who has met or hidden the book does not get it."),
        quiet=True,
    )
    furniture.form(
        "curate",
        "/staff/hand/curate",
        [
            furniture.field("heading", _("Heading of the row"), required=True),
            furniture.field(
                "books", _("Books, one a line"), "textarea", hint=_("Titles, numbers, or addresses of their pages.")
            ),
            *span,
        ],
        _("Put it on the first page"),
        folded=_("Make a row for the first page"),
        quiet=True,
    )


def kinds() -> dict[str, str]:
    return {"pinned": _("Pinned"), "staff": _("Boosted"), "curated": _("Curated rows"), "policy": _("The policy")}


def named(source: str) -> str:
    return kinds().get(source) or source


def draw_measured(account: Account) -> None:
    staff.section(
        _("How our choices do"),
        _(
            "Measured apart: what readers open here is not credited to the policy, and the policy does not learn "
            "from it."
        ),
    )
    with staff.warehouse(account) as warehouse:
        if warehouse is None:
            staff.quiet(_("Too few readers have seen them yet, or the figures have not been built."))
            return
        marts, trust = warehouse
        weeks, marks = exposure.hand_weeks(marts, HAND_WEEKS), staff.rules(marts, 7 * HAND_WEEKS)
    staff.banner(trust)
    known = [week for week in weeks if week.click_rate is not None]
    if all(week.source == "policy" for week in known):
        staff.quiet(_("Too few readers have seen them yet, or the figures have not been built."))
        return
    latest = {week.source: week for week in known}
    words = "; ".join(
        _("{what}: {rate} of {places}").format(
            what=kinds()[source],
            rate=language.percent(week.click_rate or 0),
            places=plural("{count} place shown", "{count} places shown", week.count_shown or 0),
        )
        for source, week in latest.items()
    )
    words = _("In the latest week with figures: {figures} opened.").format(figures=words)
    points = [
        Point(
            week.week_start_date, kinds()[week.source], week.click_rate or 0, week.click_rate_low, week.click_rate_high,
            staff.on_basis(week.count_shown, week.count_readers),
        )
        for week in known
    ]  # fmt: skip
    staff.figure(
        "our-choices",
        graphs.lines(points, _("Click rate"), words, is_share=True, rules=marks),
        words,
        weeks,
        [
            Column("week_start_date", _("Week of")),
            Column("source", _("Chosen by"), named),
            Column("click_rate", _("Click rate"), language.percent),
            Column("click_rate_low", _("From"), language.percent),
            Column("click_rate_high", _("To"), language.percent),
            Column("count_shown", _("Places shown")),
            Column("count_readers", _("Readers")),
        ],
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    steers, pins, rows = hand.steers(conn, account), hand.pinned(conn, account), hand.curated_rows(conn, account)
    staff.title("hand", _("What do we choose ourselves?"), answer(steers, pins, rows))
    if done := said().get(st.query_params.get("done", "")):
        furniture.said(done)
    draw_held(steers, pins, rows)
    draw_forms(st.query_params.get("book", "")[:9])
    draw_measured(account)


staff.live("hand", draw)
