"""The text inside books: what of it is found, by whom, and what a file cannot do to us."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from small_epub import epub_bytes
from small_pdf import pdf_bytes

from ingest import texts
from ingest.load import ingest_calibre
from ingest.texts import ingest_texts, paragraphs, passages_of
from models.search import Hit, search
from openshelf import epub_text, pdf_text
from openshelf.database.audiences import allowed
from openshelf.database.filters import Filters
from openshelf.epub_tree import Tree
from openshelf.errors import IngestError
from openshelf.settings import get_settings

PHRASE = "the harbour master counted seven lanterns twice"
FILLER = "and nothing else of any kind happened on that long grey evening by the water "


@pytest.fixture(autouse=True)
def searched_inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENSHELF_SEARCH_INSIDE", "true")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def books(conn: psycopg.Connection, library: Path) -> list[int]:
    """Works that have an EPUB, by book_id."""
    ingest_calibre(conn, library)
    rows = conn.execute(
        """select distinct book_id from library.files join library.editions using (edition_id)
           where format = 'EPUB' order by book_id"""
    )
    found = [book_id for (book_id,) in rows.fetchall()]
    conn.commit()
    assert len(found) > 6
    return found


def file_of(conn: psycopg.Connection, book_id: int) -> Path:
    row = conn.execute(
        """select libraries.path, files.path from library.files join library.editions using (edition_id)
           join library.libraries using (library_id) where format = 'EPUB' and book_id = %s""",
        [book_id],
    ).fetchone()
    assert row
    return Path(*row)


def put(conn: psycopg.Connection, book_id: int, *bodies: str, **more: object) -> Path:
    path = file_of(conn, book_id)
    path.write_bytes(epub_bytes(*bodies, **more))  # pyright: ignore[reportArgumentType]
    return path


def inside(
    conn: psycopg.Connection, text: str, *, filters: Filters | None = None, limit: str | None = None
) -> list[Hit]:
    return search(conn, text, "inside", filters or Filters(), audiences=allowed(limit))


def found(conn: psycopg.Connection, text: str, **bounds: object) -> list[int]:
    return [hit.book_id for hit in inside(conn, text, **bounds)]  # pyright: ignore[reportArgumentType]


def count_passages(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from library.passages").fetchone()
    assert row
    return row[0]


def test_a_phrase_from_the_third_chapter_returns_the_book_with_the_place(
    conn: psycopg.Connection, books: list[int]
) -> None:
    chapters = [f"<h1>Chapter {n}</h1>" + f"<p>{FILLER * 20}</p>" * 3 for n in range(1, 5)]
    chapters[2] += f"<p>At dusk {PHRASE}, and went home.</p>"
    put(conn, books[0], *chapters)

    report = ingest_texts(conn)

    assert (report.files, report.read, report.rejected) == (len(books), len(books), 0)
    (hit,) = inside(conn, f'"{PHRASE}"')
    assert hit.inside
    assert (hit.book_id, hit.matched) == (books[0], "inside")
    assert (hit.inside.part, hit.inside.chapter) == (3, "Chapter 3")
    assert hit.inside.block == 4  # the title, three paragraphs, and then this one
    marked = [hit.inside.text[start:end] for start, end in hit.inside.marks]
    assert [word for word in PHRASE.split() if word != "the"] == marked
    assert found(conn, '"twice lanterns seven"') == []


def test_words_are_found_blind_to_accents_and_case_in_three_languages(
    conn: psycopg.Connection, books: list[int]
) -> None:
    put(conn, books[0], "<p>Trăm năm trong cõi người ta, chữ tài chữ mệnh khéo là ghét nhau. Đêm đã khuya.</p>")
    put(conn, books[1], "<p>Наступила зима, и ёлка стояла в снегу у Чёрного моря.</p>")
    put(conn, books[2], "<p>The Café was naïve; its façade cost 12&#160;soft\u00adhyphens.</p>")
    ingest_texts(conn)

    for asked, book_id in (
        ('"tram nam trong coi nguoi ta"', books[0]),
        ("Trăm NĂM cõi", books[0]),
        ("dem da khuya", books[0]),
        ("елка черного", books[1]),
        ('"ЁЛКА стояла в снегу"', books[1]),
        ("cafe facade naive", books[2]),
        ("softhyphens", books[2]),
    ):
        assert found(conn, asked) == [book_id], asked


def test_a_phrase_across_two_passages_is_found_and_leads_to_its_paragraph() -> None:
    words = [f"w{n}" for n in range(470)]
    markup = "".join(f"<p>{' '.join(words[start : start + 47])}</p>" for start in range(0, 470, 47))
    nodes = Tree(f"<h1>Title</h1>{markup}", "c.xhtml", frozenset()).nodes

    made = list(passages_of(epub_text.Chapter("One", "c.xhtml", nodes, 1), 4))

    new = [made[0].body.split(), *(each.body.split()[texts.OVERLAP :] for each in made[1:])]
    assert [word for each in new for word in each] == ["Title", *words]
    assert all(texts.MIN_WORDS <= len(each) <= texts.MAX_WORDS for each in new[:-1])
    for place in range(len(words) - texts.OVERLAP):
        phrase = " ".join(words[place : place + texts.OVERLAP])
        assert any(phrase in " ".join(each.body.split()) for each in made), phrase
    # Block 0 is the title.
    for each in made:
        for block, line in zip(each.blocks, each.body.split("\n"), strict=True):
            assert set(line.split()) <= set(words[47 * (block - 1) : 47 * block] if block else ["Title"])


def test_blocks_are_counted_as_the_reading_page_does() -> None:
    markup = "<h1>a</h1><div>b<p>c</p><ul><li>d</li><li><p>e</p></li></ul></div><table><tr><td>f</td></tr></table>"

    # h1, p, li, li, p, tr; what stands in none of them belongs to the one before.
    assert list(paragraphs(Tree(markup, "c", frozenset()).nodes)) == [
        (0, "a"), (0, "b"), (1, "c"), (2, "d"), (4, "e"), (5, "f"),
    ]  # fmt: skip


def test_filters_and_what_an_account_is_limited_to_hold_inside_books(
    conn: psycopg.Connection, books: list[int]
) -> None:
    adult, child, foreign = books[:3]
    for book_id in (adult, child, foreign):
        put(conn, book_id, f"<p>{PHRASE}</p>")
    conn.execute("update library.works set language = 'eng'")
    conn.execute("update library.works set language = 'vie' where book_id = %s", [foreign])
    conn.execute("update library.works set audience = 'adult'")
    conn.execute("update library.works set audience = 'children' where book_id = %s", [child])
    ingest_texts(conn)

    assert sorted(found(conn, PHRASE)) == sorted([adult, child, foreign])
    assert found(conn, PHRASE, filters=Filters(language="vie")) == [foreign]
    assert found(conn, PHRASE, limit="children") == [child]
    assert sorted(found(conn, PHRASE, limit="adult")) == sorted([adult, child, foreign])
    assert found(conn, PHRASE, limit="nonsense") == []
    (subject,) = conn.execute(
        "select name from library.subjects join library.work_subjects using (subject_id) where book_id = %s limit 1",
        [adult],
    ).fetchone() or ("",)
    assert adult in found(conn, PHRASE, filters=Filters(subject=subject))
    conn.execute("update library.works set active = false where book_id = %s", [adult])
    assert adult not in found(conn, PHRASE)


def test_what_is_left_out_is_found_no_more_and_comes_back_when_it_is_taken_in(
    conn: psycopg.Connection, books: list[int], library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(conn, books[0], f"<p>{PHRASE}</p>")
    ingest_texts(conn)

    conn.execute("update library.works set is_searched_inside = false where book_id = %s", [books[0]])
    assert found(conn, PHRASE) == []
    assert ingest_texts(conn).removed == 1
    conn.execute("update library.works set is_searched_inside = true where book_id = %s", [books[0]])
    assert ingest_texts(conn).read == 1
    assert found(conn, PHRASE) == [books[0]]

    ingest_calibre(conn, library)  # what the library decided outlives an ingest
    conn.execute("update library.libraries set is_searched_inside = false")
    ingest_calibre(conn, library)
    assert found(conn, PHRASE) == []
    conn.execute("update library.libraries set is_searched_inside = true")
    assert found(conn, PHRASE) == [books[0]]

    monkeypatch.setenv("OPENSHELF_SEARCH_INSIDE", "false")
    get_settings.cache_clear()
    assert found(conn, PHRASE) == []


def test_only_files_that_changed_are_read_again(conn: psycopg.Connection, books: list[int], library: Path) -> None:
    path = put(conn, books[0], f"<p>{PHRASE}</p>")
    ingest_texts(conn)
    before = count_passages(conn)

    assert (ingest_texts(conn).read, count_passages(conn)) == (0, before)
    path.touch()  # another time, the same content
    assert ingest_texts(conn).read == 0
    put(conn, books[0], "<p>Quite another story.</p>")
    assert ingest_texts(conn).read == 1
    assert found(conn, PHRASE) == []
    assert found(conn, "quite another story") == [books[0]]
    path.unlink()
    gone = ingest_texts(conn)
    assert (gone.removed, gone.rejected) == (1, 1)
    assert gone.reasons[0].endswith("the file is not there")
    assert found(conn, "quite another story") == []

    shutil.move(library, library.with_name("unplugged"))
    unplugged = ingest_texts(conn)
    assert unplugged.removed == 0
    assert "the folder of the library is not there" in unplugged.reasons[0]
    assert count_passages(conn) > 0


ENCRYPTED = (
    b'<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
    b'xmlns="http://www.w3.org/2001/04/xmlenc#"><CipherData><CipherReference URI="OEBPS/text/c0.xhtml"/></CipherData>'
    b"</EncryptedData></encryption>"
)
OBFUSCATED_FONT = ENCRYPTED.replace(b"OEBPS/text/c0.xhtml", b"OEBPS/fonts/a.otf")
BOMB = (
    '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><package xmlns="http://www.idpf.org/2007/opf">&b;</package>'
)


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("windows-1251", '<?xml version="1.0" encoding="windows-1251"?>'),  # as converters of old FB2 files leave it
        (
            "windows-1251",
            '<!DOCTYPE html><!-- --><meta http-equiv="Content-Type" content="text/html; charset=cp1251"/>',
        ),
        ("gb2312", '<?xml version="1.0" encoding="GB2312"?>'),
        ("utf-16", '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-16-be", '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-8-sig", '<?xml version="1.0" encoding="utf-8"?>'),
        ("utf-8", '<?xml version="1.0" encoding="windows-1251"?>'),  # says what it is not
        ("utf-8", '<?xml version="1.0" encoding="rot13"?>'),
        ("utf-8", '<?xml version="1.0" encoding="no-such"?>'),
    ],
)
def test_a_part_is_read_in_the_encoding_it_has(tmp_path: Path, encoding: str, head: str) -> None:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="lost" href="lost.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="lost"/></spine></package>'
    )
    chapter = f"{head}<html><body><p>Наступила зима</p></body></html>".encode(encoding)
    path = tmp_path / "book.epub"
    path.write_bytes(epub_bytes(package=package, more={"OEBPS/a.xhtml": chapter}))

    assert [chapter.nodes for chapter in epub_text.chapters(path)] == [[["p", {}, "Наступила зима"]]]


def test_bad_files_are_written_down_and_never_stop_the_rest(conn: psycopg.Connection, books: list[int]) -> None:
    good, *bad = books[:7]
    put(conn, good, f"<p>{PHRASE}</p>", more={"META-INF/encryption.xml": OBFUSCATED_FONT})
    file_of(conn, bad[0]).write_bytes(b"no zip at all")
    file_of(conn, bad[1]).write_bytes(epub_bytes("<p>cut off</p>" * 500)[:-200])
    put(conn, bad[2], f"<p>{PHRASE}</p>", package=BOMB)
    put(conn, bad[3], "<p>" + "x" * epub_text.MAX_PART_BYTES + "</p>")
    put(conn, bad[4], f"<p>{PHRASE}</p>", more={"META-INF/encryption.xml": ENCRYPTED})
    put(conn, bad[5], '<p><img src="a.png"/></p>', pictures={"text/a.png": b"x"})
    reasons = [
        "cannot be read as an EPUB: File is not a zip file",
        "cannot be read as an EPUB: File is not a zip file",
        "entities are not read",
        f"is larger than {epub_text.MAX_PART_BYTES} bytes",
        "is protected: its text is encrypted",
        "there is no text in it, only pictures",
    ]

    first = ingest_texts(conn)
    again = ingest_texts(conn)

    assert (first.rejected, again.rejected, again.read) == (6, 6, 0)
    assert first.reasons == again.reasons
    for told, reason in zip(first.reasons, reasons, strict=True):
        assert told.endswith(reason)
    assert found(conn, PHRASE) == [good]


def put_pdf(conn: psycopg.Connection, book_id: int, content: bytes) -> None:
    """In place of the book's EPUB."""
    path = file_of(conn, book_id)
    path.unlink()
    path.with_suffix(".pdf").write_bytes(content)
    conn.execute(
        """update library.files set format = 'PDF', path = replace(path, '.epub', '.pdf')
           from library.editions where editions.edition_id = files.edition_id and format = 'EPUB' and book_id = %s""",
        [book_id],
    )


def test_a_phrase_inside_a_pdf_leads_to_its_page(conn: psycopg.Connection, books: list[int]) -> None:
    pages = [[FILLER] * 3 for _ in range(5)]
    pages[1] += ["the harbour master coun-", "ted seven lanterns", "twice; the evening-", "1 boat"]
    pages[2] += ["Đêm đã khuya, и ёлка стояла в снегу"]
    contents = [("Start", 1), ("The  harbour", 2), ("Last", 5)]
    put_pdf(conn, books[0], pdf_bytes(*pages, contents=contents, owner="nobody needs it"))

    report = ingest_texts(conn)

    assert (report.read, report.rejected) == (len(books), 0)
    (hit,) = inside(conn, f'"{PHRASE}"')
    assert hit.inside
    assert (hit.book_id, hit.inside.part, hit.inside.block, hit.inside.chapter) == (books[0], 2, 0, "The harbour")
    for asked in ('"dem da khuya"', "елка снегу"):
        (hit,) = inside(conn, asked)
        assert hit.inside
        assert (hit.inside.part, hit.inside.chapter) == (3, "The harbour")
    assert ingest_texts(conn).read == 0


def test_of_two_files_the_one_that_opens_is_read(conn: psycopg.Connection, books: list[int]) -> None:
    path = put(conn, books[0], f"<p>{PHRASE}</p>")
    path.with_suffix(".pdf").write_bytes(pdf_bytes(["zebra"]))
    conn.execute(
        """insert into library.files (edition_id, format, path, size_bytes)
           select edition_id, 'PDF', replace(path, '.epub', '.pdf'), 1 from library.files
           join library.editions using (edition_id) where format = 'EPUB' and book_id = %s""",
        [books[0]],
    )

    assert ingest_texts(conn).files == len(books)
    assert found(conn, PHRASE) == [books[0]]
    assert found(conn, "zebra") == []


def test_bad_pdf_files_are_written_down_and_never_stop_the_rest(conn: psycopg.Connection, books: list[int]) -> None:
    good, *bad = books[:6]
    put_pdf(conn, good, pdf_bytes([PHRASE]))
    put_pdf(conn, bad[0], b"no PDF at all")
    put_pdf(conn, bad[1], b"")
    put_pdf(conn, bad[2], pdf_bytes([PHRASE], password="secret"))
    put_pdf(conn, bad[3], pdf_bytes([]))  # a scan: a page without a letter
    put_pdf(conn, bad[4], pdf_bytes([PHRASE])[:-700])

    first = ingest_texts(conn)

    told = {reason.split(": ")[0]: reason.split(": ", 1)[1] for reason in first.reasons}
    assert first.rejected == 5
    assert len(told) == 5
    assert found(conn, PHRASE) == [good]
    assert sorted(reason for reason in told.values() if "cannot be read as a PDF" not in reason) == [
        "is protected: its text is encrypted",
        "there is no text in it, only pictures",
    ]


def test_a_pdf_that_takes_for_ever_is_given_up(
    conn: psycopg.Connection, books: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(conn, books[1], f"<p>{PHRASE}</p>")
    put_pdf(conn, books[0], pdf_bytes(["x"] * 300_000))
    monkeypatch.setattr(pdf_text, "TIME_LIMIT_S", 1)

    (reason,) = ingest_texts(conn).reasons

    assert reason.endswith("cannot be read within 1 seconds")
    assert found(conn, PHRASE) == [books[1]]


def test_what_runs_or_is_packed_inside_a_book_is_no_text_of_it(conn: psycopg.Connection, books: list[int]) -> None:
    nested = epub_bytes("<p>zebra inside</p>")
    put(
        conn, books[0],
        "<p>plain &lt;b&gt;giraffe&lt;/b&gt; &amp;lt;i&amp;gt;</p><script>var zebra = 1</script><style>.zebra{}</style>"
        '<p onclick="zebra()">words</p><object data="x">' + nested.hex() + "</object><!-- zebra -->",
        more={"OEBPS/text/nested.epub": nested},
    )  # fmt: skip
    ingest_texts(conn)

    assert found(conn, "zebra") == []
    (hit,) = inside(conn, "giraffe")
    assert hit.inside
    # As the reader sees it, letter by letter: a page sets it as text.
    assert "plain <b>giraffe</b> &lt;i&gt; words" in hit.inside.text
    assert [hit.inside.text[start:end] for start, end in hit.inside.marks] == ["giraffe"]


def test_a_book_without_end_is_refused(
    conn: psycopg.Connection, books: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MAX_PASSAGES", 5)
    put(conn, books[0], f"<p>{FILLER * 200}</p>")

    assert [reason.split(": ")[1] for reason in ingest_texts(conn).reasons] == ["there are more than 5 passages in it"]


def test_two_runs_at_a_time_take_turns(conn: psycopg.Connection, books: list[int], database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("select pg_advisory_lock(7306)")
        with pytest.raises(IngestError, match="another run"):
            ingest_texts(conn)
        other.execute("select pg_advisory_unlock(7306)")  # a connection that is closed keeps it for a moment
    assert ingest_texts(conn).read == len(books)


_SLOW = """
import sys
from ingest import texts
from openshelf.database import pool

read = texts._read

def slow(*file):
    print("read", flush=True)
    sys.stdin.readline()
    return read(*file)

texts._read = slow
with pool.connect() as conn:
    texts.ingest_texts(conn)
"""


def test_a_run_that_was_killed_keeps_what_it_read_and_the_next_goes_on(
    conn: psycopg.Connection, books: list[int]
) -> None:
    words = [sys.executable, "-c", _SLOW]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(3):
            assert process.stdout.readline() == "read\n"
            process.stdin.write("on\n")
            process.stdin.flush()
        assert process.stdout.readline() == "read\n"  # the fourth: three are stored
        process.send_signal(signal.SIGKILL)

    assert conn.execute("select count(*) from library.texts").fetchone() == (3,)
    conn.commit()
    assert _as_soon_as_the_dead_are_gone(conn, ingest_texts).read == len(books) - 3
    twice = conn.execute(
        "select count(*) from (select from library.passages group by edition_id, number having count(*) > 1) as twice"
    )
    assert twice.fetchone() == (0,)


def _as_soon_as_the_dead_are_gone(
    conn: psycopg.Connection, run: Callable[[psycopg.Connection], texts.TextsReport]
) -> texts.TextsReport:
    """The server notices a killed client in a moment, and lets go of its lock."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return run(conn)
        except IngestError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_the_command_reads_when_it_is_set_and_removes_when_it_is_not(
    conn: psycopg.Connection, books: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        run = [sys.executable, "-m", "openshelf", "ingest", "texts", *words]
        return subprocess.run(run, capture_output=True, text=True, timeout=120)

    file_of(conn, books[1]).write_bytes(b"broken")

    first = command("--rejects", str(tmp_path / "rejects.csv"))
    assert f"read: {len(books)}" in first.stdout
    assert f"Reading texts: {len(books)} of {len(books)}" in first.stderr
    assert (tmp_path / "rejects.csv").read_text().splitlines()[1].endswith("File is not a zip file")
    assert "removed: 1" in command("--leave-out", str(books[0])).stdout
    assert command("--leave-out", "999999").returncode == 2
    assert "read: 1" in command("--take-in", str(books[0])).stdout
    monkeypatch.setenv("OPENSHELF_SEARCH_INSIDE", "false")
    assert f"removed: {len(books)}" in command().stdout
    assert count_passages(conn) == 0


def test_lines_of_a_page_become_paragraphs() -> None:
    page = (
        "Chapter One\n"
        "The tide came in that night as it always had\n"
        "and nobody was at the shore to see it come.\n"
        "It left.\n"
        "In the morning the boats lay where the water had\n"
        "\n"
        "THE END"
    )

    assert pdf_text.paragraphs(page) == [
        "Chapter One",
        "The tide came in that night as it always had and nobody was at the shore to see it come. It left.",
        "In the morning the boats lay where the water had",
        "THE END",
    ]
    assert pdf_text.paragraphs("  \n ") == []


def test_a_scan_says_how_many_pages_it_has(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf_bytes([], ["one line"], []))

    found = pdf_text.read(path)

    assert (found.count, [page.number for page in found.pages]) == (3, [2])
