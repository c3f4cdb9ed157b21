"""When a book was first published: years, decades, centuries, "recent"."""

import re
from dataclasses import replace
from datetime import date

from dashboard.chat.reading.numbers import N, last_number
from dashboard.chat.reading.question import SHORT_FOLLOW_UP, Reading
from dashboard.chat.reading.wish import Wish

_DECADES = {
    "twenties": 20, "thirties": 30, "forties": 40, "fifties": 50, "sixties": 60, "seventies": 70, "eighties": 80,
    "nineties": 90, "двадцатые": 20, "двадцатых": 20, "тридцатые": 30, "тридцатых": 30, "сороковые": 40,
    "сороковых": 40, "пятидесятые": 50, "пятидесятых": 50, "шестидесятые": 60, "шестидесятых": 60, "семидесятые": 70,
    "семидесятых": 70, "восьмидесятые": 80, "восьмидесятых": 80, "девяностые": 90, "девяностых": 90,
}  # fmt: skip
_CENTURIES = {
    "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20,
    "twenty first": 21, "xv": 15, "xvi": 16, "xvii": 17, "xviii": 18, "xix": 19, "xx": 20, "xxi": 21,
    "восемнадцатого": 18, "девятнадцатого": 19, "двадцатого": 20, "двадцать первого": 21, "семнадцатого": 17,
    "muoi tam": 18, "muoi chin": 19, "hai muoi": 20, "hai muoi mot": 21,
}  # fmt: skip
_YEAR = r"(?P<year>1[0-9]{3}|20[0-9]{2})"


def dates(reading: Reading, wish: Wish, today: date) -> Wish:
    """When it was first published. "1984" by itself is a title."""
    for rule in (_span, _seeming, _decade_or_century, _period, _before_or_after, _time):
        dated = rule(reading, wish, today)
        if dated.year_from or dated.year_to:
            reading.take(r"\b(?:newer|older|recent|published|written)\b")
            return dated
    return wish


def _span(reading: Reading, wish: Wish, today: date) -> Wish:
    """Between two years, or the last so many."""
    span = reading.take(
        r"\b(?:between |from |с |от |tu (?:nam )?|giua (?:nam )?)?(?P<a>1[0-9]{3}|20[0-9]{2}) (?:and|to|until|till|и"
        r"|по|до|den|va|toi)?(?: nam)? ?(?P<b>1[0-9]{3}|20[0-9]{2})\b(?: год\w*)?"
    )
    if span:
        return replace(wish, year_from=int(span["a"]), year_to=int(span["b"]))
    ago = reading.take(
        rf"\b(?:last|past|recent|последн\w+|за последн\w+) (?:{N} )?(?:years?|лет|года?)\b"
        rf"|\b(?P<vi>\d{{1,2}}) nam (?:gan day|tro lai|qua)\b"
    )
    if ago:
        return replace(wish, year_from=today.year - last_number(ago["n"] or ago["vi"] or "5"))
    return wish


# Times that are called by a name: the years in which their books were written.
_PERIODS = (
    (r"\b(?:victorians?|викторианск\w+)\b(?! (?:london|england|britain|era|times))", 1837, 1901),
    (r"\b(?:edwardians?|эдвардианск\w+)\b(?! (?:london|england|britain|era|times))", 1901, 1914),
    (r"\bсеребрян\w+ век\w*\b", 1890, 1930),
)


def _period(reading: Reading, wish: Wish, _today: date) -> Wish:
    """A Victorian is a book of those years; Victorian London is a place to tell of."""
    for pattern, first, last in _PERIODS:
        if said := reading.take(pattern):
            is_book = re.match(r" \||$| (?:this|for|please|that|to|with|but|and|next)\b", said.string[said.end() :])
            return replace(wish, year_from=first, year_to=last, is_era=not (is_book or _is_of_writing(said)))
    return wish


def _decade_or_century(reading: Reading, wish: Wish, _today: date) -> Wish:
    decade = reading.take(
        r"\b(?:the |in the |from the |nhung |thap nien |thap ky |nam |в |из )*(?:(?P<long>1[89]\d0|20[012]0) ?(?:s|х"
        r"|е|ые|ых)\b|(?P<short>[2-9]0) ?(?:s|х|е|ые|ых)\b|(?P<vi>(?<=thap nien )[2-9]0)"
        rf"|(?P<word>{'|'.join(_DECADES)}))(?: год\w*| the ky 20| the ky truoc)?\b"
    )
    if decade:
        begins = int(decade["long"] or 0) or 1900 + (
            int(decade["short"] or decade["vi"] or 0) or _DECADES[decade["word"]]
        )
        return replace(wish, year_from=begins, year_to=begins + 9, is_era=not _is_of_writing(decade))
    century = reading.take(
        rf"\b(?:the ky (?:thu )?)?(?P<n>1[0-9]|2[01]"
        rf"|{'|'.join(sorted(_CENTURIES, key=lambda w: -len(w)))})(?: ?(?:th|st|го))?(?: centur(?:y|ies)| век\w*"
        rf"| столет\w*)"
        rf"|\bthe ky (?:thu )?(?P<vi>1[0-9]|2[01]|{'|'.join(sorted(_CENTURIES, key=lambda w: -len(w)))})\b"
    )
    if century:
        said = century["n"] or century["vi"]
        number = int(said) if said.isdigit() else _CENTURIES[said]
        return replace(wish, year_from=100 * (number - 1), year_to=100 * number - 1)
    return wish


_WRITING = (
    r"(?:novels?|fiction|sci fi|poe(?:ms?|try)|books?|classics?|literature|stor(?:y|ies)|crime|thrillers?|pulp|comics?"
    r"|myster(?:y|ies)|horror|detectives?|romances?|plays?|writ(?:ing|ers?)|authors?|tho|truyen|tieu thuyet|van|sach"
    r"|kich"
    r"|поэзи\w*|проз\w*|стих\w*|роман\w*|фантастик\w*|детектив\w*|книг\w*|литератур\w*|рассказ\w*|пьес\w*|повест\w*)"
)


def _is_of_writing(years: re.Match[str]) -> bool:
    """Whether years are those in which books were written: "sixties sci-fi", but not "Ireland, the seventies"."""
    before, after = years.string[: years.start()], years.string[years.end() :]
    return bool(
        years[0].startswith(("from ", "из "))
        or re.search(
            rf"\b(?:from|written|published|out|of|изда\w*|вышл\w*|написан\w*|xuat ban|viet|{_WRITING})(?: in)? $",
            before,
        )
        or re.match(rf" (?:\w+ )?{_WRITING}\b", after)
    )


def _before_or_after(reading: Reading, wish: Wish, _today: date) -> Wish:
    before = reading.take(
        rf"\b(?:before|older than|until|up to|pre|earlier than|truoc(?: nam)?|до|раньше"
        rf"|старше)(?: the)?(?: year)? {_YEAR}\b(?: год\w*)?"
    )
    if before:
        wish = replace(wish, year_to=int(before["year"]) - 1)
    after = reading.take(
        rf"\b(?:after|since|newer than|later than|from|post|sau(?: nam)?|tu(?: nam)?|после|с"
        rf"|начиная с) {_YEAR}\b(?: год\w*| tro (?:di|lai)| on(?:wards)?)?"
    )
    if after:
        wish = replace(
            wish,
            year_from=int(after["year"]) + (after[0].startswith(("after", "sau", "после", "later", "newer", "post"))),
        )
    return wish


def _seeming(reading: Reading, wish: Wish, _today: date) -> Wish:
    """Of this century or the last; or newer than what was named, of which a reader says that it is old."""
    complains = reading.is_answer and reading.take(
        rf"\b(?:{reading.no}) (?:old(?: fashioned)?|ancient|dated|antique|historic)\b"
        r"|\b(?:слишком|очень|уж|все) (?:стар\w+|древн\w+|устаре\w+)|\b(?:cu|xua|co) qua\b"
    )
    if reading.take(
        r"\b(?:this|our|the (?:21st|current)) century\b|\b(?:этого|нашего|нынешнего) века\b|\bthe ky nay\b"
    ):
        return replace(wish, year_from=2000)
    if reading.take(r"\b(?:last|the previous) century\b|\bпрошлого века\b|\bthe ky truoc\b"):
        return replace(wish, year_from=1900, year_to=1999)
    return replace(wish, year_from=1980) if complains else wish


def _time(reading: Reading, wish: Wish, today: date) -> Wish:
    """One year; or words such as "recent"."""
    if reading.take(r"\b(?:до революции|дореволюционн\w+|при царе|царск(?:их|ого) врем\w+)"):
        return replace(wish, year_to=1917)
    if reading.take(r"\b(?:после|с|начиная с) (?:двухтысячн\w+|двухтысячного года|миллениума)(?: год\w*)?"):
        return replace(wish, year_from=2000)
    is_comparing = len(reading.words) <= 2 * SHORT_FOLLOW_UP and not reading.find(r"\b(?:for|cho|для)\b")
    exact = reading.take(
        rf"\b(?:published in|written in|came out in|released in|from the year|xuat ban (?:nam)?|nam|вышедш\w+ в"
        rf"|издан\w* в|написан\w* в) {_YEAR}\b|\b(?P<ru>1[0-9]{{3}}|20[0-9]{{2}}) год\w*"
    )
    if exact:
        year = int(exact["year"] or exact["ru"])
        is_era = exact[0].startswith("nam ") or bool(exact["ru"])
        return replace(wish, year_from=year, year_to=year, is_era=is_era and not _is_of_writing(exact))
    if reading.take(
        r"\b(?:newer|more recent|recently published|latest|newest|brand new|moi xuat ban|moi hon|gan day|поновее"
        r"|новинк\w*|недавн\w*|новее)\b"
    ):
        return replace(wish, year_from=today.year - 15)
    if reading.take(r"\b(?:contemporary|hien dai|duong dai|современн\w*|modern day)\b"):
        return replace(wish, year_from=1980)
    if is_comparing and reading.take(r"\b(?:older|earlier|постарше|cu hon|xua hon)\b"):
        return replace(wish, year_to=1960)
    if reading.take(
        r"\b(?:before the war|pre ?war|interwar|довоенн\w*|до войны|truoc chien tranh|(?:thoi |hoi )?tien chien)\b"
    ):
        return replace(wish, year_to=1940)
    if reading.take(r"\b(?:old fashioned|старинн\w*|(?:but|and|is|s|be|really|very|properly) old\b(?= \||$))\b"):
        return replace(wish, year_to=1960)
    return wish
