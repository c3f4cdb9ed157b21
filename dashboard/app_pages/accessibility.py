"""Can everybody use these pages? What is tested, what is known to be missing, and whom to tell."""

import html
from datetime import date

from dashboard.components.furniture import heading, section
from dashboard.language import _, day
from openshelf.settings import get_settings

# When these words were last compared with the tests in tests/e2e/test_accessibility.py and its waivers.
LOOKED_AT = date(2026, 11, 25)

heading(
    _("Accessibility"),
    _("These pages are meant to meet WCAG 2.2 at level AA. They were last looked through on {day}.").format(
        day=day(LOOKED_AT)
    ),
)
section(
    _("What is tested"),
    _(
        "Every page is checked by a program for contrast, names, headings and labels, in light and dark, on a "
        "telephone and on a wide screen. The library can be searched, and a book read, from the keyboard alone, and "
        "nothing is lost at 320 pixels or at four times the size."
    ),
)
section(
    _("What is known to be missing"),
    _(
        "A PDF opens as its text; where it holds only pictures of pages, your browser shows these, and nobody can read "
        "them aloud. Whether a book itself "
        "works with a screen reader is known only of books that say so. The pages for staff show charts: each has its "
        "numbers as a table."
    ),
)
section(
    _("Tell us"),
    _("If something does not work for you, tell {contact}: it will be mended.").replace(
        "{contact}", html.escape(get_settings().privacy_contact or "") or _("the library’s desk")
    ),
)
