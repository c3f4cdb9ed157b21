"""A reader's shelves, ratings and lists as a CSV file: with the columns of Goodreads, which other services read too.

/my-books.csv               all of it
/my-books/{list_id}.csv     one list, also one that fills itself
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import psycopg
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import logins
from dashboard.files import file_name
from dashboard.state import OFFLINE
from openshelf.database import audiences, catalogue, holdings, pool, shelves
from openshelf.database.accounts import Account

COLUMNS = (
    "Title", "Author", "Additional Authors", "ISBN13", "My Rating", "Date Read", "Date Added", "Bookshelves",
    "Exclusive Shelf", "Language",
)  # fmt: skip
_SHELF = {"want": "to-read", "reading": "currently-reading", "read": "read"}
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@")


@dataclass
class _Row:
    shelf: str = ""
    added: date | None = None
    stars: float | None = None
    lists: list[str] = field(default_factory=list)


def write(conn: psycopg.Connection, account: Account, only: Sequence[int] | None = None) -> str:
    """The file; `only`: of these works, whether or not the reader has said anything of them."""
    rows: dict[int, _Row] = {}
    for book_id, shelf, added in shelves.shelved(conn, account.account_id):
        rows[book_id] = _Row(shelf, added)
    for book_id, stars in shelves.rated(conn, account.account_id):
        rows.setdefault(book_id, _Row()).stars = stars
    limit = audiences.allowed(account.audience_limit)
    for own in shelves.lists(conn, account.account_id):
        if own.rule is None:
            for book_id in shelves.books_of(conn, account.account_id, own, limit):
                rows.setdefault(book_id, _Row()).lists.append(own.name)
    wanted = list(rows if only is None else only)
    works = catalogue.cards(conn, wanted, audiences=limit)
    isbns = holdings.isbns_of(conn, wanted)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for work in works:
        first, *others = catalogue.authors_of(conn, work.book_id) or [work.authors_text]
        row = rows.get(work.book_id, _Row())
        added = row.added.strftime("%Y/%m/%d") if row.added else ""
        cells = [
            work.title, first, ", ".join(others), isbns.get(work.book_id, ""), f"{row.stars or 0:g}",
            added if row.shelf == "read" else "", added, _joined(row.lists), _SHELF.get(row.shelf, ""),
            work.language or "",
        ]  # fmt: skip
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return file.getvalue()


def _joined(names: Sequence[str]) -> str:
    """Names with commas between them, in one cell."""
    cell = io.StringIO()
    csv.writer(cell, lineterminator="").writerow(names)
    return cell.getvalue() if names else ""


def everything(request: Request) -> Response:
    """All shelves, ratings and lists of who is signed in."""
    return _answer(request, None)


def one_list(request: Request) -> Response:
    """One list of who is signed in."""
    return _answer(request, request.path_params["list_id"])


def _answer(request: Request, list_id: int | None) -> Response:
    name = "my-books"
    try:
        with pool.get_pool().connection() as conn:
            account = logins.by_cookie(conn, request)
            if account is None:
                return _word("sign in to take your books away", 401)
            only = None
            if list_id is not None:
                own = shelves.find(conn, account.account_id, list_id) if list_id < 2**31 else None
                if own is None:
                    return _word("there is no such list", 404)
                name = own.name
                only = shelves.books_of(conn, account.account_id, own, audiences.allowed(account.audience_limit))
            text = write(conn, account, only)
    except OFFLINE:
        return _word("The library is restarting. Please try again in a moment.", 503)
    plain = file_name(name.encode("ascii", "ignore").decode(), "", "csv")
    headers = {"Content-Disposition": f'attachment; filename="{plain}"', "Cache-Control": "no-store"}
    # With the mark by which spreadsheets know that it is UTF-8.
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)


def _word(text: str, status: int) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers={"Cache-Control": "no-store"})


def routes() -> list[BaseRoute]:
    return [Route("/my-books.csv", everything), Route("/my-books/{list_id:int}.csv", one_list)]
