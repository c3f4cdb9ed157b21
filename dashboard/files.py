"""The files of a book: to take away where the library lets readers, and to be read on our own pages.

    /files/{book_id}.{format}               a file to take away (setting OPENSHELF_DOWNLOADS)
    /texts/{book_id}.pdf                    the PDF that the reading page shows in a frame
    /texts/{book_id}/pictures/{name}        a picture that the text of an EPUB shows

Who asks is looked up at each request, and a limited account finds only what it may see.
"""

import io
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from dashboard import logins
from dashboard.covers import MAX_PIXELS
from dashboard.state import OFFLINE
from openshelf import epub_text
from openshelf.contracts import clean_text
from openshelf.database import audiences, catalogue, pool
from openshelf.database.accounts import Account
from openshelf.errors import TooOftenError
from openshelf.folding import fold
from openshelf.settings import get_settings

MEDIA_TYPES = {
    "EPUB": "application/epub+zip",
    "PDF": "application/pdf",
    "MOBI": "application/x-mobipocket-ebook",
    "AZW3": "application/vnd.amazon.mobi8-ebook",
    "FB2": "application/x-fictionbook+xml",
    "CBZ": "application/vnd.comicbook+zip",
    "CBR": "application/vnd.comicbook-rar",
    "DJVU": "image/vnd.djvu",
    "TXT": "text/plain; charset=utf-8",
    "RTF": "application/rtf",
    "DOCX": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "ODT": "application/vnd.oasis.opendocument.text",
}
_OTHER = "application/octet-stream"
_PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
_MAX_BOOK_ID = 2**31 - 1
# What file systems and shells trip over, on any of them.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:\"/\\|?*]+")
_RESERVED = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_MAX_NAME_BYTES = 180

_AWAY = "The library is restarting. Please try again in a moment.\n"
# A file must never be kept where the next person at this browser, or a proxy, would find it.
_PRIVATE = {"Cache-Control": "private, no-cache"}
_INERT = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox", **_PRIVATE}
# Our reading page may frame it, nobody else; the browser's viewer brings its own styles, and may not be sandboxed.
_FRAMED = {
    "Content-Security-Policy": "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    **_PRIVATE,
}


@dataclass(frozen=True)
class Download:
    """A file that a page offers."""

    format: str
    address: str


def may_download(account: Account | None) -> bool:
    """Whether the library lets this visitor take files away."""
    wanted = get_settings().downloads
    return wanted == "all" or (wanted == "signed-in" and account is not None)


def downloads(account: Account | None, book_id: int, formats: list[str]) -> list[Download]:
    """The files of a book that this visitor may take away; what the reading is best in comes first."""
    if not may_download(account):
        return []
    order = {name: place for place, name in enumerate(MEDIA_TYPES)}
    return [
        Download(name, f"/files/{book_id}.{quote(name.lower())}")
        for name in sorted(set(formats), key=lambda name: (order.get(name, len(order)), name))
    ]


def picture_address(book_id: int, name: str) -> str:
    return f"/texts/{book_id}/pictures/{quote(name)}"


def file_name(title: str, authors: str, file_format: str) -> str:
    """A name for a file that every system can keep: 'Dune - Frank Herbert.epub'."""
    words = " ".join(_NOT_IN_NAMES.sub(" ", clean_text(f"{title} - {authors}" if authors else title)).split())
    words = words.strip(". -")
    while len(words.encode()) > _MAX_NAME_BYTES:
        words = words[:-1].rstrip(". -")
    if not words or _RESERVED.match(words):
        words = f"book {words}".strip()
    return f"{words}.{file_format.lower()}"


def download(request: Request) -> Response:
    """A file of a book to take away. Ranges are answered, so that a broken download can go on."""
    asked = _asked(request, request.path_params["format"], take_away=True)
    if isinstance(asked, Response):
        return asked
    headers = {**_INERT, "Content-Disposition": _disposition("attachment", asked)}
    return FileResponse(asked.path, media_type=MEDIA_TYPES.get(asked.format, _OTHER), headers=headers)


def pdf(request: Request) -> Response:
    """A book's PDF for the browser's own viewer, in a frame of our reading page."""
    asked = _asked(request, "PDF")
    if isinstance(asked, Response):
        return asked
    headers = {**_FRAMED, "Content-Disposition": _disposition("inline", asked)}
    return FileResponse(asked.path, media_type="application/pdf", headers=headers)


def picture(request: Request) -> Response:
    """A picture of a book's text, if it is one of the few kinds that browsers draw without running anything."""
    asked = _asked(request, "EPUB")
    if isinstance(asked, Response):
        return asked
    try:
        content = epub_text.picture(asked.path, request.path_params["name"])
    except epub_text.UnreadableEpubError:
        content = None
    media_type = _kind_of(content) if content else None
    if content is None or media_type is None:
        return _word(HTTPStatus.NOT_FOUND, "no such picture")
    return Response(content, media_type=media_type, headers={**_INERT, "Cache-Control": "private, max-age=3600"})


def _kind_of(content: bytes) -> str | None:
    """What the bytes are, whatever the book says: None if they are no picture, or one that is far too large."""
    try:
        with Image.open(io.BytesIO(content), formats=tuple(_PICTURES)) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            image.verify()
            return _PICTURES[image.format or ""]
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, KeyError, Image.DecompressionBombError):
        return None


@dataclass(frozen=True)
class _Asked:
    path: Path
    format: str
    title: str
    authors: str


def _asked(request: Request, file_format: str, *, take_away: bool = False) -> _Asked | Response:
    """The file that a request names, or the word that it gets instead."""
    book_id = request.path_params["book_id"]
    try:
        with pool.get_pool().connection() as conn:
            account = logins.account_of(conn, request)
            if take_away and not may_download(account):
                return _refused(request)
            limit = audiences.allowed(account.audience_limit) if account else None
            work = catalogue.work(conn, book_id, audiences=limit) if book_id <= _MAX_BOOK_ID else None
            known = file_format.isascii() and file_format.isalnum()
            file = catalogue.file_of(conn, book_id, file_format, audiences=limit) if work and known else None
    except (logins.WrongLoginError, TooOftenError):
        return _refused(request)
    except OFFLINE:
        return PlainTextResponse(_AWAY, status_code=503, headers={"Retry-After": "2"})
    path = file.resolve() if file else None
    if work is None or path is None:
        return _word(HTTPStatus.NOT_FOUND, "no such file")
    return _Asked(path, file_format.upper(), work.title, work.authors_text)


def _disposition(kind: Literal["attachment", "inline"], asked: _Asked) -> str:
    """With the name in full, and in plain letters for e-readers that know no others."""
    name = file_name(asked.title, asked.authors, asked.format)
    plain = fold(name).encode("ascii", "ignore").decode()
    plain = name if name.isascii() else plain if plain.partition(".")[0].strip(" -") else f"book.{asked.format.lower()}"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"


def _refused(request: Request) -> Response:
    if get_settings().downloads == "none":
        return _word(HTTPStatus.FORBIDDEN, "this library lends its files for reading here, not for taking away")
    answer = _word(HTTPStatus.UNAUTHORIZED, "sign in to take this file away")
    if "text/html" not in request.headers.get("accept", ""):  # an app, which has no page for signing in
        answer.headers["WWW-Authenticate"] = logins.CHALLENGE
    return answer


def _word(status: Literal[HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED], text: str) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers=_PRIVATE)


def routes() -> list[BaseRoute]:
    return [
        Route("/files/{book_id:int}.{format}", download),
        Route("/texts/{book_id:int}.pdf", pdf),
        Route("/texts/{book_id:int}/pictures/{name:path}", picture),
    ]
