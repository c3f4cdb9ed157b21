"""What serves: loaded at the start, replaced while the dataflow runs when champion, catalogue or experiment change."""

import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from datetime import datetime

import msgspec
import psycopg
import structlog

from models import serving
from models.experiments import Serving
from openshelf.contracts import utc_now
from openshelf.database.learning import ServingStamp
from openshelf.database.workers import Served
from openshelf.errors import ModelError
from streaming import measures, process_memory, stopping
from streaming.patience import PatientConnection

CHECK_EVERY_S = 1.0
# A champion or catalogue that did not load is tried again, in case the fault has passed.
RETRY_EVERY_S = 30.0
# What is popular changes with the acts: a recommender is loaded again this often though nothing else changed.
RENEW_EVERY_S = serving.POPULAR_FOR_S

_log = structlog.get_logger(__name__)


class RecommenderKeeper:
    """Holds what serves; `refresh` loads what is newer and keeps the old one if that fails."""

    def __init__(
        self,
        stamp: Callable[[psycopg.Connection], ServingStamp] = serving.stamp,
        load: Callable[[psycopg.Connection], Serving] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._stamp, self._load, self._clock = stamp, load or serving.ServingLoader(), clock
        self._current: Serving | None = None
        self._seen: ServingStamp | None = None
        self._load_again_at = float("inf")
        self._served = Served()

    def current(self) -> Serving | None:
        return self._current

    def served(self) -> Served:
        """What serves, and what should and was refused, in words for those who look on."""
        return self._served

    def refresh(self, conn: psycopg.Connection) -> bool:
        """Load what serves if something of it is not as it was seen last; whether something new serves now."""
        newest = self._stamp(conn)
        if newest == self._seen and time.monotonic() < self._load_again_at:
            return False
        self._seen = newest
        try:
            loaded = self._load(conn)
            is_refused = newest.champion is not None and loaded.version == serving.POPULAR_VERSION
            if is_refused and self._current is not None:
                raise ModelError(loaded.refused.get(str(newest.champion), "it does not load"))
        except psycopg.OperationalError:
            self._seen = None
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new one, the old one must go on serving
            self._load_again_at = time.monotonic() + RETRY_EVERY_S
            _log.exception(
                "recommender_refused",
                champion=newest.champion,
                catalogue_version=newest.catalogue_version,
                serving=self._served.serves,
            )
            self._refuse({newest.champion or serving.POPULAR_VERSION: str(error) or type(error).__name__})
            return False
        # One assignment: a batch that is being drawn keeps the one it took.
        self._current = loaded
        self._load_again_at = time.monotonic() + (RETRY_EVERY_S if is_refused else RENEW_EVERY_S)
        self._serve(loaded, newest.catalogue_version)
        self._refuse(loaded.refused)
        process_memory.give_back()
        return True

    def _serve(self, loaded: Serving, catalogue_version: int) -> None:
        arms = {arm: each.version for arm, each in loaded.arms.items()}
        known = self._served
        is_new = (loaded.version, arms) != (known.serves, known.arms)
        self._served = Served(
            serves=loaded.version,
            serves_since=self._clock() if is_new else known.serves_since,
            arms=arms,
            catalogue_version=catalogue_version,
            refusal=known.refusal,
            refused_at=known.refused_at,
        )
        _log.info("recommender_serves", policy=loaded.version, catalogue_version=catalogue_version, arms=arms)

    def _refuse(self, refused: Mapping[str, str]) -> None:
        """Note the models that should serve and did not load; that none was refused, if so."""
        lines = [f"{version}: {reason}".partition("\n")[0] for version, reason in refused.items()]
        text = "; ".join(lines) or None
        if refused:
            measures.THIS_PROCESS.refused()
        refused_at = self._served.refused_at if text == self._served.refusal else self._clock() if text else None
        self._served = msgspec.structs.replace(self._served, refusal=text, refused_at=refused_at)

    def watch(self, connection: PatientConnection, changed: Callable[[], None] = lambda: None) -> threading.Thread:
        """Refresh in a thread of its own until the process is asked to stop; `changed`: what is served, or refused."""

        def look() -> None:
            while not stopping.wait(CHECK_EVERY_S):
                known = self._served
                connection.try_once(self.refresh)
                if self._served != known:
                    changed()
            connection.close()

        thread = threading.Thread(target=copy_context().run, args=[look], name="recommenders", daemon=True)
        thread.start()
        return thread
