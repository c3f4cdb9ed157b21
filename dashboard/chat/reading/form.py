"""The book as a thing, whatever it is about: who wrote it and where, its language, its file."""

from dataclasses import replace

from dashboard.chat.lexicon import lexicon, other_languages
from dashboard.chat.reading.question import Reading
from dashboard.chat.reading.wish import ANY_LANGUAGE, Wish

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
    r"(?<!di )(?<!ra )\b(?:tieu thuyet|truyen|sach|tac gia|van hoc|cua)? ?nuoc ngoai\b|\b(?:sach|truyen|tieu thuyet"
    r"|van hoc|hang) dich\b(?! (?:benh|ta))"
    r"|\bтранслирован\w*\b|\bпереводн\w+\b|\bзарубежн\w+\b|\binostrann\w*\b"
    r"|\bиностранн\w+ (?:литератур\w*|автор\w*)|\bin translation\b|\btranslated\b"
)
_NOT_TRANSLATED = (
    r"\b(?:khong phai|khong|dung|chang phai) (?:la )?(?:sach |truyen |ban |hang )?dich\b(?! benh| thuat)"
    r"|\bне (?:перевод\w*|иностранн\w*|зарубежн\w*)\b"
)
_WRITER = r"(?:authors?|writers?|poets?|novelists?|voices?)"
_WOMAN = r"(?:wom[ae]n|female|lady|ladies)"
_BY_WOMEN = (
    rf"\b(?:by|written by|from) (?:(?:a|some|the|only|other|more) )?(?:\w+ )?{_WOMAN}(?: {_WRITER})?\b(?! s\b)"
    rf"|\b{_WOMAN} {_WRITER}\b|\b(?:authoress|poetess)\w*"
    rf"|\b{_WRITER} (?:(?:is|are|was|were|s|who|that|must|should|has|have|had|better|to|be|being|a) )+{_WOMAN}\b"
    rf"|\b{_WOMAN} (?:who |that |to |has |have |had |should |must )*(?:wr[io]te|written|writing|wrote)\b"
    r"|\b(?:do |boi |cua )?(?:cac )?(?:phu nu|nu gioi|dan ba) (?:viet|ke|sang tac)\b|\b(?:do|cua) phu nu\b"
    r"|\b(?:nha van|tac gia|cay but|nha tho|nguoi viet)(?: (?:phai|la|thi))* (?:nu|phu nu|dan ba)\b(?: gioi)?"
    r"|\bnu (?:tac gia|nha van|van si|nha tho|si|viet)\b"
    r"|\bженщин\w* (?:\w+ )?(?:автор|писател|поэт|писал|напис|пишет|сочин)\w*|\bнаписан\w* женщин\w*"
    r"|\b(?:автор|писател|поэт)\w*(?: \||(?: (?:была?|был|это|чтобы?|обязательно|только|пусть|будет)))* женщин\w*"
    r"|\b(?:писательниц|поэтесс)\w*|\bженск\w+ (?:проз\w*|авторств\w*|поэзи\w*|перо|пера|рук\w+)\b"
)
_NATIVE = (
    r"\bnguoi viet(?: nam)?(?: minh)? viet\b|\b(?:truyen|tieu thuyet|van hoc|tho|sach) (?:nuoc )?(?:minh"
    r"|ta)\b(?! (?:muon|can|tim|thich|doc|hay|dang))|\b(?:tac gia|nha van|van hoc) (?:trong nuoc|viet nam|viet)\b"
    r"|(?:(?<=\0 )|\b(?:cua|do|tac gia|nha van) (?:la )?)nguoi viet(?: nam)?(?: minh| ta)?\b(?! (?:sach|van|truyen))"
    r"|\btruyen viet(?: nam)?\b"
    r"|\b(?:русск\w+|отечественн\w+|наш\w*) (?:автор\w*|писател\w*|проз\w+|литератур\w*)\b"
)


def origins(reading: Reading, wish: Wish) -> Wish:
    """By women, translated, by authors of one's own language: read before names are, "tác giả nữ" is nobody's."""
    if reading.take(_NOT_TRANSLATED):
        wish = replace(wish, is_native=True)
    if reading.take(_TRANSLATED):
        wish = replace(wish, is_translated=True)
    if reading.take(_BY_WOMEN) or (reading.is_answer and reading.take(_WOMEN_ALONE)):
        wish = replace(wish, by_women=True)
    if reading.take(_NATIVE):
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


def languages(reading: Reading, wish: Wish) -> Wish:
    """The language that books should be in, or may be in beside the reader's own."""
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
                return replace(wish, also_in=code) if will_do else replace(wish, written_in=code)
    pattern, codes = other_languages(reading.language, bare=reading.language == "vi" and not reading.has_accents)
    match = reading.take(pattern, with_accents=reading.has_accents)
    return replace(wish, written_in=codes[match["name"]]) if match else wish
