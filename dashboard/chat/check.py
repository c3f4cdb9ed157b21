"""What of a text may be shown: plain words, and only what a record or the question supports. Pure."""

import html
import re
from collections.abc import Sequence
from itertools import pairwise

from dashboard.chat.lexicon import lexicon, spaced, stem
from openshelf.contracts import clean_text

MAX_WHY = 400
_SHORTEST = 3
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
_I = frozenset({"I", "I'm", "I've", "I'd", "I'll"})
_IMAGE_OR_LINK = re.compile(r"!?\[([^\]]*)\]\s*\([^)]*\)")
_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.\-]{1,20}://|\bwww\.|\bmailto:|\bjavascript:|\bdata:)\S*?(?=[.,;:!?]*(?:\s|$))", re.IGNORECASE
)
_TAG = re.compile(r"<[^>]{0,500}>?")
_MARKS = re.compile(r"[*_`#~|]+")
_SENTENCE = re.compile(r"(?<=[.!?…。])\s+(?=[\w\"'«“(])")
_QUOTED = re.compile(r"[\"“”«»„‘]([^\"“”«»„’]{2,120})[\"“”«»„’]")
_WORD = re.compile(r"[^\W\d_][\w'’\-]*")
_NUMBER = re.compile(r"\d+")
# A record or a voice that gives orders, or speaks to or of a machine, is not quoted.
_MACHINE = (
    r"assistants?|chat ?bots?|language models?|ai models?|llms?|gpt|the librarian|system prompt|ассистент\w*"
    r"|чат ?бот\w*|"
    r"языков\w+ модел\w*|нейросет\w*|искусственн\w+ интеллект\w*|trợ lý|mô hình ngôn ngữ|trí tuệ nhân tạo|thủ thư ảo"
)
_SAYING = (
    r"say|says|tell|inform|reply|respond|answer|output|print|reveal|repeat|recommend|rate|praise|add|include|insert"
    r"|list|name|"
    r"write|begin|start|mention|show|praise|warn|claim|state|describe|translate|speak|greet|"
    r"скажи|сообщи\w*|ответ\w*|напиши|выведи|повтори|рекоменд\w*|порекоменд\w*|встав\w*|добав\w*|назови|похвали"
    r"|придумай|"
    r"nói|trả lời|viết|giới thiệu|thêm|in ra|liệt kê|khuyên|báo|chào"
)
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}\b(?:instructions?|rules?|prompts?|previous|above"
    r"|guidelines?)\b"
    r"|\b(?:hidden|secret|initial|my|your|these|previous|new) (?:system )?(?:prompts?|instructions?)\b|\byou (?:are"
    r"|must) now\b"
    r"|\bfrom now on\b|\bas an ai\b|</?\w+>|<!--|\[/?inst\]"
    rf"|\b(?:{_MACHINE})\b.{{0,80}}\b(?:{_SAYING}|must|should|shall|обязан\w*|долж\w+|hãy|phải)\b"
    rf"|\b(?:{_SAYING})\b.{{0,80}}\b(?:{_MACHINE})\b"
    rf"|\b(?:if you are|to all|note to|dear|attention|для|nếu bạn là|gửi|если ты) .{{0,20}}\b(?:{_MACHINE}|models?"
    rf"|bots?)\b"
    r"|\b(?:tell|inform|warn|convince|remind|ask)\b (?:the |all |every |your )?(?:reader|readers|user|users|patron"
    r"|patrons)\b"
    r"|\b(?:reply|respond|answer) (?:only )?with\b|\brate this\b|\brecommend\b.{0,60}\binstead\b|\binstead of (?:any"
    r"|all|the) (?:other )?books?\b"
    r"|^(?:recommend|reply|respond|output|print|reveal|repeat|pretend|say|ignore|forget)\b|\bnever write\b|\bno rules\b"
    r"|(?:проигнорир|игнорир|забуд|отмени)\w*.{0,40}(?:инструкц|правил|указан|промпт|предыдущ)|системн\w+ (?:промпт"
    r"|инструкц)|\b(?:ты|вы) теперь\b|\bотныне\b"
    r"|\b(?:напиши|скажи|сообщи|посоветуй|ответь|объяви)(?:те)?\b|\b(?:читател[юья]м?"
    r"|пользовател[юья]м?)\b.{0,40}\bчто\b"
    r"|bỏ qua.{0,30}(?:hướng dẫn|chỉ dẫn|quy tắc|lệnh)|lời nhắc hệ thống|bạn bây giờ là|từ bây giờ"
    r"|\bhãy (?:giới thiệu|trả lời|viết|in ra|nói|bỏ qua|thêm|khuyên|bảo)"
    r"|nói (?:với|cho) (?:bạn đọc|người đọc|độc giả)|\bmọi (?:chỉ dẫn|quy tắc)",
    re.IGNORECASE,
)
# What a blurb that describes its book seldom says, and one that is meant for whoever tells of it must: of answers and
# advice, of the library and its readers, of all other books, of what has to be done, of where to go and what to pay.
_MEANT_FOR_US = re.compile(
    r"\b(?:answer(?:s|ed|ing)?|repl(?:y|ies|ied)|respon(?:d|ds|se|ses)|recommend(?:s|ed|ation|ations|ing)?"
    r"|suggest(?:ion"
    r"|ions)?|summar(?:y|ies|ise|ize|ised|ized)|describ(?:e|ing)|mention(?:s|ed|ing)?|librar(?:y|ies|ian|ians)"
    r"|catalogu?e(?:s"
    r"|rs?)?|patrons?|users?|visitors?|customers?|audience|other (?:books?|titles?)|(?:any|every"
    r"|each) (?:other )?(?:book"
    r"|title|reader)|all (?:other )?(?:books|titles|readers)|only (?:book|title)|instructions?|commands?|prompts?"
    r"|systems?"
    r"|models?|machines?|bots?|(?-i:AI)|whoever|anyone who|those who|please|must|should|shall|ought|has to|have to"
    r"|needs? to|is to"
    r"|are to|make sure|be sure|remember|note that|keep in mind|always|never|click|visit|call|phone|e ?mail|website"
    r"|address|link|download|subscribe|buy|pay|paid|price|prices|free of charge|discount|coupon|code|password"
    r"|order|orders"
    r"|prize|award|awarded|winner|winning|stars?|rated|rating|ratings|best ?seller|guarantee[ds]?|proven"
    r"|official(?:ly)?"
    r"|announce[ds]?|attention|warning|urgent|important|you|your|yours|we|our|us)\b"
    r"|\b(?:ответ\w*|отвеча\w*|рекоменд\w*|порекоменд\w*|совету\w*|посовету\w*|сообщ\w*|упомян\w*|упомин\w*|назва(?:ть"
    r"|в)|описани\w*|описыва(?:я|ть|йте)|библиотек\w*|библиотекар\w*|каталог\w*|читател\w*|пользовател\w*|посетител\w*"
    r"|(?:все|любы\w|други\w|остальны\w|каждая|каждую) (?:остальны\w |други\w )?книг\w*|инструкц\w*|указани\w*"
    r"|команд\w*"
    r"|систем\w*|модел\w*|машин\w*|пожалуйста|должн\w+|должен|обязан\w*|надо|нужно|следует|необходимо|нельзя"
    r"|всегда|никогда"
    r"|помни\w*|запомни\w*|внимани\w*|важно|срочно|сайт\w*|ссылк\w*|адрес\w*|скача\w*|купи\w*|плат\w*|цен\w"
    r"|бесплатн\w*"
    r"|скидк\w*|код\w*|парол\w*|премия|премии|премию|награ\w*|рейтинг\w*|оценк\w*|звонит\w*|телефон\w*|вы|вас|вам"
    r"|ваш\w*|ты"
    r"|тебя|тебе|мы|нам|наш\w*)\b"
    r"|\b(?:trả lời|câu trả lời|giới thiệu|khuyên|gợi ý|tóm tắt|nhắc đến|thư viện|thủ thư|danh mục|bạn đọc"
    r"|người đọc|độc giả"
    r"|người dùng|mọi (?:cuốn|sách|quyển)|sách khác|cuốn khác|cuốn sách duy nhất|chỉ dẫn|mệnh lệnh|hệ thống"
    r"|mô hình|máy"
    r"|phải|cần phải|nên|hãy|đừng|xin|vui lòng|luôn luôn|không bao giờ|chú ý|lưu ý|quan trọng|trang web|liên kết"
    r"|địa chỉ"
    r"|tải về|mua|trả tiền|giá|miễn phí|giảm giá|mã|mật khẩu|giải thưởng|giải nhất|đánh giá|điện thoại|bạn|quý vị"
    r"|chúng tôi"
    r"|chúng ta)\b"
    r"|[!@#$€£₫%]|[\"“«„]|(?-i:\b(?=[A-ZА-ЯЁ0-9\-]*[A-ZА-ЯЁ])(?![IVXLCDM]+\b)[A-ZА-ЯЁ0-9][A-ZА-ЯЁ0-9\-]{3,}\b)",
    re.IGNORECASE,
)
# An order begins with a verb; what is told begins with who or what.
_BEGINS_AS_AN_ORDER = re.compile(
    rf"(?:^|[:;—–-] )(?:{_SAYING}|please|always|never|do|don't|let|go|take|read|open|use|see|look|choose|pick"
    rf"|trust|stop|give"
    r"|ask|call|send|put|leave|borrow|return|ignore|forget|consider|believe|know|prefer|treat|present|call)\b",
    re.IGNORECASE,
)
# "NOTE:", "SYSTEM:", "ВАЖНО:", "HỆ THỐNG:" begin no sentence of a blurb.
_SHOUT = re.compile(r"\b(?:[A-ZĐÀ-ỸА-ЯЁ]{4,}|[A-ZĐÀ-ỸА-ЯЁ]{2,}(?: [A-ZĐÀ-ỸА-ЯЁ]{2,})+)\s*:")


def plain(text: str) -> str:
    """Text without links, images, addresses, HTML and Markdown marks."""
    bare = _IMAGE_OR_LINK.sub(r"\1", html.unescape(clean_text(text)))
    bare = _TAG.sub("", _ADDRESS.sub("", _IMAGE_OR_LINK.sub(r"\1", bare)))
    return " ".join(_MARKS.sub("", bare).replace("[", "").replace("]", "").split())


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def grounded(text: str, own_words: str, *, is_opening: bool = False) -> str:
    """The sentences of a voice that say nothing but what its records hold.

    Each word and number must stand there in some form, or be one of those that claim nothing (`[speech]` of
    `words.toml`); a name or title from elsewhere, an order or a word of its own cuts the sentence: what the question
    says is no source. An opening is one sentence.

    Args:
        text: plain words of the voice.
        own_words: what may be said of the record: see `supporting`.
    """
    # Without their accents, different words of Vietnamese are one.
    with_accents = bool(_VIETNAMESE.search(text))
    known = _words(own_words, with_accents)
    kept = [
        s for s in sentences(text) if not is_order(s) and _is_supported(s, known, with_accents, in_company=is_opening)
    ]
    return cut(" ".join(kept[:1] if is_opening else kept[:3]))


def is_order(sentence: str) -> bool:
    """Whether a sentence tells its reader or a model what to do."""
    return bool(_ORDERS.search(sentence) or _SHOUT.search(sentence))


def quotable(text: str | None) -> list[str]:
    """The sentences of a blurb that may be quoted, and that a model may see: no order, no address, no mark."""
    raw = sentences(clean_text(text or ""))
    # Judged as they are written: what plain words would no longer show, a comment or an address, tells an order.
    return [bare for each in raw if not is_order(each) and not _ADDRESS.search(each) and (bare := plain(each))]


def supporting(text: str | None) -> list[str]:
    """The sentences of a blurb that tell of the book alone: what a model may see and repeat, and what is quoted.

    Whatever could be meant for whoever tells of the book ends them, though much of that is innocent, and what follows
    may belong to it: it costs a few sentences, and the other mistake would put a stranger's words into our mouth.
    """
    kept: list[str] = []
    for each in sentences(clean_text(text or "")):
        is_ours = is_order(each) or _ADDRESS.search(each) or _MEANT_FOR_US.search(each)
        if is_ours or _BEGINS_AS_AN_ORDER.search(each):
            break
        kept += [bare] if (bare := plain(each)) else []
    return kept


def _words(text: str, with_accents: bool) -> list[str]:
    return spaced(text, with_accents=with_accents).replace("|", " ").split()


def _is_supported(sentence: str, text: list[str], with_accents: bool, *, in_company: bool = False) -> bool:
    """Whether the text holds each word that claims something; of Vietnamese syllables `in_company`, beside one of those
    that they stand beside here: many records together hold most syllables, each in other words."""
    whole, known = f" {' '.join(text)} ", set(text)
    # What is quoted is a title, or meant as one: it must stand there as it is.
    if any(f" {' '.join(_words(quote, with_accents))} " not in whole for quote in _QUOTED.findall(sentence)):
        return False
    if any(number not in known for number in _NUMBER.findall(sentence)):
        return False
    speech = lexicon().speech_vietnamese if with_accents else lexicon().speech
    words = [match[0] for match in _WORD.finditer(sentence)]
    pairs = list(pairwise(_words(sentence, with_accents)))
    for n, word in enumerate(words):
        parts = _words(word, with_accents)
        is_name = n > 0 and word[0].isupper() and word not in _I
        # In Vietnamese short words are words like others.
        shortest = 0 if with_accents else _SHORTEST
        claims_nothing = all(part in speech or stem(part) in speech or len(part) < shortest for part in parts)
        if not _known(parts, known) and (is_name or not claims_nothing):
            return False
        must_stand_beside = in_company and with_accents and not claims_nothing
        if must_stand_beside and not any(f" {a} {b} " in whole for a, b in pairs if a in parts or b in parts):
            return False
    return bool(words)


def _known(words: Sequence[str], known: set[str]) -> bool:
    """Whether each word is known, by its first letters: languages inflect."""
    return all(
        word in known or (len(word) > 4 and any(other.startswith(word[: max(4, len(word) - 3)]) for other in known))
        for word in words
    )


def cut(text: str) -> str:
    """At most `MAX_WHY` characters, whole words."""
    return text if len(text) <= MAX_WHY else text[:MAX_WHY].rsplit(" ", 1)[0] + "…"
