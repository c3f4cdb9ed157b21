"""What serves: loaded at the start, replaced while the dataflow runs when champion, catalogue or experiment change."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context

import psycopg
import structlog

from models import serving
from models.experiments import Serving
from openshelf.database.learning import ServingStamp
from openshelf.errors import ModelError
from streaming import stopping
from streaming.patience import PatientConnection

CHECK_EVERY_S = 1.0
# A champion or catalogue that did not load is tried again, in case the fault has passed.
RETRY_EVERY_S = 30.0
# What is popular is read when a recommender is loaded: it is loaded again this often though nothing changed.
RENEW_EVERY_S = 600.0

_log = structlog.get_logger(__name__)


class RecommenderKeeper:
    """Holds what serves; `refresh` loads what is newer and keeps the old one if that fails."""

    def __init__(
        self,
        stamp: Callable[[psycopg.Connection], ServingStamp] = serving.stamp,
        load: Callable[[psycopg.Connection], Serving] = serving.load_serving,
    ) -> None:
        self._stamp, self._load = stamp, load
        self._current: Serving | None = None
        self._seen: ServingStamp | None = None
        self._load_again_at = float("inf")

    def current(self) -> Serving | None:
        return self._current

    def refresh(self, conn: psycopg.Connection) -> bool:
        """Load what serves if something of it is not as it was seen last; whether something new serves now."""
        newest = self._stamp(conn)
        if newest == self._seen and time.monotonic() < self._load_again_at:
            return False
        self._seen = newest
        try:
            loaded = self._load(conn)
            if loaded.version == serving.POPULAR_VERSION and newest.champion is not None and self._current is not None:
                raise ModelError(f"champion {newest.champion} does not load; see model_refused above")
        except psycopg.OperationalError:
            self._seen = None
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with the new one, the old one must go on serving
            self._load_again_at = time.monotonic() + RETRY_EVERY_S
            _log.exception(
                "recommender_refused",
                champion=newest.champion,
                catalogue_version=newest.catalogue_version,
                serving=self._name(),
            )
            return False
        # One assignment: a batch that is being drawn keeps the one it took.
        self._current, self._load_again_at = loaded, time.monotonic() + RENEW_EVERY_S
        _log.info(
            "recommender_serves",
            policy=loaded.version,
            catalogue_version=newest.catalogue_version,
            arms={arm: each.version for arm, each in loaded.arms.items()},
        )
        return True

    def watch(self, connection: PatientConnection) -> threading.Thread:
        """Refresh in a thread of its own until the process is asked to stop."""

        def look() -> None:
            while not stopping.wait(CHECK_EVERY_S):
                connection.try_once(self.refresh)
            connection.close()

        thread = threading.Thread(target=copy_context().run, args=[look], name="recommenders", daemon=True)
        thread.start()
        return thread

    def _name(self) -> str | None:
        return self._current.version if self._current else None
