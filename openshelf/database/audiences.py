"""Whom a work is for, and what an account that is limited may see. Pure."""

# From the youngest on: each limit lets through its own audience and those before it.
AUDIENCES = ("children", "young adult", "adult")


def allowed(limit: str | None) -> list[str] | None:
    """The audiences within a limit of an account; None: every one, and works of unknown audience too.

    A limit that is not known lets nothing through.
    """
    if limit is None:
        return None
    return list(AUDIENCES[: AUDIENCES.index(limit) + 1]) if limit in AUDIENCES else []
