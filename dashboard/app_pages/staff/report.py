"""What did the library do? A month on one page for the library's board, made to be printed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from dashboard import language
from dashboard.components import finding, staff
from dashboard.components.staff import Column
from dashboard.language import _, language_name, plural
from dashboard.words import subject_name
from openshelf.contracts import utc_now
from openshelf.database import report_figures
from openshelf.database.report_figures import MonthReport, Use

# Searches are kept for a time only.
UNKNOWN = "–"


@dataclass(frozen=True)
class Line:
    """A measure of the month, and of the month before."""

    name: str
    now: str
    before: str
    meaning: str


def measures() -> dict[str, tuple[str, str]]:
    """Name and meaning of each, by the attribute of a `Use`. The names are those of COUNTER where it has one."""
    return {
        "count_readers": (
            _("Active readers"),
            _("Readers who did anything; of who keeps no history, each visit."),
        ),
        "total_item_investigations": (
            _("Total item investigations"),
            _("How often a book's page or text was opened."),
        ),
        "unique_item_investigations": (_("Unique item investigations"), _("The same, each book once in a visit.")),
        "total_item_requests": (_("Total item requests"), _("How often a text was opened to read.")),
        "unique_item_requests": (_("Unique item requests"), _("The same, each book once in a visit.")),
        "count_works": (_("Books used"), _("Different books that were opened.")),
        "count_unanswered_searches": (_("Searches without an answer"), _("Searches that found nothing.")),
    }


def answer(found: MonthReport, today: date) -> str:
    use, month = found.all, language.month(found.month)
    if use.count_readers is None:
        return _("In {month} fewer than five readers used the library, so nothing more is told.").format(month=month)
    said = _("In {month}, {readers} used the library. Books were looked at {looked} and opened to read {read}.").format(
        month=month,
        readers=plural("{count} reader", "{count} readers", use.count_readers),
        looked=plural("{count} time", "{count} times", use.unique_item_investigations or 0),
        read=plural("{count} time", "{count} times", use.unique_item_requests or 0),
    )
    if found.begins_on and found.begins_on > found.month:
        said += " " + _("Figures begin on {day}.").format(day=language.day(found.begins_on))
    if not report_figures.is_over(found.month, today):
        said += " " + _("The month is not over yet.")
    # A part of a month is more or less than another for that alone.
    elif found.is_comparable and found.before and found.before.count_readers is not None:
        change = use.count_readers - found.before.count_readers
        if change > 0:
            said += " " + plural("{count} reader more than the month before.",
                                 "{count} readers more than the month before.", change)  # fmt: skip
        elif change < 0:
            said += " " + plural("{count} reader fewer than the month before.",
                                 "{count} readers fewer than the month before.", -change)  # fmt: skip
    return said


def number_of(use: Use, measure: str) -> str:
    value = getattr(use, measure)
    if value is None:
        return UNKNOWN if measure == "count_unanswered_searches" else staff.fewer()
    return language.number(value)


def draw_use(found: MonthReport) -> None:
    lines = [
        Line(name, number_of(found.all, key), number_of(found.before, key) if found.before else UNKNOWN, meaning)
        for key, (name, meaning) in measures().items()
    ]
    staff.section(_("Use"), _("As COUNTER counts it, so that it can be compared with other libraries."))
    staff.figure(
        f"use-{found.month:%Y-%m}",
        None,
        _("Opened again within 30 seconds, a book counts once."),
        lines,
        [
            Column("name", _("Measure")),
            Column("now", language.month(found.month)),
            Column("before", _("Month before")),
            Column("meaning", _("Meaning")),
        ],
    )


def draw_reach(key: str, heading: str, column: str, uses: Sequence[Use], name: Callable[[str], str]) -> None:
    staff.section(heading)
    known = [use for use in uses if use.count_readers is not None]
    if not known:
        staff.quiet(_("No group has enough readers to be shown."))
        return
    words = _("{name} reached {readers}.").format(
        name=name(known[0].value), readers=plural("{count} reader", "{count} readers", known[0].count_readers or 0)
    )
    held_back = len(uses) - len(known)
    if held_back:
        words += " " + plural(
            "Of {count} more nothing is told: too few readers.", "Of {count} more nothing is told: too few readers.",
            held_back,
        )  # fmt: skip
    staff.figure(
        key,
        None,
        words,
        known,
        [
            Column("value", column, name),
            Column("count_readers", _("Readers reached")),
            Column("unique_item_investigations", _("Books looked at")),
            Column("unique_item_requests", _("Books read")),
            Column("count_works", _("Different books")),
        ],
    )


def group_name(value: str) -> str:
    return _("without one") if value == "none" else subject_name(value)


def tongue_name(value: str) -> str:
    return _("not known") if value == "unknown" else language_name(value)


def draw(page: staff.Page) -> None:
    months, today = report_figures.months(page.marts), utc_now().date()
    named = {f"{month:%Y-%m}": month for month in months}
    usual = next((key for key, month in named.items() if month == report_figures.usual_month(months, today)), "")
    asked = staff.chosen("month", list(named), usual)
    found = report_figures.month_report(page.marts, named[asked]) if asked else None
    if found is None:
        staff.head(page, _("Nothing yet: no reader has been here."))
        return
    options = [(key, language.month(month)) for key, month in named.items() if key != usual]
    staff.head(
        page,
        answer(found, today),
        [finding.select("month", _("Month"), language.month(named[usual]), options, "" if asked == usual else asked)],
    )
    draw_use(found)
    draw_reach(f"subjects-{asked}", _("By subject"), _("Subject"), found.subjects, group_name)
    draw_reach(f"languages-{asked}", _("By language"), _("Language"), found.languages, tongue_name)


staff.page("report", draw)
