"""Whether a question that names a work would have that work itself: "do you still keep it?", "còn cuốn ... không"."""

import re

from dashboard.chat.lexicon import Language

NAMED = "\0"  # stands for each letter of the name of a work

_THE_VERY: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        # What asks for it goes right before its name, ...
        r"\b(?:do you (?:still )?(?:have|keep|stock|hold|own)|have you(?: got)?|got|looking for|searching for|after"
        r"|find|borrow|get|reserve|chosen?|want|need|called|titled|named)"
        r"(?: (?:a|the|any|copy|copies|of|book|novel|still|to|read|me))* (?:\| )?\0"
        r"|\b(?:have|had|need|supposed) to read \0"
        # ... or speaks of it: "would you have it", "is it in", "lost the copy".
        r"|\b(?:do|would|could|can|might|may|have|has|is|are|did) (?:you|we|i|they|it|there|the library)\b"
        r"(?: \w+){0,4}? (?:it|one|copy|copies|this|that|them)"
        r"(?: (?:still|here|in|available|anywhere|please|on|the|shel\w+|at|all))*(?= \||$)"
        r"|\b(?:the|a|any|my|our|spare|another) cop(?:y|ies)\b|\b(?:get|have|borrow) another(?= \||$)"
        r"|\bis \0+(?: by \w+)? (?:in|out|available|there|here)\b|\bwould you (?:still )?have\b"
    ),
    "vi": re.compile(
        r"\b(?:co|con|tim|kiem|muon|giu|mua|doc|lay|ten(?: la)?|tua(?: la)?|goi la)"
        r"(?: (?:cuon|quyen|sach|truyen|tap|bo|duoc))*"
        r" (?:\| )?\0[^|]*(?: \|[^|]*)*\b(?:khong|ko|k|kg|hong|hok|hem|chua|voi|nhe|a)\b"
        r"|\b(?:co|con) (?:\w+ )?(?:khong|ko|k|kg|hong|hok|hem)(?: (?:a|nhi|vay|the|ban|ta|nhe))*(?= \||$)"
        r"|\bten (?:la|cuon|sach)\b|\btim (?:mai|hoai)"
    ),
    "ru": re.compile(
        r"\b(?:есть|ищу|взять|наити|нужн[аоы]?|хочу|хотела?|прочитать|прочесть|почитать|называ\w+|имеется)"
        r"(?: (?:ли|у|вас|взять|прочитать|почитать|книг\w|роман\w?))* (?:\| )?\0"
        r"|\b(?:у вас|в библиотеке)(?: \w+){0,3} (?:остал\w+|сохранил\w+|есть|наид\w+|имеется|водится)\b"
        r"|\bесть (?:ли )?(?:у вас|так\w+)\b|\0+ (?:у вас )?есть\b"
        r"|\bможно(?: \w+)? (?:взять|получить|заказать|почитать)\b|\bназывал\w+\b"
    ),
}
# What asks for others than the one that is named.
_OTHERS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:some|any)(?:thing|body|one)\b|\bsimilar|\b(?:others?|else|more|next|which|vein|lines)\b"
        r"|\b(?:like|after|as good as) (?:it|this|that|these|those|them|\0)|\b(?:sort|kind) of\b"
        r"|\b(?:recommend|suggest)(?:ions?|s)?\b|\banother (?!cop|\|)\w"
        r"|\bwhat (?:now|should|can|do|shall|would|to|could|follows)\b"
    ),
    "vi": re.compile(
        r"\b(?:gi|nao|khac|giong|tuong tu|kieu|nua|them|tiep|goi y|na na|cung gu|nhu)\b"
        r"|\b(?:sau|xong)(?: khi)?(?: doc)? \0"
    ),
    "ru": re.compile(
        r"\b(?:похож\w*|вроде|типа|наподобие|подобн\w*|в духе|чем|чего|чему|еще|друг\w+|дальше|посовет\w*"
        r"|как(?:ую|ие|ои)|следующ\w+|аналог\w*|сравн\w+"
        r"|что (?:нибудь|то|еще|почитать|посоветуете|можно|взять|бы))\b|\b(?:после|как|уровня) \0"
    ),
}


def asks_for_the_very(text: str, language: Language) -> bool:
    """Whether it asks for the very work; `text` is folded, with `NAMED` in place of the name."""
    return bool(_THE_VERY[language].search(text)) and not _OTHERS[language].search(text)
