"""The text inside EPUB and PDF files into passages that can be searched, only of files that have changed.

Files are untrusted: `openshelf.epub_text` bounds what is unpacked, `openshelf.pdf_text` what is spent; what they cannot
read is written down as rejected and never stops the rest.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from openshelf import epub_text, pdf_text
from openshelf.contracts import clean_text
from openshelf.database import texts
from openshelf.database.texts import Passage, TextFile
from openshelf.epub_text import Chapter, UnreadableEpubError
from openshelf.epub_tree import BOOK_BLOCKS, Node
from openshelf.errors import IngestError
from openshelf.folding import fold
from openshelf.pdf_text import Page, UnreadablePdfError

# A change of how text is cut is a new version: every file is read again.
RECIPE = "3"
# Words of a passage: it ends with a paragraph once it has the lesser number, and in the midst of one at the greater.
MIN_WORDS = 150
MAX_WORDS = 200
# As many words of the passage before stand before its own: a phrase is found across the border.
OVERLAP = 12
# The longest books have some 6,000 passages; more is an attack on our disk.
MAX_PASSAGES = 20_000
# What stands without spaces is cut: a word longer than this is none.
MAX_LETTERS = 60
# The elements of a part that the reading page counts, to find a place again: those of BLOCKS in reader.js.
_COUNTED = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "pre", "blockquote", "figcaption", "tr", "img"}
# Soft hyphens and what else has no width.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


@dataclass(frozen=True)
class TextsReport:
    files: int  # that may be searched inside
    read: int  # of them now
    passages: int  # that this gave
    removed: int  # texts whose file is gone or left out
    rejected: int  # files of which nothing could be read, now or when they were tried last
    reasons: list[str]


def ingest_texts(conn: psycopg.Connection, on_progress: Callable[[int, int], None] | None = None) -> TextsReport:
    """Bring the passages to what the files hold; commits file by file, so a stop loses one file.

    A file is opened only if its place, size or time is another, and read only if its content is. Of a library whose
    folder is not there nothing is removed.

    Raises:
        IngestError: another run goes on.
    """
    if not texts.take_turn(conn):
        conn.rollback()
        raise IngestError("another run is reading texts just now; wait until it is done.")
    try:
        return _ingest(conn, on_progress)
    finally:
        conn.rollback()
        texts.give_turn(conn)
        conn.commit()


def _ingest(conn: psycopg.Connection, on_progress: Callable[[int, int], None] | None) -> TextsReport:
    found = texts.files(conn)
    is_there = {path: Path(path).is_dir() for path in {file.library_path for file in found}}
    reasons = [f"{path}: the folder of the library is not there" for path in sorted(is_there) if not is_there[path]]
    kept, count_read, count_passages, count_rejected = [], 0, 0, 0
    for done, file in enumerate(found, start=1):
        kept.append(file.edition_id)
        path = file.file.resolve()
        if not is_there[file.library_path]:
            pass
        elif path is None:
            kept.pop()
            count_rejected += 1
            reasons.append(f"{file.path}: the file is not there")
        else:
            passages, problem = _bring(conn, file, path)
            conn.commit()
            count_read += passages is not None
            count_passages += len(passages or ())
            if problem:
                count_rejected += 1
                reasons.append(f"{file.path}: {problem}")
        if on_progress:
            on_progress(done, len(found))
    removed = texts.remove(conn, kept)
    conn.commit()
    return TextsReport(len(found), count_read, count_passages, removed, count_rejected, reasons)


def _bring(conn: psycopg.Connection, file: TextFile, path: Path) -> tuple[list[Passage] | None, str | None]:
    """Read a file if it has changed: its passages (None: it has not) and why there are none."""
    try:
        stat = path.stat()
        stored = (file.size_bytes, file.modified_ns, file.recipe)
        if stored == (stat.st_size, stat.st_mtime_ns, RECIPE):
            return None, file.problem
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        passages, problem = None, file.problem
        if (file.file_hash, file.recipe) != (digest, RECIPE):
            passages, problem = _read(path, file.format)
    except OSError as error:
        return None, f"the file cannot be read ({error.strerror})"
    texts.store(
        conn, file, size_bytes=stat.st_size, modified_ns=stat.st_mtime_ns, file_hash=digest, recipe=RECIPE,
        problem=problem, passages=passages,
    )  # fmt: skip
    return passages, problem


def _read(path: Path, file_format: str) -> tuple[list[Passage], str | None]:
    found: list[Passage] = []
    try:
        if file_format == "PDF":
            cut = (passages_of_page(page) for page in pdf_text.pages(path))
        else:
            cut = (passages_of(chapter, part) for part, chapter in enumerate(epub_text.chapters(path), start=1))
        for passages in cut:
            found.extend(passages)
            if len(found) > MAX_PASSAGES:
                return [], f"there are more than {MAX_PASSAGES} passages in it"
    except (UnreadableEpubError, UnreadablePdfError, RecursionError, MemoryError) as error:
        return [], str(error).removeprefix(f"{path.name} ") or type(error).__name__
    return found, None if found else "there is no text in it, only pictures"


def passages_of(chapter: Chapter, part: int) -> Iterator[Passage]:
    """The text of one part of a book in passages; the same words always in the same ones."""
    return _cut(part, chapter.title, paragraphs(chapter.nodes))


def passages_of_page(page: Page) -> Iterator[Passage]:
    """The text of a page of a PDF in passages; where its paragraphs end, nothing tells."""
    return _cut(page.number, page.title, [(0, page.text)])


def _cut(part: int, title: str, paragraphs: Iterable[tuple[int, str]]) -> Iterator[Passage]:
    title = " ".join(clean_text(title).translate(_UNSEEN).split())
    lines: list[tuple[int, list[str]]] = []  # block and words of each paragraph
    count_new = 0
    for block, text in paragraphs:
        lines.append((block, []))
        for word in _words(text):
            if count_new >= MAX_WORDS:
                yield _passage(part, title, lines)
                lines, count_new = _tail(lines), 0
                lines.append((block, []))
            lines[-1][1].append(word)
            count_new += 1
        if count_new >= MIN_WORDS:
            yield _passage(part, title, lines)
            lines, count_new = _tail(lines), 0
    if count_new:
        yield _passage(part, title, lines)


def _passage(part: int, title: str, lines: list[tuple[int, list[str]]]) -> Passage:
    filled = [(block, words) for block, words in lines if words]
    body = clean_text("\n".join(" ".join(words) for _block, words in filled))
    return Passage(part, title, body, [block for block, _words in filled], fold(body))


def _tail(lines: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The last words, in the paragraphs they stand in."""
    kept: list[tuple[int, list[str]]] = []
    missing = OVERLAP
    for block, words in reversed(lines):
        if not missing:
            break
        kept.insert(0, (block, words[-missing:]))
        missing -= len(kept[0][1])
    return kept


def paragraphs(nodes: Iterable[Node]) -> Iterator[tuple[int, str]]:
    """(number of the block, text) of each run of text that stands between the ends of blocks."""
    block, run = -1, []
    for piece in _pieces(nodes):
        if isinstance(piece, str):
            run.append(piece)
            continue
        if text := "".join(run).strip():
            yield max(block, 0), text
        block, run = block + piece, []
    if text := "".join(run).strip():
        yield max(block, 0), text


def _pieces(nodes: Iterable[Node]) -> Iterator[str | int]:
    """Text, and between blocks by how much the number of the block rises."""
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        tag, children = node[0], node[2:]
        if tag == "br":
            yield " "
        elif tag in BOOK_BLOCKS or tag in _COUNTED:
            yield int(tag in _COUNTED)
            yield from _pieces(children)
            yield 0
        else:
            yield from _pieces(children)


def _words(text: str) -> Iterator[str]:
    for word in text.translate(_UNSEEN).split():
        for start in range(0, len(word), MAX_LETTERS):
            yield word[start : start + MAX_LETTERS]
