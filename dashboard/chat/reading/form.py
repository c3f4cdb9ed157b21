"""The book as a thing, whatever it is about: who wrote it and where, its language, its file."""

import re
from dataclasses import replace

from dashboard.chat.lexicon import CODES, lexicon, other_languages
from dashboard.chat.reading.question import Reading
from dashboard.chat.reading.wish import ANY_LANGUAGE, Wish
from openshelf.folding import fold

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
    if reading.take(r"\b(?:audio ?books?|audio book|sach noi(?! (?:ve|den|toi|len|cho|rang|gi)\b)|аудиокниг\w*)\b"):
        wish = replace(wish, format="MP3")
    return languages(reading, wish)


_TRANSLATED = (
    r"(?<!di )(?<!ra )\b(?:tieu thuyet|truyen|sach|tac gia|van hoc|cua)? ?(?:nuoc ngoai|phuong tay)\b|\b(?:sach"
    r"|truyen|tieu thuyet"
    r"|van hoc|hang) dich\b(?! (?:benh|ta))"
    r"|\bпереводн\w+\b|\bзарубежн\w+\b"
    r"|\bиностранн\w+(?= (?:литератур|автор|писател|проз|роман|книг|детектив|фантастик|поэзи))"
    r"|\bin translation\b|\btranslated\b"
)
_NOT_TRANSLATED = (
    r"\b(?:khong phai|khong|dung|chang phai) (?:la )?(?:sach |truyen |ban |hang )?dich\b(?! benh| thuat)"
    r"|\bне (?:перевод\w*|иностранн\w*|зарубежн\w*)\b"
)
_WRITER = r"(?:authors?|writers?|poets?|novelists?|voices?)"
_WOMAN = r"(?:wom[ae]n|female|lady|ladies)"
_BY_WOMEN = (
    rf"\b(?:nothing|not|no|none|nobody) (?:\w+ )?by (?:a )?m[ae]n\b|\b{_WOMAN} {_WRITER}\b|\b(?:authoress|poetess)\w*"
    rf"|\b{_WRITER} (?:(?:is|are|was|were|s|who|that|must|should|has|have|had|better|to|be|being|a) )+{_WOMAN}\b"
    rf"|\b{_WOMAN} (?:who |that |to |has |have |had |should |must )*(?:wr[io]te|written|writing|wrote)\b"
    r"|\b(?:do |boi |cua )?(?:cac )?(?:phu nu|nu gioi|dan ba) (?:viet|ke|sang tac)\b|\b(?:do|cua) phu nu\b"
    r"|\b(?:nha van|tac gia|cay but|nha tho|nguoi viet)(?: (?:phai|la|thi))* (?:nu|phu nu|dan ba)\b(?: gioi)?"
    r"|\bnu (?:tac gia|nha van|van si|nha tho|si|viet)\b"
    r"|\bженщин\w* (?:\w+ )?(?:автор|писател|поэт|писал|напис|пишет|сочин)\w*|\bнаписан\w* женщин\w*"
    r"|\b(?:автор|писател|поэт)\w*(?: \||(?: (?:была?|был|это|чтобы?|обязательно|только|пусть|будет)))* женщин\w*"
    r"|\b(?:писательниц|поэтесс)\w*|\bженск\w+ (?:проз\w*|авторств\w*|поэзи\w*|перо|пера|рук\w+)\b"
)
_MEN = (
    r"(?:(?:old|dead|white|male) )*(?:men|blokes|guys|chaps|lads|male (?:authors|writers))"
    r"|мужчин\w*|мужик\w*|dan ong|tac gia nam"
)
# What stands between is where they are from.
_BY_SOME_WOMEN = (
    rf"\b(?:by|from) (?:(?:a|an|some|the|only|other|more) )?(?:\w+ ){{0,2}}{_WOMAN}(?: {_WRITER})?\b(?! s\b)"
)
_NATIVE = (
    r"\bnguoi viet(?: nam)?(?: minh)? viet\b|\b(?:truyen|tieu thuyet|van hoc|tho|sach) (?:nuoc )?(?:minh"
    r"|ta)\b(?! (?:muon|can|tim|thich|doc|hay|dang))|\b(?:tac gia|nha van|van hoc) (?:trong nuoc|viet nam|viet)\b"
    r"|(?:(?<=\0 )|\b(?:cua|do|tac gia|nha van) (?:la )?)nguoi viet(?: nam)?(?: minh| ta)?\b(?! (?:sach|van|truyen))"
    r"|\btruyen viet(?: nam)?\b"
    r"|\b(?:русск\w+|российск\w+|отечественн\w+|наш\w*) (?:автор\w*|писател\w*|проз\w+|литератур\w*)\b"
)


def origins(reading: Reading, wish: Wish) -> Wish:
    """By women, translated, by authors of one's own language: read before names are, "tác giả nữ" is nobody's."""
    if reading.take(_NOT_TRANSLATED):
        wish = replace(wish, is_native=True)
    if reading.take(_TRANSLATED):
        wish = replace(wish, is_translated=True)
    if reading.find(_BY_SOME_WOMEN):
        reading.take(rf"\b(?:(?:written )?by )?{_WOMAN}(?: {_WRITER})?\b")
        wish = replace(wish, by_women=True)
    if reading.take(_BY_WOMEN) or (reading.is_answer and reading.take(_WOMEN_ALONE)):
        wish = replace(wish, by_women=True)
    if reading.is_answer and reading.take(rf"\b(?:{reading.no}|enough|no more|too many) (?:{_MEN})\b"):
        wish = replace(wish, by_women=True)  # of the authors that were named
    native = reading.find(_NATIVE)
    # "Truyện viết trước 1975" was written then; only without accents may it be "truyện Việt".
    said = {word.accented for word in reading.raw(*native.span())} if native else set()
    if native and not (reading.has_accents and "viết" in said and "việt" not in said):
        reading.take(re.escape(native[0]))
        wish = replace(wish, is_native=True)
    return wish


# Of a language that will do beside one's own: "sách tiếng Anh cũng được", "можно и на английском".
_WILL_DO_TOO = (
    r"(?: too| also| even)? (?:(?:is|are|would be|will be|s|will)(?: also| just| perfectly)? (?:fine|ok|okay|good"
    r"|alright"
    r"|do|great|welcome)|too|as well|works)\b|(?: (?:thi|cung|van))+ (?:duoc|ok|on|tot|khong sao|doc duoc)\b"
    r"| (?:тоже )?(?:можно|подоидет|поидет|сгодится|годится|сойдет|соидет|норм\w*|не проблема|ок|тоже)\b"
)
_EVEN = r"\b(?:even|or even|also|хоть|можно и|можно даже|можно|пусть даже|ke ca|cung doc duoc) (?:\w+ )?"


# Beside another: "in Vietnamese or English".
_NAMED = {
    fold(name): code
    for code, names in {
        "eng": "english английском английский anh", "rus": "russian русском русский nga",
        "vie": "vietnamese вьетнамском вьетнамский viet", "fra": "french французском французский phap",
        "deu": "german немецком немецкий duc", "spa": "spanish испанском испанский",
        "ita": "italian итальянском итальянский", "pol": "polish польском польский",
    }.items()
    for name in names.split()
}  # fmt: skip
_NAMES = "|".join(_NAMED)
# Who learns a language, or speaks it badly, would read in it; so would who wants the original.
_LEARNT = (
    r"\b(?:(?:i m|am|we re|are|is|s|been|started) learning|practi[sc](?:e|ing)|improv(?:e|ing)"
    r"|brush(?:ing)? up(?: on)?|refresh(?:ing)?|revive|relearn(?:ing)?"
    rf"|in the original|original) (?:my |our |his |her |their |some |the |a bit of )?(?P<name>{_NAMES})\b"
    rf"|\b(?:my|our) (?:\w+ )?(?P<mine>{_NAMES}) (?:is|s|isn t|was|needs?|has|could)\b(?: (?:\w+ )?rusty)?"
    rf"|\b(?:учу|учим|учит|изуча\w+|подтянуть|подтягива\w+|практик\w+|освежить|улучшить|вспомнить|осваива\w+)(?: \w+)? "
    rf"(?P<ru>{_NAMES})\b"
)
_ORIGINAL = (
    r"\b(?:(?:in|from) the )?original(?: language| version)?\b|\b(?:на языке |в )?оригинал\w*\b|\bподлинник\w*\b"
    r"|\b(?:nguyen (?:ban|tac|goc)|ban (?:goc|nguyen))\b(?= ?\0)|\bnguyen (?=\0)"
)


def languages(reading: Reading, wish: Wish) -> Wish:
    """The language that books should be in, or may be in beside the reader's own."""
    said = _read_in(reading, wish)
    if not (said.written_in or said.also_in) and (learnt := reading.take(_LEARNT)):
        said = replace(wish, written_in=_NAMED[learnt["name"] or learnt["mine"] or learnt["ru"]])
    if said.written_in:
        reading.take(_ORIGINAL)
    return said


def _read_in(reading: Reading, wish: Wish) -> Wish:
    """The language that is asked for by its name."""
    for code, phrases in lexicon().written_in.items():
        for phrase in phrases:
            pattern = phrase.pattern if not (phrase.bare and not reading.has_accents) else phrase.bare
            uses_accents = bool(phrase.bare) and reading.has_accents
            match = reading.take(
                pattern + r"(?: (?:instead|language|please|thi sao|языке))?", with_accents=uses_accents
            )
            if match:
                will_do = reading.take(rf"(?<=\0){_WILL_DO_TOO}") or reading.find(_EVEN + r"(?=\0)")
                if reading.take(
                    r"\b(?:не(?: обязательно| только)?|not (?:only|necessarily)|khong (?:nhat thiet|can"
                    r"|chi))(?: \w+)? (?=\0)"
                ):
                    return replace(wish, also_in=ANY_LANGUAGE)
                other = reading.take(
                    rf"(?<=\0) (?:or|and|или|и|hoac|hay)(?: (?:in|на|bang|tieng))? (?P<name>{_NAMES})\b"
                )
                if other and CODES[reading.language] in (code, _NAMED[other["name"]]):
                    mine = code == CODES[reading.language]
                    return replace(wish, also_in=_NAMED[other["name"]] if mine else code)
                return replace(wish, also_in=code) if will_do else replace(wish, written_in=code)
    pattern, codes = other_languages(reading.language, bare=reading.language == "vi" and not reading.has_accents)
    match = reading.take(pattern, with_accents=reading.has_accents)
    return replace(wish, written_in=codes[match["name"]]) if match else wish
