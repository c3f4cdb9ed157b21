"""Which subjects, authors and series are there?"""

import streamlit as st

from dashboard import data
from dashboard.components import finding, furniture
from dashboard.language import _
from dashboard.words import address, subject_name
from openshelf.database.catalogue import Count
from openshelf.folding import fold_words

# So many names are shown at once; more are parted by their first letter.
MANY = 300


def first_letter(entry: Count) -> str:
    """Of the name it is sorted under; what is written without an alphabet of capitals stands together."""
    letter = fold_words(entry.sort or entry.name)[:1]
    return letter.upper() if letter.isupper() or letter.islower() else "#"


def by_letter(of: str, entries: list[Count]) -> None:
    """The names, those of one letter if there are many."""
    entries = sorted(entries, key=lambda entry: fold_words(entry.sort or entry.name))
    shown = entries
    if len(entries) > MANY:
        letters = sorted({first_letter(entry) for entry in entries})
        asked = st.query_params.get("letter", "")
        letter = asked if asked in letters else letters[0]
        finding.choices(
            "letters",
            _("First letter"),
            [(each, address("directory", of=of, letter=each), each == letter) for each in letters],
        )
        shown = [entry for entry in entries if first_letter(entry) == letter]
    key = {"authors": "author", "series": "series"}[of]
    finding.directory(
        of, "", [(entry.name, address("shelf", **{key: entry.name}), entry.count_works) for entry in shown]
    )


names = {"subjects": _("Subjects"), "authors": _("Authors, A to Z"), "series": _("All series, A to Z")}
of = st.query_params.get("of", "")
of = of if of in names else "subjects"
st.set_page_config(page_title=f"{names[of]} · Openshelf")
furniture.heading(names[of])
finding.choices(
    "of",
    _("What to look through"),
    [(label, address("directory", of=each), each == of) for each, label in names.items()],
)
if of == "authors":
    by_letter(of, data.author_counts())
elif of == "series":
    by_letter(of, data.series_counts())
else:
    subjects = sorted(data.facets().subjects, key=lambda subject: fold_words(subject_name(subject.name)))
    finding.directory(
        "subjects",
        "",
        [(subject_name(each.name), address("shelf", subject=each.name), each.count_works) for each in subjects],
    )
