"""Training runs of adapter and policy against Postgres: read, learn, register, judge, promote; each leaves its record.

Every function commits on the connection it is given: the run's record first, so that a run that dies is seen.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import perf_counter

import psycopg
import torch
from torch import Tensor

from models import checkpoints, registry, training_data
from models.adapter import AdapterConfig, train_adapter
from models.configuration import restored
from models.fingerprints import digest_of
from models.gate import Verdict, judge
from models.policy import Policy, PolicyConfig
from models.related import RelatedWorks, relate
from models.run_records import THREADS, Learned, Progress, RunReport, recorded, settle, version_of
from models.states import Catalogue
from models.tracking import Tracker, tracked
from models.train import TrainConfig, fit, grown_moments
from models.training_data import PolicyData, Recipe
from openshelf.database import learning, training_runs
from openshelf.errors import ModelError, UsageError
from openshelf.settings import get_settings

MIN_WORKS = 10

EpochTold = Callable[[int, dict[str, float], Policy, dict[str, Tensor]], None]


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
    started = perf_counter()
    parent = learning.champion(conn, "adapter")
    settings = registry.settings_of(config)
    run_id = training_runs.start_run(conn, "adapter", settings, seed, version_of(parent), now)
    conn.commit()
    name = f"adapter run {run_id}"
    with recorded(conn, run_id, now), tracked(name, settings | {"seed": seed}, tags=["adapter"]) as tracker:
        _, _, embedded_at = learning.embedded_since(conn, None)
        works = related_works(conn)
        conn.commit()
        if len(works.book_ids) < MIN_WORKS:
            raise ModelError(
                f"{len(works.book_ids)} works are embedded, the adapter needs {MIN_WORKS}: run `openshelf embed` first"
            )

        def after_epoch(epoch: int, loss: float) -> None:
            tracker.log(epoch, {"loss/triplet": loss})
            if on_progress:
                on_progress("adapter", epoch, config.epochs)

        learned = learn_adapter(conn, works, config, seed, version_of(parent), after_epoch)
        version = registry.register(
            conn,
            "adapter",
            learned.tensors,
            config=learned.config,
            manifest={
                "works": len(works.book_ids),
                "embedded_at": embedded_at and embedded_at.isoformat(),
                "data": {"works": digest_of(works)},
                "seed": seed,
            },
            metrics=learned.metrics,
            parent=version_of(parent),
            now=now,
        )
        training_runs.insert_metrics(conn, run_id, learned.curves)
        status = settle(conn, run_id, version, learned.verdict, promote, now)
        if status == "champion" and learning.champion(conn, "policy") is None:
            born_of = learning.model(conn, version)
            assert born_of
            _give_birth(conn, learned.tensors[registry.WEIGHT_PREFIX + "adapter"], born_of, now)
        conn.commit()
        tracker.summarise({**learned.metrics, "version": version, "status": status})
    seconds = perf_counter() - started
    reason = learned.verdict.reason
    return RunReport(run_id, version, status, reason, seconds, len(works.book_ids), 0, learned.metrics)


def why_not_again(conn: psycopg.Connection, least_share: float) -> str | None:
    """Why the adapter need not be learned anew; None if it should be.

    It should be once `least_share` of the works have texts that were embedded since the champion was learned: new
    works, and works whose texts were edited. Fewer of them are placed well by what was learned from the others.
    """
    champion = learning.champion(conn, "adapter")
    if champion is None:
        _, count, _ = learning.embedded_since(conn, None)
        return None if count >= MIN_WORKS else f"{count} works are embedded, the adapter needs {MIN_WORKS}"
    read_until = champion.manifest.get("embedded_at")
    since = datetime.fromisoformat(read_until) if read_until else champion.created_at
    changed, count, _ = learning.embedded_since(conn, since)
    if changed and changed >= least_share * count:
        return None
    return (
        f"{changed} of {count} works are new or have other texts since {champion.version} was learned; "
        f"it is learned anew from {least_share:.1%} on"
    )


def learn_adapter(
    conn: psycopg.Connection,
    works: RelatedWorks,
    config: AdapterConfig,
    seed: int,
    parent: str | None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> Learned:
    torch.set_num_threads(THREADS)
    start = registry.load_adapter(conn, parent) if parent else None
    conn.commit()
    if start is not None and len(start) != config.dim:
        start = None  # vectors of another length: begin anew
    trained = train_adapter(works, config, seed, start, on_epoch)
    is_closer = trained.closeness_after < trained.closeness_before
    metrics = {"closeness/before": trained.closeness_before, "closeness/after": trained.closeness_after}
    recalls = {"before": trained.recall_before, "pca": trained.recall_pca, "after": trained.recall_after}
    metrics |= {f"recall/{when}": value for when, value in recalls.items()}
    reason = f"closeness {trained.closeness_before:.3f} before, {trained.closeness_after:.3f} after"
    curves = [(epoch, "loss/triplet", loss) for epoch, loss in enumerate(trained.losses)]
    curves += [(0, name, value) for name, value in metrics.items()]
    tensors = registry.adapter_tensors(trained.weight)
    return Learned(tensors, registry.settings_of(config), metrics, curves, Verdict(is_closer, reason, {}))


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
    parent = learning.champion(conn, "policy")
    adapter = learning.champion(conn, "adapter")
    if parent is None or adapter is None:
        raise ModelError("there is no policy to start from: run `openshelf train adapter` first")
    if not _can_start_from(conn, parent.version):
        _give_birth(conn, registry.load_adapter(conn, adapter.version), adapter, now)
        parent = learning.champion(conn, "policy")
        assert parent
    run_id = training_runs.start_run(conn, "policy", registry.settings_of(config), seed, parent.version, now)
    conn.commit()
    with recorded(conn, run_id, now):
        recipe = training_data.plan(conn, parent, adapter.version, seed, now, get_settings().explore_share)
        data = training_data.read(conn, recipe, config)
        conn.commit()
        return _finished(conn, run_id, recipe, config, data, None, promote, on_progress)


def resume_policy(
    conn: psycopg.Connection,
    run_id: int,
    now: datetime,
    *,
    promote: bool = True,
    on_progress: Progress | None = None,
) -> RunReport:
    """Go on with a run that was killed, from its last whole epoch, to the model it would have become.

    Raises:
        UsageError: no such run, it has ended, or it left no checkpoint. ModelError: its data is no longer the same.
    """
    run = training_runs.run(conn, run_id)
    if run is None or run.kind != "policy" or run.version is not None:
        raise UsageError(f"run {run_id} cannot be resumed: it is no policy's run, or it has ended with a model")
    checkpoint = checkpoints.load(checkpoints.path_of(get_settings().home, run_id))
    recipe = training_data.recipe_of(checkpoint.facts["recipe"])
    config = restored(TrainConfig, run.config)
    with recorded(conn, run_id, now):
        training_runs.reopen_run(conn, run_id)
        data = training_data.read(conn, recipe, config, checkpoint.tensors)
        training_data.require_same(checkpoint.facts["hashes"], data.hashes, f"run {run_id}")
        conn.commit()
        return _finished(conn, run_id, recipe, config, data, checkpoint, promote, on_progress)


def learn_policy(
    conn: psycopg.Connection,
    recipe: Recipe,
    config: TrainConfig,
    data: PolicyData,
    checkpoint: checkpoints.Checkpoint | None = None,
    on_epoch: EpochTold | None = None,
) -> Learned:
    torch.set_num_threads(THREADS)
    champion, moments = registry.load_policy_and_optimiser(conn, recipe.parent)
    adapter = registry.load_adapter(conn, recipe.adapter)
    conn.commit()
    train, later = training_data.split(data.log, data.catalogue, data.cut, config)
    student, moments = _student(champion, moments, adapter, data.catalogue)
    if checkpoint:
        weights, moments = registry.parted(checkpoint.tensors)
        student.load_state_dict(weights)
    epoch = checkpoint.epoch if checkpoint else 0
    result = fit(student, train, data.catalogue, config, recipe.seed, moments, on_epoch, start_epoch=epoch)
    verdict = judge(result.policy, champion, later, data.catalogue, recipe.seed, explore=recipe.explore)
    shown = train.slates.rewards[train.slates.shown]
    metrics = verdict.metrics | {
        "reward/mean_of_places_shown": float(shown.mean()) if len(shown) else 0.0,
        "data/targets": float(len(train.targets)),
    }
    return Learned(
        registry.policy_tensors(result.policy, result.optimiser) | data.snapshot(),
        registry.settings_of(result.policy.config) | {"training": registry.settings_of(config)},
        metrics,
        result.curves + [(0, name, value) for name, value in metrics.items()],
        verdict,
    )


def related_works(conn: psycopg.Connection) -> RelatedWorks:
    """The embedded works and how they are related."""
    book_ids, texts = learning.text_embeddings(conn)
    by_id = {work.book_id: work for work in learning.works_to_relate(conn)}
    return relate(book_ids, texts, [by_id[book_id] for book_id in book_ids.tolist()])


def _finished(
    conn: psycopg.Connection,
    run_id: int,
    recipe: Recipe,
    config: TrainConfig,
    data: PolicyData,
    checkpoint: checkpoints.Checkpoint | None,
    promote: bool,
    on_progress: Progress | None,
) -> RunReport:
    """Learn, register, judge and settle; a checkpoint after each epoch until then."""
    started = perf_counter()
    training_runs.count_data(conn, run_id, data.count_new, len(data.log.old))
    conn.commit()
    path = checkpoints.path_of(get_settings().home, run_id)
    settings = registry.settings_of(config) | {"seed": recipe.seed, "parent": recipe.parent}
    notes = f"{data.count_new} new and {len(data.log.old)} old slates"
    with tracked(f"policy run {run_id}", settings, tags=["policy"], notes=notes) as tracker:
        told = _after_epoch(conn, run_id, config.epochs, path, recipe, data, tracker, on_progress)
        learned = learn_policy(conn, recipe, config, data, checkpoint, told)
        parent = learning.model(conn, recipe.parent)
        generation = 1 + (parent.manifest.get("generation", 0) if parent else 0)
        version = registry.register(
            conn,
            "policy",
            learned.tensors,
            config=learned.config,
            manifest=data.manifest(recipe, generation),
            metrics=learned.metrics,
            parent=recipe.parent,
            now=recipe.now,
        )
        training_runs.insert_metrics(conn, run_id, learned.curves)
        status = settle(conn, run_id, version, learned.verdict, promote, recipe.now)
        conn.commit()
        checkpoints.remove(path)
        tracker.summarise({**learned.metrics, "version": version, "status": status})
    reason, seconds = learned.verdict.reason, perf_counter() - started
    return RunReport(run_id, version, status, reason, seconds, data.count_new, len(data.log.old), learned.metrics)


def _after_epoch(
    conn: psycopg.Connection,
    run_id: int,
    epochs: int,
    path: Path,
    recipe: Recipe,
    data: PolicyData,
    tracker: Tracker,
    on_progress: Progress | None,
) -> EpochTold:
    facts = {"recipe": recipe.plain(), "hashes": data.hashes}
    snapshot = data.snapshot()

    def after(epoch: int, metrics: dict[str, float], policy: Policy, moments: dict[str, Tensor]) -> None:
        training_runs.insert_metrics(conn, run_id, [(epoch - 1, name, value) for name, value in metrics.items()])
        conn.commit()
        tensors = registry.policy_tensors(policy, moments) | snapshot
        checkpoints.save(path, checkpoints.Checkpoint(epoch, facts, tensors))
        tracker.log(epoch, metrics)
        if on_progress:
            on_progress("policy", epoch, epochs)

    return after


def _student(
    champion: Policy, moments: dict[str, Tensor], adapter: Tensor, catalogue: Catalogue
) -> tuple[Policy, dict[str, Tensor]]:
    student = champion.grown(catalogue.book_ids)
    if adapter.shape == student.adapter.shape:
        student.adapter.copy_(adapter)
    return student, grown_moments(moments, champion.known_ids.numpy(), student.known_ids.numpy())


def _can_start_from(conn: psycopg.Connection, champion: str) -> bool:
    """False for a first policy that does not load: there is none to roll back to, and no training would ever go well.

    Of a later one it is for a person to say which is to serve in its place.
    """
    if learning.promotions(conn, "policy")[0].version != champion:
        return True
    try:
        registry.load_policy(conn, champion)
    except ModelError:
        return False
    return True


def _give_birth(conn: psycopg.Connection, adapter: Tensor, born_of: learning.ModelRow, now: datetime) -> None:
    # The learned correction starts at zero whatever the seed; the seed decides only where it can go from there.
    torch.manual_seed(0)
    config = PolicyConfig(dim=len(adapter))
    policy = Policy(config, adapter, torch.empty(0, dtype=torch.int64))
    version = registry.register(
        conn,
        "policy",
        registry.policy_tensors(policy, {}),
        config=registry.settings_of(config),
        manifest={"adapter": born_of.version, "generation": 0, "works": born_of.manifest["works"]},
        metrics={},
        parent=None,
        now=now,
    )
    registry.promote(conn, version, "the first policy: ranks from content, has learned nothing yet", now)
