"""Topic names, keys and partitions, shared by the log table and the broker. Pure."""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

PARTITIONS = 12
RETENTION_MS = 7 * 24 * 3600 * 1000


def partition_of(reader_key: str) -> int:
    """The partition of a reader: CRC-32 of the key, as librdkafka's `consistent` partitioner does it."""
    return zlib.crc32(reader_key.encode()) % PARTITIONS


@dataclass(frozen=True)
class Topics:
    """The names of an installation's topics."""

    prefix: str = "openshelf"

    @property
    def interactions(self) -> str:
        return f"{self.prefix}.interactions.v1"

    @property
    def slates(self) -> str:
        return f"{self.prefix}.slates.v1"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}.dead-letters.v1"


@dataclass(frozen=True)
class Share:
    """What one of several hosts takes: the `number`-th of `count`, counted from 1, takes each `count`-th partition."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Share":
        """`I/N`.

        Raises:
            ValueError: it is not, or there is no such share.
        """
        found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
        if found and 1 <= int(found[1]) <= int(found[2]):
            return cls(int(found[1]), int(found[2]))
        raise ValueError(f"share {text!r} must be I/N with I from 1 to N, as 1/2 and 2/2 for two hosts")

    def of(self, partitions: Iterable[int]) -> list[int]:
        """Those of the partitions that are in this share, in order."""
        return sorted(partition for partition in partitions if partition % self.count == self.number - 1)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Share()
