"""A figure of a staff page: chart, what it says in words, and the same numbers as a table and a CSV file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import altair as alt
import streamlit as st

from dashboard.language import _


def fewer() -> str:
    """In place of a number with too few readers behind it."""
    return _("fewer than 5")


def figure(key: str, chart: alt.LayerChart, words: str, rows: Sequence[Any]) -> None:
    """Draw a chart over dataclass rows; `key` names the CSV file."""
    st.altair_chart(chart, width="stretch")
    st.caption(words)
    table = table_of(rows)
    with st.expander(_("The numbers")):
        st.dataframe(table, hide_index=True, width="stretch")
        st.download_button(_("Download as CSV"), csv_of(table), f"{key}.csv", "text/csv", key=f"{key}.csv")


def table_of(rows: Sequence[Any]) -> list[dict[str, str]]:
    """Rows as words: what was held back says so instead of being empty."""
    return [{name.replace("_", " "): _in_words(name, value) for name, value in asdict(row).items()} for row in rows]


def _in_words(name: str, value: object) -> str:
    if value is None:
        return "" if name == "version" else fewer()
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def csv_of(table: Sequence[dict[str, str]]) -> str:
    if not table:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()
