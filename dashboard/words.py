"""The words of the storefront that are made of data, in the language of the page."""

from collections.abc import Mapping
from urllib.parse import urlencode

import langcodes

from dashboard.language import _
from openshelf.contracts import Action, Place


def audiences() -> dict[str, str]:
    return {"children": _("Children"), "young adult": _("Young adults"), "adult": _("Adults")}


def kinds() -> dict[str, str]:
    return {"book": _("Books"), "film": _("Films")}


def staff_pages() -> list[tuple[str, str, str]]:
    """Every page for staff, in the order of the way through them: file under app_pages/staff, address, question."""
    return [
        ("quality", "quality", _("Is it good?")),
        ("experiments", "experiments", _("Which is better?")),
        ("offpolicy", "offpolicy", _("Would the new one be?")),
        ("exposure", "exposure", _("What does it show and hide?")),
        ("learning", "learning", _("What did it learn?")),
        ("stream", "stream", _("Is the stream well?")),
        ("catalogue", "catalogue", _("Is the catalogue well?")),
        ("works", "works", _("Which editions are one work, and why?")),
        ("installation", "installation", _("Is everything in its place?")),
        ("requests", "requests", _("What readers ask for")),
        ("wishes", "wishes", _("What do readers look for and not find?")),
        ("hand", "hand", _("What do we choose ourselves?")),
        ("notes", "notes", _("What happened when?")),
        ("alerts", "alerts", _("Does anything need us?")),
        ("report", "report", _("What did the library do?")),
    ]


def sorts() -> dict[str, str]:
    return {
        "title": _("Title, A to Z"),
        "new": _("New in the library"),
        "newest_first": _("Newest first"),
        "oldest_first": _("Oldest first"),
        "rating": _("Best rated"),
        "popular": _("Most read of late"),
    }


def reason(place: Place, titles: Mapping[int, str]) -> dict[str, str] | None:
    """Why a place is there: `text`, in which `{title}` stands for the `title` it refers to, if there is one."""
    because = {
        "because_like": _("Because you liked {title}"),
        "because_open": _("Because you looked at {title}"),
        "because_read": _("Because you read {title}"),
        "because_want": _("Because you want to read {title}"),
        "because_rate": _("Because you rated {title}"),
    }
    plain = {
        "popular": _("Popular in the library"),
        "new_to_you": _("Close to your taste"),
        "explore": _("Something different"),
        "pinned": _("Chosen by the library"),
    }
    if place.reason in because:
        title = titles.get(place.reason_book_id or 0)
        return {"text": because[place.reason], "title": title} if title else {"text": plain["new_to_you"]}
    text = plain.get(place.reason)
    return {"text": text} if text else None


def moved_by(action: Action | None, title: str | None) -> str:
    """The caption of a slate that answers the reader's last act."""
    moved = {
        Action.OPEN: _("Moved just now, because you opened {title}"),
        Action.READ: _("Moved just now, because you began {title}"),
        Action.FINISH: _("Moved just now, because you finished {title}"),
        Action.LIKE: _("Moved just now, because you liked {title}"),
        Action.DISLIKE: _("Moved just now, because you did not like {title}"),
        Action.WANT: _("Moved just now, because you put aside {title}"),
        Action.RATE: _("Moved just now, because you rated {title}"),
        Action.SKIP: _("Moved just now, because you passed over {title}"),
        Action.HIDE: _("Moved just now, because you hid {title}"),
        Action.UNHIDE: _("Moved just now, because you brought back {title}"),
    }
    if action and action in moved and title:
        return moved[action].replace("{title}", title)
    if action is Action.SEARCH:
        return _("Moved just now by your search")
    if action is Action.RESET:
        return _("Starting afresh: your taste is forgotten")
    return ""


def subject_name(name: str) -> str:
    """A subject as it is shown: in the language of the page where we know it, else as the catalogue has it.

    The name itself stays the key, in addresses and filters.
    """
    shown = name[:1].upper() + name[1:]
    known = _SUBJECTS.get(name.casefold())
    return _(known) if known else shown


def N_(message: str) -> str:  # noqa: N802
    """Marks a message that is translated where it is shown."""
    return message


# The subjects that libraries have most.
_SUBJECTS = {
    name.casefold(): name
    for name in (
        N_("Adventure"), N_("Animals"), N_("Architecture"), N_("Art"), N_("Astronomy"), N_("Biography"),
        N_("Biology"), N_("Business"), N_("Children"), N_("Classics"), N_("Comics"), N_("Coming of age"),
        N_("Computing"), N_("Cooking"), N_("Crafts"), N_("Crime"), N_("Design"), N_("Drama"), N_("Economics"),
        N_("Education"), N_("Engineering"), N_("Environment"), N_("Essays"), N_("Family"), N_("Fantasy"),
        N_("Fiction"), N_("Film"), N_("Folklore"), N_("Gardening"), N_("Geography"), N_("Health"),
        N_("Historical fiction"), N_("History"), N_("Horror"), N_("Humour"), N_("Language"), N_("Law"),
        N_("Literary fiction"), N_("Mathematics"), N_("Medicine"), N_("Memoir"), N_("Music"), N_("Mystery"),
        N_("Nature"), N_("Parenting"), N_("Philosophy"), N_("Photography"), N_("Physics"), N_("Picture books"),
        N_("Poetry"), N_("Politics"), N_("Psychology"), N_("Religion"), N_("Romance"), N_("Satire"), N_("Science"),
        N_("Science fiction"), N_("Short stories"), N_("Society"), N_("Sport"), N_("Technology"), N_("Thriller"),
        N_("Travel"), N_("War"), N_("Young adult"),
    )
}  # fmt: skip


def language_tag(code: str | None) -> str:
    """BCP 47 tag for `lang` attributes: 'vie' -> 'vi'; empty where nothing is known."""
    if not code:
        return ""
    try:
        return langcodes.standardize_tag(code)
    except ValueError:
        return ""


def year_name(year: int | None) -> str:
    """A year as people say it; those before our era are negative."""
    if year is None:
        return ""
    return _("{year} BC").format(year=-year) if year < 0 else str(year)


def cover_address(book_id: int, version: int | None) -> str | None:
    """Where the cover is, without the width; changes with the cover, so that browsers may keep it for good."""
    return None if version is None else f"/covers/{book_id}.jpg?v={version}"


def own_language_name() -> str:
    # Translators: name your own language here, not English.
    return _("Books in English")


def address(page: str, /, **query: object) -> str:
    """A link inside the storefront; empty values are left out."""
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return f"/{page}" + (f"?{urlencode(kept)}" if kept else "")
