"""Bring the catalogues up to date with the words in the code. What is new is left empty, to be translated.

`python -m dashboard.locale.update` prints how many messages of each language are not translated yet.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

FOLDER = Path(__file__).parent
# `_("...")`, `plural("one", "many", count)`, and `N_("...")`: a word that is translated where it is shown.
KEYWORDS = {"_": None, "N_": None, "plural": (1, 2)}
WIDTH = 120


def said_in_code() -> dict[str | tuple[str, ...], str]:
    """Every message, with the place where it is said."""
    found = extract_from_dir(str(FOLDER.parent), keywords=KEYWORDS)
    return {said: f"{file}:{line}" for file, line, said, _comments, _context in found if said}


def is_translated(said: str | tuple[str, ...] | list[str] | None) -> bool:
    return bool(said) if said is None or isinstance(said, str) else all(said)


def update(file: Path) -> int:
    """Rewrite a catalogue, `<language>.po`; how many messages it does not translate."""
    language = file.stem
    with file.open("rb") as text:
        known = read_po(text, locale=language)
    now = Catalog(language)
    for said in sorted(said_in_code(), key=str):
        kept = known.get(said if isinstance(said, str) else said[0])
        now.add(said, kept.string if kept else "")
    with file.open("wb") as text:
        # Without a header: its dates would change with every run, and the rest follows from the language.
        write_po(text, now, width=WIDTH, no_location=True, omit_header=True)
    return sum(not is_translated(message.string) for message in now if message.id)


def main() -> None:
    for file in sorted(FOLDER.glob("*.po")):
        print(f"{file.name}: {update(file)} messages to translate")  # noqa: T201 - what it is run for


if __name__ == "__main__":
    main()
