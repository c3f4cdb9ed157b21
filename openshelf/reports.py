"""`openshelf report`: what the library did in a month, in plain words, for its board."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from babel import Locale
from langcodes import standardize_tag

from openshelf.cli import command_app, report
from openshelf.contracts import utc_now
from openshelf.database import analytics, migrate, pool, report_figures
from openshelf.database.analytics import Marts
from openshelf.database.report_figures import MonthReport, Use
from openshelf.errors import UsageError

app = command_app("What the library did, for its board.", group=True)

FEWER = "fewer than 5"
MEASURES = (
    ("count_readers", "Active readers", "readers who did anything; of who keeps no history, each visit"),
    ("total_item_investigations", "Total item investigations", "how often a book's page or text was opened"),
    ("unique_item_investigations", "Unique item investigations", "the same, each book once in a visit"),
    ("total_item_requests", "Total item requests", "how often a text was opened to read"),
    ("unique_item_requests", "Unique item requests", "the same, each book once in a visit"),
    ("count_works", "Books used", "different books that were opened"),
    ("count_unanswered_searches", "Searches without an answer", "searches that found nothing"),
)
_STYLE = """
body { font: 16px/1.5 Georgia, serif; color: #24211c; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding-bottom: .4rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d8cfbf; font-weight: normal; }
thead th { font-weight: bold; } .number { text-align: right; font-variant-numeric: tabular-nums; }
small { color: #5b5348; display: block; } @media print { body { margin: 0; } tr { break-inside: avoid; } }
"""


def month_of(text: str) -> date:
    """'2026-10' -> its first day. Raises UsageError."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise UsageError(f"{text!r} is not a month; give it as in 2026-10") from error


def in_words(found: MonthReport) -> str:
    """What a board wants to know first."""
    use = found.all
    if use.count_readers is None:
        return f"In {found.month:%B %Y} {FEWER} readers used the library, so nothing more is told."
    said = (
        f"In {found.month:%B %Y}, {use.count_readers:,} readers used the library. Books were looked at "
        f"{use.unique_item_investigations:,} times and opened to read {use.unique_item_requests:,} times, once in a "
        "visit."
    )
    before = found.before
    if found.begins_on and found.begins_on > found.month:
        said += f" Figures begin on {found.begins_on:%-d %B}."
    if not report_figures.is_over(found.month, utc_now().date()):
        said += " The month is not over yet."
    elif found.is_comparable and before and before.count_readers:
        change = use.count_readers - before.count_readers
        how = "as many readers as" if not change else f"{abs(change):,} {'more' if change > 0 else 'fewer'} than"
        said += f" That is {how} in the month before."
    if use.count_unanswered_searches:
        said += f" {use.count_unanswered_searches:,} searches found nothing: readers want what the library lacks."
    return said


def as_html(found: MonthReport) -> str:
    """A page of its own, to be printed or sent."""
    title = f"The library in {found.month:%B %Y}"
    rows = "".join(
        f"<tr><th scope=row>{name}<small>{meaning}</small></th>"
        f"<td class=number>{_number(found.all, key)}</td>"
        f"<td class=number>{_number(found.before, key) if found.before else '–'}</td></tr>"
        for key, name, meaning in MEASURES
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>{escape(in_words(found))}</p>"
        f"<table><caption>Use, as COUNTER counts it (Code of Practice 5.1)</caption><thead><tr><th scope=col>Measure"
        f"</th><th scope=col class=number>This month</th><th scope=col class=number>Month before</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        f"{_reach('By subject', found.subjects, {})}{_reach('By language', found.languages, _languages(found))}"
        "<p><small>Nothing is told of groups of fewer than five readers, nor what would give them away. The same "
        "book opened again within 30 seconds counts once.</small></p></body></html>\n"
    )


def _reach(heading: str, uses: Sequence[Use], names: dict[str, str]) -> str:
    known = [use for use in uses if use.count_readers is not None]
    rows = "".join(
        f"<tr><th scope=row>{escape(names.get(use.value, use.value))}</th>"
        f"<td class=number>{_number(use, 'count_readers')}</td>"
        f"<td class=number>{_number(use, 'unique_item_investigations')}</td>"
        f"<td class=number>{_number(use, 'unique_item_requests')}</td></tr>"
        for use in known
    )
    held_back = len(uses) - len(known)
    note = f"<p><small>Of {held_back} more nothing is told: too few readers.</small></p>" if held_back else ""
    return (
        f"<h2>{heading}</h2><table><thead><tr><th scope=col>{heading.removeprefix('By ').capitalize()}</th>"
        "<th scope=col class=number>Readers reached</th><th scope=col class=number>Books looked at</th>"
        f"<th scope=col class=number>Books read</th></tr></thead><tbody>{rows}</tbody></table>{note}"
    )


def _languages(found: MonthReport) -> dict[str, str]:
    known = Locale("en").languages
    return {use.value: known.get(standardize_tag(use.value), use.value) for use in found.languages}


def _number(use: Use, measure: str) -> str:
    value = getattr(use, measure)
    if value is None:
        return "–" if measure == "count_unanswered_searches" else FEWER
    return f"{value:,}"


@app.callback()
def _commands() -> None:
    """So that the one command there is is called by its name."""


@app.command("month")
def month_command(
    month: Annotated[str, typer.Argument(help="As in 2026-10.")],
    html: Annotated[Path | None, typer.Option("--html", help="Write it as a page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Use of a month as COUNTER counts it, active readers, reach by subject and language."""
    first = month_of(month)
    with pool.connect() as conn:
        migrate.check(conn)
        if not analytics.is_built(conn):
            raise UsageError("the warehouse has not been built: run `openshelf warehouse build`")
        marts = Marts(conn)
        found = report_figures.month_report(marts, first)
        known = report_figures.months(marts)
    if found is None:
        named = f"; known are {known[-1]:%Y-%m} to {known[0]:%Y-%m}" if known else ""
        raise UsageError(f"nothing is known of {month}{named}")
    if html:
        html.write_text(as_html(found), "utf-8")
    if as_json:
        report(asdict(found) | {"month": month}, as_json=True)
    else:
        typer.echo(in_words(found))
        for key, name, _meaning in MEASURES:
            typer.echo(f"  {name:28} {_number(found.all, key)}")
