"""What of a text may be shown: plain words, and only what a record or the question supports. Pure."""

import html
import re

from openshelf.contracts import clean_text
from openshelf.folding import fold_words

MAX_WHY = 400
# Share of a sentence's longer words that stand in the record or the question.
SUPPORT = 0.34
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
# A record or a voice that gives orders is not quoted.
_ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}\b(?:instructions?|rules?|prompts?|previous|above|guidelines?)\b"
    r"|\b(?:system|hidden|secret|initial) (?:prompt|instructions?)\b|\byou (?:are|must) now\b|\bfrom now on\b|\bas an ai\b"
    r"|\b(?:assistant|librarian|chatbot|language model|model|ai|system)\s*[:,]|\b(?:to|dear) the (?:assistant|librarian|chatbot|model|ai)\b"
    r"|\b(?:you|must|always|please|now|instead|then)\b.{0,30}\b(?:recommend|reply|respond|answer|output|print|reveal|write|say|repeat)\b"
    r"|^(?:recommend|reply|respond|answer|output|print|reveal|repeat|say|write)\b|\binstructions? (?:to|for)\b|</?\w+>|\[/?inst\]"
    r"|(?:проигнорир|игнорир|забуд|отмени)\w*.{0,40}(?:инструкц|правил|указан|промпт|предыдущ)|системн\w+ (?:промпт|инструкц)|ты теперь\b"
    r"|\b(?:рекомендуй|порекомендуй|ответь|отвечай|напиши|выведи|скажи|повтори)(?:те)?\b"
    r"|bỏ qua.{0,30}(?:hướng dẫn|chỉ dẫn|quy tắc|lệnh)|lời nhắc hệ thống|bạn bây giờ là|từ bây giờ|\bhãy (?:giới thiệu|trả lời|viết|in ra|nói|bỏ qua)",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Text without links, images, addresses, HTML and Markdown marks."""
    bare = _IMAGE_OR_LINK.sub(r"\1", html.unescape(clean_text(text)))
    bare = _TAG.sub("", _ADDRESS.sub("", _IMAGE_OR_LINK.sub(r"\1", bare)))
    return " ".join(_MARKS.sub("", bare).replace("[", "").replace("]", "").split())


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def grounded(text: str, own_words: str, question: str, *, is_opening: bool = False) -> str:
    """The sentences of a voice that its record or the question supports.

    A name or title from elsewhere cuts its sentence. An opening is one sentence about no record: it may use any
    small words, but no names.
    """
    known = set(fold_words(f"{own_words} {question}").split())
    kept = [s for s in sentences(text) if _is_supported(s, known, is_opening=is_opening) and not is_order(s)]
    return cut(" ".join(kept[:1] if is_opening else kept[:3]))


def is_order(sentence: str) -> bool:
    """Whether a sentence tells its reader or a model what to do."""
    return bool(_ORDERS.search(sentence))


def _is_supported(sentence: str, known: set[str], *, is_opening: bool) -> bool:
    if any(not _known(quote, known) for quote in _QUOTED.findall(sentence)):
        return False
    if any(number not in known for number in _NUMBER.findall(sentence)):
        return False
    words = list(_WORD.finditer(sentence))
    names = [m[0] for m in words[1:] if m[0][0].isupper() and m[0] not in {"I", "I'm", "I've", "I'd"}]
    if any(not _known(name, known) for name in names):
        return False
    if is_opening:
        return True
    longer = [m[0] for m in words if len(m[0]) > 3]
    return not longer or sum(_known(word, known) for word in longer) >= SUPPORT * len(longer)


def _known(words: str, known: set[str]) -> bool:
    """Whether each word is known, by its first letters: languages inflect."""
    return all(
        word in known or (len(word) > 4 and any(other.startswith(word[: max(4, len(word) - 3)]) for other in known))
        for word in fold_words(words).split()
    )


def cut(text: str) -> str:
    """At most `MAX_WHY` characters, whole words."""
    return text if len(text) <= MAX_WHY else text[:MAX_WHY].rsplit(" ", 1)[0] + "…"
