"""The one door for text we did not write: titles, authors, descriptions, answers of a language model, books."""

import html
import re

import nh3

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_BLOCK_END = re.compile(r"</(?:p|div|li|h[1-6]|blockquote)>|<br\s*/?>", re.IGNORECASE)
BOOK_BLOCKS = frozenset({
    "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "hr",
    "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td",
})  # fmt: skip
_BOOK_INLINE = {"a", "b", "br", "cite", "code", "em", "i", "img", "q", "s", "small", "strong", "sub", "sup", "u"}


def plain_paragraphs(text: str | None) -> list[str]:
    """A cleaned description (text or simple HTML) as paragraphs of plain text."""
    broken = _BLOCK_END.sub("\n\n", text or "")
    stripped = html.unescape(nh3.clean(broken, tags=set(), clean_content_tags={"script", "style"}))
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", _CONTROL.sub("", stripped)) if part.strip()]


def book_html(markup: str) -> str:
    """The text of a book as HTML of a few harmless tags: no styles, scripts, forms or frames, no addresses but those of
    links and pictures. What these point at is for the reader of the result to judge.
    """
    return nh3.clean(
        _CONTROL.sub("", markup),
        tags={*BOOK_BLOCKS, *_BOOK_INLINE},
        attributes={"*": {"id", "lang", "xml:lang", "dir"}, "a": {"href"}, "img": {"src", "alt"}},
        clean_content_tags={"script", "style"},
        link_rel=None,
    )
