"""What a reader decides about their own data, as parts of pages."""

from dashboard.components import furniture
from dashboard.language import _
from dashboard.state import Visitor
from openshelf.settings import get_settings


def visit_minutes() -> int:
    """How long after the last act of a visit nothing of it is left, if the retention job comes by as it should."""
    return get_settings().retention_visit_minutes


def mode_switch(visitor: Visitor, back_to: str) -> None:
    """One press: the same books for everyone and nothing stored, or a shelf of one's own again."""
    furniture.form(
        "mode",
        "/your-data/mode",
        [],
        _("Show me the same as everyone") if visitor.personal else _("Recommend books to me again"),
        hidden={"personal": "0" if visitor.personal else "1", "to": back_to},
        quiet=True,
    )
