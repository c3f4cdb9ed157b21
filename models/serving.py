"""What serves, loaded from the registry over the present catalogue."""

from datetime import datetime

import psycopg
import structlog
import torch

from models import registry
from models.arms import PolicyScorer, RankerScorer, Scorer
from models.catalogue import load_ranking
from models.recommender import Recommender
from models.states import Catalogue
from openshelf.database import learning
from openshelf.errors import ModelError, UsageError
from openshelf.settings import get_settings

_log = structlog.get_logger(__name__)

# What serves when there is no policy to trust.
POPULAR_VERSION = "popular"


def load_recommender(
    conn: psycopg.Connection, now: datetime | None = None, *, version: str | None = None
) -> Recommender:
    """What serves over the present catalogue: a registered version of any kind that ranks, unset: the champion policy.

    A champion or fallback that does not load is reported, and the next rung of the ladder serves.

    Raises:
        UsageError: there is no such version. ModelError: a version that was asked for does not load.
    """
    torch.set_num_threads(1)  # the dataflow scales by processes; threads would only fight each other
    settings = get_settings()
    ranking = load_ranking(conn, now)
    champion = learning.champion(conn, "policy")
    scorer = None
    if version is not None:
        scorer = load_scorer(conn, version, ranking.catalogue)
    elif champion is not None:
        scorer = _loaded(conn, champion.version, ranking.catalogue)
    serving = version or (champion.version if champion and scorer else POPULAR_VERSION)
    return Recommender(
        scorer,
        serving,
        ranking,
        slate_size=settings.slate_size,
        explore_share=settings.explore_share,
        cold_pool=settings.cold_pool,
        fallbacks=_fallbacks(conn, settings.fallback, ranking.catalogue),
    )


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


def _loaded(conn: psycopg.Connection, version: str, catalogue: Catalogue) -> Scorer | None:
    """None, said aloud, where it does not load: a broken model must not stop the serving."""
    try:
        return load_scorer(conn, version, catalogue)
    except ModelError as error:
        _log.error("model_refused", version=version, reason=str(error))
        return None


def _fallbacks(conn: psycopg.Connection, kind: str, catalogue: Catalogue) -> list[Scorer]:
    """The champion of that kind; none for `popular`, which every recommender has of the last days."""
    if kind == "popular":
        return []
    champion = learning.champion(conn, kind)
    if champion is None:
        _log.warning("no_fallback_champion", kind=kind, serving=POPULAR_VERSION)
        return []
    scorer = _loaded(conn, champion.version, catalogue)
    return [] if scorer is None else [scorer]


def stamp(conn: psycopg.Connection) -> tuple[str | None, int]:
    """(champion version, catalogue version): reload when it differs from the last one seen."""
    return learning.serving_stamp(conn)
