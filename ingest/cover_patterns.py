"""Geometric patterns for covers, drawn with Pillow into a box from a seeded generator.

Every pattern fills the whole box: background first, so none leaves a hole.
"""

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from ingest.cover_palettes import Colour, Palette

# Drawn at twice the size and halved: Pillow's shapes have no smooth edges of their own.
SMOOTH = 2

Draw = ImageDraw.ImageDraw
Painter = Callable[[Draw, int, int, tuple[Colour, ...], Random], None]


def _quarters(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    cell = width / rng.choice((3, 4, 5))
    for row in range(math.ceil(height / cell)):
        for column in range(math.ceil(width / cell)):
            x, y = column * cell, row * cell
            back, front = rng.sample(colours, 2)
            draw.rectangle((x, y, x + cell, y + cell), fill=back)
            corner_x, corner_y = rng.choice(((x, y), (x + cell, y), (x, y + cell), (x + cell, y + cell)))
            # A pie of the quarter that lies inside the cell: the rest would spill over its neighbours.
            start = {(True, True): 0, (False, True): 90, (False, False): 180, (True, False): 270}[
                (corner_x == x, corner_y == y)
            ]
            box = (corner_x - cell, corner_y - cell, corner_x + cell, corner_y + cell)
            draw.pieslice(box, start, start + 90, fill=front)


def _waves(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    bands = rng.choice((7, 9, 11))
    step = height / (bands - 1)
    length, phase = width / rng.choice((1.0, 1.5, 2.0)), rng.random() * math.tau
    for band in range(bands + 1):
        shift = phase + band * 0.55
        top = [
            (x, (band - 0.7) * step + step * 0.55 * math.sin(math.tau * x / length + shift))
            for x in range(0, width + 12, 12)
        ]
        draw.polygon([*top, (width + 12, height), (0, height)], fill=colours[band % len(colours)])


def _arches(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    columns = rng.choice((2, 3, 4))
    cell = width / columns
    rows = math.ceil(height / cell) + 1
    for row in range(rows):
        y = height - (row + 1) * cell
        for column in range(columns):
            x, turn = column * cell, rng.randrange(len(colours))
            draw.rectangle((x, y, x + cell, y + cell), fill=colours[turn % len(colours)])
            for ring in range(4):
                inset = cell * (0.06 + ring * 0.11)
                colour = colours[(turn + 1 + ring) % len(colours)]
                left, right, top = x + inset, x + cell - inset, y + inset
                draw.pieslice((left, top, right, top + right - left), 180, 360, fill=colour)
                draw.rectangle((left, top + (right - left) / 2, right, y + cell), fill=colour)


def _sun(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    back, disc, *hills = colours
    draw.rectangle((0, 0, width, height), fill=back)
    radius = width * rng.uniform(0.2, 0.3)
    x, y = width * rng.uniform(0.32, 0.68), height * rng.uniform(0.3, 0.45)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=disc)
    for layer in range(3):
        base, rise = height * (0.52 + 0.16 * layer), height * rng.uniform(0.06, 0.14)
        shift, length = rng.random() * math.tau, width * rng.uniform(0.9, 1.8)
        ridge = [(i, base + rise * math.sin(math.tau * i / length + shift)) for i in range(0, width + 12, 12)]
        draw.polygon([*ridge, (width + 12, height), (0, height)], fill=hills[layer % len(hills)] if layer < 2 else disc)


def _diamonds(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    columns = rng.choice((3, 4, 5))
    w = width / columns
    h = w * rng.choice((1.0, 1.5))
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for row in range(-1, math.ceil(2 * height / h) + 1):
        for column in range(-1, columns + 1):
            x, y = column * w + (w / 2 if row % 2 else 0), row * h / 2
            for ring, size in enumerate((0.92, 0.56, 0.22)):
                dx, dy = w / 2 * size, h / 2 * size
                colour = colours[(1 + ring + row % 2) % len(colours)]
                draw.polygon(((x, y - dy), (x + dx, y), (x, y + dy), (x - dx, y)), fill=colour)


def _scallops(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    columns = rng.choice((3, 4, 5))
    radius = width / columns / 2
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for row in range(-1, math.ceil(height / radius) + 2):
        for column in range(-1, columns + 1):
            x, y = column * 2 * radius + (radius if row % 2 else 0) + radius, row * radius
            for ring in range(4):
                r = radius * (1 - ring * 0.24)
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[ring % len(colours)])


def _leaves(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    columns = rng.choice((3, 4, 5))
    cell = width / columns
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for row in range(math.ceil(height / cell)):
        for column in range(columns):
            x, y = column * cell, row * cell
            rises = (row + column) % 2 == 0
            start, end = ((x, y + cell), (x + cell, y)) if rises else ((x, y), (x + cell, y + cell))
            draw.polygon(_leaf(start, end, 0.36), fill=colours[1 + rng.randrange(len(colours) - 1)])
            draw.line((start, end), fill=colours[0], width=max(2, round(cell * 0.025)))


def _leaf(start: tuple[float, float], end: tuple[float, float], belly: float) -> list[tuple[float, float]]:
    (x0, y0), (x1, y1) = start, end
    along = [(math.sin(math.pi * i / 24), i / 24) for i in range(25)]
    side = [(x0 + (x1 - x0) * t - (y1 - y0) * s * belly, y0 + (y1 - y0) * t + (x1 - x0) * s * belly) for s, t in along]
    back = [(x0 + (x1 - x0) * t + (y1 - y0) * s * belly, y0 + (y1 - y0) * t - (x1 - x0) * s * belly) for s, t in along]
    return side + back[::-1]


def _stars(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    draw.rectangle((0, 0, width, height), fill=colours[0])
    cell = width / 7
    for row in range(math.ceil(height / cell)):
        for column in range(7):
            x = (column + 0.5 + rng.uniform(-0.25, 0.25)) * cell
            y = (row + 0.5 + rng.uniform(-0.25, 0.25)) * cell
            colour, size = colours[1 + rng.randrange(len(colours) - 1)], cell * rng.choice((0.08, 0.1, 0.16, 0.34))
            if size < cell * 0.15:
                draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
            else:
                points = [
                    (x + size * (1 if i % 2 == 0 else 0.22) * math.sin(i * math.pi / 4),
                     y - size * (1 if i % 2 == 0 else 0.22) * math.cos(i * math.pi / 4))
                    for i in range(8)
                ]  # fmt: skip
                draw.polygon(points, fill=colour)


def _rays(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    count = rng.choice((20, 28, 36))
    x, y = width * rng.choice((0.0, 0.5, 1.0)), height * rng.choice((0.55, 0.8, 1.0))
    reach = math.hypot(width, height) * 1.2
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for ray in range(count):
        a, b = math.tau * ray / count, math.tau * (ray + 1) / count
        points = (
            (x, y),
            (x + reach * math.cos(a), y + reach * math.sin(a)),
            (x + reach * math.cos(b), y + reach * math.sin(b)),
        )
        draw.polygon(points, fill=colours[ray % 2])
    for ring, size in enumerate((0.3, 0.22, 0.14)):
        r = width * size
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[(2 + ring) % len(colours)])


def _triangles(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    cell = width / rng.choice((4, 5, 6))
    for row in range(math.ceil(height / cell)):
        for column in range(math.ceil(width / cell)):
            x, y = column * cell, row * cell
            back, front = rng.sample(colours, 2)
            corners = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)]
            del corners[rng.randrange(4)]
            draw.rectangle((x, y, x + cell, y + cell), fill=back)
            draw.polygon(corners, fill=front)


def _dots(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    columns = rng.choice((9, 11, 13))
    cell = width / columns
    rows = math.ceil(height / cell)
    centre_x, centre_y = rng.uniform(0.2, 0.8) * columns, rng.uniform(0.2, 0.8) * rows
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for row in range(rows):
        for column in range(columns):
            distance = math.hypot(column - centre_x, row - centre_y) / columns
            size = cell * (0.12 + 0.34 * abs(math.cos(distance * math.pi)))
            x, y = (column + 0.5) * cell, (row + 0.5) * cell
            colour = colours[1] if distance > 0.42 else colours[2]
            draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)


def _orbits(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    draw.rectangle((0, 0, width, height), fill=colours[0])
    x, y = width * rng.uniform(0.3, 0.7), height * rng.uniform(0.4, 0.6)
    for ring in range(9, 0, -1):
        r = width * 0.085 * ring
        draw.ellipse((x - r, y - r, x + r, y + r), outline=colours[1], width=max(3, round(width * 0.005)))
        angle, planet = rng.random() * math.tau, width * rng.uniform(0.012, 0.04)
        px, py = x + r * math.cos(angle), y + r * math.sin(angle)
        draw.ellipse((px - planet, py - planet, px + planet, py + planet), fill=colours[2 + ring % (len(colours) - 2)])
    core = width * 0.06
    draw.ellipse((x - core, y - core, x + core, y + core), fill=colours[2])


def _bars(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    count = rng.choice((9, 12, 15))
    w = width / count
    draw.rectangle((0, 0, width, height), fill=colours[0])
    level = rng.uniform(0.3, 0.5)
    for bar in range(count):
        level = min(0.95, max(0.12, level + rng.uniform(-0.14, 0.2)))
        top = height * (1 - level)
        colour = colours[1 + rng.randrange(len(colours) - 1)]
        draw.rectangle((bar * w + w * 0.12, top, (bar + 1) * w - w * 0.12, height), fill=colour)


def _stripes(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    draw.rectangle((0, 0, width, height), fill=colours[0])
    slope, x = rng.choice((-1, -0.5, 0.5, 1)) * height, -float(height)
    while x < width + height:
        thick = width * rng.choice((0.02, 0.04, 0.08, 0.14))
        colour = colours[rng.randrange(len(colours))]
        draw.polygon(((x, 0), (x + thick, 0), (x + thick + slope, height), (x + slope, height)), fill=colour)
        x += thick


def _weave(draw: Draw, width: int, height: int, colours: tuple[Colour, ...], rng: Random) -> None:
    cell = width / rng.choice((5, 6, 8))
    draw.rectangle((0, 0, width, height), fill=colours[0])
    for row in range(math.ceil(height / cell)):
        for column in range(math.ceil(width / cell)):
            x, y = column * cell, row * cell
            across = (row + column) % 2 == 0
            for strip in range(3):
                a, b = cell * (0.08 + strip * 0.31), cell * (0.08 + strip * 0.31 + 0.22)
                box = (x, y + a, x + cell, y + b) if across else (x + a, y, x + b, y + cell)
                draw.rectangle(box, fill=colours[1 + strip % (len(colours) - 1)])


PATTERNS: dict[str, Painter] = {
    "quarters": _quarters,
    "waves": _waves,
    "arches": _arches,
    "sun": _sun,
    "diamonds": _diamonds,
    "scallops": _scallops,
    "leaves": _leaves,
    "stars": _stars,
    "rays": _rays,
    "triangles": _triangles,
    "dots": _dots,
    "orbits": _orbits,
    "bars": _bars,
    "stripes": _stripes,
    "weave": _weave,
}


def pattern(name: str, size: tuple[int, int], palette: Palette, rng: Random, *, dark: bool = True) -> Image.Image:
    """A picture of this size full of the named pattern; `dark` lays it on the field colour, else on paper."""
    width, height = size[0] * SMOOTH, size[1] * SMOOTH
    image = Image.new("RGB", (width, height))
    back, other = (palette.field, palette.paper) if dark else (palette.paper, palette.field)
    PATTERNS[name](ImageDraw.Draw(image), width, height, (back, palette.second, palette.accent, other), rng)
    return image.reduce(SMOOTH)
