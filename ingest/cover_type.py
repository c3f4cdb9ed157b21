"""Type on the demo covers: fonts for every script used, balanced line breaks, the largest size that fits."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

from ingest.cover_palettes import Colour

FONTS = Path(__file__).with_name("demo_library") / "fonts"
_LEADING = 1.17  # of the size; Vietnamese stacks two marks on one letter
_MEASURE = 100  # size at which widths are measured; they grow in proportion
_SMALL = (
    "a an and at by for from in of on or the to with и в на о с к из не và của les le la de des du der die das und "
    "el los las y il di da e o os"
)
_SMALL_WORDS = frozenset(_SMALL.split())
# Japanese never starts a line with these.
_NOT_FIRST = frozenset("ァィゥェォャュョッぁぃぅぇぉゃゅょっー、。・」』")
_EDITION_NOTE = re.compile(r"^(?P<main>.+?)\s*\((?P<small>[^)]+)\)$")
_SUBTITLE = re.compile(r"^(?P<main>.{3,}?)\s*:\s+(?P<small>.+)$")


@dataclass(frozen=True)
class SetLines:
    """Lines that fit their box, and the font they fit with."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    size: int

    @property
    def height(self) -> int:
        return round(len(self.lines) * self.size * _LEADING)


def split_title(title: str) -> tuple[str, str]:
    """What is set large and what small: 'Sapiens: A Brief History' -> ('Sapiens', 'A Brief History')."""
    found = _EDITION_NOTE.match(title) or _SUBTITLE.match(title)
    return (found["main"], found["small"]) if found else (title, "")


def face_for(text: str, language: str, face: str = "SemiBold") -> str:
    """File name of the font that has the letters of this text."""
    if any(ord(letter) >= 0x2E80 for letter in text):
        return "NotoSerifJP-SemiBold.ttf" if language == "jpn" else "NotoSerifSC-SemiBold.ttf"
    return f"Literata-{face}.ttf"


@lru_cache(maxsize=512)
def font(file_name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / file_name, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def glyphs(file_name: str) -> frozenset[str]:
    """Every character a font file can draw."""
    from fontTools.ttLib import TTFont

    return frozenset(map(chr, TTFont(FONTS / file_name).getBestCmap() or {}))


def balanced(
    pieces: Sequence[str], lines: int, width_of: Callable[[str], float], joiner: str
) -> tuple[float, list[str]]:
    """Pieces in this many lines with the least greatest width; a line that ends on a small word counts as wider."""

    def cost(start: int, end: int) -> float:
        width = width_of(joiner.join(pieces[start:end]))
        if start and pieces[start] in _NOT_FIRST:
            width *= 3
        return width * 1.08 if end < len(pieces) and pieces[end - 1].casefold() in _SMALL_WORDS else width

    best: dict[tuple[int, int], tuple[float, list[int]]] = {(0, 0): (0.0, [])}
    for line in range(1, lines + 1):
        for end in range(line, len(pieces) + 1):
            options = [
                (max(best[line - 1, start][0], cost(start, end)), [*best[line - 1, start][1], end])
                for start in range(line - 1, end)
                if (line - 1, start) in best
            ]
            best[line, end] = min(options)
    width, ends = best[lines, len(pieces)]
    starts = [0, *ends[:-1]]
    return width, [joiner.join(pieces[a:b]) for a, b in zip(starts, ends, strict=True)]


def fit(text: str, file_name: str, width: int, height: int, largest: int, most_lines: int = 5) -> SetLines:
    """Set a text as large as its box allows, in the number of lines that allows the most."""
    is_cjk = file_name.startswith("Noto")
    pieces, joiner = (list(text.replace(" ", "")), "") if is_cjk else (text.split(), " ")
    measure = font(file_name, _MEASURE).getlength
    best_size, best_lines = 0.0, [text]
    for count in range(1, min(most_lines, len(pieces)) + 1):
        widest, lines = balanced(pieces, count, measure, joiner)
        size = min(largest, width / widest * _MEASURE, height / (count * _LEADING))
        if size > best_size * 1.06:  # one line more only if it is worth it
            best_size, best_lines = size, lines
    size = max(12, int(best_size))
    return SetLines(tuple(best_lines), font(file_name, size), size)


def draw_lines(
    draw: ImageDraw.ImageDraw, block: SetLines, x: int, y: int, colour: Colour, *, centred: bool = False
) -> int:
    """Draw from the top; x is the left edge or the middle. Returns the y below the last line."""
    for number, line in enumerate(block.lines):
        top = y + round(number * block.size * _LEADING)
        draw.text((x, top), line, font=block.font, fill=colour, anchor="ma" if centred else "la")
    return y + block.height
