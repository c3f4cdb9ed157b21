"""Hashes that say whether two trainings had the same data and the same program. Reads nothing but our own sources."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def digest(*parts: bytes) -> str:
    """16 hex digits; the same bytes cut up otherwise are another thing."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()[:16]


def digest_of(data: "DataclassInstance") -> str:
    """Of all fields of a dataclass of arrays, texts and tables of texts."""
    parts: list[bytes] = []
    for field in fields(data):
        value = getattr(data, field.name)
        is_plain_array = isinstance(value, np.ndarray) and value.dtype != object
        parts += [field.name.encode(), value.tobytes() if is_plain_array else _text(value).encode()]
    return digest(*parts)


def _text(value: object) -> str:
    """The same for equal values; the printed form of a large array leaves out its middle."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return repr(dict(value) if isinstance(value, Mapping) else value)


@cache
def code_hash() -> str:
    """Of the sources and settings under `models/`: what a model learned depends on them as much as on the data."""
    files = sorted(_sources(resources.files("models"), ""))
    return digest(*(part for name, raw in files for part in (name.encode(), raw)))


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, f"{name}/")
        elif name.endswith((".py", ".toml")):
            yield name, entry.read_bytes()
