"""The reading component: a text as we lay it out, or a PDF in a frame."""

from collections.abc import Callable
from typing import Any

from dashboard.components.registration import renderer


def reader(key: str, data: dict[str, Any], on_place: Callable[[], None], on_finish: Callable[[], None]) -> None:
    """`on_place`: the component says where the reader is; `on_finish`: the book was marked as read."""
    renderer("reader")(key=key, data=data, on_place_change=on_place, on_finish_change=on_finish)
