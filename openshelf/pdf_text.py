"""A PDF as the text of its pages.

What the making of a PDF asks of its reader has no bound, and a PDF is untrusted: each is read in a process of its own,
which has so much time and memory and no more. Nothing in it runs, and nothing outside it is fetched.
"""

import contextlib
import json
import logging
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PdfReader

TIME_LIMIT_S = 300
MEMORY_LIMIT_BYTES = 2 * 1024**3
MAX_PAGES = 20_000
MAX_TEXT_BYTES = 40_000_000
MAX_TITLE = 200
# A word that the end of a line divides.
_DIVIDED = re.compile(r"(?<=[^\W\d_])[-\u2010]\n(?=[^\W\d_])")

# Where a sentence is over; how much of the longest line one fills that goes on, with a sentence that ends or without.
_ENDS = re.compile(r"[.!?…:][\"”’»)\]]*$")
_FULL, _SHORT = 0.85, 0.6


class UnreadablePdfError(Exception):
    """The file is no PDF whose text can be read."""


@dataclass(frozen=True)
class Page:
    """`number` from 1; `title`: what the contents call the part that it stands in, or empty."""

    number: int
    title: str
    text: str


@dataclass(frozen=True)
class Pdf:
    """`count` pages, of which `pages` hold text: in their order, none of a scan."""

    count: int
    pages: list[Page]


def pages(path: Path) -> list[Page]:
    """The pages that hold text, as `read`."""
    return read(path).pages


def read(path: Path, limit_s: float | None = None) -> Pdf:
    """How many pages there are, and the text of those that hold any. `limit_s`: None: TIME_LIMIT_S.

    Raises:
        UnreadablePdfError: no PDF, damaged, protected by a password, or too large to be read within the limits.
    """
    limit_s = limit_s or TIME_LIMIT_S
    try:
        done = subprocess.run(
            [sys.executable, "-m", "openshelf.pdf_text", str(path)],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        raise UnreadablePdfError(f"cannot be read within {limit_s} seconds") from None
    if done.returncode:
        raise UnreadablePdfError(done.stderr.strip()[-500:] or "asks for more memory or time than a book may")
    count, *found = done.stdout.splitlines()
    return Pdf(int(count), [Page(**json.loads(line)) for line in found])


def paragraphs(text: str) -> list[str]:
    """The lines of a page put together. Only the look of a line tells where a paragraph ends: well before the edge,
    with a sentence or, as headings and verses do, without one.
    """
    lines = [line.strip() for line in text.splitlines()]
    edge = max(map(len, lines), default=0)
    found: list[str] = []
    is_open = False
    for line in lines:
        if line and is_open:
            found[-1] = f"{found[-1]} {line}"
        elif line:
            found.append(line)
        is_open = len(line) >= (_FULL if _ENDS.search(line) else _SHORT) * max(edge, 1)
    return found


def _pages(path: Path) -> Iterator[int | Page]:
    """How many there are, then each that holds text."""
    from pypdf import PdfReader  # only the process that reads needs it: the storefront imports this module, too

    reader = PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadablePdfError("is protected: its text is encrypted")
    count = len(reader.pages)
    if count > MAX_PAGES:
        raise UnreadablePdfError(f"holds more than {MAX_PAGES} pages")
    yield count
    titles = _titles(reader)
    title, left = "", MAX_TEXT_BYTES
    for number, page in enumerate(reader.pages, start=1):
        title = titles.get(number, title)
        text = _DIVIDED.sub("", page.extract_text()).encode("utf-8", "ignore").decode()
        left -= len(text.encode())
        if left < 0:
            raise UnreadablePdfError(f"holds more than {MAX_TEXT_BYTES} bytes of text")
        if text.strip():
            yield Page(number, title, text)


def _titles(reader: "PdfReader") -> dict[int, str]:
    """The first title of each page that the contents name; contents that are damaged name none."""
    found: dict[int, str] = {}

    def walk(entries: list[Any]) -> None:
        for entry in entries:
            if isinstance(entry, list):
                walk(entry)
                continue
            number = reader.get_destination_page_number(entry)
            if number is not None:
                found.setdefault(number + 1, " ".join(str(entry.title).split())[:MAX_TITLE])

    with contextlib.suppress(Exception):  # see `_main`
        walk(reader.outline)
    return found


def _main(path: Path) -> int:
    logging.disable()  # pypdf tells of each oddity of a file
    for kind, limit in ((resource.RLIMIT_AS, MEMORY_LIMIT_BYTES), (resource.RLIMIT_CPU, TIME_LIMIT_S)):
        with contextlib.suppress(OSError, ValueError):  # not every system bounds both
            resource.setrlimit(kind, (limit, limit))
    try:
        for found in _pages(path):
            sys.stdout.write(f"{json.dumps(found if isinstance(found, int) else asdict(found))}\n")
    except UnreadablePdfError as error:
        sys.stderr.write(str(error))
    except Exception as error:  # noqa: BLE001 - a damaged file raises anything; this process is for it alone
        sys.stderr.write(f"cannot be read as a PDF: {error or type(error).__name__}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    raise SystemExit(_main(Path(sys.argv[1])))
