"""Colours and patterns of the demo covers: one family for each kind of subject. Pure.

A palette is (field, paper, accent, second): text is paper on field or field on paper, the others decorate.
"""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    field: Colour
    paper: Colour
    accent: Colour
    second: Colour


@dataclass(frozen=True)
class Family:
    name: str
    palettes: tuple[Palette, ...]
    patterns: tuple[str, ...]


def _colour(text: str) -> Colour:
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


# family -> (subjects, patterns, palettes as "field paper accent second")
_TABLE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "novel": (
        "literary fiction, coming of age, satire, humour, short stories",
        "quarters waves arches sun",
        ("23404A F4ECDF D9784F 9DB8B3", "5A2A35 F5EBDD D9A05B B98A8A", "35475E F3EDE2 E0A458 C0584A"),
    ),
    "classic": (
        "classics",
        "diamonds scallops arches leaves",
        ("2B2F4A F3ECDC C59B45 8C93B8", "4A3728 F4EADA B5673C BFA88A", "274036 F3EDDC C28F3F 8FA88C"),
    ),
    "past": (
        "historical fiction, war, adventure",
        "rays scallops triangles",
        ("6B2E1F F4E9D6 D39B3A B87C5A", "37402B F1EBD8 C2763B 9BA57C"),
    ),
    "future": (
        "science fiction, computing, technology, engineering",
        "orbits triangles dots bars",
        ("14213D EEF0EA E4572E 5C8FB8", "2A1F4A EFEBF2 F0A04B 8673B5", "0E3B43 EDF0EA F2A541 5FA3A3"),
    ),
    "wonder": (
        "fantasy, folklore",
        "leaves stars scallops sun",
        ("1E4239 F2ECDB D8A545 7FA98F", "46274F F3EADF D98B6A A486B3"),
    ),
    "night": (
        "mystery, thriller, horror",
        "stripes orbits triangles stars",
        ("1D1D22 F0EADF C8372D 77757F", "12343B EFEBDD E0A22F 5F8790", "3B1F24 F1E8DC D2542F 8C6A66"),
    ),
    "heart": (
        "romance, family, parenting",
        "diamonds quarters leaves",
        ("8A2F46 F8ECE4 E3A27F C9808C", "6D3B5E F7EBE6 E7B17A B58AA8"),
    ),
    "verse": (
        "poetry, drama, essays",
        "waves rays sun stripes",
        ("2E4057 F6F1E6 C97B63 A9B8C6", "4F5D3A F6F1E2 C99A3F AEB890", "5B3A4A F6EFE6 CC8B5C BFA0A8"),
    ),
    "young": (
        "children, picture books, young adult, comics",
        "quarters sun stars dots",
        ("1D5C7A FBF2DC F2A33A E4613F", "A5352A FCF1DF F3B63F 3F8E8C", "2F6B4F FBF3DD EFA83B D8573C"),
    ),
    "annals": (
        "history, biography, memoir, politics",
        "arches bars diamonds stripes",
        ("5B2B1E F3EADA B98B3E 9B7D6A", "27364A F1ECE0 B5482F 8A9AAB", "3D3A2A F2ECDD B9853B A19C7F"),
    ),
    "thought": (
        "philosophy, religion, psychology, society, education, language",
        "dots arches rays orbits",
        ("3A3550 F2EEE6 C9973F 8F8AA8", "1F4B4A F2EDE2 CF7B4C 86AAA4"),
    ),
    "trade": (
        "economics, business",
        "bars triangles stripes",
        ("1E3F33 F0EFE4 C8A24A 7FA08D", "2C3440 F1EEE7 D0573B 8C97A3"),
    ),
    "science": (
        "science, mathematics, physics, astronomy",
        "orbits dots triangles sun",
        ("162B4D F0EEE6 E2A33B 6D93BF", "0F4C5C F0EDE3 E36414 7FB0B8"),
    ),
    "living": (
        "biology, nature, environment, gardening",
        "leaves scallops waves",
        ("2D4A2B F3EFDF D2913B 93AE7C", "214E4B F2EFE2 D96C3F 88B5A2"),
    ),
    "body": (
        "medicine, health, sport",
        "weave rays quarters",
        ("7A2E2A F6EDE3 E09A55 C28C82", "20506B F1EFE8 E0763E 87B0C4"),
    ),
    "table": (
        "cooking, crafts",
        "weave leaves scallops",
        ("8A3B1C FAF0DD E3A83C 7D8F4E", "5C4A1E F8F0DC C8592F B9A65C"),
    ),
    "arts": (
        "art, architecture, design, music, film, photography",
        "quarters arches stripes",
        ("222222 F4F0E8 D8432F E0B23C", "1F3F77 F5F0E4 E5533D EDBB48"),
    ),
    "travel": ("travel", "sun waves scallops", ("1F5673 F5EEDD E08E45 86B1BF", "7A4A22 F6EDDA 2F7F86 D3A566")),
}

FAMILIES: dict[str, Family] = {
    name: Family(name, tuple(Palette(*map(_colour, palette.split())) for palette in palettes), tuple(patterns.split()))
    for name, (_, patterns, palettes) in _TABLE.items()
}
_OF_SUBJECT = {subject: name for name, (subjects, _, _) in _TABLE.items() for subject in subjects.split(", ")}


def family_of(subject: str) -> Family:
    """The family of a principal subject; novels' for one it does not know."""
    return FAMILIES[_OF_SUBJECT.get(subject, "novel")]
