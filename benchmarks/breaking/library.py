"""A small library to act in: works, a policy whose slates depend on the reader's acts alone, and signed-in readers."""

from dataclasses import asdict

import numpy as np
import psycopg
import torch
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from models import registry
from models.embedding import MODEL_NAME
from models.policy import Policy, PolicyConfig
from openshelf import readers
from openshelf.contracts import utc_now
from openshelf.database import accounts, migrate

from .acting import COUNT_WORKS

COUNT_ACCOUNTS = 3
# The first of its kind.
CHAMPION = "policy-0001"


def open_library(url: str) -> dict[str, int]:
    """Make it in an empty database. Returns the reader_key and account_id of those who are signed in."""
    with psycopg.connect(url) as conn:
        migrate.migrate(conn)
        register_vector(conn)
        _add_works(conn)
        assert register_policy(conn) == CHAMPION
        return dict(_sign_in(conn, number) for number in range(COUNT_ACCOUNTS))


def _add_works(conn: psycopg.Connection) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((COUNT_WORKS, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with conn.cursor() as cursor:
        cursor.execute(
            """insert into library.works (work_key, title, title_sort, rating, added_at)
               select 'work ' || n, 'Work ' || n, 'Work ' || n, 1 + n %% 5, now() from generate_series(1, %s) as n""",
            [COUNT_WORKS],
        )
        cursor.executemany(
            "insert into library.text_embeddings (book_id, model, text_hash, embedding) values (%s, %s, '', %s)",
            [(number + 1, MODEL_NAME, HalfVector(vector)) for number, vector in enumerate(vectors)],
        )


def register_policy(conn: psycopg.Connection) -> str:
    """One more policy like the others, and make it the champion."""
    torch.manual_seed(0)
    # What is popular changes with every act that is stored, and with it what a restarted dataflow draws: without it, a
    # slate is the same whenever it is drawn.
    config, now = PolicyConfig(prior_weight=0.0), utc_now()
    adapter = torch.nn.init.orthogonal_(torch.empty(config.dim, 384))
    tensors = registry.policy_tensors(Policy(config, adapter, torch.arange(1, COUNT_WORKS + 1)), {})
    version = registry.register(
        conn, "policy", tensors, config=asdict(config), manifest={}, metrics={}, parent=None, now=now
    )
    registry.promote(conn, version, "for breaking", now)
    return version


def _sign_in(conn: psycopg.Connection, number: int) -> tuple[str, int]:
    account = accounts.create_demo(conn, f"reader{number}", f"Reader {number}", role="reader", history_enabled=True)
    reader_key = readers.account_key(b"breaking", account.account_id)
    accounts.pseudonym_or(conn, account.account_id, reader_key)
    accounts.set_history(conn, account.account_id, True, readers.NOTICE_VERSION)
    return reader_key, account.account_id
