"""How a question stands on the one before: which of the books just named it means, and what was said still counts."""

import re
from dataclasses import replace

from dashboard.chat.reading.known import SEQUEL
from dashboard.chat.reading.question import SHORT_FOLLOW_UP, Reading
from dashboard.chat.reading.wish import ALL, Wish

_PLACES: tuple[tuple[int, str], ...] = (
    (
        0,
        r"first|1st|number one|number 1|dau tien|(?<=cuon )dau|(?<=quyen )dau"
        r"|thu nhat|thu 1|so mot|перв(?:ая|ую|ыи|ои|ое|ого)",
    ),
    (1, r"second|2nd|number two|number 2|thu hai|thu 2|so hai|втор(?:ая|ую|ои|ое|ого)"),
    (2, r"third|3rd|number three|number 3|thu ba|thu 3|so ba|треть(?:я|ю|еи|е|его)|третии"),
    (3, r"fourth|4th|number four|number 4|thu tu|thu 4|so bon|четверт(?:ая|ую|ыи|ои|ое|ого)"),
    (-1, r"last|cuoi cung|cuoi|последн(?:яя|юю|ии|еи|ее|его)"),
)
_NOT_A_PLACE = r"(?! (?:world|war|centur|millenni|миров|love|любов|thang|the ki|the ky|year|ten|chien)| \d)"
_WHY = (
    r"^(?:so |but |and |ok )?why\b|\bwhat (?:is|s) (?:it|that one|this one) about\b|\bhow long is (?:it|that|this"
    r"|the)\b|\bwho wrote(?: (?:it|that|this|the \w+(?: one)?)\b|$)"
    r"|\bis (?:it|that one|this one|the \w+ one) (?:\w+ ){0,3}(?:sad|scary|long|good|hard|easy|violent|suitable|ok"
    r"|okay|appropriate|worth)\b"
    r"|\bо чем (?:она|он|это|эта|перв|втор|треть|последн)\w*|\bкто (?:автор|написал)\b|\b(?:noi|ke|viet) ve (?:gi"
    r"|cai gi)\b|^(?:(?:cuon|quyen|cai) )?(?:(?:do|nay|ay|kia|dau|cuoi|thu \w+) )?(?:la |do |thi )?ai viet\b"
    r"|\btell me more about\b|\bmore about (?:the|that|this|it)\b|\bwhat is (?:the|that"
    r"|this) \w+ (?:one )?about\b"
    r"|\bwhat s (?:the|that) \w+ (?:one )?about\b|^(?:а |и |но )?почему\b|\bрасскажи(?:те)? (?:подробнее |побольше "
    r"|еще )?(?:о|об|про)\b|\bподробнее (?:о|об|про)\b"
    r"|^(?:con )?(?:tai sao|vi sao)\b|\b(?:noi|ke) (?:them|ro hon) ve\b"
)


# Asked of a work by its place.
_ABOUT_WHAT = (
    r"\b(?:how (?:many pages|(?:long|thick|big|fat|heavy|old|hard|sad|scary)(?= is| was| |$))"
    r"|(?:day|dai) (?:bao nhieu|may|khong)|bao nhieu trang|may trang|сколько страниц"
    r"|(?:толст|длинн|большо|страшн|тяжел)\w+ ли)\b"
    r"|\bwhat(?: is| s| was)?(?! about) .{0,40}\babout\b|\babout what\b|\bwho (?:wrote|is it by|is the author)\b|\b(?:о"
    r"|об"
    r"|про) (?:чем|ком|что)\b"
    r"|\b(?:ve|ke|noi) (?:ve )?(?:cai |chuyen |dieu )?(?:gi|ai)\b|\bnoi dung\b|\bкто (?:автор|написал)\b|\bai viet\b"
)


# Asks for others than the one that it points at, or for that one in another language.
_ASKS_FOR_OTHERS = (
    r"\b(?:like|similar|more|others?|another|else|instead|but|same|again|without|less|anything|something|next|after"
    r"|in \w+"
    r"|\w+er|by)\b"
    r"|\b(?:похож\w*|еще|друг\w+|вроде|как|но|без|такое|только|на \w+ом|по \w+и|\w+ее|по\w+е|автор\w*|(?:у|от) н\w+)\b"
    r"|\b(?:giong|khac|nua|them|nhung|tuong tu|kieu|hon|tieng|ban|cung|viet|tac gia|ma)\b"
)


def _asks_about_it(reading: Reading) -> bool:
    """Whether a question that points at a work would know something of it: "is the second one hard to read?"."""
    asks_for_others = re.search(_ASKS_FOR_OTHERS, reading.original)
    is_asking = "?" in reading.text and not asks_for_others and not re.search(_KNOWN_ALREADY, reading.original)
    return bool(re.search(_ABOUT_WHAT, reading.original)) or is_asking


# Asks for one of those that were named.
_CHOOSES = (
    r"\bwhich (?:one|of (?:these|those|them|the \w+)|is|would|should)\b(?! (?:after|next))"
    r"|\b(?:out )?(?:(?<!none )(?<!neither )(?<!any )of|from|among) (?:these|those|them|the (?:three|two))\b"
    r"|\bиз (?:них|этих|трех|двух|предложенн\w+)\b|\bкак(?:ая|ую|ои|ое) из\b|\bкакая (?:самая|короче|легче|смешнее)\b"
    r"|\btrong (?:so|may|ba|nhung|hai) (?:cuon|quyen|do|nay|truyen)\w*(?: (?:nay|do|tren))?\b|\b(?:cuon"
    r"|quyen) nao (?=.{1,20} nhat\b)"
)
_KNOWN_ALREADY = (
    r"\b(?<!you )(?<!we )(?:read|seen|know|own|got|have|had|done) (?:it |that |this |the |them )?(?:already)?\b"
    r"|\balready\b|\bчита(?:л"
    r"|ла"
    r"|ли)\b|\b(?:про|за|пере)чита\w*|\bесть дома\b|\bдо дыр\b"
    r"|\bdoc (?:roi|cuon|quyen|qua)\b|\bda doc\b"
)


# Asks whether the story of a work goes on.
_GOES_ON = (
    r"\b(?:does|do|did|will) (?:it|that|this|they|the (?:story|series)) (?:go on|continue|carry on|keep going)\b"
    r"|\bwhat happens (?:next|after|then|to them)\b|\b(?:any|is there|are there) (?:more|another) (?:of|in|to|after)"
    r" (?:it|this|that|the series)\b|\b(?:is|was) (?:it|that|this) (?:the first|part|one) of (?:a|the) (?:series"
    r"|trilogy|set)\b"
    r"|\b(?:что|а|чем)(?: \w+)? дальше\b(?! (?:читать|почитать))|\bчем (?:там |все |это ){0,2}(?:продолж|законч)\w+"
    r"|\bпродолжается\b"
    r"|\b(?:con|co) (?:phan|tap|quyen) (?:nua|sau|tiep|nao nua)\b|\bco (?:viet )?tiep (?:khong|nua)\b"
    r"|\btruyen con tiep\b"
)

# All that were named; and what asks for more of their kind.
_EACH = (
    r"\b(?:both(?: of them| of those)?|all (?:three|two|of (?:them|those|these))|every one of them|each of them"
    r"|обе|оба|все (?:три|их|эти)|их все|эти все|ca (?:hai|ba)(?: cuon| quyen)?|may cuon (?:nay|do|tren|kia)|het ca)\b"
)
_LIKE_THEM = (
    r"\b(?:like|similar|same|that sort|that kind|more of|in that vein)\b"
    r"|\b(?:так(?:ое|ого|ую|ие|ои) же|такое|похож\w*|в том же духе|вроде|подобн\w*|того же)\b"
    r"|\b(?:giong|tuong tu|kieu do|kieu nay|cung kieu|nhu vay|nhu the|na na)\b"
)


# Says of what was named only that it is enough.
_WEARY = (
    r"\b(?:наш\w+ )?(?:уже )?(?:поперек горла|сыт\w* по горло|в печенках)\b|\b(?:up to here with|had my fill of"
    r"|coming out of my ears)\b"
    r"|\bngan (?:tan co|den co)\b"
)


def _known_already(reading: Reading, wish: Wish, refers: int | None) -> Wish | None:
    """The wish of who knows all that were named, or that one: for others, or for others like them."""
    if reading.find(_EACH) and (reading.find(_KNOWN_ALREADY) or reading.find(_LIKE_THEM)):
        while reading.take(_EACH) or reading.take(_KNOWN_ALREADY):
            pass
        is_like = bool(reading.take(_LIKE_THEM))
        return replace(wish, is_more=True, refers=ALL if is_like else None)
    if refers is not None and reading.find(_KNOWN_ALREADY):
        return replace(wish, is_more=True)  # not that one, and not its like
    return None


def references(reading: Reading, wish: Wish) -> Wish:
    """ "More like the second one", "why the third?", "another by the same author"."""
    reading.take(_WEARY)
    is_why = bool(reading.find(_WHY))  # before its words are read off
    refers: int | None = None
    for place, words in _PLACES:
        if reading.take(
            rf"\b(?:(?:the|number|no|cuon|quyen|truyen|про|на|как) )?(?:{words})\b{_NOT_A_PLACE}"
            r"(?: (?:one|book|title|story|novel|suggestion|cuon|quyen|книг[ауеи]|роман\w*))?"
        ):
            refers = place
            break
    if reading.take(_GOES_ON):
        return replace(wish, refers=refers or 0, is_sequel=True)
    is_why = is_why or (refers is not None and _asks_about_it(reading))
    if not is_why and reading.find(SEQUEL):
        reading.take(SEQUEL)
        return replace(wish, refers=refers or 0, is_sequel=True)
    if not is_why and reading.find(_CHOOSES):
        reading.take(_CHOOSES)
        return replace(wish, chooses=True)
    if known := _known_already(reading, wish, refers):
        return known
    is_same_author = bool(
        reading.take(
            r"\bwhat else (?:did|has|have) (?:he|she|they|that author|this author) \w+\b|\b(?:his|her"
            r"|their) other (?:books?|novels?|works?|stories)\b"
            r"|\b(?:he|she|they) (?:written|wrote|write)\b|\b(?:others?|more|else|anything|something) (?:by|from"
            r"|of) (?:this|that|the) (?:one s )?(?:author|writer)\b"
            r"|\b(?:его|ее|их) (?:другие )?(?:книг\w*|роман\w*|вещ\w*)\b|\bу (?:него|нее|этого автора"
            r"|этои писательницы)\b|\b(?:он|она) (?:еще )?(?:написал|пис)\w*"
            r"|\b(?:ong|ba|anh|co|chi|tac gia) (?:ay|ta|nay|do) (?:con |co )?viet\b|\btac gia (?:nay|do|ay)\b"
            r"|\b(?:by |from |of )?(?:the )?same (?:author|writer)\b|\bby (?:him|her|them|that author)\b|\b(?:cung"
            r"|chinh) tac gia(?: nay| do)?\b"
            r"|\b(?:тои|того|этого|эт[оу]и) же автор\w*|\b(?:этого|того же) автора\b|\bэтого (?:же )?писателя\b"
        )
    )
    if refers is None and (
        is_why
        or is_same_author
        or reading.take(
            r"\b(?:more |something |anything |one |books? )?(?:like|similar to) (?:it|that|this|these|those"
            r"|them)(?: one| book)?\b"
            r"|\bgiong (?:cuon |quyen )?(?:nay|do|vay|the)\b|\bпохож\w+ на (?:нее|него|эту|этот|это|них|эти)\b"
            r"|\bв том же духе\b"
        )
    ):
        refers = 0
    if is_why:
        return replace(wish, asks="why", refers=refers or 0)
    return replace(wish, refers=refers, is_same_author=is_same_author)


_CONTINUES = (
    r"^(?:and|but|what about|how about|also|а|и|но|con|the con|va|nhung|the|more|less|ok|okay|hmm|yes|no|nope|какие"
    r"|something|anything|only|just|in|for|for my|cho|для|на|bang|чуть|поновее|funnier|sadder|shorter|longer|lighter"
    r"|darker|newer|older|\w+er)\b"
)
# What points back at the question or the answer before.
_POINTS_BACK = (
    r"\b(?:ones?|they|them|those|these|it|that|this|same|any(?! (?:good )?(?:books?|novels?|stories)\b)"
    r"|another|other|else|instead|more|too|less|rather|different"
    r"|already|"
    r"nua|khac|hon|qua|cuon nay|may cuon|(?:cuon|quyen|tap|bo) nao|thi sao|cung the|vay|nhung|"
    r"них|эти|этого|такое|такого|еще|другое|другие|другую|тоже|уже|слишком|это|наших|только|тогда|из них)\b|\w+er\b"
)
_LONG_FOLLOW_UP = 14  # words: who says more says it all
# Asks for a book, and so for another one than before.
_REQUESTS = (
    r"\b(?:(?:do|have|got) (?:you|any) .{0,20}books?|(?:recommend|suggest|looking for|find|want|need"
    r"|like) (?:me )?(?:a |some |any )?"
    r"(?:books?|novels?)|books? (?:on|about|for|by)|novels? (?:about|by)"
    r"|(?:tim|kiem|can|muon doc|goi y|gioi thieu|co) (?:\w+ ){0,4}(?:sach|truyen|tieu thuyet|tho)"
    r" (?:gi |nao )?(?:ve|cho)"
    r"|(?:есть|хочу|ищу|посовету\w*|порекоменд\w*|подскаж\w*|дайте|нужна) (?:\w+ ){0,4}(?:книг\w*|роман\w*"
    r"|что нибудь) (?:о|об|про|для))\b"
)
_STANDS_ALONE = (
    r"^(?:what about |how about |and |a |и |con |the con )?(?:a book|books|novels|history of|sach|truyen|книги|книга"
    r"|роман)\b"
)


# "American ones?", "а исторические есть?": of what was asked for before.
_OF_THE_SAME = r"\bones\b|^а \w+(?:ые|ие|ых|их)(?: есть| бывают| наидутся)*$"
# What was named is not what was meant.
_DROPS = (
    r"\b(?:не то|не это|not (?:those|that|these|it|what i)|none of (?:those|these|them)"
    r"|forget (?:that|it|those)|scrap that"
    r"|khong phai (?:cai |cuon |loai |may cuon )?(?:do|nay|vay))\b"
)


# By somebody else than before.
_ANOTHER_AUTHOR = (
    r"\b(?:other|another|different|new) (?:authors?|writers?|poets?|novelists?|people|hand|voice)s?\b|\b(?:some"
    r"|any)(?:one|body) else\b"
    r"|\bwho else\b|\bby others?\b|\bdepend on (?:him|her)\b"
    r"|\bдруг(?:ого|ои|ие|их|ому) (?:автор|писател|поэт)\w*|\bкто (?:нибудь )?(?:еще|другои)\b"
    r"|\bкого (?:нибудь )?(?:еще|другого)\b"
    r"|\b(?:ong|ba|anh|chi|ai|nguoi|tac gia|nha van|nha tho)(?: nao)? khac\b"
)


def _without_its_author(wish: Wish, before: Wish, reading: Reading) -> tuple[Wish, Wish]:
    """Both wishes where others than the author of the one before are asked for."""
    known = before.author or before.named
    if not known or not reading.take(_ANOTHER_AUTHOR):
        return wish, before
    before = replace(before, author="", named="")
    if not (wish.has_topic or before.has_topic):
        return replace(wish, titled=known, is_titled_as_name=True, avoid_author=known), before  # others like her
    return replace(wish, avoid_author=known), before


def follow(wish: Wish, before: Wish, reading: Reading) -> Wish:
    """A question that says nothing by itself, or only narrows, stands on the one before it.

    What it says of its own comes first; what was said before still counts, if less, where it points back.
    """
    wish, before = _without_its_author(wish, before, reading)
    if wish.asks == "why":
        return replace(before, text=wish.text, language=wish.language, asks="why", refers=wish.refers, refusal=None)
    kept = replace(
        wish,
        written_in=wish.written_in or before.written_in,
        also_in=wish.also_in or before.also_in,
        audience=wish.audience or (before.audience if wish.age is None else None),
        age=before.age if wish.age is None and not wish.audience else wish.age,
        avoid=tuple(dict.fromkeys((*before.avoid, *wish.avoid))),
        avoid_words=tuple(dict.fromkeys((*before.avoid_words, *wish.avoid_words))),
        avoid_author=wish.avoid_author or before.avoid_author,
        format=wish.format or before.format,
    )
    if wish.refers is not None or wish.chooses:
        return kept  # like that one, within what was asked for
    is_named = bool(wish.titled or wish.named or wish.author or wish.like)
    begins = bool(re.match(_CONTINUES, reading.original))
    points_back = begins or bool(re.search(_POINTS_BACK, reading.original))
    if not wish.has_topic:
        is_whole = not points_back and len(reading.words) > 2 * SHORT_FOLLOW_UP
        if is_whole and wish.narrows:
            return wish  # a whole sentence of its own, without a topic
        if not (points_back or wish.is_more or wish.narrows) and len(reading.words) <= 1:
            return wish  # nothing was said
        return _joined(kept if wish.narrows else replace(kept, is_more=True), before)
    if is_named:
        return wish if not begins else kept
    if not points_back and (len(reading.words) > _LONG_FOLLOW_UP or re.search(_REQUESTS, reading.original)):
        return wish  # a request of its own
    if _leaves_topic(wish, reading):
        return kept  # "and about dinosaurs?": for the same child
    if re.match(_STANDS_ALONE, reading.original):
        return wish
    return _joined(kept, before)


_NARROWS = frozenset(["humour", "horror", "romance"])  # subjects that say of what kind, not about what


# "Any other sport then": of what stands behind, and not what was named of it before.
_ANOTHER_KIND = (
    r"\b(?:any|some|an|a|one) ?other (?!ones?\b|books?\b|than\b|novels?\b|stor|titles?\b|authors?\b|thing|stuff"
    r"|ideas?\b|suggest|recomm"
    r"|poe|by\b|way)\w+|\bдруг(?:ои|ая|ую|ое|ие|их|ого) (?!книг|роман|рассказ|истор|автор|писател|вещ|что|есть)\w{3,}"
    r"|\b(?:mon|nuoc|nganh|vung|the loai|thoi|nhan vat|loai) khac\b"
)


def _leaves_topic(wish: Wish, reading: Reading) -> bool:
    """Whether another topic is asked for in place of the one before."""
    if re.search(_ANOTHER_KIND, reading.original) and (wish.subjects or wish.themes):
        return True
    if re.search(_DROPS, reading.original):
        return bool(wish.themes or {*wish.subjects} - _NARROWS or re.search(r"\b(?:about|про|ve)\b", reading.original))
    is_same = re.search(
        r"\b(?:same|то же|тоже|так(?:ое|ую|ои) же|cung (?:the|loai|kieu)|nhu (?:the|vay))\b", reading.original
    ) or re.search(_OF_THE_SAME, reading.original)
    adds = re.match(r"^(?:and|what about|how about|а|и|con(?! \w+ nao)|the con|va)\b", reading.original)
    return bool(adds) and not (wish.is_more or is_same)


def _joined(wish: Wish, before: Wish) -> Wish:
    """A wish with what the one before it said; where it has a topic of its own, the older one weighs less."""
    own = {*wish.subjects, *wish.themes, *wish.moods, *wish.words}
    is_narrower = not (wish.themes or wish.words or {*wish.subjects} - _NARROWS)

    def both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in dict.fromkeys((*other, *one)) if name not in wish.avoid and name not in wish.less)

    has_years = wish.year_from or wish.year_to
    joined = replace(
        wish,
        words=both(wish.words, before.words),
        names=both(wish.names, before.names),
        spoken=both(wish.spoken, before.spoken),
        wanted=f"{before.wanted} {wish.wanted}",
        passing=(*before.passing, *wish.passing),
        subjects=both(wish.subjects, before.subjects),
        themes=both(wish.themes, before.themes),
        moods=wish.moods or tuple(name for name in before.moods if name not in wish.less),
        titled=before.titled,
        is_titled_as_name=before.is_titled_as_name,
        named=before.named,
        author=before.author,
        is_story=wish.is_story or (before.is_story and not wish.is_true),
        is_true=wish.is_true or (before.is_true and not wish.is_story),
        teaches=wish.teaches or before.teaches,
        is_translated=wish.is_translated or (before.is_translated and not wish.is_native),
        is_native=wish.is_native or (before.is_native and not wish.is_translated),
        by_women=wish.by_women or before.by_women,
        year_from=wish.year_from if has_years else before.year_from,
        year_to=wish.year_to if has_years else before.year_to,
        length=wish.length if wish.is_measured else before.length,
        is_extreme=wish.is_extreme,
        max_pages=wish.max_pages if wish.is_measured else before.max_pages,
        min_pages=wish.min_pages if wish.is_measured else before.min_pages,
        like=before.like,
    )
    held = (
        ()
        if is_narrower
        else tuple(name for name in (*joined.subjects, *joined.themes, *joined.words) if name not in own)
    )
    return replace(joined, held=held)
