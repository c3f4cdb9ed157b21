"""What a page drawn by AppTest holds, and files to put on its shelves."""

import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
from streamlit.testing.v1 import AppTest

from dashboard import forms

# Of the servers that tests start: so that a test can make the token of a form, which only pages are given.
SECRET = "a secret of forty characters for the tests"


def drawn(app: AppTest, component: str) -> list[dict[str, Any]]:
    """The data of each component of this name on the page, in order."""
    found = [getattr(node, "proto", None) for node in _nodes(app._tree)]
    return [
        json.loads(proto.json) for proto in found if getattr(proto, "component_name", None) == f"openshelf.{component}"
    ]


def shelf_titles(app: AppTest) -> dict[str, list[str]]:
    """Heading of each shelf -> titles on it."""
    return {data["heading"]: [card["title"] for card in data["cards"]] for data in drawn(app, "shelf")}


def words_of(app: AppTest) -> str:
    """The HTML of our own that the page holds."""
    return " ".join(str(getattr(getattr(node, "proto", None), "body", "")) for node in _nodes(app._tree))


def _nodes(node: Any) -> Iterator[Any]:
    for child in getattr(node, "children", {}).values():
        yield child
        yield from _nodes(child)


def send_form(browser: httpx.Client, path: str, /, **fields: str) -> httpx.Response:
    """Send a form as a page of ours does: with the browser's cookie, its token, and from the same site."""
    if forms.COOKIE not in browser.cookies:
        browser.get("/", headers={"Accept": "text/html"})
    token = hmac.digest(SECRET.encode(), f"form {browser.cookies[forms.COOKIE]}".encode(), "sha256").hex()
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    return browser.post(path, data={forms.TOKEN: token, **fields}, headers=headers)
