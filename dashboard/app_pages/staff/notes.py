"""What happened when? Notes of staff on days, which stand as marks on every chart over time."""

from datetime import date, timedelta

import psycopg
import streamlit as st

from dashboard import language
from dashboard.components import finding, furniture, staff
from dashboard.language import _, plural
from openshelf.contracts import utc_now
from openshelf.database import staff_notes
from openshelf.database.accounts import Account

YEARS_BACK, YEARS_ON = 5, 1


def draw(conn: psycopg.Connection, account: Account) -> None:
    today = utc_now().date()
    first, last = today - timedelta(days=365 * YEARS_BACK), today + timedelta(days=365 * YEARS_ON)
    notes = staff_notes.between(conn, account, first, last)[::-1]
    staff.title(
        "notes",
        _("What happened when?"),
        plural("{count} note stands on the charts.", "{count} notes stand on the charts.", len(notes))
        if notes
        else _("No note yet. A closed week, a reading campaign, a new shelf: write it down, and charts show it."),
    )
    if st.query_params.get("done") in ("added", "removed"):
        furniture.said(_("The charts show it from now on."))
    furniture.form(
        "note",
        "/staff/notes/add",
        [
            furniture.field("day", _("Day"), "date", value=str(asked(today)), required=True),
            furniture.field(
                "note", _("What happened"), required=True, hint=_("At most 200 letters, no names of readers.")
            ),
        ],
        _("Put it on the charts"),
        heading=_("Add a note"),
    )
    finding.records(
        "notes_list",
        _("Notes"),
        [
            {
                "title": each.note,
                "line": "",
                "status": "",
                "note": "",
                "date": language.day(each.day),
                "key": str(each.note_id),
            }
            for each in notes
        ],
        _("None yet."),
        button=("/staff/notes/remove", "note", _("Take it off"), {}),
    )


def asked(today: date) -> date:
    """The day that the address names, else today."""
    try:
        return date.fromisoformat(st.query_params.get("day", ""))
    except ValueError:
        return today


staff.live("notes", draw)
