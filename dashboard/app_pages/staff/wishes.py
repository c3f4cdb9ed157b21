"""What do readers look for and not find? Searches and questions in vain, and what readers thought of answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from scipy.stats import binomtest

from dashboard import language
from dashboard.components import furniture, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, plural
from dashboard.words import address
from openshelf.database import chats, requests
from openshelf.database.accounts import Account
from openshelf.database.chats import Thumbs
from openshelf.database.requests import Unanswered, UnansweredSearch

QUESTION = "wishes"


@dataclass(frozen=True)
class Week:
    """Judgements of a week as shown; None where too few were made. `share`: of the good ones, with its interval."""

    week: date
    count_judged: int | None
    count_good: int | None
    share: float | None
    low: float | None
    high: float | None


def week_of(thumbs: Thumbs) -> Week:
    if thumbs.count_good is None or thumbs.count_judged is None:
        return Week(thumbs.week, None, None, None, None, None)
    interval = binomtest(thumbs.count_good, thumbs.count_judged).proportion_ci(method="wilson")
    share = thumbs.count_good / thumbs.count_judged
    return Week(thumbs.week, thumbs.count_judged, thumbs.count_good, share, interval.low, interval.high)


def answer(found: Unanswered, weeks: Sequence[Week]) -> str:
    if not found.groups and not found.count_rare:
        said = _("Nothing was looked for in vain.")
    elif not found.groups:
        said = _("Nothing was looked for in vain five times.")
    else:
        first = found.groups[0]
        said = _("Most often “{words}”: {times}.").format(words=words_of(first), times=times(first.count_searches))
    last = next((week for week in reversed(weeks) if week.share is not None), None)
    if last is None:
        return said
    judged = _("Of the librarian's answers, {share} were judged good in the week of {day}.")
    return f"{said} {judged.format(share=language.percent(last.share or 0), day=language.day(last.week))}"


def words_of(group: UnansweredSearch) -> str:
    return group.folded or _("(no words were kept)")


def times(count: int) -> str:
    return plural("{count} time", "{count} times", count)


def draw_unanswered(found: Unanswered) -> None:
    furniture.section(
        _("Looked for in vain"),
        _("Searches without a book that holds the words or comes near, and questions without an answer."),
    )
    if not found.groups:
        staff.quiet(rare(found))
        return
    kinds = {"search": _("search"), "chat": _("question")}
    staff.figure(
        "looked-for-in-vain",
        None,
        rare(found),
        found.groups,
        [
            Column("folded", _("Words"), lambda words: words or _("(no words were kept)"), link=searched),
            Column("kind", _("How"), lambda kind: kinds[kind]),
            Column("count_searches", _("Times")),
            Column("last_day", _("Last on")),
        ],
    )


def searched(group: UnansweredSearch) -> str | None:
    """The same search now: perhaps the book has come meanwhile."""
    return address("find", q=group.folded) if group.folded else None


def rare(found: Unanswered) -> str:
    """What stands behind the table, and how much is not in it."""
    kept = _("Words that were asked for fewer than five times are not shown, since they could tell who asked.")
    if not found.count_rare:
        return kept
    others = plural(
        "{count} other wording was asked for", "{count} other wordings were asked for", found.count_rare
    )  # fmt: skip
    return f"{kept} {others}, {times(found.count_rare_searches)}."


def draw_thumbs(weeks: Sequence[Week]) -> None:
    furniture.section(
        _("Were the librarian's answers good?"), _("Thumbs up and down, by the week that begins on the day shown.")
    )
    if not weeks:
        staff.quiet(_("No answer has been judged yet."))
        return
    known = [week for week in weeks if week.share is not None]
    points = [
        Point(
            at=week.week,
            series=_("Judged good"),
            value=week.share or 0,
            low=week.low,
            high=week.high,
            n=plural("{count} answer judged", "{count} answers judged", week.count_judged or 0),
        )
        for week in known
    ]
    words = (
        _("{good} of {judged} judged answers were good. The band is the 95 % Wilson interval.").format(
            good=language.number(sum(week.count_good or 0 for week in known)),
            judged=language.number(sum(week.count_judged or 0 for week in known)),
        )
        if known
        else _("No week has five judgements yet; only then they are shown.")
    )
    chart = graphs.lines(points, _("Judged good"), words, is_share=True) if known else None
    staff.figure(
        "librarians-answers",
        chart,
        words,
        weeks,
        [
            Column("week", _("Week of")),
            Column("count_judged", _("Judged")),
            Column("count_good", _("Good")),
            Column("share", _("Share"), language.percent),
            Column("low", _("From"), language.percent),
            Column("high", _("To"), language.percent),
        ],
    )


def draw(conn: psycopg.Connection, account: Account) -> None:
    weeks = staff.weeks()
    found = requests.unanswered(conn, account, 7 * weeks)
    judged = [week_of(thumbs) for thumbs in chats.thumbs_by_week(conn, account, weeks)]
    question = _("What do readers look for and not find?")
    staff.title(QUESTION, question, answer(found, judged), [staff.weeks_field(weeks)])
    draw_unanswered(found)
    staff.link("requests", _("Books that readers asked the library to get"))
    draw_thumbs(judged)


staff.live(QUESTION, draw)
