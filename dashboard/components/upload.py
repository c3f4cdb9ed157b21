"""A file that a reader hands in. It stays in the memory of their tab."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.components.registration import renderer
from dashboard.language import _

_MAX_NAME = 200


def chooser(
    key: str, hint: str, endings: Sequence[str], most: int, too_large: str, on_file: Callable[[], None], *,
    name: str = "", problem: str = "",
) -> None:  # fmt: skip
    """`endings`: of the files that are offered; `most`: bytes; `name`, `problem`: of the file that was handed in."""
    renderer("upload")(
        key=key,
        data={
            "accept": ",".join(endings),
            "most": most,
            "name": name,
            "problem": problem,
            "words": {
                "choose": _("Choose a file"),
                "hint": hint,
                "too_large": too_large,
                "reading": _("Looking through {name} …"),
                "failed": _("This file could not be read. Please choose it again."),
            },
        },
        on_file_change=on_file,
    )


def handed_in(key: str) -> tuple[str, bytes] | None:
    """Name and content of the file that the chooser has just sent; None for what it never sends."""
    answer = getattr(st.session_state.get(key), "file", None)
    if not isinstance(answer, dict) or not isinstance(answer.get("content"), str):
        return None
    try:
        content = b64decode(answer["content"], validate=True)
    except (binascii.Error, ValueError):
        return None
    return str(answer.get("name") or "")[:_MAX_NAME], content
