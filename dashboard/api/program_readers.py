"""Readers of a program: what the library keeps of one is removed when the program asks for it."""

import msgspec
import psycopg

from dashboard.api.callers import Caller
from dashboard.api.operations import Operation
from dashboard.api.problems import ProblemError
from dashboard.api.recommendations import OwnReaderKey
from openshelf.database.api_keys import Scope
from openshelf.privacy import erasing
from openshelf.settings import get_settings


class ReaderAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reader_key: OwnReaderKey


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """`is_finished`: nothing is left. Else the dataflow has not heard of it yet; the rest goes when it does."""

    reader_key: str
    is_finished: bool


def erase(conn: psycopg.Connection, caller: Caller, asked: ReaderAsked, _body: None) -> Erased:
    reader_key = caller.reader_key(asked.reader_key)
    if not reader_key.startswith("x_"):
        raise ProblemError(403, "this reader has an account of the library: `openshelf reader erase` removes it")
    erasure_id = erasing.erase_program_reader(conn, reader_key)
    return Erased(reader_key=asked.reader_key, is_finished=erasing.finish(conn, get_settings(), erasure_id))


OPERATIONS = [
    Operation(
        "DELETE", "/readers/{reader_key}", "eraseReader", "Remove all that is kept of a reader of this program.",
        Erased, erase, scope=Scope.WRITE, asked=ReaderAsked,
        description="Acts, slates and sessions go through every store, and acts of this reader_key are taken no more: "
        "who comes back needs another name. Sent again, it does no harm.",
    ),
]  # fmt: skip
