"""Covers of the demo library: generated, typographic, of one family by subject, the same for the same work."""

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from ingest.cover_palettes import Colour, Family, Palette, family_of
from ingest.cover_patterns import pattern
from ingest.cover_type import draw_lines, face_for, fit, font, split_title
from ingest.demo_catalogue import CuratedWork

WIDTH, HEIGHT = 600, 900
QUALITY = 85
MAX_BYTES = 60_000
_MARGIN = 54


@dataclass(frozen=True)
class _Sheet:
    """What a layout works with."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    palette: Palette
    family: Family
    rng: Random
    title: str
    small: str  # subtitle or edition note, '' for none
    authors: str
    series: str
    language: str

    def fill(self, box: tuple[int, int, int, int], colour: Colour) -> None:
        self.draw.rectangle(box, fill=colour)

    def pattern(self, width: int, height: int, *, dark: bool = True) -> Image.Image:
        return pattern(self.rng.choice(self.family.patterns), (width, height), self.palette, self.rng, dark=dark)

    def words(
        self, box: tuple[int, int, int, int], ink: Colour, muted: Colour, *,
        centred: bool = False, largest: int = 92, from_bottom: bool = False,
    ) -> int:  # fmt: skip
        """Title, small title, rule, authors and series in a box (left, top, right, bottom); where the last one ends."""
        left, top, right, bottom = box
        width, x = right - left, (left + right) // 2 if centred else left
        author = fit(self.authors, face_for(self.authors, self.language, "Regular"), width, 100, 40, 2)
        small = fit(self.small, "Literata-Italic.ttf", width, 96, 36, 2) if self.small else None
        series = (
            fit(self.series, face_for(self.series, self.language, "Italic"), width, 40, 28, 1) if self.series else None
        )
        below = 62 + (author.height if self.authors else 0)
        below += (small.height + 14 if small else 0) + (series.height + 12 if series else 0)
        title = fit(self.title, face_for(self.title, self.language), width, bottom - top - below, largest)
        spare = bottom - top - below - title.height
        y = top + (spare if from_bottom else spare // 2 if centred else 0)
        y = draw_lines(self.draw, title, x, y, ink, centred=centred)
        if small:
            y = draw_lines(self.draw, small, x, y + 14, muted, centred=centred)
        y += 34
        rule = (x - 36, y, x + 36, y + 3) if centred else (x, y, x + 72, y + 3)
        self.fill(rule, self.palette.accent)
        y += 26
        if self.authors:
            y = draw_lines(self.draw, author, x, y, ink, centred=centred)
        if series:
            y = draw_lines(self.draw, series, x, y + 12, muted, centred=centred)
        return y

    def mark(self, x: int, y: int, colour: Colour) -> None:
        """Three books on a shelf, its foot at (x, y) in the middle: the sign of the series."""
        for offset, height in ((-15, 22), (-5, 28), (5, 17)):
            self.fill((x + offset, y - height, x + offset + 7, y - 4), colour)
        self.fill((x - 21, y - 2, x + 19, y), colour)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the one."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def _on_field(sheet: _Sheet) -> tuple[Colour, Colour]:
    return sheet.palette.paper, _mixed(sheet.palette.paper, sheet.palette.field, 0.22)


def _on_paper(sheet: _Sheet) -> tuple[Colour, Colour]:
    return sheet.palette.field, _mixed(sheet.palette.field, sheet.palette.paper, 0.25)


def _field(sheet: _Sheet) -> None:
    """One calm colour, title above, a strip of pattern at the foot."""
    sheet.fill((0, 0, WIDTH, HEIGHT), sheet.palette.field)
    sheet.image.paste(sheet.pattern(WIDTH, 230, dark=False), (0, HEIGHT - 230))
    sheet.fill((0, HEIGHT - 236, WIDTH, HEIGHT - 230), sheet.palette.paper)
    sheet.words((_MARGIN, 70, WIDTH - _MARGIN, HEIGHT - 270), *_on_field(sheet), largest=104)


def _bands(sheet: _Sheet) -> None:
    """Three bands, the title in the light one."""
    sheet.fill((0, 0, WIDTH, HEIGHT), sheet.palette.paper)
    sheet.image.paste(sheet.pattern(WIDTH, 240), (0, 0))
    sheet.fill((0, 240, WIDTH, 248), sheet.palette.accent)
    sheet.fill((0, HEIGHT - 130, WIDTH, HEIGHT), sheet.palette.field)
    sheet.words((_MARGIN, 280, WIDTH - _MARGIN, HEIGHT - 165), *_on_paper(sheet), centred=True)
    sheet.mark(WIDTH // 2, HEIGHT - 50, sheet.palette.paper)


def _label(sheet: _Sheet) -> None:
    """Patterned paper all over with a framed label."""
    sheet.image.paste(sheet.pattern(WIDTH, HEIGHT), (0, 0))
    box = (78, 150, WIDTH - 78, 590)
    sheet.fill(box, sheet.palette.paper)
    for inset, thickness in ((12, 3), (20, 1)):
        frame = (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset)
        sheet.draw.rectangle(frame, outline=sheet.palette.field, width=thickness)
    sheet.words((box[0] + 44, box[1] + 44, box[2] - 44, box[3] - 40), *_on_paper(sheet), centred=True, largest=72)


def _half(sheet: _Sheet) -> None:
    """A large picture, the words on paper beneath."""
    sheet.fill((0, 0, WIDTH, HEIGHT), sheet.palette.paper)
    sheet.image.paste(sheet.pattern(WIDTH, 450), (0, 0))
    foot = sheet.words((_MARGIN, 492, WIDTH - _MARGIN, HEIGHT - 48), *_on_paper(sheet), largest=80)
    if foot < HEIGHT - 90:
        sheet.mark(WIDTH - _MARGIN - 19, HEIGHT - 48, sheet.palette.field)


def _initial(sheet: _Sheet) -> None:
    """The first letter, as large as a wall."""
    sheet.fill((0, 0, WIDTH, HEIGHT), sheet.palette.field)
    bare = (
        re.sub(r"^(?:the|an?) (?=.)", "", sheet.title, flags=re.IGNORECASE) if sheet.language == "eng" else sheet.title
    )
    letter = next((letter for letter in bare if letter.isalnum()), bare[0]).upper()
    file_name = face_for(letter, sheet.language)
    left, top, right, bottom = font(file_name, 400).getbbox(letter)
    size = round(400 * min(420 / (bottom - top), 500 / (right - left)))  # whole letters: Д and Q hang below the line
    left, top, right, bottom = font(file_name, size).getbbox(letter)
    colour = _mixed(sheet.palette.field, sheet.palette.accent, 0.85)
    sheet.draw.text((WIDTH - 44 - right, 64 - top), letter, font=font(file_name, size), fill=colour)
    sheet.words((_MARGIN, 540, WIDTH - _MARGIN, HEIGHT - 50), *_on_field(sheet), from_bottom=True, largest=84)


def _window(sheet: _Sheet) -> None:
    """A round or arched window in paper, the words centred beneath."""
    sheet.fill((0, 0, WIDTH, HEIGHT), sheet.palette.paper)
    sheet.draw.rectangle((22, 22, WIDTH - 23, HEIGHT - 23), outline=sheet.palette.field, width=3)
    size = 400
    arched = sheet.rng.random() < 0.5
    for edge in (5, 0):  # the rim first: a pattern may end in the colour of the paper
        width = (size + 2 * edge) * 2
        mask = Image.new("L", (width, width), 0)
        shape = ImageDraw.Draw(mask)
        shape.ellipse((0, 0, mask.width - 1, mask.height - 1), fill=255)
        if arched:
            shape.rectangle((0, mask.height // 2, mask.width, mask.height), fill=255)
        place = ((WIDTH - size) // 2 - edge, 78 - edge)
        inside = sheet.palette.field if edge else sheet.pattern(size, size)
        sheet.image.paste(inside, (*place, place[0] + mask.width // 2, place[1] + mask.height // 2), mask.reduce(2))
    sheet.words((_MARGIN + 6, 510, WIDTH - _MARGIN - 6, HEIGHT - 60), *_on_paper(sheet), centred=True, largest=76)


LAYOUTS: tuple[Callable[[_Sheet], None], ...] = (_field, _bands, _label, _half, _initial, _window)


def draw_cover(work: CuratedWork) -> Image.Image:
    """The cover of a work, 600 by 900."""
    rng = Random(hashlib.sha256(work.key.encode()).digest())  # noqa: S311 - a choice of looks, no secret
    family = family_of(work.subjects[0])
    image = Image.new("RGB", (WIDTH, HEIGHT))
    title, small = split_title(work.title.replace("'", "’"))
    sheet = _Sheet(
        image=image,
        draw=ImageDraw.Draw(image),
        palette=rng.choice(family.palettes),
        family=family,
        rng=rng,
        title=title,
        small=small,
        authors=", ".join(work.authors),
        series=f"{work.series} · {work.series_index:g}" if work.series else "",
        language=work.language,
    )
    rng.choice(LAYOUTS)(sheet)
    return image


def cover_jpeg(work: CuratedWork) -> bytes:
    """The cover as JPEG, under MAX_BYTES."""
    image, quality, encoded = draw_cover(work), QUALITY, b""
    while not encoded or (len(encoded) > MAX_BYTES and quality > 20):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        encoded, quality = file.getvalue(), quality - 5
    return encoded
