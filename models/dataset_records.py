"""Single records of published data sets: titles, books and readers as they were found, mended.

The cleaned Book-Crossing files were cut at every `;` of the original, so `W. W. Norton &amp; Company` came as two
cells and some titles as more: they are joined again.
"""

import csv
import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

WORK_COLUMNS = ("title", "authors", "series", "subjects", "publisher", "year")
# What only a catalogue wants: `identifiers` is `imdb:tt0114709 tmdb:862`, `rating` the mean of many, in stars of 5,
# `themes` what it is about, joined by commas.
CATALOGUE_COLUMNS = ("isbn", "language", "original_title", "series_index", "summary", "identifiers", "rating", "themes")
READER_COLUMNS = ("age", "country")
AGE_EDGES = (0, 18, 25, 35, 45, 55, 65, 100)
# MovieLens files the article behind the title, and behind the original one that stands after it in brackets.
_ARTICLE = re.compile(
    r"(a\.k\.a\. )?([^()]*), (The|A|An|Les|Le|La|L'|Los|El|Das|Der|Die|Det|De|Il|Lo|Un|Une|Una)(?=\)|$| \()",
    re.IGNORECASE,
)
_CUT_ENTITY = re.compile(r"&(#\d+|#x[0-9a-fA-F]+|[A-Za-z]+)$")


def film_title(title: str) -> tuple[str, str]:
    """`American President, The (1995)` -> (`The American President (1995)`, `1995`)."""
    title = " ".join(title.split())
    found = re.fullmatch(r"(.*?)\s*\((\d{4})(?:[-–]\d{0,4})?\)", title)
    name, year = (found[1], found[2]) if found else (title, "")
    name = _ARTICLE.sub(_turned, name)
    return (f"{name} ({year})" if year else name), year


def _turned(found: re.Match[str]) -> str:
    also, name, article = found.groups("")
    return f"{also}{article}{'' if article.endswith(chr(39)) else ' '}{name}"


def goodbook_title(title: str) -> tuple[str, str]:
    """`The Hunger Games (The Hunger Games, #1)` -> (`The Hunger Games`, `The Hunger Games`), title and series."""
    found = re.fullmatch(r"(.*?)\s*\(([^()]+?),?\s+#[^()]*\)\s*", title)
    return (found[1], found[2]) if found else (title, "")


def goodbook_number(title: str) -> str:
    """The place in a series: `1` of `The Hunger Games (The Hunger Games, #1)`; "" where there is none."""
    found = re.search(r"\([^()]+?,?\s+#(\d+(?:\.\d+)?)[^()]*\)\s*$", title)
    return found[1] if found else ""


def era(year: str) -> str:
    """The decade of a year of publication; "" where it is unknown or cannot be."""
    number = int(year) if re.fullmatch(r"\d{4}", year) else 0
    if not 1000 <= number <= 2100:
        return ""
    return "before 1900" if number < 1900 else f"{number // 10 * 10}s"


def age_bin(age: str) -> str:
    """`25-34` and so on; "" for ages that nobody has."""
    try:
        years = float(age)
    except ValueError:
        return ""
    for low, high in pairwise(AGE_EDGES):
        if max(low, 5) <= years < high:
            return f"{low}-{high - 1}"
    return ""


def joined_cells(cells: Sequence[str]) -> list[str]:
    """Cells with those joined again that were cut behind an entity, and its entity read."""
    whole: list[str] = []
    for cell in cells:
        if whole and _CUT_ENTITY.search(whole[-1]):
            whole[-1] += ";" + cell
        else:
            whole.append(cell)
    return [html.unescape(cell).strip() for cell in whole]


def bx_works(path: Path) -> list[tuple[str, ...]]:
    """(work, WORK_COLUMNS..., ISBN) of `items_info.dat` or of the crawl's books; without a title they are left out."""
    cleaned = path.suffix == ".dat"
    rows = []
    for cells in _records(path):
        # The crawl has no number of its own for a book: the ISBN is the key.
        key, *fields = [cells[0], *cells[2:]] if cleaned else cells
        isbn = cells[1] if cleaned and len(cells) > 1 else key
        images = next((i for i, cell in enumerate(fields) if cell.startswith("http")), len(fields))
        if images >= 4 and fields[0]:
            author, year, publisher = fields[images - 3 : images]
            title = "; ".join(fields[: images - 3])
            rows.append((key, _quoted(title) if cleaned else title, author, "", "", publisher, year, isbn))
    return rows


def _quoted(title: str) -> str:
    r"""`A Child Called \It\` -> `A Child Called "It"`: the cleaning took the marks and left what escaped them."""
    return title.replace("\\", '"' if title.count("\\") % 2 == 0 else "").strip()


def bx_readers(path: Path) -> list[tuple[str, ...]]:
    """(reader, age, country) of `users_info.dat` or of the crawl's users."""
    rows = []
    for cells in _records(path):
        if len(cells) >= 3:
            country = cells[1].rpartition(",")[2].strip().lower()
            rows.append((cells[0], cells[2], "" if country in {"n/a", "null"} else country))
    return rows


def _records(path: Path) -> Iterator[list[str]]:
    """The lines below the first as cells: tabs in `.dat`, else the crawl's quoted `;` or a plain csv."""
    if path.suffix == ".dat":
        with path.open(encoding="utf-8", errors="replace") as file:
            next(file, None)
            for line in file:
                yield joined_cells(line.rstrip("\r\n").split("\t"))
        return
    crawl = path.name.startswith("BX-")
    with path.open(encoding="latin-1" if crawl else "utf-8", errors="replace", newline="") as file:
        lines = csv.reader(file, delimiter=";" if crawl else ",", escapechar="\\" if crawl else None)
        next(lines, None)
        for cells in lines:
            yield [html.unescape(cell).strip() for cell in cells]
