"""Python's search for garbage, put off where none to speak of is made."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_alone() -> Iterator[None]:
    """Nothing is collected within the block: with many objects that all stay, looking through them costs a lot."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def seldom() -> None:
    """In the whole process it is looked for now and then, and no more when it ends.

    What a command imports all stays: with Python's usual steps a third of the time that it takes to load torch, and to
    leave again, goes into walking through it.
    """
    gc.set_threshold(50_000, 20, 50)
    # Registered first, so done last. What is left goes with the process.
    atexit.register(gc.freeze)
