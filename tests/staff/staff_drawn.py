"""What a page for staff holds when it is drawn without a browser, and who looks at it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from streamlit.testing.v1 import AppTest

from dashboard import state
from openshelf.database import accounts, sign_ins


def put_account(url: str, role: str) -> accounts.Account:
    """An account of this role that is signed in; the name of the role is its cookie."""
    with psycopg.connect(url) as conn:
        account = accounts.create_demo(conn, f"the {role}", "Someone", role=role, history_enabled=False)
        hour = timedelta(hours=1)
        sign_ins.begin(conn, account.account_id, state.token_hash(role), idle=hour, expires_at=datetime.now(UTC) + hour)
    return account


class Drawn:
    """What a page holds."""

    def __init__(self, app: AppTest) -> None:
        assert not app.exception, app.exception
        self._nodes = list(_below(app._tree))

    def components(self, name: str) -> list[dict[str, Any]]:
        found = [getattr(node, "proto", None) for node in self._nodes]
        return [
            json.loads(proto.json) for proto in found if getattr(proto, "component_name", "") == f"openshelf.{name}"
        ]

    @property
    def head(self) -> tuple[str, str]:
        """The question and the answer."""
        data = self.components("finder")[0]
        return data["heading"], data["line"]

    @property
    def words(self) -> str:
        """All HTML of our own."""
        return " ".join(str(getattr(getattr(node, "proto", None), "body", "")) for node in self._nodes)

    def table(self, *labels: str) -> list[list[str]]:
        """The rows of the table that has these columns, in their order; cells as texts."""
        for data in self.components("table"):
            names = [column["label"] for column in data["columns"]]
            if set(labels) <= set(names):
                at = [names.index(label) for label in labels]
                return [[_text(row[place]) for place in at] for row in data["rows"]]
        raise AssertionError(f"no table with {labels}")


def _text(cell: str | dict[str, str]) -> str:
    return cell if isinstance(cell, str) else cell["text"]


def _below(node: Any) -> Iterator[Any]:
    for child in getattr(node, "children", {}).values():
        yield child
        yield from _below(child)
