"""`openshelf ingest quality`: what there is, what is missing where readers look, and how it is spread.

The page needs nothing else: charts are drawn into it where vl-convert is installed; the tables say the same.
"""

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from openshelf.contracts import utc_now
from openshelf.database import catalogue_desk, quality
from openshelf.database.catalogue import MIN_READERS
from openshelf.database.catalogue_desk import Twins
from openshelf.database.quality import Bar, Gap, Source
from openshelf.errors import IngestError

_TWINS = 200  # suspected duplicates that are named


@dataclass(frozen=True)
class Quality:
    """As of now; works are active ones."""

    at: datetime
    works: int
    editions: int
    sources: list[Source]
    gaps: list[Gap]
    distributions: dict[str, list[Bar]]  # heading -> bars
    twins: list[Twins]


def measured(conn: psycopg.Connection) -> Quality:
    kinds, sources = quality.kinds(conn), quality.sources(conn)
    return Quality(
        at=utc_now(),
        works=sum(bar.count or 0 for bar in kinds),
        editions=sum(source.editions for source in sources),
        sources=sources,
        gaps=quality.gaps(conn),
        distributions={
            "Kinds": kinds,
            "Years of first publication": quality.decades(conn),
            "Languages": quality.languages(conn),
            "Subjects": quality.subjects(conn),
            "Acts on each work": quality.acts_per_work(conn),
            "Acts of each reader": quality.acts_per_reader(conn),
            "Stars in data sets": quality.stars(conn),
        },
        twins=catalogue_desk.suspected_twins(conn, _TWINS),
    )


def plain(found: Quality) -> dict[str, object]:
    """For --json."""
    return asdict(found)


def as_text(found: Quality) -> list[str]:
    """For the terminal."""
    lines = [f"{found.works} works, {found.editions} editions", "", "sources"]
    lines += [f"  {s.kind:<9} {s.editions:>8} editions {s.acts:>9} acts  {s.name}" for s in found.sources]
    lines += ["", f"missing, by what readers met ({quality.DEMAND_DAYS} days, and data sets)"]
    lines += [f"  {g.field:<10} {g.works:>8} works {g.share:>6.1%}   {_demanded(g)}" for g in found.gaps]
    for heading, bars in found.distributions.items():
        most = max((bar.count or 0 for bar in bars), default=0)
        lines += ["", heading.lower()]
        lines += [f"  {b.name[:24]:<24} {_count(b):>9} {'█' * round(30 * (b.count or 0) / max(most, 1))}" for b in bars]
    lines += ["", f"suspected twins: {len(found.twins)}{' or more' if len(found.twins) == _TWINS else ''}"]
    lines += [f"  {_ids(twins)}: {twins.titles[0]}" for twins in found.twins[:10]]
    return lines


def _demanded(gap: Gap) -> str:
    return "" if gap.demanded is None else f"{gap.demanded:.1%} of acts"


def _count(bar: Bar) -> str:
    return f"under {MIN_READERS}" if bar.count is None else str(bar.count)


def _ids(twins: Twins) -> str:
    return ", ".join(map(str, twins.book_ids))


def write_page(found: Quality, path: Path) -> None:
    """One HTML file without a script or anything from elsewhere.

    Raises:
        IngestError: it cannot be written.
    """
    try:
        path.write_text(_page(found), encoding="utf-8")
    except OSError as error:
        raise IngestError(f"{path} cannot be written: {error.strerror}.") from error


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c1b19; }
table { border-collapse: collapse; margin: 0 0 1rem; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } tr { border-bottom: 1px solid #ddd; }
figure { margin: 0 0 1rem; } svg { max-width: 100%; height: auto; } summary { cursor: pointer; }
h2 { margin: 2rem 0 .5rem; }
@media (prefers-color-scheme: dark) { body { background: #1c1b19; color: #eee; } tr { border-color: #444; }
  figure { background: #fff; padding: .5rem; } }
"""


def _page(found: Quality) -> str:
    sources = [(s.kind, s.name, s.editions, s.works, s.acts) for s in found.sources]
    gaps = [(g.field, g.works, f"{g.share:.1%}", _demanded(g)) for g in found.gaps]
    twins = [(_ids(t), t.why, " / ".join(dict.fromkeys(t.titles))) for t in found.twins]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>The catalogue, measured</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{_STYLE}</style></head><body><h1>The catalogue, measured</h1>",
        f"<p>{found.works:,} works and {found.editions:,} editions on {found.at:%Y-%m-%d, %H:%M} UTC. Acts "
        f"are those of the last {quality.DEMAND_DAYS} days and of data sets.</p>",
        "<h2>Where it comes from</h2>",
        _table(["kind", "source", "editions", "works", "acts"], sources),
        "<h2>What is missing, where readers look first</h2>",
        _table(["field", "works without it", "share", "met by"], gaps),
    ]
    for heading, bars in found.distributions.items():
        if bars:
            rows = [(bar.name, _count(bar) if bar.count is None else bar.count) for bar in bars]
            table, chart = _table([heading.lower(), "count"], rows), _chart(heading, bars)
            parts.append(f"<h2>{html.escape(heading)}</h2>")
            parts.append(f"{chart}<details><summary>As a table</summary>{table}</details>" if chart else table)
    parts += ["<h2>Suspected twins</h2>", _table(["works", "same", "titles"], twins), "</body></html>"]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>None.</p>"
    is_number = [all(isinstance(row[at], int) for row in rows) for at in range(len(head))]

    def line(cells: Sequence[object], tag: str) -> str:
        marks = [" class='n'" if number else "" for number in is_number]
        told = [f"{cell:,}" if isinstance(cell, int) else html.escape(str(cell)) for cell in cells]
        return "".join(f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marks, told, strict=True))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def _chart(heading: str, bars: Sequence[Bar]) -> str:
    """The bars as SVG; nothing where vl-convert, which draws without a browser, is not installed."""
    try:
        import vl_convert
    except ImportError:
        return ""
    import altair as alt

    chart = (
        alt.Chart(alt.Data(values=[{"name": bar.name, "count": bar.count or 0} for bar in bars]))
        .mark_bar(color="#1e5945")
        .encode(x=alt.X("count:Q", title=None), y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=240)))
        .properties(width=760, height=alt.Step(18))
    )
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    return f"<figure role='img' aria-label='{html.escape(heading, quote=True)}, as in the table below'>{svg}</figure>"
