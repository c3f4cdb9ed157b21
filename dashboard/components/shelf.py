"""Shelves of covers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from dashboard import handlers
from dashboard.components.registration import renderer
from dashboard.language import _
from dashboard.state import Marks
from dashboard.words import address, cover_address, language_tag
from models import query_text
from models.search import Inside
from openshelf.contracts import Surface
from openshelf.database.catalogue import WorkCard

CardData = dict[str, Any]


def card(
    work: WorkCard,
    position: int,
    marks: Marks,
    surface: Surface,
    *,
    reason: Mapping[str, str] | None = None,
    note: str = "",
    asked: str = "",
    summary: str | None = None,
    inside: Inside | None = None,
) -> CardData:
    """One card.

    `reason`: why it is there, `text` and perhaps a `title` for its `{title}`; `note` stands after the author.
    `asked`: the query whose words are marked; of the `summary` only the part with such words is shown, or the place
    `inside` the book where they stand, with the way there.
    """
    part = query_text.excerpt(summary, asked) if summary and asked else None
    if inside:
        part = inside.text, inside.marks
    return {
        "id": work.book_id,
        "position": position,
        "href": address("book", id=work.book_id, **{"from": surface.value}),
        "title": work.title,
        "is_film": work.kind == "film",
        "author": work.authors_text,
        "lang": language_tag(work.language),
        "cover": cover_address(work.book_id, work.cover_version),
        "reason": dict(reason) if reason else None,
        "note": " · ".join(filter(None, (_("Film") if work.kind == "film" else "", note))),
        # Places in the text, counted in code points: never markup.
        "title_marks": query_text.highlights(work.title, asked) if asked else [],
        "author_marks": query_text.highlights(work.authors_text, asked) if asked else [],
        "excerpt": {"text": part[0], "marks": part[1]} if part else None,
        "way": {
            "label": _("Read on from here"),
            "chapter": inside.chapter,
            "href": address("read", id=work.book_id, chapter=inside.part, block=inside.block),
        }
        if inside
        else None,
        "liked": marks.opinions.get(work.book_id) == "like",
        "wanted": marks.shelves.get(work.book_id) == "want",
    }


def shelf(
    key: str,
    cards: Sequence[CardData],
    surface: Surface,
    *,
    heading: str = "",
    level: Literal["h1", "h2"] = "h2",
    caption: str = "",
    layout: Literal["row", "grid", "slate"] = "row",
    slate_id: UUID | None = None,
    more: tuple[str, str] | None = None,
    actions: bool = True,
    button: tuple[str, str] | None = None,
    empty: str = "",
    eager: bool = False,
    on_acts: Callable[[], None] | None = None,
) -> None:
    """Draw a shelf.

    `more`: label and address of all there is. `button`: an action and its label, instead of the usual three.
    `on_acts`: what answers the buttons, if not the acts of cards.
    """
    renderer("shelf")(
        key=key,
        data={
            "heading": heading,
            "level": level,
            "caption": caption,
            "live": slate_id is not None,
            "layout": layout,
            "slate_id": str(slate_id) if slate_id else None,
            "more": {"label": more[0], "href": more[1]} if more else None,
            "actions": actions and button is None,
            "button": {"action": button[0], "label": button[1]} if button else None,
            "cards": list(cards),
            "empty": empty,
            "eager": eager,
            "heard": handlers.heard(key),
            "words": _words(),
        },
        on_acts_change=on_acts or handlers.shelf_acts(key, surface),
        on_seen_change=handlers.shelf_seen(key, surface),
    )


def _words() -> dict[str, str]:
    """What the component says by itself; `{title}` is the book's."""
    return {
        "like": _("Like"),
        "liked": _("You like this"),
        "want": _("Want to read"),
        "want_film": _("Want to see"),
        "wanted": _("On your want-to-read shelf"),
        "skip": _("Not now"),
        "back": _("Back along the shelf"),
        "on": _("On along the shelf"),
        "empty": _("Nothing here yet."),
        "cover": _("Cover of {title} by {author}"),
        "cover_alone": _("Cover of {title}"),
        "said_like": _("You like {title}"),
        "said_want": _("{title} is on your want-to-read shelf"),
        "said_unwant": _("{title} is off your want-to-read shelf"),
        "said_skip": _("{title} is put aside for now"),
    }
