"""Topic names, keys and partitions, shared by the log table and the broker. Pure."""

import zlib

INTERACTIONS = "openshelf.interactions.v1"
SLATES = "openshelf.slates.v1"
DEAD_LETTERS = "openshelf.dead-letters.v1"

PARTITIONS = 12
RETENTION_MS = 7 * 24 * 3600 * 1000


def partition_of(reader_key: str) -> int:
    """The partition of a reader: CRC-32 of the key, as librdkafka's `consistent` partitioner does it."""
    return zlib.crc32(reader_key.encode()) % PARTITIONS
