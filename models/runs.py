"""Training runs against Postgres: read, learn, register, judge, promote; each run leaves its record.

Every function commits on the connection it is given: the run's record first, so that a run that dies is seen.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

import numpy as np
import psycopg
import torch
from torch import Tensor

from models import registry
from models.adapter import AdapterConfig, RelatedWorks, train_adapter
from models.catalogue import Ranking, load_ranking
from models.episodes import Episodes, build
from models.gate import Verdict, judge
from models.policy import Policy, PolicyConfig
from models.train import TrainConfig, fit, grown_moments
from openshelf.database import episodes as logged
from openshelf.database import learning
from openshelf.errors import ModelError, OpenshelfError
from openshelf.settings import get_settings

MIN_WORKS = 10
# With more, sums are added up in another order each time and the same seed gives another model.
THREADS = 1


class NothingToLearnError(ModelError):
    """No reader has seen a slate since the champion was trained: a quiet day, not a fault."""


Progress = Callable[[str, int, int], None]  # what, done, of


@dataclass(frozen=True)
class RunReport:
    run_id: int
    version: str
    status: str
    reason: str
    seconds: float
    count_new: int
    count_old: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class LoggedData:
    new: list[logged.SeenSlate]
    old: list[logged.SeenSlate]
    acts: list[logged.StoredAct]
    until: datetime  # everything stored until then was looked at


def run_adapter(
    conn: psycopg.Connection,
    config: AdapterConfig,
    seed: int,
    now: datetime,
    *,
    promote: bool = True,
    on_progress: Progress | None = None,
) -> RunReport:
    """Train the adapter; the first one also gives birth to the first policy, which ranks from content alone."""
    torch.set_num_threads(THREADS)
    started = perf_counter()
    parent = learning.champion(conn, "adapter")
    run_id = learning.start_run(conn, "adapter", registry.settings_of(config), seed, _version(parent), now)
    conn.commit()
    with _recorded(conn, run_id, now):
        works = related_works(conn)
        conn.commit()
        if len(works.book_ids) < MIN_WORKS:
            raise ModelError(
                f"{len(works.book_ids)} works are embedded, the adapter needs {MIN_WORKS}: run `openshelf embed` first"
            )
        start = registry.load_adapter(conn, parent.version) if parent else None
        tell = (lambda epoch, _: on_progress("adapter", epoch, config.epochs)) if on_progress else None
        if start is not None and len(start) != config.dim:
            start = None  # vectors of another length: begin anew
        trained = train_adapter(works, config, seed, start, tell)
        is_closer = trained.closeness_after < trained.closeness_before
        metrics = {"closeness/before": trained.closeness_before, "closeness/after": trained.closeness_after}
        reason = f"closeness {trained.closeness_before:.3f} before, {trained.closeness_after:.3f} after"
        version = registry.register(
            conn,
            "adapter",
            registry.adapter_tensors(trained.weight),
            config=registry.settings_of(config),
            manifest={"works": len(works.book_ids), "data": _hash(works.texts.tobytes())},
            metrics=metrics,
            parent=_version(parent),
            now=now,
        )
        curve = [(epoch, "loss/triplet", loss) for epoch, loss in enumerate(trained.losses)]
        learning.insert_metrics(conn, run_id, curve + [(0, name, value) for name, value in metrics.items()])
        status = _settle(conn, run_id, version, Verdict(is_closer, reason, {}), promote, now)
        if status == "champion" and learning.champion(conn, "policy") is None:
            _give_birth(conn, trained.weight, version, len(works.book_ids), now)
        conn.commit()
    return RunReport(run_id, version, status, reason, perf_counter() - started, len(works.book_ids), 0, metrics)


def run_policy(
    conn: psycopg.Connection,
    config: TrainConfig,
    seed: int,
    now: datetime,
    *,
    promote: bool = True,
    on_progress: Progress | None = None,
) -> RunReport:
    """Warm-start from the champion, learn from the slates since, judge on later acts, promote or refuse aloud."""
    torch.set_num_threads(THREADS)
    started = perf_counter()
    parent = learning.champion(conn, "policy")
    adapter = learning.champion(conn, "adapter")
    if parent is None or adapter is None:
        raise ModelError("there is no policy to start from: run `openshelf train adapter` first")
    run_id = learning.start_run(conn, "policy", registry.settings_of(config), seed, parent.version, now)
    conn.commit()
    with _recorded(conn, run_id, now):
        champion, moments = registry.load_policy_and_optimiser(conn, parent.version)
        weight = registry.load_adapter(conn, adapter.version)
        data = _read(conn, parent, config, seed, now)
        cut = _cut(data, config.held_out)
        ranking = load_ranking(conn, cut)  # popularity as it was at the cut: nothing later may be seen
        conn.commit()
        train, later = split(data, ranking, cut, config)
        learning.count_data(conn, run_id, sum(s.created_at < cut for s in data.new), len(data.old))
        conn.commit()
        student, moments = _student(champion, moments, weight, ranking)
        curves: list[tuple[int, str, float]] = []
        tell = (lambda epoch, _: on_progress("policy", epoch, config.epochs)) if on_progress else None
        result = fit(student, train, ranking.catalogue, config, seed, moments, tell)
        explore = get_settings().explore_share
        verdict = judge(result.policy, champion, later, ranking.catalogue, seed, explore=explore)
        shown = train.slates.rewards[train.slates.shown]
        metrics = verdict.metrics | {"reward/mean_of_places_shown": float(shown.mean()) if len(shown) else 0.0}
        curves = result.curves + [(0, name, value) for name, value in metrics.items()]
        held_back = [slate for slate in data.new if slate.created_at >= cut]
        version = registry.register(
            conn,
            "policy",
            registry.policy_tensors(result.policy, result.optimiser),
            config=registry.settings_of(result.policy.config) | {"training": registry.settings_of(config)},
            manifest={
                "adapter": adapter.version,
                "generation": parent.manifest.get("generation", 0) + 1,
                "slates_new": len(data.new) - len(held_back),
                "slates_old": len(data.old),
                "slates_held_back": len(held_back),
                "targets": len(train.targets),
                "works": len(ranking.catalogue.book_ids),
                "catalogue_version": ranking.version,
                "seed": seed,
                "data": _hash(*(slate.slate_id.bytes for slate in [*data.new, *data.old])),
                "data_until": _watermark(data, held_back).isoformat(),
            },
            metrics=metrics,
            parent=parent.version,
            now=now,
        )
        learning.insert_metrics(conn, run_id, curves)
        status = _settle(conn, run_id, version, verdict, promote, now)
        conn.commit()
    seconds = perf_counter() - started
    return RunReport(
        run_id, version, status, verdict.reason, seconds, len(data.new) - len(held_back), len(data.old), metrics
    )


def related_works(conn: psycopg.Connection) -> RelatedWorks:
    """The embedded works and how they are related."""
    book_ids, texts = learning.text_embeddings(conn)
    by_id = {work.book_id: work for work in learning.works_to_relate(conn)}
    works = [by_id[book_id] for book_id in book_ids.tolist()]
    names = {name: i for i, name in enumerate(sorted({name for work in works for name in work.subjects}))}
    subjects = np.zeros((len(works), len(names)), dtype=bool)
    for i, work in enumerate(works):
        subjects[i, [names[name] for name in work.subjects]] = True
    principal = np.array([names[work.subjects[0]] if work.subjects else -1 for work in works], dtype=np.int64)
    series = np.array([-1 if work.series_id is None else work.series_id for work in works], dtype=np.int64)
    codes = {code: i for i, code in enumerate(sorted({work.language for work in works if work.language}))}
    languages = np.array([codes[work.language] if work.language else -1 for work in works], dtype=np.int64)
    return RelatedWorks(book_ids, texts, principal, series, languages, subjects)


def split(data: LoggedData, ranking: Ranking, cut: datetime, config: TrainConfig) -> tuple[Episodes, Episodes]:
    """(what is learned from: nothing after the cut; what judges: slates and targets after the cut)."""
    slates = sorted([*data.old, *data.new], key=lambda s: (s.created_at, s.slate_id))
    early = [slate for slate in slates if slate.created_at < cut]
    train = build(early, [act for act in data.acts if act.occurred_at < cut], ranking.catalogue, config.gamma)
    later = build([slate for slate in slates if slate.created_at >= cut], data.acts, ranking.catalogue, config.gamma)
    is_later = np.flatnonzero(later.targets.at.now >= cut.timestamp())
    return train, Episodes(later.histories, later.slates, later.targets.take(is_later))


def _read(
    conn: psycopg.Connection, parent: learning.ModelRow, config: TrainConfig, seed: int, now: datetime
) -> LoggedData:
    until = logged.slates_until(conn)
    if until is None:
        raise NothingToLearnError("nothing to learn from yet: no slate has been drawn")
    mark = parent.manifest.get("data_until")
    after = datetime.fromisoformat(mark) if mark else None
    new = logged.seen_slates(conn, after, until)
    if not new:
        raise NothingToLearnError(
            f"nothing to learn from yet: no reader has seen a slate since {parent.version} was trained"
        )
    oldest = now - timedelta(days=config.history_days)
    old = logged.seen_slates(conn, None, after, config.old_slates, seed) if after else []
    old = [slate for slate in old if slate.created_at >= oldest]
    # States reach back before the first slate.
    return LoggedData(new, old, logged.acts(conn, oldest, until), until)


def _cut(data: LoggedData, held_out: float) -> datetime:
    """When the latest share of the new slates begins; they are kept for the gate."""
    times = sorted(slate.created_at for slate in data.new)
    return times[min(int(len(times) * (1 - held_out)), len(times) - 1)] if held_out else data.until + timedelta(days=1)


def _watermark(data: LoggedData, held_back: list[logged.SeenSlate]) -> datetime:
    """Up to where the next run need not look: everything stored before the first slate held back."""
    if not held_back:
        return data.until
    return min(slate.stored_at for slate in held_back) - timedelta(microseconds=1)


def _student(
    champion: Policy, moments: dict[str, Tensor], adapter: Tensor, ranking: Ranking
) -> tuple[Policy, dict[str, Tensor]]:
    student = champion.grown(ranking.catalogue.book_ids)
    if adapter.shape == student.adapter.shape:
        student.adapter.copy_(adapter)
    return student, grown_moments(moments, champion.known_ids.numpy(), student.known_ids.numpy())


def _give_birth(
    conn: psycopg.Connection, adapter: Tensor, adapter_version: str, count_works: int, now: datetime
) -> None:
    # The learned correction starts at zero whatever the seed; the seed decides only where it can go from there.
    torch.manual_seed(0)
    config = PolicyConfig(dim=len(adapter))
    policy = Policy(config, adapter, torch.empty(0, dtype=torch.int64))
    version = registry.register(
        conn,
        "policy",
        registry.policy_tensors(policy, {}),
        config=registry.settings_of(config),
        manifest={"adapter": adapter_version, "generation": 0, "works": count_works},
        metrics={},
        parent=None,
        now=now,
    )
    registry.promote(conn, version, "the first policy: ranks from content, has learned nothing yet", now)


def _settle(conn: psycopg.Connection, run_id: int, version: str, verdict: Verdict, promote: bool, now: datetime) -> str:
    if not verdict.may_serve:
        registry.refuse(conn, version, verdict.reason)
    elif promote:
        registry.promote(conn, version, verdict.reason, now)
    status = learning.model(conn, version)
    assert status
    learning.finish_run(conn, run_id, "done" if verdict.may_serve else "refused", verdict.reason, version, now)
    return status.status


@contextmanager
def _recorded(conn: psycopg.Connection, run_id: int, now: datetime) -> Iterator[None]:
    """A run that fails, or finds nothing to do, says so in its record."""
    try:
        yield
    except (OpenshelfError, psycopg.Error, RuntimeError, ValueError) as error:
        conn.rollback()
        status = "skipped" if isinstance(error, NothingToLearnError) else "failed"
        learning.finish_run(conn, run_id, status, str(error).splitlines()[0], None, now)
        conn.commit()
        raise


def _version(row: learning.ModelRow | None) -> str | None:
    return row.version if row else None


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
