"""What TMDB tells of MovieLens' films: the files of `The Movies Dataset` or of `TMDB 5000`, if they lie beside.

Cells with lists in them are Python's or JSON's: both are read without being run.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from models.dataset_records import CATALOGUE_COLUMNS, WORK_COLUMNS
from openshelf.errors import UsageError

Frame: TypeAlias = Any

_METADATA = ("movies_metadata.csv", "tmdb_5000_movies.csv")
_CREDITS = ("credits.csv", "tmdb_5000_credits.csv")
_KEYWORDS = ("keywords.csv",)  # of The Movies Dataset; TMDB 5000 has them beside the overview
_WANTED = ("id", "title", "original_title", "original_language", "overview", "genres", "release_date", "keywords")
_MOST_KEYWORDS = 20
_CHUNK = 2_000  # lines: the credits are long


def film_details(films: Frame, links: Frame | None, folder: Path) -> Frame:
    """Films with their numbers elsewhere, and what TMDB tells of them: summary, director, language, genres, keywords.

    Args:
        films: by MovieLens' number, WORK_COLUMNS and CATALOGUE_COLUMNS; none, if `links` and metadata are to tell all.
        links: work, imdb, tmdb.
        folder: where the files lie.

    Raises:
        UsageError: one of TMDB's files cannot be read.
    """
    if links is None:
        return films
    known = links.assign(tmdb=links["tmdb"].str.replace(r"\.0$", "", regex=True)).set_index("work")
    details = _details(folder, set(known["tmdb"]) - {""})
    rows: dict[str, dict[str, str]] = {}
    for work, told in films.to_dict("index").items():
        rows[str(work)] = {str(name): str(value) for name, value in told.items()}
    for work, imdb, tmdb in zip(known.index, known.get("imdb", [""] * len(known)), known["tmdb"], strict=True):
        detail = details.get(tmdb, {})
        if work not in rows:
            if not detail.get("title"):
                continue
            rows[work] = dict.fromkeys((*WORK_COLUMNS, *CATALOGUE_COLUMNS), "")
        row = rows[work]
        numbers = [f"imdb:tt{imdb.zfill(7)}" if imdb else "", f"tmdb:{tmdb}" if tmdb else ""]
        row["identifiers"] = " ".join(filter(None, numbers))
        # What MovieLens says itself goes first.
        row |= {name: value for name, value in detail.items() if value and not row[name]}
    columns = [*WORK_COLUMNS, *CATALOGUE_COLUMNS]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns, dtype=str).fillna("")


def _details(folder: Path, wanted: set[str]) -> dict[str, dict[str, str]]:
    """TMDB's number -> what is told of the film, under our names."""
    found: dict[str, dict[str, str]] = {}
    for chunk in _chunks(folder, _METADATA):
        rows = chunk.reindex(columns=list(_WANTED), fill_value="")
        for number, title, original, language, overview, genres, released, keywords in rows.itertuples(index=False):
            if number not in wanted or number in found:
                continue
            year = released[:4] if re.match(r"\d{4}-", released) else ""
            found[number] = {
                "title": f"{title} ({year})" if title and year else title,
                "original_title": original if original != title else "",
                "language": language,
                "summary": overview if len(overview) > 20 else "",  # 'No overview found.'
                "subjects": ", ".join(_names(genres)),
                "year": year,
                "themes": _themes(keywords),
            }
    _add_keywords(found, folder)
    _add_directors(found, folder)
    return found


def _add_keywords(found: dict[str, dict[str, str]], folder: Path) -> None:
    for chunk in _chunks(folder, _KEYWORDS):
        if not {"id", "keywords"} <= set(chunk.columns):
            raise UsageError(f"the keywords in {folder} have no columns id and keywords")
        for film, keywords in zip(chunk["id"], chunk["keywords"], strict=True):
            if film in found and not found[film]["themes"]:
                found[film]["themes"] = _themes(keywords)


def _add_directors(found: dict[str, dict[str, str]], folder: Path) -> None:
    for chunk in _chunks(folder, _CREDITS):
        number = "id" if "id" in chunk else "movie_id"
        if not {number, "crew"} <= set(chunk.columns):
            raise UsageError(f"the credits in {folder} have no columns id (or movie_id) and crew")
        for film, crew in zip(chunk[number], chunk["crew"], strict=True):
            if film in found and not found[film].get("authors"):
                found[film]["authors"] = ", ".join(_names(crew, job="Director"))


def _chunks(folder: Path, names: tuple[str, ...]) -> Any:
    """The lines of the first of these files that is there, in portions; nothing where none is."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        return
    try:
        with pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=_CHUNK, on_bad_lines="skip") as chunks:
            for chunk in chunks:
                yield chunk.fillna("")
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}. Is the copy whole?") from error


def _themes(cell: str) -> str:
    return ", ".join(name.replace(",", " ") for name in _names(cell)[:_MOST_KEYWORDS])


def _names(cell: str, job: str | None = None) -> list[str]:
    """`[{'id': 16, 'name': 'Animation'}]` -> `['Animation']`; of a crew, those with this job."""
    try:
        told = json.loads(cell)
    except ValueError:
        try:
            told = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    entries = [entry for entry in told if isinstance(entry, dict)] if isinstance(told, list) else []
    return [str(e["name"]) for e in entries if e.get("name") and (job is None or e.get("job") == job)]
