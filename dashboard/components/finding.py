"""What stands around shelves that are looked through: the head of a list with its filters, choices, directories."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from dashboard import forms
from dashboard.components.registration import renderer
from dashboard.language import _, number

Option = tuple[str, str]  # what stands in the address, and what is shown


class Row(TypedDict):
    """One line of a list of records. `key`: what its button sends; without one it has none."""

    title: str
    line: str
    status: str
    note: str
    date: str
    key: NotRequired[str]


def select(name: str, label: str, anything: str, options: Sequence[Option], value: str) -> dict[str, Any]:
    """A choice of one. `anything`: what is shown when nothing is chosen; what the address names is always a choice."""
    shown = list(options)
    if value and value not in [option for option, _shown in shown]:
        shown.insert(0, (value, value))
    return {
        "type": "select",
        "name": name,
        "label": label,
        "value": value,
        "options": [{"value": "", "label": anything}, *({"value": v, "label": text} for v, text in shown)],
    }


def text(name: str, label: str, kind: str, value: str) -> dict[str, Any]:
    """A name that is typed; those of this kind that begin so are suggested."""
    return {"type": "text", "name": name, "label": label, "kind": kind, "value": value}


def checkbox(name: str, label: str, is_on: bool) -> dict[str, Any]:
    return {"type": "checkbox", "name": name, "label": label, "value": "yes" if is_on else ""}


def year(name: str, label: str, value: int | None, placeholder: str) -> dict[str, Any]:
    return {"type": "year", "name": name, "label": label, "value": value, "placeholder": placeholder}


def group(label: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "fields": list(fields)}


def finder(
    key: str,
    heading: str,
    line: str,
    groups: Sequence[dict[str, Any]],
    *,
    notes: Sequence[dict[str, str]] = (),
    ways: Sequence[tuple[str, str, bool]] = (),
    ways_label: str = "",
    is_folded: bool = False,
    chosen: Sequence[tuple[str, str]] = (),
    clear: str | None = None,
    beside: tuple[str, str] | None = None,
) -> None:
    """The head of a list: its title, how much stands in it (announced when it changes), and filters.

    What is chosen in a filter is written into the address. `notes`: `text`, and perhaps `link`, `href` and `tail`.
    `ways`: a few ways to look at the same, as in `choices`. `is_folded`: the filters wait until they are asked for.
    `chosen`: what is set already and the address without it; `clear`: without any; `beside`: a link of its own.
    """
    renderer("finder")(
        key=key,
        data={
            "heading": heading,
            "line": line,
            "groups": list(groups),
            "notes": list(notes),
            "ways": _ways(ways),
            "ways_label": ways_label,
            "is_folded": is_folded,
            "chosen": [{"label": label, "href": href} for label, href in chosen],
            "clear": clear,
            "beside": {"label": beside[0], "href": beside[1]} if beside else None,
            "words": {
                "filters": _("Filters"),
                "clear": _("Clear all"),
                "chosen": _("Chosen filters"),
                "without": _("Without {label}"),
            },
        },
    )


def choices(key: str, label: str, options: Sequence[tuple[str, str, bool]]) -> None:
    """A few ways to look at the same: label, address, and whether it is the one shown."""
    renderer("choices")(key=key, data={"label": label, "options": _ways(options)})


def _ways(options: Sequence[tuple[str, str, bool]]) -> list[dict[str, Any]]:
    return [{"label": text, "href": href, "is_current": is_current} for text, href, is_current in options]


def directory(key: str, heading: str, entries: Sequence[tuple[str, str, int]], *, level: str = "h2") -> None:
    """A list of names with how many books stand under each: name, address, count."""
    shown = [{"label": name, "href": href, "count": number(count)} for name, href, count in entries]
    renderer("directory")(key=key, data={"heading": heading, "level": level, "entries": shown})


def records(
    key: str,
    heading: str,
    rows: Sequence[Row],
    empty: str,
    *,
    button: tuple[str, str, str, Mapping[str, str]] | None = None,
) -> None:
    """`button`: the route that it posts to, the name of the row's key there, its label, and what it also says."""
    shown = None
    if button:
        action, name, label, hidden = button
        shown = {
            "action": action,
            "name": name,
            "label": label,
            "hidden": {forms.TOKEN: forms.page_token(), **hidden},
        }
    renderer("records")(key=key, data={"heading": heading, "rows": list(rows), "empty": empty, "button": shown})
