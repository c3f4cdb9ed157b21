"""Published data sets into the catalogue: their works as a library of its own, their ratings as acts to learn from.

files --models.dataset_formats--> Foreign --prepare--> editions and acts --one transaction--> catalogue, imported acts
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import psycopg

from ingest import clean
from ingest.clean import Author, Edition
from ingest.load import Difference, Plan, Report, preview, refuse_vanishing, run
from models import rewards
from models.dataset_acts import MAX_REJECTED, DataOptions, faults, with_enough
from models.dataset_formats import Foreign, format_of, read_whole
from openshelf.contracts import Action, clean_text, utc_now
from openshelf.database import erasures, imported_acts, ingestion
from openshelf.database.ingestion import StoredEdition
from openshelf.errors import IngestError, UsageError
from openshelf.readers import dataset_key, reader_mark
from openshelf.subjects import all_subjects, subject_of
from openshelf.works_composing import author_sort

Frame: TypeAlias = Any

# A work's mean is drawn towards that of all by so many ratings: two enthusiasts make no favourite.
DAMPING = 10
_LONGEST_KEY = 100  # characters of what a data set calls a work
_BLOCK = 100_000  # acts that are written at once
_SUFFIX = r"(?:Jr|Sr|II|III|IV|Ph\.?D|M\.?D)\b"
_AND = re.compile(rf"\s*(?:,(?!\s*{_SUFFIX})|;)\s*")
_YEAR_BEHIND = re.compile(r"\s*\(\d{4}\)$")
# What else a film is called: 'Kolya (Kolja)', one level of brackets within. 'Birdman: Or (...)' is called by all of it.
_OTHER_TITLE = re.compile(r"(?<!\sor)\s+\((?:[^()]|\([^()]*\))*\)$", re.IGNORECASE)

OnProgress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Reject:
    """A line or record that cannot be used. `line`: about where it stands, 0 where that cannot be told."""

    file: str
    line: int
    record: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """A data set, cleaned. Nothing is written yet."""

    editions: list[Edition]  # numbered from 1; `source_key` is what the data set calls the work
    acts: Frame  # reader, work (str), stars (0.5 to 5, NaN: only the fact), time (seconds, NaN: not told); a pair once
    rejects: list[Reject]
    too_few: int  # acts of readers or works below the asked minimum


@dataclass
class DatasetReport(Report):
    """`interactions`: acts of the data set that are held now. `reasons` counts what was rejected."""

    interactions_written: int = 0  # new or changed
    interactions_removed: int = 0
    too_few: int = 0
    readers: int = 0
    rejects: list[Reject] = field(default_factory=list)


def prepare(
    name: str, path: Path, options: DataOptions | None = None, on_progress: OnProgress | None = None
) -> Prepared:
    """Read and clean a data set.

    Raises:
        UsageError: no such format or file, a column is missing, or a file is empty, cut or otherwise malformed.
    """
    options = options or DataOptions()
    foreign = read_whole(name, path)
    rejects = [Reject(refused.file, refused.line, "", refused.reason) for refused in foreign.refused]
    acts = _sound_acts(foreign, rejects)
    before = len(acts)
    acts = with_enough(acts, options)
    works = foreign.works
    if options.min_acts_per_work > 1 or options.min_acts_per_reader > 1:
        works = works[works.index.isin(acts["work"].unique())]
    if before and acts.empty:
        raise UsageError(
            f"{foreign.acts_file} has no acts left: lower --min-ratings-per-work or --min-ratings-per-reader"
        )
    editions = _editions(format_of(name), foreign, works, acts, rejects, on_progress)
    if not editions:
        raise UsageError(f"{path} tells of no works: there is no title in any of its files")
    acts = acts[acts["work"].isin({edition.source_key for edition in editions})]
    return Prepared(editions, acts, rejects, before - len(acts))


def _sound_acts(foreign: Foreign, rejects: list[Reject]) -> Frame:
    """The acts that make sense, on works that are told of, the last of each reader and work."""
    acts: Frame = foreign.acts
    if acts.empty:
        return pd.DataFrame({"reader": [], "work": [], "stars": [], "time": []})
    acts = acts.assign(line=acts.index + 2)
    wrong: Frame = faults(foreign)
    share = float((wrong != "").mean())
    if share > MAX_REJECTED:
        reason, count = Counter(wrong[wrong != ""]).most_common(1)[0]
        raise UsageError(
            f"{foreign.acts_file}: {share:.0%} of the lines cannot be used ({count} times: {reason}): is this the "
            "right data set?"
        )
    if foreign.has_order:
        now = utc_now().timestamp()
        wrong[(wrong == "") & ~acts["time"].between(1, now + 86_400)] = "its time is none of a reader's act"
        acts = acts.sort_values("time", kind="stable")
        wrong = wrong.loc[acts.index]
    wrong[(wrong == "") & ~acts["work"].isin(foreign.works.index)] = "its work is in no file of works"
    sound = wrong == ""
    again = acts[sound].duplicated(["reader", "work"], keep="last")
    wrong.loc[again.index[again]] = "its reader and work come again"
    told = acts[wrong != ""]
    rejects += [
        Reject(foreign.acts_file.name, int(number), clean.line(f"reader {reader}, work {work}"), reason)
        for number, reader, work, reason in zip(
            told["line"], told["reader"], told["work"], wrong[wrong != ""], strict=True
        )
    ]
    acts = acts[wrong == ""]
    rating: Frame = acts["rating"] if "rating" in acts else pd.Series(np.nan, index=acts.index)
    top = foreign.scale[1] if np.isfinite(foreign.scale[1]) else max(float(rating.max()), 1e-9)
    return pd.DataFrame(
        {
            "reader": acts["reader"],
            "work": acts["work"],
            "stars": (rating / top * 5).clip(0.5, 5),
            "time": acts["time"] if foreign.has_order else np.nan,
        }
    )


def _editions(
    format_name: str,
    foreign: Foreign,
    works: Frame,
    acts: Frame,
    rejects: list[Reject],
    on_progress: OnProgress | None,
) -> list[Edition]:
    means = _means(acts)
    now = utc_now()
    found: list[Edition] = []
    for number, (key, row) in enumerate(zip(works.index, works.to_dict("records"), strict=True), 1):
        edition = _edition(format_name, foreign.kind, str(key), row, means.get(key), now, number)
        if isinstance(edition, Edition):
            found.append(edition)
        else:
            rejects.append(Reject("works", 0, f"work {clean.line(str(key))}", edition))
        if on_progress and number % 2_000 == 0:
            on_progress("Cleaning works", number, len(works))
    return found


def _edition(
    format_name: str, kind: str, key: str, row: dict[str, str], mean: float | None, now: datetime, number: int
) -> Edition | str:
    """The work as an edition, or why it is none."""
    if len(key) > _LONGEST_KEY or key != clean_text(key):
        return "its number is none"
    told = clean.line(_YEAR_BEHIND.sub("", row["title"]) if kind == "film" else row["title"])
    told = told or clean.line(row["title"])
    if not told:
        return "it has no title"
    title = _without_other_titles(told) if kind == "film" else told
    language = clean.language(row["language"]) if row["language"] else None
    series = clean.line(row["series"]) or None
    original = clean.line(row["original_title"])
    # Who cut Book-Crossing's names at commas would cut 'Jr.' off; it names one author each.
    names = [row["authors"]] if format_name == "book_crossing" else _AND.split(row["authors"])
    authors = {name: Author(name, author_sort(name, language)) for name in map(clean.author_name, names) if name}
    subjects = [clean.line(subject) for subject in row["subjects"].split(",")]
    if format_name == "goodbooks":  # readers' tags: 'to read', 'owned', and what a book is about
        subjects = [ours for subject in subjects if (ours := subject_of(subject)) in _ours()]
    given = [tuple(pair.split(":", 1)) for pair in row["identifiers"].split() if ":" in pair]
    given += [("isbn", row["isbn"])] if row["isbn"] else []
    stars = mean if mean is not None else _number(row["rating"])
    return Edition(
        calibre_id=number,
        calibre_uuid=None,
        title=title,
        title_sort=clean.title_sort(told, language),  # with its other titles: by what it is filed under it is found
        authors=tuple(authors.values()),
        languages=(language,) if language else (),
        published_on=_first_of_year(row["year"], now.year),
        publisher=clean.line(row["publisher"]) or None,
        series_name=series,
        series_index=_number(row["series_index"]) if series else None,
        rating=round(stars, 2) if stars is not None and 0 < stars <= 5 else None,
        summary=clean.summary(row["summary"]),
        subjects=tuple(dict.fromkeys(filter(None, subjects))),
        folder="",
        cover_path=None,
        files=(),
        identifiers=clean.identifiers((kind_, value) for kind_, value in given),
        added_at=None,
        modified_at=now,
        original_title=original if original and original != title else None,
        appeal=tuple(("theme", theme) for theme in dict.fromkeys(map(clean.line, row["themes"].split(","))) if theme),
        source_key=key,
        kind=kind,
    )


def _without_other_titles(title: str) -> str:
    """'The City of Lost Children (La cité des enfants perdus)' -> 'The City of Lost Children'."""
    while found := _OTHER_TITLE.search(title):
        title = title[: found.start()]
    return title


def _ours() -> frozenset[str]:
    return frozenset(all_subjects())


def _means(acts: Frame) -> dict[str, float]:
    """Work -> its mean rating in stars, drawn towards that of all works."""
    rated = acts.dropna(subset=["stars"])
    if rated.empty:
        return {}
    grouped = rated.groupby("work")["stars"]
    overall = float(rated["stars"].mean())
    return ((grouped.sum() + DAMPING * overall) / (grouped.size() + DAMPING)).to_dict()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 10_000 else None


def _first_of_year(text: str, this_year: int) -> date | None:
    year = int(text) if re.fullmatch(r"\d{3,4}", text.strip()) else 0
    return date(year, 1, 1) if 102 <= year <= this_year + 2 else None


def ingest_dataset(
    conn: psycopg.Connection,
    name: str,
    path: Path,
    *,
    secret: bytes,
    options: DataOptions | None = None,
    allow_vanishing: bool = False,
    on_progress: OnProgress | None = None,
) -> DatasetReport:
    """Bring what is held of a data set to what its files say: works and acts, all or nothing.

    Raises:
        UsageError: no data set is called so.
        IngestError: the files cannot be read, or more than a fifth of its works is gone (unless `allow_vanishing`).
    """
    library_key(name)  # an unknown name is wrong use, not a broken file
    held: list[Prepared] = []
    told = DatasetReport()

    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id, found, prepared = _plan(conn, name, path, options, on_progress)
        if not allow_vanishing:
            refuse_vanishing(found, path)
        held.append(prepared)
        return library_id, found

    def then(conn: psycopg.Connection, library_id: int, report: Report) -> None:
        (prepared,) = held
        _store_acts(conn, library_id, name, prepared, secret, told, on_progress)
        told.rejects, told.too_few = prepared.rejects, prepared.too_few
        report.interactions, report.rejected = told.interactions, len(prepared.rejects)
        report.reasons = told_reasons(prepared.rejects)

    done = run(conn, str(path), plan, str(clean.RECIPE), then)
    for field_name, value in vars(done).items():
        setattr(told, field_name, value)
    return told


def told_reasons(rejects: Iterable[Reject]) -> list[str]:
    """How often each reason, the most frequent first."""
    counts = Counter(reject.reason for reject in rejects)
    return [f"{count} times: {reason}" for reason, count in counts.most_common(50)]


def difference(
    conn: psycopg.Connection, name: str, path: Path, options: DataOptions | None = None
) -> tuple[list[Difference], Prepared]:
    """What `ingest_dataset` would change in the catalogue, and the data set as it would be taken in."""
    library_key(name)
    held: list[Prepared] = []

    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        library_id, found, prepared = _plan(conn, name, path, options, None)
        held.append(prepared)
        return library_id, found

    return preview(conn, plan), held[0]


def _plan(
    conn: psycopg.Connection, name: str, path: Path, options: DataOptions | None, on_progress: OnProgress | None
) -> tuple[int, Plan, Prepared]:
    try:
        prepared = prepare(name, path, options, on_progress)
    except UsageError as error:
        raise IngestError(f"{error} Nothing was changed.") from error
    library_id = ingestion.put_library(conn, library_key(name), str(path.resolve()), "dataset")
    stored = ingestion.stored_editions(conn, library_id)
    number_of = {old.source_key: number for number, old in stored.items() if old.source_key}
    next_number = max(stored, default=0) + 1
    plan = Plan([], {}, [], stored, [])
    there: set[int] = set()
    for edition in prepared.editions:
        number = number_of.get(edition.source_key or "")
        if number is None:
            number, next_number = next_number, next_number + 1
        there.add(number)
        numbered = replace(edition, calibre_id=number)
        old = stored.get(number)
        if old is None or not old.active or old.content_hash != numbered.content_hash:
            plan.editions.append(numbered)
    plan.removed.extend(old for number, old in stored.items() if old.active and number not in there)
    return library_id, plan, prepared


def _store_acts(
    conn: psycopg.Connection,
    library_id: int,
    name: str,
    prepared: Prepared,
    secret: bytes,
    told: DatasetReport,
    on_progress: OnProgress | None,
) -> None:
    editions = {old.source_key: old.edition_id for old in ingestion.stored_editions(conn, library_id).values()}
    acts = prepared.acts
    names = acts["reader"].unique() if len(acts) else []
    keys = {reader: dataset_key(secret, library_key(name), str(reader)) for reader in names}
    erased = set(erasures.marks(conn))
    if erased:
        keys = {reader: key for reader, key in keys.items() if reader_mark(key) not in erased}
        acts = acts[acts["reader"].isin(keys)]
    stored = imported_acts.store(conn, library_id, rewards.load().version, _lines(acts, keys, editions, on_progress))
    told.interactions, told.interactions_written = stored.held, stored.written
    told.interactions_removed, told.readers = stored.removed, len(keys)


def _lines(acts: Frame, keys: dict, editions: dict, on_progress: OnProgress | None) -> Iterator[str]:
    """Lines of CSV as `imported_acts.store` takes them, in blocks: memory is bounded."""
    worth = rewards.load()
    for start in range(0, len(acts), _BLOCK):
        block = acts.iloc[start : start + _BLOCK]
        is_rated = block["stars"].notna()
        reward = (block["stars"] - worth.rate_midpoint).fillna(worth.by_action[Action.READ])
        yield pd.DataFrame(
            {
                "reader_key": block["reader"].map(keys),
                "edition_id": block["work"].map(editions),
                "action": np.where(is_rated, Action.RATE.value, Action.READ.value),
                "value": block["stars"],
                "reward": reward,
                "occurred_at": pd.to_datetime(block["time"], unit="s", utc=True),
            }
        ).to_csv(index=False, header=False)
        if on_progress:
            on_progress("Writing acts", min(start + _BLOCK, len(acts)), len(acts))


def library_key(name: str) -> str:
    """What `library.libraries` calls a data set: its name in lower case, so that it is the same library next time."""
    format_of(name)
    return f"dataset:{name.strip().lower()}"


def remove_dataset(conn: psycopg.Connection, name: str) -> DatasetReport:
    """Withdraw the works of a data set that no other library holds, and remove its acts. Its works keep their numbers.

    Raises:
        UsageError: there is no such data set here.
    """
    library_id = _known(conn, name)
    told = DatasetReport()

    def plan(conn: psycopg.Connection) -> tuple[int, Plan]:
        stored = ingestion.stored_editions(conn, library_id)
        return library_id, Plan([], {}, _active(stored), stored, [])

    def then(conn: psycopg.Connection, library_id: int, report: Report) -> None:
        told.interactions_removed = imported_acts.remove(conn, library_id)

    done = run(conn, library_key(name), plan, str(clean.RECIPE), then)
    for field_name, value in vars(done).items():
        setattr(told, field_name, value)
    return told


def _active(stored: dict[int, StoredEdition]) -> list[StoredEdition]:
    return [old for old in stored.values() if old.active]


def forget_reader(conn: psycopg.Connection, name: str, reader: str, secret: bytes) -> int:
    """Remove all acts of a reader of a data set, whom no further ingest brings back; how many there were.

    Raises:
        UsageError: there is no such data set here.
    """
    _known(conn, name)
    key = dataset_key(secret, library_key(name), reader)
    with conn.transaction():
        return imported_acts.forget(conn, key, reader_mark(key))


def _known(conn: psycopg.Connection, name: str) -> int:
    key = library_key(name)
    held = imported_acts.datasets(conn)
    found = next((one for one in held if f"dataset:{one.name}" == key), None)
    if found is None:
        names = ", ".join(one.name for one in held) or "none"
        raise UsageError(f"there is no data set {name!r} here; there is: {names}")
    return found.library_id
