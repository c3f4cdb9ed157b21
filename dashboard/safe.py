"""The one door for text we did not write: titles, authors, descriptions, answers of a language model.

The text of books has its own: `openshelf.epub_tree`.
"""

import html
import re

import nh3

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_BLOCK_END = re.compile(r"</(?:p|div|li|h[1-6]|blockquote)>|<br\s*/?>", re.IGNORECASE)


def plain_paragraphs(text: str | None) -> list[str]:
    """A cleaned description (text or simple HTML) as paragraphs of plain text."""
    broken = _BLOCK_END.sub("\n\n", text or "")
    stripped = html.unescape(nh3.clean(broken, tags=set(), clean_content_tags={"script", "style"}))
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", _CONTROL.sub("", stripped)) if part.strip()]
