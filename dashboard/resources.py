"""What the whole process shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import streamlit as st

from dashboard.sessions import Sessions
from openshelf.database import pool
from openshelf.settings import get_settings


@contextmanager
def connection() -> Iterator[psycopg.Connection]:
    """A pooled connection; commits at the end, rolls back on an error."""
    with pool.get_pool().connection() as conn:
        yield conn


@st.cache_resource
def sessions() -> Sessions:
    return Sessions(timedelta(minutes=get_settings().session_minutes))
