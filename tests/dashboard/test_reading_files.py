"""Files to take away and to read here: who gets which, and what the answer lets a browser do with it."""

import hashlib
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from PIL import Image
from small_epub import epub_bytes
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from dashboard import files, state
from dashboard.files import file_name
from dashboard.headers import SecurityHeaders
from openshelf.database import accounts, sign_ins
from openshelf.settings import get_settings

PDF = b"%PDF-1.4\n" + b"x" * 5_000 + b"\n%%EOF\n"


def png(width: int = 4, height: int = 4) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", (width, height), "#1e5945").save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture
def library(shelves: dict[str, int], conn: psycopg.Connection, tmp_path: Path) -> dict[str, int]:
    """Dune as an EPUB with pictures, Dune Messiah as a PDF."""
    folder = tmp_path / "library" / "Dune"
    pictures = {"map.png": png(), "page.png": b"<html><script>alert(1)</script></html>"}
    (folder / "dune.epub").write_bytes(epub_bytes("<p>Sand</p>", pictures=pictures))
    (folder / "messiah.pdf").write_bytes(PDF)
    conn.execute("update library.files set path = 'Dune/messiah.pdf' where format = 'PDF'")
    conn.commit()
    return shelves


@pytest.fixture
def client(library: dict[str, int]) -> Iterator[TestClient]:
    app = Starlette(routes=files.routes(), middleware=[Middleware(SecurityHeaders, head="")])
    with TestClient(app) as client:
        yield client


@pytest.fixture
def signed_in(conn: psycopg.Connection, client: TestClient) -> Callable[..., accounts.Account]:
    """Sign the client in, with a limit if one is given."""

    def begin(limit: str | None = None) -> accounts.Account:
        account = accounts.create_demo(conn, f"reader {limit}", "Lan", role="reader", history_enabled=False)
        conn.execute(
            "update reading.accounts set audience_limit = %s where account_id = %s", [limit, account.account_id]
        )
        hour = timedelta(hours=1)
        token = hashlib.sha256(b"token").digest()
        sign_ins.begin(conn, account.account_id, token, idle=hour, expires_at=datetime.now(UTC) + hour)
        conn.commit()
        client.cookies.set(state.ACCOUNT_COOKIE, "token")
        return account

    return begin


def allow(monkeypatch: pytest.MonkeyPatch, downloads: str) -> None:
    monkeypatch.setenv("OPENSHELF_DOWNLOADS", downloads)
    get_settings.cache_clear()


def test_a_book_is_taken_away_under_a_name_of_its_own(client: TestClient, library: dict[str, int]) -> None:
    answer = client.get(f"/files/{library['Dune']}.epub")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/epub+zip"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Dune - Frank Herbert.epub\"; filename*=UTF-8''Dune%20-%20Frank%20Herbert.epub"
    )
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.content.startswith(b"PK")


@pytest.mark.parametrize(
    ("title", "plain"),
    [("Truyện Kiều", "truyen kieu - frank herbert.epub"), ("Мёртвые души", "book.epub"), ('a"; x=y', "a ; x=y")],
)
def test_names_in_other_letters_are_told_twice(
    title: str, plain: str, client: TestClient, library: dict[str, int], conn: psycopg.Connection
) -> None:
    conn.execute("update library.works set title = %s, authors_text = replace(authors_text, 'x', '')", [title])
    if title.startswith("М"):
        conn.execute("update library.works set authors_text = 'Гоголь'")
    conn.commit()

    named = client.get(f"/files/{library['Dune']}.epub").headers["content-disposition"]

    assert f'filename="{plain}' in named
    assert named.count('"') == 2


def test_a_broken_download_goes_on_where_it_stopped(client: TestClient, library: dict[str, int]) -> None:
    address = f"/files/{library['Dune Messiah']}.pdf"

    part = client.get(address, headers={"Range": "bytes=100-199"})
    rest = client.get(address, headers={"Range": f"bytes={len(PDF) - 7}-"})
    beyond = client.get(address, headers={"Range": "bytes=999999-"})

    assert (part.status_code, part.content) == (206, PDF[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(PDF)}"
    assert rest.content == PDF[-7:]
    assert beyond.status_code == 416
    assert client.head(address).headers["content-length"] == str(len(PDF))


@pytest.mark.parametrize("asked", ["mobi", "EPUB.zip", "pdf", "ep%20ub", "..%2f..", "epub%00", "9" * 300, "ёpub"])
def test_what_the_book_does_not_have_is_not_there(asked: str, client: TestClient, library: dict[str, int]) -> None:
    assert client.get(f"/files/{library['Dune']}.{asked}").status_code == 404


@pytest.mark.parametrize("book_id", ["0", "999999", str(2**31), "9" * 60])
def test_a_book_that_is_not_there_has_no_file(book_id: str, client: TestClient) -> None:
    assert client.get(f"/files/{book_id}.epub").status_code == 404
    assert client.get(f"/texts/{book_id}.pdf").status_code == 404
    assert client.get(f"/texts/{book_id}/pictures/OEBPS/map.png").status_code == 404


def test_no_path_of_the_catalogue_leads_out_of_the_library(
    client: TestClient, library: dict[str, int], conn: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("the key of the installation")
    (tmp_path / "library" / "link").symlink_to(tmp_path / "secret")
    for path in ("../secret", str(tmp_path / "secret"), "Dune/../../secret", "link", "gone.epub"):
        conn.execute("update library.files set path = %s", [path])
        conn.commit()

        assert client.get(f"/files/{library['Dune']}.epub").status_code == 404
        assert client.get(f"/texts/{library['Dune Messiah']}.pdf").status_code == 404


def test_the_library_says_who_may_take_files_away(
    client: TestClient, library: dict[str, int], signed_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, framed = f"/files/{library['Dune Messiah']}.pdf", f"/texts/{library['Dune Messiah']}.pdf"
    allow(monkeypatch, "signed-in")
    assert client.get(address).status_code == 401
    assert client.get(framed).status_code == 200
    account = signed_in()
    assert client.get(address).status_code == 200
    assert [each.address for each in files.downloads(account, 7, ["PDF", "EPUB", "PDF"])] == [
        "/files/7.epub",
        "/files/7.pdf",
    ]

    allow(monkeypatch, "none")
    refused = client.get(address)
    assert refused.status_code == 403
    assert "reading here" in refused.text
    assert client.get(framed).status_code == 200
    assert files.downloads(account, 7, ["PDF"]) == []


def test_a_child_gets_no_file_beyond_its_limit(
    client: TestClient, library: dict[str, int], signed_in: Callable, conn: psycopg.Connection
) -> None:
    conn.execute("update library.works set audience = 'young adult' where title = 'Dune'")
    conn.commit()
    addresses = [f"/files/{library['Dune']}.epub", f"/texts/{library['Dune']}/pictures/OEBPS/map.png"]
    blocked = [f"/files/{library['Dune Messiah']}.pdf", f"/texts/{library['Dune Messiah']}.pdf"]

    signed_in("young adult")
    assert [client.get(address).status_code for address in [*addresses, *blocked]] == [200, 200, 404, 404]
    client.cookies.clear()
    conn.execute("delete from reading.sign_ins")
    signed_in("children")
    assert [client.get(address).status_code for address in [*addresses, *blocked]] == [404] * 4


def test_a_pdf_may_be_framed_by_our_own_page_only(client: TestClient, library: dict[str, int]) -> None:
    answer = client.get(f"/texts/{library['Dune Messiah']}.pdf")
    elsewhere = client.get(f"/texts/{library['Dune']}.pdf")

    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("inline;")
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert (elsewhere.status_code, elsewhere.headers["x-frame-options"]) == (404, "DENY")


def test_pictures_are_what_they_are_and_not_what_the_book_says(client: TestClient, library: dict[str, int]) -> None:
    pictures = f"/texts/{library['Dune']}/pictures"

    shown = client.get(f"{pictures}/OEBPS/map.png")

    assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/png", png())
    for name in ("OEBPS/page.png", "OEBPS/book.opf", "OEBPS/text/c0.xhtml", "..%2Fdune.epub", "%00", "x" * 500):
        assert client.get(f"{pictures}/{name}").status_code == 404


def test_a_picture_that_would_fill_the_memory_is_not_shown(
    client: TestClient, library: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_PIXELS", 10)

    assert client.get(f"/texts/{library['Dune']}/pictures/OEBPS/map.png").status_code == 404


def test_without_postgres_a_file_is_to_be_asked_for_again(
    client: TestClient, library: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openshelf.database import pool

    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("openshelf.database.pool.CONNECT_TIMEOUT_S", 1)
    get_settings.cache_clear()
    pool.close_pool()

    answer = client.get(f"/files/{library['Dune']}.epub")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize(
    ("title", "authors", "name"),
    [
        ("Dune", "Frank Herbert", "Dune - Frank Herbert.epub"),
        ("Truyện Kiều", "Nguyễn Du", "Truyện Kiều - Nguyễn Du.epub"),
        ("../../etc/passwd", "", "etc passwd.epub"),
        ('a<b>:"c"|?*\r\nSet-Cookie: x', "", "a b c Set-Cookie x.epub"),
        ("\u202egnp.exe", "", "gnp.exe.epub"),
        ("CON", "", "book CON.epub"),
        ("...", "", "book.epub"),
        ("ё" * 400, "", "ё" * 90 + ".epub"),
    ],
)
def test_names_of_files_fit_every_system(title: str, authors: str, name: str) -> None:
    assert file_name(title, authors, "EPUB") == name
