"""How this process takes memory from the system and gives it back. Elsewhere than on Linux with glibc: as it is."""

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
# What is larger is taken from the system and given back at once. Left to itself, glibc raises its limit to the largest
# array ever freed, and then keeps what a catalogue took while it was loaded.
_LARGE = 8 * 2**20
# What smaller things leave free is kept up to here, for the next batch: to ask for it anew costs as much as drawing.
_KEPT_FREE = 32 * 2**20


@cache
def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError):
        return None


def keep_large_apart() -> None:
    """Call it once, at the start."""
    if library := _glibc():
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def give_back() -> None:
    """What is free goes back to the system: after something large was loaded in place of another."""
    if library := _glibc():
        library.malloc_trim(0)
