"""The text of one part of a book as a tree that no browser has to parse as markup. Pure.

A tree is JSON: a string is text, a list is `[tag, attributes, *children]`.
"""

import posixpath
import re
from collections.abc import Mapping, Set
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import nh3

MAX_DEPTH = 40
# XHTML closes empty elements at once; to a parser of HTML they stay open and swallow what follows.
_CLOSED_AT_ONCE = re.compile(r"<(a|b|em|i|p|span|strong|sub|sup|div|li|td|th|h[1-6]|title)(\s[^<>]*)?/>", re.IGNORECASE)
_VOID = {"br", "hr", "img"}
_NO_TEXT_WITHIN = {"ul", "ol", "dl", "table", "thead", "tbody", "tr"}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
BOOK_BLOCKS = frozenset({
    "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "hr",
    "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td",
})  # fmt: skip
_BOOK_INLINE = {"a", "b", "br", "cite", "code", "em", "i", "img", "q", "s", "small", "strong", "sub", "sup", "u"}

Node = str | list[Any]


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


def within(base: str, href: str) -> tuple[str, str]:
    """The part that an address inside the book means, and the place in it.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(href)
    if not parts.path:
        return base, unquote(parts.fragment)
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(parts.path))), unquote(parts.fragment)


class Tree(HTMLParser):
    """The tree of a part. Pictures are kept if they are the book's own, links if they lead to a part of it."""

    def __init__(self, markup: str, name: str, pictures: Set[str]) -> None:
        super().__init__()
        self._name = name
        self._pictures = pictures
        self._root: list[Any] = ["div", {}]
        self._open = [self._root]
        self.length = 0  # characters of text
        self.has_picture = False
        self.feed(book_html(_CLOSED_AT_ONCE.sub(r"<\1\2></\1>", markup)))
        self.close()

    @property
    def nodes(self) -> list[Node]:
        return self._root[2:]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value for key, value in attrs if value}
        kept = {key: given[key] for key in ("lang", "dir", "id") if key in given}
        if "xml:lang" in given:
            kept.setdefault("lang", given["xml:lang"])
        if tag == "img":
            source = self._address(given.get("src", ""))[0]
            if source not in self._pictures:
                self.handle_data(given.get("alt", ""))
                return
            kept |= {"src": source, "alt": given.get("alt", "")}
            self.has_picture = True
        if tag == "a":
            kept["to"], kept["anchor"] = self._address(given.get("href", ""))
        node: list[Any] = [tag, kept]
        self._open[-1].append(node)
        if tag not in _VOID and len(self._open) < MAX_DEPTH:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        parent = self._open[-1]
        if not data:
            return
        if not data.strip() and parent[0] != "pre":
            before = parent[-1] if len(parent) > 2 else None
            if (
                parent[0] in _NO_TEXT_WITHIN
                or before is None
                or (isinstance(before, list) and before[0] in BOOK_BLOCKS)
            ):
                return  # space between blocks is the layout's business
        parent.append(data)
        self.length += len(data.strip())

    def _address(self, href: str) -> tuple[str, str]:
        """Part and place that an address means; two empty strings for one that leads out of the book."""
        try:
            parts = urlsplit(href)
            return ("", "") if not href or parts.scheme or parts.netloc else within(self._name, href)
        except ValueError:
            return "", ""


def linked(nodes: list[Node], part_of: Mapping[str, int]) -> list[Node]:
    """The tree with links that name a part by its number; those to what is not shown lead nowhere."""
    found: list[Node] = []
    for node in nodes:
        if isinstance(node, str):
            found.append(node)
            continue
        tag, attributes = node[0], dict(node[1])
        if tag == "a":
            part, anchor = part_of.get(attributes.pop("to", "")), attributes.pop("anchor", "")
            if part is not None:
                attributes |= {"part": part, "anchor": anchor}
        found.append([tag, attributes, *linked(node[2:], part_of)])
    return found
