"""The language of a page: which one, its message catalogue, and numbers, dates and plurals as it writes them.

Messages are written in English in the code, `_("Popular in the library")`, and translated in
`dashboard/locale/<language>.po`; `make messages` brings those files up to date. A catalogue is read as it is, so there
is no step of compiling that could be forgotten.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path

import streamlit as st
from babel import Locale, dates, numbers
from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parent / "locale"
# In their own words: who looks for their language reads no other.
LANGUAGES = {"en": "English", "vi": "Tiếng Việt", "ru": "Русский"}
DEFAULT = "en"
COOKIE = "openshelf_language"

_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


def known(language: str | None) -> str | None:
    """The language if it is one of ours."""
    return language if language in LANGUAGES else None


def preferred(accept_language: str) -> str:
    """Of a browser's Accept-Language the first that we speak."""
    weighed = []
    for number, part in enumerate(accept_language[:500].split(",")):
        tag, _sep, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), number, tag.strip()))
        except ValueError:
            continue
    tags = [tag for _weight, _number, tag in sorted(weighed)]
    return known(negotiate_locale(tags, list(LANGUAGES), sep="-")) or DEFAULT


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within it, messages are in this language: for what is answered outside a page's script."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def current() -> str:
    """The language of this answer: of the address, else as chosen before, else as the browser asks."""
    if spoken := _spoken.get():
        return spoken
    asked = known(st.query_params.get("lang")) or known(st.context.cookies.get(COOKIE))
    return asked or preferred(st.context.headers.get("Accept-Language", "") if st.context.headers else "")


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    file = LOCALES / f"{language}.po"
    if not file.exists():
        return gettext.NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _(message: str) -> str:
    return _catalogue(current()).gettext(message)


def plural(one: str, many: str, count: float) -> str:
    """`{count}` in the message becomes the number. A fraction is said as two are: 4,5 звезды."""
    text = _catalogue(current()).ngettext(one, many, int(count) if count == int(count) else 2)
    return text.format(count=number(count))


def number(value: float) -> str:
    """4.0 -> '4', 4.5 -> '4.5' or '4,5', 12000 -> '12,000'."""
    return numbers.format_decimal(value, locale=current())


def percent(share: float) -> str:
    """0.1234 -> '12.3%' or '12,3 %'."""
    return numbers.format_percent(share, "#,##0.0%" if current() != "ru" else "#,##0.0\xa0%", locale=current())


def day(value: date) -> str:
    language = current()
    # Day before month, as everywhere but in the United States.
    return dates.format_date(value, "long", locale="en_GB" if language == "en" else language)


def month(value: date) -> str:
    """'March 2024', of any of its days."""
    language = current()
    return dates.format_skeleton("yMMMM", value, locale="en_GB" if language == "en" else language)


def language_name(code: str | None) -> str:
    """The name of a language in the language of the page; `code`: ISO 639, as in 'vie'."""
    if not code:
        return ""
    return Locale.parse(current()).languages.get(_two_letters(code), code)


def is_current(code: str) -> bool:
    """Whether this (ISO 639, as in 'vie') is the language of the page."""
    return _two_letters(code) == current()


@cache
def _two_letters(code: str) -> str:
    from langcodes import standardize_tag

    try:
        return standardize_tag(code)
    except ValueError:
        return code
