"""What serves, loaded from the registry over the present catalogue."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import psycopg
import structlog
import torch
from threadpoolctl import threadpool_limits

from models import registry
from models.arms import PolicyScorer, RankerScorer, Scorer
from models.catalogue import Popularity, Ranking, load_popularity, load_ranking
from models.experiments import CHAMPION, Arm, Experiment, Serving
from models.recommender import Pin, Recommender
from models.states import Catalogue
from openshelf.database import catalogue, experiments, hand, learning, pins
from openshelf.errors import ModelError, UsageError
from openshelf.settings import get_settings

_log = structlog.get_logger(__name__)

# What serves when there is no policy to trust.
POPULAR_VERSION = "popular"
# What was counted as popular serves for so long.
POPULAR_FOR_S = 600.0


def load_recommender(
    conn: psycopg.Connection, now: datetime | None = None, *, version: str | None = None
) -> Recommender:
    """What serves over the present catalogue: a registered version of any kind that ranks, unset: the champion policy.

    A champion or fallback that does not load is reported, and the next rung of the ladder serves.

    Raises:
        UsageError: there is no such version. ModelError: a version that was asked for does not load.
    """
    loader = _Loader(conn, load_ranking(conn, now))
    if version is None:
        return loader.champion()
    return loader.recommender(load_scorer(conn, version, loader.ranking.catalogue), version)


class ServingLoader:
    """`load_serving` again and again. What is popular is counted anew for a new catalogue and when it is old.

    So a new champion serves within seconds, however many acts there would be to count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._popularity: Popularity | None = None
        self._old_at = 0.0

    def __call__(self, conn: psycopg.Connection) -> Serving:
        known, now = self._popularity, self._clock()
        if known is None or now >= self._old_at or known.version != catalogue.version(conn):
            self._old_at = now + POPULAR_FOR_S
            known = self._popularity = load_popularity(conn)
        return load_serving(conn, known)


def load_serving(conn: psycopg.Connection, popularity: Popularity | None = None) -> Serving:
    """The champion, and what each arm of the running experiment draws with.

    An arm whose model does not load is said aloud; its readers stay in it, and the champion fills its places.
    """
    loader = _Loader(conn, load_ranking(conn, popularity=popularity))
    champion = loader.champion()
    running = experiments.running(conn)
    if running is None:
        return Serving(champion, refused=loader.refused)
    rows = experiments.arms(conn, running.experiment_id)
    experiment = Experiment(running.experiment_id, running.salt, tuple(Arm(row.arm, row.share) for row in rows))
    arms = {row.arm: loader.arm(row.version, champion) for row in rows}
    return Serving(champion, experiment, arms, loader.refused)


class _Loader:
    """Loads models over one ranking of the works, each once."""

    def __init__(self, conn: psycopg.Connection, ranking: Ranking) -> None:
        # The dataflow scales by processes; threads would only fight each other. The second is for numpy and scipy.
        torch.set_num_threads(1)
        threadpool_limits(1)
        self._conn, self.ranking = conn, ranking
        self._settings = get_settings()
        self._scorers: dict[str, Scorer | None] = {}
        self.refused: dict[str, str] = {}  # versions that did not load, and why
        self._pins = [Pin(row.book_id, row.position) for row in pins.present(conn)]
        self._steers = hand.factors(conn)
        champion = learning.champion(conn, "policy")
        self._champion = champion.version if champion else None
        self._fallbacks = self._fallback_scorers()

    def champion(self) -> Recommender:
        scorer = self._scorer(self._champion) if self._champion else None
        return self.recommender(scorer, self._champion if self._champion and scorer else POPULAR_VERSION)

    def arm(self, version: str, champion: Recommender) -> Recommender:
        """An arm's own model, behind it the champion's."""
        if version == CHAMPION:
            return champion
        behind = self._scorer(self._champion) if self._champion and self._champion != version else None
        scorer = None if version == POPULAR_VERSION else self._scorer(version)
        fallbacks = [] if behind is None or version == POPULAR_VERSION else [behind]
        return self.recommender(scorer, version, fallbacks)

    def recommender(self, scorer: Scorer | None, version: str, fallbacks: Sequence[Scorer] = ()) -> Recommender:
        return Recommender(
            scorer,
            version,
            self.ranking,
            slate_size=self._settings.slate_size,
            explore_share=self._settings.explore_share,
            cold_pool=self._settings.cold_pool,
            fallbacks=[*fallbacks, *self._fallbacks],
            pins=self._pins,
            steers=self._steers,
        )

    def _scorer(self, version: str) -> Scorer | None:
        """None, said aloud, where it does not load: a broken model must not stop the serving."""
        if version not in self._scorers:
            try:
                self._scorers[version] = load_scorer(self._conn, version, self.ranking.catalogue)
            except (ModelError, UsageError) as error:
                _log.error("model_refused", version=version, reason=str(error))
                self._scorers[version], self.refused[version] = None, str(error)
        return self._scorers[version]

    def _fallback_scorers(self) -> list[Scorer]:
        """The champion of the kind that is set; none for `popular`, which every recommender has of the last days."""
        kind = self._settings.fallback
        if kind == POPULAR_VERSION:
            return []
        champion = learning.champion(self._conn, kind)
        if champion is None:
            _log.warning("no_fallback_champion", kind=kind, serving=POPULAR_VERSION)
            return []
        scorer = self._scorer(champion.version)
        return [] if scorer is None else [scorer]


def load_scorer(conn: psycopg.Connection, version: str, catalogue: Catalogue) -> Scorer:
    """A registered policy or baseline over these works.

    Raises:
        UsageError: there is no such version. ModelError: it does not load, or does not rank.
    """
    row = learning.model(conn, version)
    if row is None:
        raise UsageError(f"there is no model {version!r}; `openshelf models list` names them")
    if row.kind == "policy":
        return PolicyScorer(registry.load_policy(conn, version), catalogue)
    return RankerScorer(registry.load_ranker(conn, version), catalogue)


def stamp(conn: psycopg.Connection) -> learning.ServingStamp:
    """All that decides what serves: reload when it differs from the last one seen."""
    return learning.serving_stamp(conn, get_settings().fallback)
