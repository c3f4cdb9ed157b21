"""The words of the storefront that are made of data. Pure."""

from collections.abc import Mapping
from urllib.parse import urlencode

import langcodes

from openshelf.contracts import Action, Place

# language_data (names of all languages) is not needed for a library's few.
LANGUAGES = {
    "eng": "English", "vie": "Vietnamese", "rus": "Russian", "fra": "French", "deu": "German", "spa": "Spanish",
    "ita": "Italian", "por": "Portuguese", "jpn": "Japanese", "zho": "Chinese", "kor": "Korean", "pol": "Polish",
    "nld": "Dutch", "swe": "Swedish", "nor": "Norwegian", "dan": "Danish", "fin": "Finnish", "ces": "Czech",
    "hun": "Hungarian", "tur": "Turkish", "ara": "Arabic", "heb": "Hebrew", "ell": "Greek", "lat": "Latin",
    "ukr": "Ukrainian", "hin": "Hindi", "fas": "Persian", "cat": "Catalan", "ron": "Romanian", "isl": "Icelandic",
}  # fmt: skip
AUDIENCES = {"children": "Children", "young adult": "Young adults", "adult": "Adults"}
SORTS = {
    "title": "Title, A to Z",
    "new": "New in the library",
    "newest_first": "Newest first",
    "oldest_first": "Oldest first",
    "rating": "Best rated",
    "popular": "Most read of late",
}
_BECAUSE = {
    "because_like": "Because you liked",
    "because_open": "Because you looked at",
    "because_read": "Because you read",
    "because_want": "Because you want to read",
    "because_rate": "Because you rated",
}
_PLAIN = {
    "popular": "Popular in the library",
    "new_to_you": "Close to your taste",
    "explore": "Something different",
    "pinned": "Chosen by the library",
}
_MOVED = {
    Action.OPEN: "you opened",
    Action.READ: "you began",
    Action.FINISH: "you finished",
    Action.LIKE: "you liked",
    Action.DISLIKE: "you did not like",
    Action.WANT: "you put aside to read",
    Action.RATE: "you rated",
    Action.SKIP: "you passed over",
    Action.HIDE: "you hid",
    Action.UNHIDE: "you brought back",
}


def reason(place: Place, titles: Mapping[int, str]) -> dict[str, str] | None:
    """Why a place is there: `text`, and the `title` it refers to if there is one."""
    if place.reason in _BECAUSE:
        title = titles.get(place.reason_book_id or 0)
        return {"text": _BECAUSE[place.reason], "title": title} if title else {"text": _PLAIN["new_to_you"]}
    text = _PLAIN.get(place.reason)
    return {"text": text} if text else None


def moved_by(action: Action | None, title: str | None) -> str:
    """The caption of a slate that answers the reader's last act."""
    if action and action in _MOVED and title:
        return f"Moved just now, because {_MOVED[action]} {title}"
    if action is Action.SEARCH:
        return "Moved just now by your search"
    if action is Action.RESET:
        return "Starting afresh: your taste is forgotten"
    return ""


def language_name(code: str | None) -> str:
    if not code:
        return ""
    return LANGUAGES.get(code, code)


def language_tag(code: str | None) -> str:
    """BCP 47 tag for `lang` attributes: 'vie' -> 'vi'; empty where nothing is known."""
    if not code:
        return ""
    try:
        return langcodes.standardize_tag(code)
    except ValueError:
        return ""


def count_of(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"


def capitalised(name: str) -> str:
    """A subject as a heading: 'science fiction' -> 'Science fiction'."""
    return name[:1].upper() + name[1:]


def year_name(year: int | None) -> str:
    """A year as people say it; those before our era are negative."""
    if year is None:
        return ""
    return f"{-year} BC" if year < 0 else str(year)


def number(value: float) -> str:
    """4.0 -> '4', 4.5 -> '4.5'."""
    return f"{value:g}"


def address(page: str, /, **query: object) -> str:
    """A link inside the storefront; empty values are left out."""
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return f"/{page}" + (f"?{urlencode(kept)}" if kept else "")
