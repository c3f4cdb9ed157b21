"""Kinds of identifiers as editions hold them: 'isbn', 'openlibrary', 'uuid', whatever else a source gives."""

import re

_ISBN_KIND = re.compile(r"isbn(?:-?\d{1,2})?")


def is_isbn(kind: str) -> bool:
    """Whether this kind is an ISBN: 'isbn', of another binding 'isbn-2' and so on; sources also say 'isbn13'."""
    return bool(_ISBN_KIND.fullmatch(kind))
