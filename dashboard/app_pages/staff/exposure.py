"""What does it show and hide? How widely recommendations are spread, and what is never among them."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from dashboard import language
from dashboard.components import finding, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column
from dashboard.language import _, language_name, plural
from dashboard.words import address, subject_name
from openshelf.database import exposure
from openshelf.database.exposure import Dimension, ExposureGroup, ExposureWeek, HiddenWork

# Periods of which the marts know what each subject had.
PERIODS = (2, 4, 12)
MOST_GROUPS = 20
SHOWN = 200


def measures() -> dict[str, tuple[str, str]]:
    """Name and meaning of each measure over time, by the column of the mart."""
    return {
        "coverage": (
            _("Coverage"),
            _("Of all works of the catalogue, the share that was on screen as a recommendation."),
        ),
        "gini": (
            _("Concentration"),
            _(
                "How unequally the places are shared among all works: 0, all the same; near 1, a few have them all "
                "(Gini)."
            ),
        ),
        "long_tail_share": (
            _("Long tail"),
            _("Share of the places with works outside of the most opened fifth of the catalogue."),
        ),
        "novelty": (
            _("Novelty"),
            _("How surprising a recommended work is on average, in bits: one more, and it is opened half as often."),
        ),
        "diversity": (
            _("Variety"),
            _("Of any two books on one slate, how often their principal subjects differ. Of readers with a history."),
        ),
        "repetition_rate": (
            _("Repetition"),
            _("Share of the places whose book the reader had on screen on an earlier day. Of readers with a history."),
        ),
    }


def shown(measure: str) -> Callable[[float], str]:
    if measure in ("gini", "novelty"):
        return lambda value: language.number(round(value, 2))
    return language.percent


def latest_of_all(weeks: Sequence[ExposureWeek]) -> ExposureWeek | None:
    return next((week for week in reversed(weeks) if week.policy_version == "all" and week.coverage is not None), None)


def whole(weeks: Sequence[ExposureWeek], today: date) -> list[ExposureWeek]:
    """Without the week under way, which has seen less; it alone, while there is no other."""
    over = [week for week in weeks if week.week_start_date + timedelta(days=7) <= today]
    return over or list(weeks)


def answer(latest: ExposureWeek | None, never: int, works: int) -> str:
    if latest is None:
        return _("Nothing can be told yet: too few readers have been shown recommendations.")
    return _(
        "In the week of {day}, {coverage} of the catalogue was recommended to somebody, and {tail} of the places "
        "went to its less opened books. {never} of {works} have not been on screen for four weeks."
    ).format(
        day=language.day(latest.week_start_date),
        coverage=language.percent(latest.coverage or 0),
        tail=language.percent(latest.long_tail_share or 0),
        never=language.number(never),
        works=plural("{count} book", "{count} books", works),
    )


def draw_tiles(latest: ExposureWeek) -> None:
    tiles = []
    for measure, (name, _meaning) in measures().items():
        value = getattr(latest, measure)
        low, high = getattr(latest, f"{measure}_low", None), getattr(latest, f"{measure}_high", None)
        basis = (
            staff.between(low, high)
            if low is not None
            else plural("of {count} place shown", "of {count} places shown", latest.count_shown or 0)
        )
        tiles.append((name, staff.fewer() if value is None else shown(measure)(value), basis))
    staff.tiles(tiles)


def draw_over_time(page: staff.Page, weeks: Sequence[ExposureWeek], measure: str) -> None:
    name, meaning = measures()[measure]
    staff.section(_("Week by week, for each version"), meaning)
    known = [week for week in weeks if getattr(week, measure) is not None]
    if not known:
        staff.quiet(_("No week has enough readers."))
        return
    show = shown(measure)
    together = [week for week in known if week.policy_version == "all"] or known
    words = _("{measure} went from {first} to {last}.").format(
        measure=name, first=show(getattr(together[0], measure)), last=show(getattr(together[-1], measure))
    )
    everything = _("all together")
    points = [
        Point(
            week.week_start_date,
            everything if week.policy_version == "all" else week.policy_version,
            getattr(week, measure),
            getattr(week, f"{measure}_low", None),
            getattr(week, f"{measure}_high", None),
            staff.on_basis(week.count_shown, week.count_readers),
        )
        for week in known
    ]
    days = 7 * len({week.week_start_date for week in weeks})
    columns = [
        Column("week_start_date", _("Week of")),
        Column("policy_version", _("Version"), lambda version: everything if version == "all" else version),
        *(Column(key, label, shown(key)) for key, (label, _meaning) in measures().items()),
        Column("count_works_shown", _("Books shown")),
        Column("count_works", _("Books in the catalogue")),
        Column("count_shown", _("Places shown")),
        Column("count_readers", _("Readers")),
    ]
    is_share = measure not in ("gini", "novelty")
    chart = graphs.lines(
        points, name, words, is_share=is_share, rules=staff.rules(page.marts, days), order=[everything]
    )
    staff.figure("exposure-by-week", chart, words, weeks, columns)


def draw_groups(groups: Sequence[ExposureGroup], dimension: Dimension, names: Callable[[str], str]) -> None:
    title = _("By subject") if dimension == "subject" else _("By language")
    staff.section(title, _("Share of the places beside the share of the catalogue: what is shown more, and what less."))
    known = [group for group in groups if group.share_of_places is not None]
    if not known:
        staff.quiet(_("No group has enough readers."))
        return
    most = max(known, key=lambda group: (group.share_of_places or 0) - group.share_of_catalogue)
    least = min(known, key=lambda group: (group.share_of_places or 0) - group.share_of_catalogue)
    words = _("{most} has {more} of the places and {of} of the catalogue; {least} has {fewer} and {part}.").format(
        most=names(most.value),
        more=language.percent(most.share_of_places or 0),
        of=language.percent(most.share_of_catalogue),
        least=names(least.value),
        fewer=language.percent(least.share_of_places or 0),
        part=language.percent(least.share_of_catalogue),
    )
    points = [
        Point(number, names(group.value), group.share_of_places or 0, group.share_of_places_low,
              group.share_of_places_high, staff.on_basis(group.count_shown, group.count_readers))
        for number, group in enumerate(known[:MOST_GROUPS])
    ]  # fmt: skip
    staff.figure(
        f"exposure-by-{dimension}",
        graphs.intervals(points, _("Share of the places"), words, is_share=True),
        words,
        groups,
        [
            Column("value", _("Subject") if dimension == "subject" else _("Language"), names),
            Column("share_of_places", _("Share of the places"), language.percent),
            Column("share_of_places_low", _("From"), language.percent),
            Column("share_of_places_high", _("To"), language.percent),
            Column("share_of_catalogue", _("Share of the catalogue"), language.percent),
            Column("coverage", _("Coverage"), language.percent),
            Column("count_works_shown", _("Books shown")),
            Column("count_works", _("Books")),
            Column("count_readers", _("Readers")),
        ],
    )


def draw_never(works: Sequence[HiddenWork], count: int) -> None:
    staff.section(
        _("Not on screen for four weeks"),
        _("Those that readers opened all the same come first: they found what was not recommended."),
    )
    if not works:
        staff.quiet(_("None: every book was on somebody's screen."))
        return
    words = plural("{count} book", "{count} books", count)
    if count > SHOWN:
        words += ", " + _("the first {count} of them").format(count=language.number(SHOWN))
    staff.figure(
        "never-shown",
        None,
        words,
        works,
        [
            Column("title", _("Book"), link=lambda work: address("book", id=work.book_id)),
            Column("authors_text", _("Author")),
            Column("principal_subject", _("Subject"), subject_name, missing="–"),
            Column("language", _("Language"), language_name, missing="–"),
            Column("count_opens_recent", _("Opened all the same")),
            Column("count_drawn_recent", _("Drawn, not seen")),
            Column("last_shown_date", _("Last on screen"), missing=_("never")),
            Column("added_at", _("In the library since"), language.day),
        ],
    )


def group_name(value: str) -> str:
    return _("without one") if value == "none" else subject_name(value)


def tongue_name(value: str) -> str:
    return _("not known") if value == "unknown" else language_name(value)


def draw(page: staff.Page) -> None:
    count = staff.weeks()
    weeks = whole(exposure.weeks(page.marts, count + 1), page.trust.built_at.date())
    period = max((each for each in PERIODS if each <= count), default=PERIODS[0])
    versions = list(dict.fromkeys(week.policy_version for week in weeks if week.policy_version != "all"))
    version = staff.chosen("version", versions, "all")
    measure = staff.chosen("measure", list(measures()), "coverage")
    subjects = exposure.groups(page.marts, period, version, "subject")
    languages = exposure.groups(page.marts, period, version, "language")
    subject = staff.chosen("subject", [group.value for group in subjects if group.value != "none"]) or None
    tongue = staff.chosen("language", [group.value for group in languages if group.value != "unknown"]) or None
    never, works = exposure.count_never_shown(page.marts, subject, tongue)
    latest = latest_of_all(weeks)
    staff.head(
        page,
        answer(latest, never, works),
        [
            staff.weeks_field(count),
            finding.select(
                "measure", _("Measure"), measures()["coverage"][0],
                [(key, name) for key, (name, _meaning) in measures().items() if key != "coverage"],
                "" if measure == "coverage" else measure,
            ),
            finding.select(
                "version", _("Version"), _("all together"), [(each, each) for each in versions],
                "" if version == "all" else version,
            ),
            finding.select(
                "subject", _("Subject"), _("any"),
                [(group.value, subject_name(group.value)) for group in subjects if group.value != "none"],
                subject or "",
            ),
            finding.select(
                "language", _("Language"), _("any"),
                [(group.value, language_name(group.value)) for group in languages if group.value != "unknown"],
                tongue or "",
            ),
        ],
    )  # fmt: skip
    if latest:
        draw_tiles(latest)
    chosen = [week for week in weeks if version in ("all", week.policy_version)]
    draw_over_time(page, chosen, measure)
    draw_groups(subjects, "subject", group_name)
    draw_groups(languages, "language", tongue_name)
    draw_never(exposure.never_shown(page.marts, subject, tongue, SHOWN), never)


staff.page("exposure", draw)
