"""A reader's own lists: as tiles on My books, as the head of their page, and as a menu on the page of a book."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import streamlit as st

from dashboard import data, handlers, list_acts, resources, state
from dashboard.components.registration import renderer
from dashboard.language import _, language_name, plural
from dashboard.words import address, cover_address, language_tag, subject_name, year_name
from openshelf.database import shelves
from openshelf.database.catalogue import WorkCard
from openshelf.database.shelves import OwnList, Rule

_COVERS = 3
_SUBJECTS = 300


def list_address(list_id: int) -> str:
    return address("list", id=list_id)


def in_words(rule: Rule) -> str:
    """What a shelf holds that fills itself."""
    parts = []
    if rule.reading:
        parts.append(_("read") if rule.reading == "read" else _("not read yet"))
    if rule.language:
        parts.append(language_name(rule.language))
    if rule.subject:
        parts.append(subject_name(rule.subject))
    if rule.year_from is not None and rule.year_to is not None:
        parts.append(_("{first} to {last}").format(first=year_name(rule.year_from), last=year_name(rule.year_to)))
    elif rule.year_from is not None:
        parts.append(_("from {year} on").format(year=year_name(rule.year_from)))
    elif rule.year_to is not None:
        parts.append(_("up to {year}").format(year=year_name(rule.year_to)))
    return _("Fills itself: {rule}").format(rule=", ".join(parts))


def line_of(own: OwnList, count: int) -> str:
    counted = plural("{count} book", "{count} books", count)
    return f"{in_words(own.rule)} · {counted}" if own.rule else counted


def tiles(key: str, lists: Sequence[tuple[OwnList, Sequence[WorkCard], int]]) -> None:
    """`lists`: each with the first works on it and how many there are."""
    renderer("own_lists")(
        key=key,
        data={
            "heading": _("Your lists"),
            "lists": [
                {
                    "name": own.name,
                    "href": list_address(own.list_id),
                    "line": line_of(own, count),
                    "covers": [_cover(work) for work in works[:_COVERS]],
                }
                for own, works, count in lists
            ],
            "problem": list_acts.problem(key),
            "fields": fields(),
            "words": form_words()
            | {
                "make": _("Make a list"),
                "make_submit": _("Make it"),
                "make_ruled": _("Make a shelf that fills itself"),
                "ruled_line": _("It always holds what the library has of what you choose here."),
            },
        },
        on_made_change=list_acts.making(key),
    )


def desk(key: str, own: OwnList, line: str, *, removed: bool) -> None:
    """The head of a list's page."""
    renderer("list_desk")(
        key=key,
        data={
            "name": own.name,
            "line": _("This list is removed. You can bring it back for a day.") if removed else line,
            "problem": list_acts.problem(key),
            "removed": removed,
            "rule": msgspec.to_builtins(own.rule) if own.rule else None,
            "fields": fields() if own.rule else None,
            "home": "/mine",
            "csv": f"/my-books/{own.list_id}.csv",
            "words": form_words()
            | {
                "home": _("My books"),
                "bring_back": _("Bring it back"),
                "rename": _("Rename"),
                "change_rule": _("Change what it holds"),
                "save": _("Save"),
                "csv": _("Take it away as a CSV file"),
                "remove": _("Remove this list"),
            },
        },
        on_changed_change=list_acts.changing(key, own.list_id),
    )


@st.fragment
def menu(book_id: int, key: str = "lists") -> None:
    """On which of the reader's lists a book is, to be changed there. Nothing for someone without an account."""
    visitor = state.shown_visitor()
    if visitor.account_id is None:
        return
    with resources.connection() as conn:
        lists = [own for own in shelves.lists(conn, visitor.account_id) if own.rule is None]
        on = shelves.lists_with(conn, visitor.account_id, book_id)
    count = sum(own.list_id in on for own in lists)
    renderer("list_menu")(
        key=key,
        data={
            "lists": [{"id": own.list_id, "name": own.name, "is_on": own.list_id in on} for own in lists],
            "count_on": count,
            "count_line": plural("on {count} list", "on {count} lists", count),
            "problem": list_acts.problem(key),
            "words": {"add": _("Put on a list"), "name": _("Name of a new list"), "make": _("Make it")},
            "heard": handlers.heard(key),
        },
        on_listed_change=list_acts.listing(key, book_id),
    )


def ledger(
    key: str,
    sections: Sequence[Mapping[str, Any]],
    *,
    remove: str = "",
    removed: str = "",
    on_taken: Callable[[], None] | None = None,
) -> None:
    """Books in plain rows: sections of `heading`, `line` and `rows` (made by `row`). `remove`: their button."""
    words = {"remove": remove, "removed": removed}
    renderer("ledger")(
        key=key,
        data={"sections": list(sections), "words": words, "heard": handlers.heard(key)},
        on_taken_change=on_taken or (lambda: None),
    )


def row(work: WorkCard, *, line: str = "", key: str = "") -> dict[str, Any]:
    """One row of a ledger; `key`: what its button sends."""
    return _cover(work) | {"href": address("book", id=work.book_id), "line": line, "key": key}


def _cover(work: WorkCard) -> dict[str, Any]:
    return {
        "title": work.title,
        "author": work.authors_text,
        "lang": language_tag(work.language),
        "cover": cover_address(work.book_id, work.cover_version),
    }


def fields() -> dict[str, Any]:
    """What a rule may ask for."""
    facets = data.facets()
    languages = [{"value": each.name, "label": language_name(each.name)} for each in facets.languages]
    return {
        "readings": [
            {"value": "", "label": _("Read or not")},
            {"value": "unread", "label": _("Not read yet")},
            {"value": "read", "label": _("Read")},
        ],
        "languages": [{"value": "", "label": _("Any language")}, *languages],
        "subjects": [each.name for each in facets.subjects[:_SUBJECTS]],
    }


def form_words() -> dict[str, str]:
    return {
        "name": _("Name"),
        "name_missing": _("Please give the list a name."),
        "rule_missing": _("Please choose something that the shelf shall hold."),
        "reading": _("Reading"),
        "language": _("Language"),
        "subject": _("Subject"),
        "year_from": _("Written from the year"),
        "year_to": _("Up to the year"),
    }
