"""Published data sets as `RankingData`: what counts as an act, which are refused, and the embeddings of the texts."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.dataset_acts import MAX_REJECTED, DataOptions, faults, with_enough
from models.dataset_formats import Foreign, Frame, format_of, read
from models.dataset_records import age_bin, era
from models.embedding import load_encoder, model_name
from models.ranking_data import RankingData, ReaderBatch
from models.work_text import text_hash, work_text
from openshelf.errors import UsageError
from openshelf.settings import get_settings
from openshelf.whole_file import whole_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """What became of the lines of a data set."""

    lines: int
    rejected: int  # no reader or work, or rating or time out of range or unreadable
    below_min_rating: int
    repeated: int  # the same reader and work again
    too_few: int  # acts of readers or works below the asked minimum
    works_without_text: int  # works that the file of works does not know
    one_act_readers: int  # trained on, never tested


@dataclass(frozen=True)
class Loaded:
    data: RankingData
    counts: Counts


def load(name: str, path: Path) -> RankingData:
    """The data set `name` at `path`; see `load_counted`."""
    return load_counted(name, path).data


def load_counted(name: str, path: Path, options: DataOptions | None = None) -> Loaded:
    """A published data set, with what was left out.

    Raises:
        UsageError: an unknown name, a missing file or column, an empty file, or lines mostly out of range.
    """
    options = options or DataOptions()
    foreign = read(name, path)
    acts, rejected = _readable(foreign)
    count_readable = len(acts)
    if options.min_rating is not None:
        if acts["rating"].isna().all():
            raise UsageError(f"{foreign.acts_file} has no ratings: --min-rating means nothing here")
        acts = acts[acts["rating"] >= options.min_rating]
    count_glad = len(acts)
    if foreign.has_order:
        # Stable: acts of the same second keep the order of the file.
        acts = acts.sort_values("time", kind="stable")
    acts = acts.drop_duplicates(["reader", "work"])
    count_once = len(acts)
    acts = with_enough(acts, options)
    if acts.empty:
        raise UsageError(f"{foreign.acts_file} has no acts left: lower --min-rating, --min-acts-per-reader or -work")
    data = _ranking_data(f"{format_of(name)} ({path.name})", foreign, acts)
    counts = Counts(
        lines=len(foreign.acts),
        rejected=rejected,
        below_min_rating=count_readable - count_glad,
        repeated=count_glad - count_once,
        too_few=count_once - len(acts),
        works_without_text=sum(not text for text in data.texts),
        one_act_readers=int((np.diff(data.spans) == 1).sum()),
    )
    _log.info("data set read: %s", counts)
    return Loaded(data, counts)


def _readable(foreign: Foreign) -> tuple[Frame, int]:
    """The acts whose every value makes sense, and how many do not."""
    good: Frame = faults(foreign) == ""
    acts = foreign.acts if "rating" in foreign.acts else foreign.acts.assign(rating=np.nan)
    least, most = foreign.scale
    rejected = int((~good).sum())
    if rejected > MAX_REJECTED * len(acts):
        line = int(np.argmin(good.to_numpy())) + 2
        raise UsageError(
            f"{foreign.acts_file}: {rejected} of {len(acts)} lines have no reader or work, or a rating outside "
            f"{least:g} to {most:g} or an unreadable time, the first about line {line}: is this the right data set?"
        )
    return acts[good], rejected


def _ranking_data(name: str, foreign: Foreign, acts: Frame) -> RankingData:
    readers, reader_ids = _numbered(acts["reader"])
    rows, work_ids = _numbered(acts["work"])
    order = np.argsort(readers, kind="stable")
    rating = acts["rating"].to_numpy(np.float64)
    top = foreign.scale[1] if np.isfinite(foreign.scale[1]) else np.nanmax(rating, initial=1.0)
    # A rating of 0 on a scale that has it is still an act.
    values = np.where(np.isnan(rating), 1.0, np.clip(rating / max(top, 1e-9), 1e-3, 1.0))
    numeric = all(work.isdecimal() and len(work) < 18 and str(int(work)) == work for work in work_ids)
    book_ids = np.array(work_ids, dtype=np.int64) if numeric else np.arange(1, len(work_ids) + 1)
    works = foreign.works.reindex(work_ids, fill_value="")
    people = foreign.readers.reindex(reader_ids, fill_value="")
    texts = tuple(
        work_text(title, authors, series or None, subjects, None) if title else ""
        for title, authors, series, subjects in works[["title", "authors", "series", "subjects"]].values
    )
    return RankingData(
        name=name,
        readers=readers[order],
        rows=rows[order],
        values=values[order].astype(np.float32),
        times=acts["time"].to_numpy(np.float64)[order] if foreign.has_order else None,
        book_ids=book_ids,
        reader_ids=np.array(reader_ids, dtype=object),
        texts=texts,
        reader_features=_known({"age": map(age_bin, people["age"]), "country": people["country"]}),
        work_features=_known(
            {
                "author": (authors.split(",")[0].strip().casefold() for authors in works["authors"]),
                "publisher": (publisher.casefold() for publisher in works["publisher"]),
                "era": map(era, works["year"]),
            }
        ),
    )


def _known(features: dict) -> dict[str, tuple[str, ...]]:
    """Features of which at least one value is known."""
    found = {name: tuple(values) for name, values in features.items()}
    return {name: values for name, values in found.items() if any(values)}


def _numbered(ids: Frame) -> tuple[np.ndarray, list[str]]:
    """Numbers 0.. of ids, in the order of their values where all are numbers, else of their letters."""
    codes, found = pd.factorize(ids)
    unique = list(map(str, found))
    numeric = all(one.isdecimal() for one in unique)
    order = sorted(range(len(unique)), key=lambda i: (int(unique[i]), unique[i]) if numeric else (0, unique[i]))
    rank = np.empty(len(unique), dtype=np.int64)
    rank[order] = np.arange(len(unique))
    return rank[codes], [unique[i] for i in order]


def embedded(data: RankingData, on_progress: Callable[[str, int, int], None] | None = None) -> RankingData:
    """The data with an embedding of every text, from the cache under the home folder where it was made before."""
    if data.embeddings is not None or not any(data.texts):
        return data
    digest = hashlib.sha256("\n".join([model_name(), *map(text_hash, data.texts)]).encode()).hexdigest()[:24]
    path = get_settings().home / "cache" / f"texts-{digest}.npy"
    vectors = _cached(path, data.count_works)
    if vectors is None:
        has_text = np.array([bool(text) for text in data.texts])
        texts = [text for text in data.texts if text]
        told = (lambda done: on_progress("embedding", done, len(texts))) if on_progress else None
        encoder = load_encoder()
        vectors = np.zeros((data.count_works, encoder.dimension), dtype=np.float32)
        vectors[has_text] = encoder.encode_documents(texts, told)
        _store(path, vectors)
    return replace(data, embeddings=vectors)


def _cached(path: Path, count: int) -> np.ndarray | None:
    """What was stored; None where nothing was, or what is there is not whole."""
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == count and vectors.dtype == np.float32 else None


def _store(path: Path, vectors: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        np.save(file, vectors, allow_pickle=False)


def reader_batch(data: RankingData, numbers: np.ndarray, length: int) -> ReaderBatch:
    """The last `length` acts of these readers (numbers of `data`; -1, and who has no act: a stranger)."""
    spans = data.spans
    known = np.where(numbers >= 0, numbers, 0)
    ends = np.where(numbers >= 0, spans[known + 1], 0)
    starts = np.where(numbers >= 0, spans[known], 0)
    at = ends[:, None] - np.arange(length, 0, -1)[None, :]  # (B, L) index of the act, below `starts` is padding
    there = at >= starts[:, None]
    at = np.where(there, at, 0)
    if not len(data.rows):
        there, at = np.zeros_like(there), np.zeros((len(numbers), 0), dtype=np.int64)
    return ReaderBatch(
        numbers=np.where(ends > starts, numbers, -1),
        rows=_padded(data.rows, at, there, -1),
        values=_padded(data.values, at, there, 0),
        times=None if data.times is None else _padded(data.times, at, there, 0),
    )


def _padded(values: np.ndarray, at: np.ndarray, there: np.ndarray, padding: int) -> np.ndarray:
    if not at.shape[1]:
        return np.full(there.shape, padding, dtype=values.dtype)
    return np.where(there, values[at], np.asarray(padding, dtype=values.dtype))
