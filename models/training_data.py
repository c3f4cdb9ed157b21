"""What a policy learns from, read so that it can be read again: a recipe decides every row, a hash proves it.

plan --> Recipe --read--> PolicyData (slates, acts, catalogue) --split--> what is learned from, what judges
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import torch
from torch import Tensor

from models.catalogue import load_ranking
from models.episodes import Episodes, build
from models.fingerprints import digest
from models.run_records import NothingToLearnError
from models.states import Catalogue
from models.train import TrainConfig
from openshelf.database import episodes as logged
from openshelf.database import learning
from openshelf.errors import ModelError

BOOK_IDS, PRIOR, TAKEN_IN = "data.book_ids", "data.prior", "data.taken_in"
_TIMES = ("now", "after", "until", "seen_until")


@dataclass(frozen=True)
class Recipe:
    """All that decides, with the configuration, which data a run reads and how it draws."""

    parent: str
    adapter: str
    seed: int
    """Of the reservoir of old slates, of training and of the gate's bootstrap."""
    explore: float
    """Share of uniform places that the gate reckons with."""
    now: datetime
    """Slates and acts of `history_days` before it are read."""
    after: datetime | None
    """New slates were stored after it: the parent has seen the others."""
    until: datetime
    """Slates and acts stored until then are read."""
    seen_until: datetime
    """A slate counts as seen when an act stored until then says so."""

    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {name: value.isoformat() if name in _TIMES and value else value for name, value in asdict(self).items()}


def recipe_of(plain: dict[str, Any]) -> Recipe:
    """Raises ModelError when the record is not of this program."""
    try:
        times = {name: plain[name] and datetime.fromisoformat(plain[name]) for name in _TIMES}
        return Recipe(**{**plain, **times})
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the record of the data does not fit this program: {error}. Train a new model.") from error


@dataclass(frozen=True)
class LoggedData:
    new: list[logged.SeenSlate]
    old: list[logged.SeenSlate]
    acts: list[logged.StoredAct]
    until: datetime  # everything stored until then was looked at


@dataclass(frozen=True)
class PolicyData:
    log: LoggedData
    cut: datetime  # what came later judges
    catalogue: Catalogue
    catalogue_version: int
    hashes: dict[str, str]

    @property
    def held_back(self) -> list[logged.SeenSlate]:
        return [slate for slate in self.log.new if slate.created_at >= self.cut]

    @property
    def count_new(self) -> int:
        return len(self.log.new) - len(self.held_back)

    @property
    def watermark(self) -> datetime:
        """Up to where the next run need not look: everything stored before the first slate held back."""
        held_back = self.held_back
        if not held_back:
            return self.log.until
        return min(slate.stored_at for slate in held_back) - timedelta(microseconds=1)

    def manifest(self, recipe: Recipe, generation: int) -> dict[str, Any]:
        """What the registry keeps of the data: enough to read it again and to see that it is the same."""
        return {
            "adapter": recipe.adapter,
            "generation": generation,
            "slates_new": self.count_new,
            "slates_old": len(self.log.old),
            "slates_held_back": len(self.held_back),
            # All of them keep a history; who withdrew or was erased before this run is not among them.
            "readers_with_history": len({act.reader_key for act in self.log.acts}),
            "works": len(self.catalogue.book_ids),
            "catalogue_version": self.catalogue_version,
            "seed": recipe.seed,
            "recipe": recipe.plain(),
            "data": self.hashes,
            "data_until": self.watermark.isoformat(),
            "cut": self.cut.isoformat(),
        }

    def snapshot(self) -> dict[str, Tensor]:
        """What cannot be read again later: the works there were, what each was part of, and how popular they were."""
        kept = {
            BOOK_IDS: torch.from_numpy(self.catalogue.book_ids.copy()),
            PRIOR: torch.from_numpy(self.catalogue.prior.copy()),
        }
        if self.catalogue.taken_in is not None:
            kept[TAKEN_IN] = torch.from_numpy(self.catalogue.taken_in.copy())
        return kept


def plan(
    conn: psycopg.Connection, parent: learning.ModelRow, adapter: str, seed: int, now: datetime, explore: float
) -> Recipe:
    """The recipe of a run at this moment.

    Raises:
        NothingToLearnError: no slate was ever drawn.
    """
    until, seen_until = logged.slates_until(conn), logged.acts_until(conn)
    if until is None:
        raise NothingToLearnError("nothing to learn from yet: no slate has been drawn")
    mark = parent.manifest.get("data_until")
    after = datetime.fromisoformat(mark) if mark else None
    return Recipe(parent.version, adapter, seed, explore, now, after, until, seen_until or until)


def read(
    conn: psycopg.Connection, recipe: Recipe, config: TrainConfig, snapshot: dict[str, Tensor] | None = None
) -> PolicyData:
    """The data of the recipe. `snapshot`: the catalogue as it was, instead of the present one.

    Raises:
        NothingToLearnError: no reader has seen a slate since the parent.
    """
    found = _logged(conn, recipe, config)
    cut = cut_of(found, config.held_out)
    if snapshot is None:
        ranking = load_ranking(conn, cut)  # popularity as it was at the cut: nothing later may be seen
        catalogue, version = ranking.catalogue, ranking.version
    else:
        catalogue, version = _catalogue_of(conn, snapshot), -1
    hashes = {
        "slates": digest(*map(_slate_bytes, [*found.new, *found.old])),
        "acts": digest(*map(_act_bytes, found.acts)),
        "catalogue": digest(catalogue.book_ids.tobytes(), catalogue.prior.tobytes(), catalogue.texts.tobytes()),
    }
    return PolicyData(found, cut, catalogue, version, hashes)


def require_same(recorded: dict[str, str], now: dict[str, str], what: str) -> None:
    """Raises ModelError that names the parts of the data which are no longer what they were."""
    changed = [name for name in now if recorded.get(name) != now[name]]
    if changed:
        raise ModelError(
            f"the data of {what} is no longer what it was ({', '.join(changed)} changed: readers were erased, or acts "
            "came late, or works were embedded anew): it cannot be trained again to the same model"
        )


def cut_of(data: LoggedData, held_out: float) -> datetime:
    """When the latest share of the new slates begins; they are kept for the gate."""
    times = sorted(slate.created_at for slate in data.new)
    return times[min(int(len(times) * (1 - held_out)), len(times) - 1)] if held_out else data.until + timedelta(days=1)


def split(data: LoggedData, catalogue: Catalogue, cut: datetime, config: TrainConfig) -> tuple[Episodes, Episodes]:
    """(what is learned from: nothing after the cut; what judges: slates and targets after the cut)."""
    slates = sorted([*data.old, *data.new], key=lambda s: (s.created_at, s.slate_id))
    early = [slate for slate in slates if slate.created_at < cut]
    train = build(early, [act for act in data.acts if act.occurred_at < cut], catalogue, config.gamma)
    later = build([slate for slate in slates if slate.created_at >= cut], data.acts, catalogue, config.gamma)
    is_later = np.flatnonzero(later.targets.at.now >= cut.timestamp())
    return train, Episodes(later.histories, later.slates, later.targets.take(is_later))


def _logged(conn: psycopg.Connection, recipe: Recipe, config: TrainConfig) -> LoggedData:
    new = logged.seen_slates(conn, recipe.after, recipe.until, seen_until=recipe.seen_until)
    if not new:
        raise NothingToLearnError(
            f"nothing to learn from yet: no reader has seen a slate since {recipe.parent} was trained"
        )
    oldest = recipe.now - timedelta(days=config.history_days)
    old: list[logged.SeenSlate] = []
    if recipe.after:
        old = logged.seen_slates(conn, None, recipe.after, config.old_slates, recipe.seed, recipe.seen_until)
    old = [slate for slate in old if slate.created_at >= oldest]
    # States reach back before the first slate.
    return LoggedData(new, old, logged.acts(conn, oldest, recipe.until), recipe.until)


def _catalogue_of(conn: psycopg.Connection, snapshot: dict[str, Tensor]) -> Catalogue:
    """The works as they were; their texts are read anew, also of those withdrawn since."""
    book_ids = snapshot[BOOK_IDS].numpy()
    embedded, vectors = learning.text_embeddings(conn, withdrawn=True)
    texts = np.zeros((len(book_ids), vectors.shape[1]), dtype=np.float32)
    taken_in = snapshot.get(TAKEN_IN)
    catalogue = Catalogue(book_ids, texts, snapshot[PRIOR].numpy(), None if taken_in is None else taken_in.numpy())
    rows = catalogue.rows(embedded)
    texts[rows[rows >= 0]] = vectors[rows >= 0]
    return catalogue


def _slate_bytes(slate: logged.SeenSlate) -> bytes:
    times = [slate.created_at.timestamp(), slate.stored_at.timestamp()]
    return _joined(
        [slate.slate_id, slate.reader_key, slate.session_id, *times, *slate.book_ids, "", *slate.propensities]
    )


def _act_bytes(act: logged.StoredAct) -> bytes:
    return _joined(
        [act.reader_key, act.session_id, act.occurred_at.timestamp(), act.action, act.book_id, act.slate_id, act.reward]
    )


def _joined(values: Sequence[object]) -> bytes:
    return "\x1f".join(map(str, values)).encode()
