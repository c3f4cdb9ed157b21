"""A champion whose weights are broken: refused while the one before serves, and popularity serves after a start."""

import time

import psycopg

from models import registry
from openshelf.contracts import utc_now

from .faults import Fault, Stage
from .installation import Installation, wait_for
from .library import CHAMPION, register_policy

BEFORE_A_START_S = 1.0


def _break(stage: Stage[Installation]) -> None:
    """Promoted and spoilt in one transaction. Once refused, the dataflow is killed and has no other."""
    installation = stage.installation
    count = installation.lines_of("dataflow").count('"recommender_refused"')
    with installation.ask() as conn:
        version = register_policy(conn)
        spoilt = stage.random.randbytes(10_000)
        conn.execute("update learning.models set weights = %s where version = %s", [spoilt, version])
    wait_for(
        lambda: installation.lines_of("dataflow").count('"recommender_refused"') > count,
        "the broken champion to be refused",
    )
    time.sleep(BEFORE_A_START_S)
    installation.kill("dataflow")


def _restore(stage: Stage[Installation]) -> None:
    def popularity_serves() -> bool:
        try:
            with stage.installation.ask() as conn:
                newest = conn.execute("select policy_version from stream.slates order by stored_at desc limit 1")
                return newest.fetchone() == ("popular",)
        except psycopg.Error:
            return False

    def promoted() -> bool:
        try:
            with stage.installation.ask() as conn:
                registry.promote(conn, CHAMPION, "restored", utc_now())
        except psycopg.Error:  # Postgres was killed meanwhile
            return False
        return True

    wait_for(popularity_serves, "what is popular to be served")
    wait_for(promoted, "the old champion to be promoted")


CHAMPIONS: list[Fault[Installation]] = [
    Fault("champion does not load", _break, _restore, holds_s=(0, 2), alone=True, is_slow=True),
]
