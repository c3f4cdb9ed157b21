"""The register of processing: every place where something of a person is kept, why, for how long, and what ends it.

From here come the export (what it holds), the erasure (what it removes), the table in docs/privacy.md, and the test
that no table is forgotten. A new table with a person in it is described here or the tests fail.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from openshelf.database import exports
from openshelf.errors import UsageError

# Columns by which a table is somebody's, or may hold who somebody is.
PERSONAL_COLUMNS = frozenset(
    {
        "account_id", "guardian_id", "reader_key", "session_id", "username", "display_name", "email", "oidc_subject",
        "password_hash", "token_hash", "payload", "actor", "subject", "who", "reader_keys", "note",
    }
)  # fmt: skip
# Schemas of this installation whose every table is either here or in NOBODYS.
SCHEMAS = ("library", "reading", "stream", "learning", "marts")

Whose = Literal["account", "reader", "other"]


@dataclass(frozen=True)
class Kept:
    """One place. `whose`: its rows belong to an account, to a reader_key, or are found in another way.

    `part`: its name in a reader's export; None: not in it, `why_not` says why. `secret`: columns that are never shown.
    `is_history`: goes when the history is cleared, not only with the account.
    """

    table: str
    whose: Whose
    what: str
    why: str
    how_long: str
    part: str | None = None
    why_not: str = ""
    secret: frozenset[str] = frozenset()
    is_history: bool = False


_ACCOUNT = "until the account is erased"
_HISTORY = "as the reader chose: not at all, for a number of days (90 unless chosen otherwise), or until they delete it"
_VISIT = "of who keeps no history: an hour after the last act of the visit"

REGISTER: tuple[Kept, ...] = (
    Kept(
        "reading.accounts", "account", "user name, shown name, e-mail if given, keyed hash of the password, choices",
        "to sign in, and to know what was chosen", _ACCOUNT, "profile", secret=frozenset({"password_hash"}),
    ),
    Kept(
        "reading.pseudonyms", "account", "which pseudonym an account has",
        "the one place where an account meets what the stream knows", "until the history is cleared", "pseudonym",
        is_history=True,
    ),
    Kept(
        "reading.consents", "account", "each decision about the history, with the version of the notice",
        "to show what was agreed to, and when", _ACCOUNT, "consents",
    ),
    Kept(
        "reading.sign_ins", "account", "hash of the sign-in cookie, when it was made and last seen",
        "to stay signed in, and to sign out everywhere", "a week after it ended", "sign_ins",
        secret=frozenset({"token_hash"}),
    ),
    Kept(
        "reading.shelf_entries", "account", "books on the shelves want, reading and read",
        "the reader put them there; on reading, by opening the text while a history is kept",
        "until taken off; reading: until the history is cleared", "shelves",
    ),
    Kept("reading.ratings", "account", "stars for books", "the reader gave them", "until taken back", "ratings"),
    Kept(
        "reading.hidden_books", "account", "books not to be shown again", "the reader hid them", "until shown again",
        "hidden_books",
    ),
    Kept("reading.lists", "account", "own lists and their rules", "the reader made them", "until removed", "lists"),
    Kept(
        "reading.list_entries", "account", "books on own lists", "the reader put them there", "until removed",
        "list_entries",
    ),
    Kept(
        "reading.places", "account", "where in a text a reader stopped; only of who keeps a history",
        "to open the book at the same place", _HISTORY, "places", is_history=True,
    ),
    Kept(
        "reading.requests", "account", "books a reader asked the library for; without an account: of nobody",
        "to get the book, and to tell the reader", _ACCOUNT, "requests",
    ),
    Kept(
        "reading.chats", "account", "questions to the librarian and which books were named; only of who wants it",
        "to go on with a chat another day", "as the reader chose: not at all, or for a number of days (30 as a rule)",
        "chats", is_history=True,
    ),
    Kept(
        "reading.audit_log", "other", "what staff and operators did, as 'account 7'",
        "to see who changed what", "a year", why_not="of staff, about their work",
    ),
    Kept(
        "reading.attempts", "other", "how often something was tried, by a keyed hash of who tried",
        "against guessing of passwords", "until the count begins anew, at most a day",
        why_not="leads to nobody",
    ),
    Kept(
        "reading.erasures", "other", "requests to erase that are under way", "to finish them, whatever happens",
        "until they are finished, minutes as a rule", why_not="empty but for the moment of erasing",
    ),
    Kept(
        "stream.event_log", "reader", "acts as they were made, under a pseudonym",
        "nothing acknowledged is lost; the dataflow reads it", f"90 days; {_VISIT}", "acts", is_history=True,
    ),
    Kept(
        "stream.interactions", "reader", "acts as they count", "recommendations, and the history page", _HISTORY,
        "history", is_history=True,
    ),
    Kept(
        "stream.slates", "reader", "what was recommended, with reasons and probabilities",
        "to show it, and to judge the recommendations", _HISTORY, "recommendations", is_history=True,
    ),
    Kept(
        "stream.sessions", "reader", "when a visit began and ended, and how many acts it had",
        "to tell visits apart", _HISTORY, "visits", is_history=True,
    ),
    Kept(
        "stream.assignments", "reader", "which arm of an experiment a reader was in",
        "to compare ways to recommend", _HISTORY, "experiments", is_history=True,
    ),
    Kept(
        "stream.quarantine", "reader", "acts on works that the catalogue does not have yet",
        "to count them once it has", "90 days", "waiting_acts", is_history=True,
    ),
    Kept(
        "stream.imported_acts", "other",
        "ratings of published data sets, of their readers under pseudonyms of this installation",
        "models learn from them; no figure of the library counts them",
        "until the data set is removed, or a reader of it: `openshelf ingest dataset NAME --remove`, `--forget READER`",
        why_not="of readers elsewhere, as they were published; of no account", is_history=True,
    ),
    Kept(
        "stream.dead_letters", "other", "events that could not be read", "so that staff can mend them", "30 days",
        why_not="cannot be read; those in which a pseudonym stands are removed with it", is_history=True,
    ),
    Kept(
        "marts.fct_interactions", "reader", "acts, for the figures of the library",
        "figures of the library, never of one person", "as stream.interactions, with the next build",
        why_not="a copy of stream.interactions", is_history=True,
    ),
    Kept(
        "marts.fct_slate_places", "reader", "recommendations and what became of them",
        "figures of the library, never of one person", "as stream.slates, with the next build",
        why_not="made of stream.slates and stream.interactions", is_history=True,
    ),
    Kept(
        "marts.fct_sessions", "reader", "visits, for the figures of the library",
        "figures of the library, never of one person", "as stream.sessions, with the next build",
        why_not="a copy of stream.sessions", is_history=True,
    ),
    Kept(
        "marts.dim_readers", "reader", "which pseudonyms are readers, staff, tests or programs",
        "figures of the library, never of one person", "as stream.interactions, with the next build",
        why_not="made of stream.interactions", is_history=True,
    ),
)  # fmt: skip

# Columns named like a person's that are not one's.
NOBODYS: dict[str, str] = {
    "library.pins": "`note`: of staff, about a book they put into a place",
    "library.steers": "`note`: of staff, about a book they exclude, boost or bury",
    "library.work_decisions": "`note`: of staff, about works they merge or split",
    "library.staff_notes": "`note`: of staff, about what happened on a day",
    "learning.experiments": "`note`: of staff, about what is tried",
}

# Where else something of a reader can be: (place, what, what ends it).
ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    (
        "recovery store (`recovery/` under the home folder)",
        "the last acts of each reader under a pseudonym: a cache of the dataflow",
        "the word to forget goes through the log and drops the state at once; `openshelf retention run` takes the "
        "remaining key out of the file",
    ),
    (
        "topics of the broker, where one is set",
        "acts, slates and dead letters on their way, under a pseudonym",
        "the broker keeps messages for 7 days; what is read from it after an erasure is dropped",
    ),
    (
        "trained models",
        "weights made of many readers' acts; no pseudonym is in them",
        "the next training reads only what is still there, and never of who keeps no history",
    ),
    (
        "log files",
        "no names, no addresses, no queries",
        "whoever collects them decides; there is nothing of a person to remove",
    ),
    (
        "browser",
        "a cookie for the visit, one for the sign-in, one for the language, one for the plain mode; the chat with the "
        "librarian, until the tab is closed; of who has no account or no history, the place in a text, also until the "
        "tab is closed, or longer if they ask for it on the page",
        "the reader, by clearing what their browser keeps; nothing of a person is in the cookies",
    ),
    (
        "memory of the storefront",
        "which subjects a reader chose for their first shelf; in no table and no file",
        "the end of the visit, half an hour after its last act; resetting the taste, a decision about the history, or "
        "the end of the account; a restart",
    ),
    (
        "backups",
        "a copy of the tables above",
        "the library's own rule, 90 days unless set otherwise; restored, `openshelf privacy reapply` removes what "
        "was erased since",
    ),
)


def table_of(kept: Kept) -> tuple[str, str]:
    schema, _, table = kept.table.partition(".")
    return schema, table


def exported() -> list[Kept]:
    return [kept for kept in REGISTER if kept.part]


def personal_tables(conn: psycopg.Connection) -> set[str]:
    """Every table of this database that has a column of a person."""
    return set(exports.tables_with_any(conn, PERSONAL_COLUMNS, SCHEMAS))


def as_markdown() -> str:
    """The register as the table of docs/privacy.md."""
    head = ["what is kept", "where", "why", "for how long", "goes with", "in the export"]
    rows = [
        [
            kept.what,
            f"`{kept.table}`",
            kept.why,
            kept.how_long,
            "the history" if kept.is_history else "the account" if kept.whose == "account" else "time",
            f"`{kept.part}`" if kept.part else f"no: {kept.why_not}",
        ]
        for kept in REGISTER
    ]
    return "\n".join(_line(row) for row in [head, ["---"] * len(head), *rows])


def elsewhere_as_markdown() -> str:
    head = ["where", "what", "what ends it"]
    return "\n".join(_line(row) for row in [head, ["---"] * len(head), *map(list, ELSEWHERE)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_page(page: Path) -> None:
    """Put the tables between their marks on a page."""
    text = page.read_text("utf-8")
    for name, table in (("register", as_markdown()), ("elsewhere", elsewhere_as_markdown())):
        head, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"\n<!-- end of {name} -->")
        if not mark or not end:
            raise UsageError(f"{page} has no marks for the {name}")
        text = f"{head}{mark}{table}{end}{tail}"
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
