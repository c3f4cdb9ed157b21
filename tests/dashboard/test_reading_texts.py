"""What becomes of a book's text: nothing runs, nothing leads out, nothing is lost that a reader needs."""

import io
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_epub import epub_bytes

from openshelf import epub_text
from openshelf.epub_text import UnreadableEpubError
from openshelf.epub_tree import BOOK_BLOCKS, Tree, book_html

NCX = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="c0" href="text/c0.xhtml" media-type="application/xhtml+xml"/>
<item id="c1" href="text/c1.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine toc="ncx"><itemref idref="c0" linear="no"/><itemref idref="c1"/></spine></package>"""


def write(folder: Path, content: bytes) -> Path:
    path = folder / "book.epub"
    path.write_bytes(content)
    return path


def nodes_of(markup: str, pictures: frozenset[str] = frozenset()) -> list:
    return Tree(markup, "OEBPS/text/c0.xhtml", pictures).nodes


def tags_and_attributes(nodes: list) -> list[tuple[str, dict]]:
    found = []
    for node in nodes:
        if isinstance(node, list):
            found += [(node[0], node[1]), *tags_and_attributes(node[2:])]
    return found


def test_the_text_of_a_book_keeps_no_way_out() -> None:
    nodes = nodes_of(
        '<h1 onclick="x()">T</h1><p style="x" class="y">a<img src="http://e/x"><a href="http://e">b</a>'
        '<a href="javascript:alert(1)">c</a><a href="//e/f">d</a></p><script>e</script><style>f</style>'
        '<iframe src="x"></iframe><form action="/x"><input></form><svg><script>g</script></svg>'
        '<object data="x"></object>'
    )

    assert nodes == [
        ["h1", {}, "T"],
        ["p", {}, "a", *[["a", {"to": "", "anchor": ""}, word] for word in "bcd"]],
    ]


@given(st.text(alphabet="<>/=\"' apbidvhrefsconmg:#&;x", max_size=120))
def test_whatever_a_part_holds_only_known_elements_come_out(markup: str) -> None:
    nodes = nodes_of(markup)

    for tag, attributes in tags_and_attributes(nodes):
        assert tag in BOOK_BLOCKS or book_html(f"<{tag}>").startswith(f"<{tag}")
        assert set(attributes) <= {"id", "lang", "dir", "to", "anchor", "src", "alt"}


def test_elements_closed_at_once_swallow_nothing() -> None:
    assert nodes_of('<p><a id="here"/>One</p><p/><p>Two <i xml:lang="la">ipse</i></p>') == [
        ["p", {}, ["a", {"id": "here", "to": "", "anchor": ""}], "One"],
        ["p", {}],
        ["p", {}, "Two ", ["i", {"lang": "la"}, "ipse"]],
    ]


def test_text_that_stands_in_no_paragraph_is_kept_with_its_spaces() -> None:
    assert nodes_of("<div>\n<b>A</b> <i>b</i></div>\n<div>c</div>") == [
        ["div", {}, ["b", {}, "A"], " ", ["i", {}, "b"]],
        ["div", {}, "c"],
    ]


def test_a_part_nested_without_end_is_flattened() -> None:
    deep = "<div>" * 5_000 + "<p>found</p>"

    assert "found" in str(nodes_of(deep))


def test_chapters_come_in_reading_order_without_the_contents(tmp_path: Path) -> None:
    path = write(tmp_path, epub_bytes("<h1>One</h1><p>a</p>", "<p></p>", "<h2>Three</h2><p>cc</p>", "<p>no title</p>"))

    book = epub_text.read(path)

    assert [(chapter.title, chapter.length) for chapter in book.chapters] == [("One", 4), ("Three", 7), ("t", 8)]
    assert book.chapters[0].nodes == [["h1", {}, "One"], ["p", {}, "a"]]
    assert [(heading.title, heading.part) for heading in book.contents] == [("One", 1), ("Three", 2), ("t", 3)]


def test_the_contents_are_those_that_the_book_tells(tmp_path: Path) -> None:
    nav = (
        '<nav epub:type="landmarks"><ol><li><a href="text/c1.xhtml">Start</a></li></ol></nav>'
        '<nav epub:type="toc"><ol><li><a href="text/c0.xhtml">The <i>first</i> part</a>'
        '<ol><li><a href="text/c0.xhtml#two">Its second half</a></li></ol></li>'
        '<li><a href="text/c1.xhtml">The end</a></li><li><a href="elsewhere.xhtml">Not there</a></li></ol></nav>'
    )
    path = write(tmp_path, epub_bytes("<p>a</p>", "<p>b</p>", nav=nav))

    book = epub_text.read(path)

    assert [(h.title, h.part, h.anchor, h.level) for h in book.contents] == [
        ("The first part", 1, "", 0),
        ("Its second half", 1, "two", 1),
        ("The end", 2, "", 0),
    ]
    assert [chapter.title for chapter in book.chapters] == ["The first part", "The end"]


def test_older_books_tell_their_contents_too_and_side_parts_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, epub_bytes("<p>cover</p>", "<p>b</p>", package=NCX))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "OEBPS/toc.ncx",
            '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Chương một</text>'
            '</navLabel><content src="text/c1.xhtml#x"/></navPoint></navMap></ncx>',
        )

    book = epub_text.read(path)

    assert [(h.title, h.part, h.anchor) for h in book.contents] == [("Chương một", 1, "x")]
    assert [chapter.nodes for chapter in book.chapters] == [[["p", {}, "b"]]]


def test_links_inside_the_book_lead_to_its_parts(tmp_path: Path) -> None:
    links = (
        '<p id="top"><a href="c1.xhtml#note">1</a><a href="#top">up</a><a href="../text/c0.xhtml">self</a>'
        '<a href="c9.xhtml">nowhere</a></p>'
    )

    book = epub_text.read(write(tmp_path, epub_bytes(links, "<p>b</p>")))

    assert book.chapters[0].nodes == [
        [
            "p",
            {"id": "top"},
            ["a", {"part": 2, "anchor": "note"}, "1"],
            ["a", {"part": 1, "anchor": "top"}, "up"],
            ["a", {"part": 1, "anchor": ""}, "self"],
            ["a", {}, "nowhere"],
        ]
    ]


def test_only_pictures_of_the_package_are_shown_and_given(tmp_path: Path) -> None:
    body = '<p><img src="../art/map 1.png" alt="A map"/><img src="../../../secret.png" alt="[gone]"/></p>'
    path = write(tmp_path, epub_bytes(body, pictures={"art/map 1.png": b"picture"}))

    book = epub_text.read(path)

    assert book.chapters[0].nodes == [["p", {}, ["img", {"src": "OEBPS/art/map 1.png", "alt": "A map"}], "[gone]"]]
    assert epub_text.picture(path, "OEBPS/art/map 1.png") == b"picture"
    for name in ("OEBPS/book.opf", "OEBPS/text/c0.xhtml", "../book.epub", "/etc/passwd", "", "art/map 1.png"):
        assert epub_text.picture(path, name) is None


def test_drawings_that_may_run_are_no_pictures(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        epub_bytes('<p>x<img src="../a.svg"/></p>', pictures={"a.svg": b"<svg/>"}, media_type="image/svg+xml"),
    )

    assert epub_text.read(path).chapters[0].nodes == [["p", {}, "x"]]
    assert epub_text.picture(path, "OEBPS/a.svg") is None


@pytest.mark.parametrize("content", [b"", b"no zip", epub_bytes("<p>x</p>")[:200], epub_bytes("<p></p>"), epub_bytes()])
def test_what_is_no_epub_with_a_text_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnreadableEpubError):
        epub_text.read(write(tmp_path, content))


@pytest.mark.parametrize("at", range(0, 1_000, 37))
def test_a_damaged_file_is_refused_in_words_or_still_read(at: int, tmp_path: Path) -> None:
    content = bytearray(epub_bytes("<h1>One</h1><p>a</p>"))
    content[at % len(content)] ^= 0xFF

    with suppress(UnreadableEpubError):
        assert epub_text.read(write(tmp_path, bytes(content))).chapters


def test_entities_and_oversized_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><package xmlns="http://www.idpf.org/2007/opf">&a;</package>'
    with pytest.raises(UnreadableEpubError, match="entities"):
        epub_text.read(write(tmp_path, epub_bytes("<p>x</p>", package=bomb)))

    with pytest.raises(UnreadableEpubError, match="larger"):
        epub_text.read(write(tmp_path, epub_bytes("<p>" + "x" * (epub_text.MAX_PART_BYTES + 1) + "</p>")))

    monkeypatch.setattr(epub_text, "MAX_TEXT_BYTES", 500)
    with pytest.raises(UnreadableEpubError, match="more than 500"):
        epub_text.read(write(tmp_path, epub_bytes(*["<p>" + "x" * 100 + "</p>"] * 9)))


def test_a_part_outside_the_archive_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="../../etc/passwd"/></rootfiles></container>',
        )

    with pytest.raises(UnreadableEpubError):
        epub_text.read(write(tmp_path, packed.getvalue()))
