"""Which feeds there are, and what is in them for one reader: made of the catalogue at each request."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
import psycopg

from dashboard.api.feeds import NEW, PER_PAGE, POPULAR, RECOMMENDED, Door, Facet, Feed, Pages, path_of
from dashboard.api.operations import Text
from dashboard.language import _, language_name
from models import query_text, search
from openshelf.database import audiences, catalogue, hand, publications, stream
from openshelf.database.accounts import Account
from openshelf.database.catalogue import Count
from openshelf.database.filters import Filters
from openshelf.database.publications import Order, Publication, Shelf

# So many are ranked for a feed of the popular, and found by a search.
_RANKED = 400
Page = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Language = Annotated[str, msgspec.Meta(pattern="^[a-z]{3}$")]


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the address of a feed may say; apps add parameters of their own, which say nothing here."""

    page: Page = 1
    query: Annotated[str, msgspec.Meta(max_length=800)] = ""
    subject: Text | None = None
    author: Text | None = None
    series: Text | None = None
    language: Language | None = None
    initial: Annotated[str, msgspec.Meta(min_length=1, max_length=4, pattern="^[^\\u0000]+$")] | None = None
    order: Order = "title"

    @property
    def offset(self) -> int:
        return (self.page - 1) * PER_PAGE


class Reader:
    """Who the feeds are for: an account or anybody."""

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self.within = audiences.allowed(account.audience_limit if account else None)

    @property
    def reader_key(self) -> str | None:
        """Of whom there is a slate of the own: an account that keeps a history, wants it used, and has no limit."""
        account = self.account
        if account is None or account.audience_limit or not account.keeps_history or not account.personal:
            return None
        return account.reader_key


def root(conn: psycopg.Connection, reader: Reader, _asked: Asked, changed_at: datetime) -> Feed:
    doors = [
        Door(_("For you"), "/for-you", "acquisition", RECOMMENDED, _("Chosen for you, if you sign in")),
        Door(_("New in the library"), "/new", "acquisition", NEW, _("What came last")),
        Door(_("Popular in the library"), "/popular", "acquisition", POPULAR, _("What readers like of late")),
        Door(_("Subjects"), "/subjects", "navigation", text=_("Books by what they are about")),
        Door(_("Authors"), "/authors", "navigation", text=_("Books by who wrote them")),
        Door(_("All books"), "/books", "acquisition", text=_("Everything, by title")),
    ]
    return Feed("", _("Openshelf: the library"), changed_at, doors=doors)


def subjects(conn: psycopg.Connection, reader: Reader, _asked: Asked, changed_at: datetime) -> Feed:
    counts = publications.subjects(conn, audiences=reader.within)
    return Feed("/subjects", _("Subjects"), changed_at, doors=_doors(counts, "/books", "subject"))


def authors(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    if asked.initial is not None:
        counts = publications.authors(conn, asked.initial, audiences=reader.within)
        title = _("Authors: {initial}").format(initial=asked.initial)
        path = path_of("/authors", {"initial": asked.initial})
        return Feed(path, title, changed_at, doors=_doors(counts, "/books", "author"))
    counts = publications.author_initials(conn, audiences=reader.within)
    doors = [Door(c.name, path_of("/authors", {"initial": c.name}), "navigation", count=c.count_works) for c in counts]
    return Feed("/authors", _("Authors"), changed_at, doors=doors)


def books(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    filters = Filters(subject=asked.subject, author=asked.author, series=asked.series, language=asked.language)
    shelf = publications.shelf(conn, filters, asked.order, audiences=reader.within, limit=PER_PAGE, offset=asked.offset)
    named = {name: value for name in ("subject", "author", "series") if (value := getattr(asked, name))}
    title = ", ".join(named.values()) or _("All books")
    if asked.language:
        title = f"{title} ({language_name(asked.language)})"
    query = msgspec.to_builtins(msgspec.structs.replace(asked, page=1, query="", initial=None))
    return Feed(
        "/books",
        title,
        _newest(shelf.publications, changed_at),
        publications=shelf.publications,
        pages=Pages(asked.page, shelf.count, query),
        facets=_facets(conn, reader, query, asked),
    )


def newest(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    shelf = publications.shelf(
        conn, Filters(), "new", audiences=reader.within, limit=PER_PAGE, offset=asked.offset, recommended=True
    )
    return _shelf_feed("/new", _("New in the library"), shelf, asked, changed_at)


def popular(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    shelf = _chosen(conn, reader, _popular(conn, reader), asked)
    return _shelf_feed("/popular", _("Popular in the library"), shelf, asked, changed_at)


def for_you(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    """The slate of a reader who keeps a history, in its order; for who keeps none what is popular, under that name."""
    slate = stream.latest_slate(conn, reader.reader_key) if reader.reader_key else None
    shelf = None
    if slate:
        excluded = hand.excluded(conn)
        drawn = [place.book_id for place in slate.places if place.book_id not in excluded]
        shelf = _chosen(conn, reader, drawn, asked)
    if slate is None or shelf is None or not shelf.count:
        shelf = _chosen(conn, reader, _popular(conn, reader), asked)
        return _shelf_feed("/for-you", _("Popular in the library"), shelf, asked, changed_at)
    return _shelf_feed("/for-you", _("For you"), shelf, asked, slate.created_at)


def found(conn: psycopg.Connection, reader: Reader, asked: Asked, changed_at: datetime) -> Feed:
    text = query_text.tidy(asked.query)
    hits = search.search(conn, text, "all", Filters(), _RANKED, audiences=reader.within)
    shelf = _chosen(conn, reader, [hit.book_id for hit in search.answers(hits, "all")], asked)
    title = _("Search: {query}").format(query=text)
    return Feed(
        "/search",
        title,
        _newest(shelf.publications, changed_at),
        publications=shelf.publications,
        pages=Pages(asked.page, shelf.count, {"query": text}),
    )


FEEDS: Mapping[str, Callable[[psycopg.Connection, Reader, Asked, datetime], Feed]] = {
    "": root,
    "/subjects": subjects,
    "/authors": authors,
    "/books": books,
    "/new": newest,
    "/popular": popular,
    "/for-you": for_you,
    "/search": found,
}


def book(conn: psycopg.Connection, reader: Reader, book_id: int) -> Publication | None:
    """One book, if there is one for this reader and it can be had as a file."""
    kept = publications.had_as_files(conn, [book_id], audiences=reader.within)
    return next(iter(publications.publications(conn, kept)), None)


def _popular(conn: psycopg.Connection, reader: Reader) -> list[int]:
    return [card.book_id for card in catalogue.popular(conn, _RANKED, audiences=reader.within)]


def _chosen(conn: psycopg.Connection, reader: Reader, book_ids: list[int], asked: Asked) -> Shelf:
    kept = publications.had_as_files(conn, book_ids, audiences=reader.within)
    page = kept[asked.offset : asked.offset + PER_PAGE]
    return Shelf(len(kept), publications.publications(conn, page))


def _shelf_feed(path: str, title: str, shelf: Shelf, asked: Asked, updated: datetime) -> Feed:
    return Feed(path, title, updated, publications=shelf.publications, pages=Pages(asked.page, shelf.count))


def _newest(shown: list[Publication], otherwise: datetime) -> datetime:
    return max((publication.updated_at for publication in shown), default=otherwise)


def _doors(counts: list[Count], path: str, name: str) -> list[Door]:
    return [
        Door(count.name, path_of(path, {name: count.name}), "acquisition", count=count.count_works) for count in counts
    ]


def _facets(conn: psycopg.Connection, reader: Reader, query: dict[str, str], asked: Asked) -> list[Facet]:
    """Other orders, and one language at a time."""
    orders: dict[Order, str] = {"title": _("By title"), "new": _("New in the library"), "rating": _("Best rated")}
    rest = {name: value for name, value in query.items() if name != "order"}
    facets = [
        Facet(
            _("Order"),
            label,
            path_of("/books", rest | ({} if order == "title" else {"order": order})),
            is_active=order == asked.order,
        )
        for order, label in orders.items()
    ]
    rest = {name: value for name, value in query.items() if name != "language"}
    languages = publications.languages(conn, audiences=reader.within)
    if len(languages) > 1:
        group = _("Language")
        facets.append(Facet(group, _("All languages"), path_of("/books", rest), is_active=asked.language is None))
        for count in languages:
            path = path_of("/books", {**rest, "language": count.name})
            facets.append(Facet(group, language_name(count.name), path, is_active=count.name == asked.language))
    return facets
