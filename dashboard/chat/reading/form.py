"""The book as a thing, whatever it is about: its language and where it comes from, its file, its length."""

import re
from dataclasses import replace

from dashboard.chat.lexicon import lexicon, other_languages
from dashboard.chat.reading.numbers import NUMBER, last_number
from dashboard.chat.reading.question import BETWEEN, NOT, NOT_WITH_ACCENTS, Reading
from dashboard.chat.reading.wish import LONG, SHORT, Wish

_FORMATS = ("EPUB", "PDF", "MOBI", "AZW3", "DJVU", "CBZ", "MP3", "M4B")
# Of authors that were just spoken of.
_WOMEN_ALONE = (
    r"^(?:(?:and|but|only|just|by|ok|а|и|только|лучше|con|the|nhung) )*(?:women|female|женщин\w*|phu nu|nu)\b"
    r"(?= \||$| (?:if|please|пожалуиста|если|thoi|nhe|duoc))"
)


def form(reading: Reading, wish: Wish) -> Wish:
    """Format of the file, language of the book."""
    for name in _FORMATS:
        if reading.take(rf"\b(?:(?:in|as|an?|dang|в формате|формат) )?{name.lower()}s?\b(?: format| file| book)?"):
            wish = replace(wish, format=name)
            break
    if reading.take(r"\b(?:audio ?books?|audio book|sach noi|аудиокниг\w*)\b"):
        wish = replace(wish, format="MP3")
    if reading.take(
        r"(?<!di )(?<!ra )\b(?:tieu thuyet|truyen|sach|tac gia|van hoc|cua)? ?nuoc ngoai\b|\bsach dich\b"
        r"|\bтранслирован\w*\b|\bпереводн\w+\b|\bзарубежн\w+\b|\binostrann\w*\b"
        r"|\bиностранн\w+ (?:литератур\w*|автор\w*)|\bin translation\b|\btranslated\b"
    ):
        wish = replace(wish, is_translated=True)
    if reading.take(
        r"\b(?:by|written by|from) (?:\w+ )?(?:women|woman|female (?:authors?|writers?)|women (?:authors?"
        r"|writers?))\b(?: (?:authors?|writers?"
        r"|poets?|novelists?))?|\b(?:women|female|woman) (?:authors?|writers?|novelists?|poets?)\b|\b(?:authoress"
        r"|poetess)\w*"
        r"|\b(?:do |boi )?phu nu (?:viet|ke|sang tac)\b|\bdo phu nu\b|\b(?:nha van|tac gia|cay but|nha tho) nu\b"
        r"|\bnu (?:tac gia|nha van|van si|nha tho|si)\b"
        r"|\b(?:женщин\w* (?:автор|писател|поэт)\w*|(?:автор|писател|поэт)\w* женщин\w*|писательниц\w*|поэтесс\w*"
        r"|женск\w+ (?:проз\w*|авторств\w*|поэзи\w*))\b"
    ) or (reading.is_answer and reading.take(_WOMEN_ALONE)):
        wish = replace(wish, by_women=True)
    if reading.take(
        r"\bnguoi viet(?: nam)?(?: minh)? viet\b|\b(?:truyen|tieu thuyet|van hoc|tho|sach) (?:nuoc )?(?:minh"
        r"|ta)\b(?! (?:muon"
        r"|can|tim|thich|doc|hay|dang))|\b(?:tac gia|nha van|van hoc) (?:trong nuoc|viet nam|viet)\b"
        r"|\btruyen viet(?: nam)?\b"
        r"|\b(?:русск\w+|отечественн\w+|наш\w*) (?:автор\w*|писател\w*|проз\w+|литератур\w*)\b"
    ):
        wish = replace(wish, is_native=True)
    return replace(wish, written_in=_language_asked(reading))


def _language_asked(reading: Reading) -> str | None:
    """The language that books should be in."""
    for code, phrases in lexicon().written_in.items():
        for phrase in phrases:
            pattern = phrase.pattern if not (phrase.bare and not reading.has_accents) else phrase.bare
            uses_accents = bool(phrase.bare) and reading.has_accents
            if reading.take(pattern + r"(?: (?:instead|language|please|thi sao|языке))?", with_accents=uses_accents):
                return code
    pattern, codes = other_languages(reading.language, bare=reading.language == "vi" and not reading.has_accents)
    match = reading.take(pattern, with_accents=reading.has_accents)
    return codes[match["name"]] if match else None


_UNDER = (
    r"\b(?:nothing (?:over|above|more|longer)|no(?:t)? (?:over|more|longer|above|bigger|thicker)|under|below|less|fewer"
    r"|max(?:imum)?|at most|up to|within|shorter|tops|or so|ish|about|around|не (?:больше|более|толще|длиннее)|до"
    r"|меньше"
    r"|менее|максимум|примерно|около|больше не|duoi|khong (?:qua|hon)|it hon|toi da|tro xuong|do lai|tro lai"
    r"|chua (?:toi|den)|tam|khoang"
    r"|chung)\b"
)
_AT_LEAST = r"\b(?:no(?:t)? (?:less|fewer|under)|не (?:меньше|менее)|khong (?:duoi|it hon))\b"
_AT_MOST = r"\b(?:nothing|no|not|не|khong) (?:over|more|longer|above|больше|более|qua|hon)\b|\b(?:больше|более) не\b"
_OVER = (
    r"\b(?:over|more|at least|above|min(?:imum)?|plus|longer|or more|and up|от|не (?:меньше|менее)|no(?:t)? (?:less"
    r"|fewer)|больше|более|выше|свыше"
    r"|минимум|tren|hon|it nhat|toi thieu|tro len)\b"
)
_PAGES = (
    rf"\b(?P<n>{NUMBER}) ?(?:ish )?(?:pages?|pp|pg|trang|стр\w*)\b"
    rf"|\b(?:pages?|trang|стр\w*) (?:number |so |на |в |до |от |под |эдак |этак )?(?P<m>{NUMBER})\b"
)
_FEWEST_PAGES = 20  # "page 1" is no length


# "A long, funny novel" and "nothing too long", but not "long journeys": it is about a book, or stands last.
_SIZES = ("long", "short", "big", "huge", "thick", "thin", "fat", "quick", "brief", "massive", "enormous", "immense")
_OF_LENGTH = (
    r"(?= \||$|(?: \| | )\0| (?:and|or|but|enough|please|too|for|to|that|which|i|if|with|on|about|in|this|is|it|one"
    r"|ones|as)\b"
    r"|(?: \w+){0,3} (?:books?|novels?|reads?|reading|ones?|thing|something|stor(?:y|ies)|sagas?|epics?|classics?"
    r"|memoirs?|novellas?|"
    r"biograph(?:y|ies)|histor(?:y|ies)|myster(?:y|ies)|thrillers?|fantas(?:y|ies)|sci|science fiction|fiction"
    r"|poems?|poetry|plays?"
    r"|essays?|collections?|volumes?|tomes?|crime|romances?|pages?|chapters)\b)"
)
_NO_GENRE = "(?<!truyen )(?<!truyện )"  # "truyện ngắn" are short stories


def sizes(reading: Reading, wish: Wish) -> Wish:
    """How long it may be: by pages, or by what is said of it; "not a brick" is short."""
    pages = reading.find(_PAGES)
    number = last_number(pages["n"] or pages["m"]) if pages else 0
    if pages and number >= _FEWEST_PAGES:
        before, after = pages.string[: pages.start()][-30:], pages.string[pages.end() :][:20]
        reading.take(re.escape(pages[0]))
        around = [part for part in (before, after) if re.search(rf"{_UNDER}|{_OVER}", part)][:1]
        is_under = any(re.search(_UNDER, re.sub(_AT_LEAST, "", part)) for part in around)
        is_over = any(re.search(_OVER, re.sub(_AT_MOST, "", part)) for part in around)
        if is_under or (not is_over and number <= 1.25 * SHORT):
            wish = replace(wish, length="short", max_pages=number)
        elif is_over or number >= 0.8 * LONG:
            wish = replace(wish, length="long", min_pages=number)
        for bound in (rf"(?:{_UNDER}|{_OVER})(?= \0)", r"(?<=\0) (?:tops|or less|or so|or under|max)\b"):
            reading.take(bound)
    return _said_of_size(reading, wish)


def _said_of_size(reading: Reading, wish: Wish) -> Wish:
    is_bare = reading.language == "vi" and not reading.has_accents
    for name, phrase in lexicon().lengths[wish.language]:
        pattern = phrase.bare if is_bare else phrase.pattern
        if pattern is None:
            continue
        no = NOT_WITH_ACCENTS if reading.has_accents else NOT[wish.language]
        between = "(?:(?:quá|nhiều|có|hay) )*" if reading.has_accents else BETWEEN
        found = (
            rf"(?P<no>\b(?:{no}) {between})?{_NO_GENRE if phrase.folded == 'ngan' else ''}(?:{pattern})"
            r"(?! (?:stor|histor|introduc|while|time|ago|distance|run\b|term|idea|bang|city|fan|walk|lov"
            rf"|enough to know)){_OF_LENGTH if phrase.folded in _SIZES else ''}"
        )
        while match := reading.take(found, with_accents=reading.has_accents):
            meant = name if not match["no"] else "long" if name == "short" else "short"
            if wish.length is None:
                wish = replace(wish, length=meant)  # pyright: ignore[reportArgumentType]
            elif wish.min_pages and meant == "short":
                # "Thin, above 250 pages I give up": the word is surer than what stands about the number.
                wish = replace(wish, length="short", max_pages=wish.min_pages, min_pages=None)
    if wish.length is None and is_bare and reading.take(r"\b(?:mong|(?<!truyen )ngan)\b"):
        wish = replace(wish, length="short")
    return wish
