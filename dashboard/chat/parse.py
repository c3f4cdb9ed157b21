"""A question in words -> what is wished for. By rules, in English, Vietnamese and Russian; pure.

Each rule reads words off the question (`Reading.take`), so that none is read twice: "no war" is not war, the year of
"before 1970" is no title. What is left are the words that a record should hold. What a language model understood of
the same question is merged in by `wish.merge`; it never overrules a number or a negation that the rules saw.

The rules are in `dashboard.chat.reading`. Here is what asks for no book at all, and the order in which they read.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from dashboard.chat.lexicon import lexicon
from dashboard.chat.reading.concepts import concepts, words_left
from dashboard.chat.reading.dates import dates
from dashboard.chat.reading.followups import follow, references
from dashboard.chat.reading.form import form, origins
from dashboard.chat.reading.known import SEQUEL, known
from dashboard.chat.reading.named import creators, likeness, quoted
from dashboard.chat.reading.question import Reading, says
from dashboard.chat.reading.readers import readers
from dashboard.chat.reading.sizes import sizes
from dashboard.chat.reading.wish import Asks, Mention, Wish


def parse(
    question: str, before: Wish | None = None, today: date | None = None, mentions: Sequence[Mention] = ()
) -> Wish:
    """Read one question; `before` is the wish it follows on, for "more of those" and "something shorter".

    `mentions`: works of ours that it names; where it asks for books like them, their names are read as that alone.
    """
    reading = Reading.of(question, before.language if before else None)
    text, language = reading.text, reading.language
    asks = _asks(reading, text)
    if asks != "books":
        return Wish(text, language, asks)
    wish = known(reading, Wish(text, language), mentions)
    wish = _read(reading, wish, before is not None, today or datetime.now(UTC).date())
    return follow(wish, before, reading) if before else wish


# Code, marks of a prompt and sums, in a question as it was written.
_CODE = re.compile(
    r"<\s*/?\s*(?:script|img|iframe|svg|body|catalogue|\?php)|\[/?inst\]|javascript:|\bon(?:error|load)\s*="
    r"|;\s*--|'\s*or\s+'?1|\bselect\b.{1,40}\bfrom\b.{1,30}\bwhere\b|\{\{.*\}\}|\$\(|\.\./|/etc/|\brm -r|\bcurl http",
    re.IGNORECASE,
)
_SUM = re.compile(
    r"\d\s*[+*×÷−^]\s*\d|=\s*-?\d|^(?:what(?: i|')?s )?\d+ ?[+*/x-] ?\d+\W*$"
    r"|\d (?:times|plus|minus|divided by|nhân|cộng|trừ|chia|умножить на|плюс|минус) \d",
    re.IGNORECASE,
)


# What an assistant is told to do, in the very form of an order; folded.
_TASKS = re.compile(
    r"^(?:please |can you |could you |will you |would you |now |just )*"
    r"(?:(?:write|compose|translate|calculate|compute|solve|summari[sz]e|fix|repair)\b(?! like)"
    r"|(?:book|order|draw|draft|sing|call|play|code) (?:me|us|a|an|some)\b)"
    r"|\b(?:viet|dich|giai|tinh|soan|ve|hat|sua|goi|dat|lam|bat|gui) (?:giup|ho|gium|dum|cho) "
    r"(?:toi|minh|em|con|tao|to|anh|chi)\b"
    r"|\bke (?:cho )?(?:\w+ )?(?:nghe )?(?:mot )?(?:cau )?chuyen (?:cuoi|vui|tieu lam)\b"
    r"|\b(?:напиши|сочини|переведи|реши|посчитаи|вычисли|спои|нарисуи|включи|закажи|позвони|отправь|пошути|докажи"
    r"|почини)"
    r"(?:те)?\b"
)


def _asks(reading: Reading, text: str) -> Asks:
    folded = " ".join(word.folded for word in reading.words)
    if not any(c.isalnum() for c in text):
        return "nothing"
    small_talk = lexicon()
    if folded in small_talk.thanks:
        return "thanks"
    rest = folded
    for greeting in sorted(small_talk.greetings, key=lambda each: -len(each)):
        if rest == greeting or rest.startswith(greeting + " "):
            rest = rest[len(greeting) :].strip()
            break
    if not rest:
        return "greeting"
    return _aside(reading, text, folded) or "books"


def _aside(reading: Reading, text: str, folded: str) -> Asks | None:
    """What a question is if it is none about books."""
    if _CODE.search(text) or says(reading, "orders") or says(reading, "insults"):
        return "orders"
    is_of_books = says(reading, "books")
    is_long = len(reading.words) > _TELLS_MUCH
    # Who tells much and speaks of books means books, whatever else was said.
    if is_of_books and is_long:
        return None
    if _SUM.search(text) or _TASKS.search(folded) or says(reading, "chores"):
        return "not-books"
    if is_of_books:
        return None
    if (says(reading, "harm") and says(reading, "how")) or (not is_long and says(reading, "rude")):
        return "orders"
    return "not-books" if says(reading, "troubles") else None


_TELLS_MUCH = 9  # words


def _read(reading: Reading, wish: Wish, is_follow_up: bool, today: date) -> Wish:
    """All the rules, those that read whole phrases first."""
    reading.is_answer = is_follow_up
    # "Haven't cried in ages" asks for it.
    reading.take(
        r"\b(?:haven t|have not|hasn t)(?= .{0,30}\b(?:in (?:ages|years|a long time|a while)|for (?:ages|years))\b)"
        r"|\b(?:lau|da lau|lau lam)(?: roi)? (?:khong|chua)\b|\bдавно(?: уже)? не\b"
    )
    reading.take(r"\bof (?:that|this|the same) (?:kind|sort|type)\b")
    reading.take(r"\b(?:(?:that|this|some|any|what|same|right|which|of|a|the) )+kinds? of(?: thing| stuff| book)?\b")
    # "The house is practically a character": as good as, of no use.
    reading.take(r"\b(?:practically|virtually|literally|basically|(?:funnily|strangely|oddly) enough)\b")
    if wish.like:  # "after it nothing grips me": what shall do so is asked for
        reading.take(
            r"\b(?:ничего|ничто|никакая книга)(?: \w+)? не(?= \w)|\bnothing(?: else)?(?: really| quite)?(?= \w+s\b)"
        )
    reading.take(r"\b(?:i|we) (?:really |just )?(?:love|like|enjoy)(?= \w+ing\b)")
    if is_follow_up:
        wish = references(reading, wish)
    wish = likeness(reading, wish)
    wish = origins(reading, wish)
    wish = creators(reading, wish)
    wish = quoted(reading, wish)
    if wish.named and reading.take(SEQUEL):
        wish = replace(wish, titled=wish.named, named="", is_titled_as_name=True, is_sequel=True)
    wish = form(reading, wish)
    wish = dates(reading, wish, today)
    wish = readers(reading, wish)
    wish = sizes(reading, wish)
    topic = reading.rest()
    teaches = says(reading, "manuals")
    wish = concepts(reading, wish)
    if wish.is_era and (wish.themes or _TOLD_OF.intersection(wish.subjects)):
        wish = replace(wish, year_to=None)  # what tells of those years was written then or since
    wish = words_left(reading, wish)
    if wish.knows_author and not (is_follow_up or wish.has_topic or wish.moods):
        wish = replace(wish, titled=wish.avoid_author, is_titled_as_name=True)  # all of hers was read: others like her
    # "Not a textbook": what teaches is not asked for.
    teaches = teaches and says(Reading(reading.wanted(), reading.language), "manuals")
    return replace(
        wish,
        spoken=reading.spoken(topic),
        wanted=reading.wanted(),
        is_story=bool(re.search(_STORY, re.sub(_TRUE, "", reading.original))),
        is_true=bool(re.search(_TRUE, reading.original)),
        in_order=bool(re.search(_IN_ORDER, reading.original)),
        teaches=teaches or "practical" in wish.moods or ("learning" in wish.themes and wish.audience != "children"),
    )


# What years may be told of, beside all themes; a form has only the years in which it was written.
_TOLD_OF = frozenset((
    "history", "historical fiction", "war", "politics", "society", "memoir", "biography", "economics", "religion",
    "travel", "sport", "music", "film", "art",
))  # fmt: skip
_STORY = (
    r"\b(?:novels?|novella|story|stories|fiction|truyen|tieu thuyet|роман\w*|повест\w*|рассказ\w*|художественн\w+)\b"
    r"(?! (?:of my|tale))"
)
_TRUE = (
    r"\b(?:really|actually|truly) happened\b|\b(?:not|nothing|isn t|wasn t|aren t) (?:all )?(?:made up|invented)\b"
    r"|\b(?:было|есть|случил\w+|происходил\w+|бывает) на самом деле\b"
    r"|\bnon ?fiction\b|\btrue (?:ones?|stuff|stor(?:y|ies)|crime|accounts?)\b|\breal (?:life|events|people"
    r"|stor(?:y|ies))\b"
    r"|\b(?:not|no|isn t|aren t|than) (?:a |any )?(?:novels?|fiction|stor(?:y|ies)|made up)\b"
    r"|\b(?:khong phai|khong doc|dung) (?:la )?(?:tieu thuyet|truyen|hu cau)\b|\bphi hu cau\b|\b(?:chuyen|nguoi"
    r"|viec) that\b"
    r"|\bнон ?фикш\w*|\bнехудожественн\w*|\bне (?:роман|художественн|выдум|сказк)\w*|\bдокументальн\w*"
    r"|\bреальн\w+ (?:истори|событи|люд)\w*|\bневыдуманн\w*"
)
_IN_ORDER = (
    r"\b(?:what|which|in(?: the)?(?: right)?|reading|correct) order\b|\bwhere (?:do|does|should|to"
    r"|would) (?:\w+ ){0,4}(?:start|begin)\b"
    r"|\b(?:start|begin) with\b|\b(?:which|what)(?: one| book)? (?:is|comes|do i read) first\b|\bfrom the (?:start"
    r"|beginning)\b"
    r"|\bпо порядку\b|\b(?:каком|какои|в) порядк\w*|\bс как(?:ои|ого) (?:\w+ )?(?:начин|нача)\w*|\bчто сначала\b"
    r"|\b(?:doc|xem) (?:tu dau|theo thu tu)\b|\bthu tu\b|\bcuon nao truoc\b|\btap (?:mot|1|dau(?: tien)?)\b"
    r"|\btu dau\b(?! (?:ma|den|co|toi))"
)
