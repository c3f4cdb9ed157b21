"""The storefront as one ASGI application: `streamlit run dashboard/server.py`."""

import gc
import hashlib
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import streamlit as st
import structlog
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import get_option
from streamlit.starlette import App

from dashboard import routes
from dashboard.headers import SecurityHeaders
from dashboard.language import _
from dashboard.packed import PackedAssets
from dashboard.request_log import RequestLog
from openshelf.database import migrate, pool
from openshelf.errors import DatabaseError, OpenshelfError, SchemaError
from openshelf.log import configure
from openshelf.settings import get_settings

log = structlog.get_logger(__name__)

_FONTS = ("literata-latin-400-normal", "literata-latin-600-normal")


def page_head() -> str:
    """What our page has in its head before Streamlit draws: styles, fonts, icon, title."""
    style = routes.STATIC / "openshelf.css"
    version = hashlib.sha256(style.read_bytes()).hexdigest()[:12]
    fonts = "\n".join(
        f'<link rel="preload" href="/assets/fonts/{name}.woff2" as="font" type="font/woff2" crossorigin>'
        for name in _FONTS
    )
    return f"""<title>Openshelf</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
{fonts}
<link rel="stylesheet" href="/assets/openshelf.css?v={version}">
<link rel="alternate" href="/opds" type="application/atom+xml;profile=opds-catalog" title="Openshelf">
<meta name="color-scheme" content="light dark">
"""


def tell_of_error(error: Exception) -> bool:
    """Log an error of a page and show words instead of a traceback."""
    number = uuid4().hex[:8]
    log.error("page_failed", number=number, exc_info=error)
    title = _("This page could not be drawn")
    line = _("It is written down for the library. Please try again in a moment.")
    known_as = _("If you ask about it, say this number: {number}.").format(number=number)
    st.html(f'<div class="os-notice" role="alert"><h2>{title}</h2><p>{line}</p><p>{known_as}</p></div>')
    return True


def warm_up() -> None:
    """Load what the first visitor would else wait for: the pages' parts, the pool, the encoder, what words mean."""
    from dashboard import data  # noqa: F401
    from dashboard.chat.finding.resolve import meanings
    from models import embedding

    try:
        pool.get_pool()
        embedding.load_encoder().encode_query("warm")
        meanings()
    except (OpenshelfError, OSError) as error:
        log.warning("warm-up failed; the first visitor waits", error=str(error))
    # What is loaded now lives as long as the process: no later collection need look through it.
    gc.collect()
    gc.freeze()


def refuse_unknown_schema() -> None:
    """End, with one line, on a database of another program. One that is away is waited for: pages say so."""
    try:
        with pool.connect() as conn:
            migrate.check(conn)
    except SchemaError as error:
        print(f"openshelf: {error}", file=sys.stderr, flush=True)  # noqa: T201 - as commands say it
        os._exit(error.exit_code)  # the server would make a traceback of any exception
    except DatabaseError as error:
        log.warning("postgres_is_away", words=str(error))


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[None]:
    configure(get_settings(), part="storefront")
    refuse_unknown_schema()
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    yield


app = App(
    "app.py",
    lifespan=lifespan,
    routes=routes.routes(),
    middleware=[
        # Streamlit asks this of its WebSocket only; a page that answers to any name can be reached by DNS rebinding.
        Middleware(TrustedHostMiddleware, allowed_hosts=get_option("server.allowedHosts") or ["*"]),
        Middleware(SecurityHeaders, head=page_head()),
        Middleware(RequestLog),
        Middleware(PackedAssets, folder=get_settings().home / "packed"),
    ],
    on_script_error=tell_of_error,
)
